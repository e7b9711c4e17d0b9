// npm run bench: ndconv beside other engines, in one run. Each engine has a process of its own; for every task their
// results are compared, then they are timed in turn, several rounds, and medians, spreads and ratios are printed.
//     npm run bench -- [--threads 1,2] [--only WORDS] [--group design,layers] [--engines ndconv,PyTorch] [--rounds 5]
//                      [--json FILE] [--table FILE]
// Node 20 is that of NDCONV_NODE20 or of the path, Python with PyTorch that of NDCONV_PYTHON or of the path.

import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Name, names, type Peer, start } from './peers.ts';
import { type Row, table } from './table.ts';
import { flopsOf, type Task, tasks } from './tasks.ts';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' },
    only: { type: 'string', default: '' },
    group: { type: 'string', default: '' },
    engines: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
    table: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const machine = `${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.versions.node}`;
const listed = (list: string, name: string) => list === '' || list.split(',').includes(name);
const chosen = tasks.filter(({ name, group }) => name.includes(options.only) && listed(options.group, group));

/** Milliseconds that a timing takes at least. */
const SLICE = 100;
/** Milliseconds of a run from which the first must do, and from which a whole engine is left out of steps. */
const SLOW = 4000;
/** Largest difference of compared results, in relation to the largest value. */
const TOLERANCE = 1e-3;
/** For losses after steps of Adam, which follow the signs of gradients and so blow up rounding. */
const STEP_TOLERANCE = 1e-2;

/** Engines that take part: variants of ndconv are shown on one thread, and steps of style transfer without them. */
function wantedFor(threads: number, task?: Task): Name[] {
  const variants: Name[] = ['ndconv direct', 'ndconv 128-bit', 'ndconv Node 20', 'tfjs'];
  return names.filter(name => {
    if (!listed(options.engines, name)) return false;
    if (options.engines !== '') return true;
    if (name === 'ndconv direct' || (threads > 1 && variants.includes(name))) return false;
    return !(task?.kind === 'style-step' && name === 'ndconv Node 20');
  });
}

async function measure(task: Task, peers: readonly Peer[], threads: number): Promise<Row> {
  const times = new Map<Peer, number[]>();
  let expected: number[] | undefined;
  for (const peer of peers) {
    const answer = await peer.ask({ prepare: task });
    if (!('samples' in answer)) continue;
    expected ??= answer.samples;
    const most = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const error = answer.samples.reduce((m, v, i) => Math.max(m, Math.abs(v - expected![i])), 0) / most;
    const steps = task.kind === 'style-step' || task.kind === 'training-step';
    if (answer.samples.length !== expected.length || !(error < (steps ? STEP_TOLERANCE : TOLERANCE))) {
      console.log(
        `${peer.name} differs on ${task.name} by ${error.toPrecision(2)} of the largest value and is left out`,
      );
      continue;
    }
    const runs = steps ? 2 : 1;
    times.set(peer, answer.milliseconds / runs > SLOW ? [answer.milliseconds / runs] : []);
  }
  const slow = new Set([...times].filter(([, list]) => list.length > 0).map(([peer]) => peer));
  const peaks = new Map<Peer, number>();
  for (let round = -1; round < rounds; round++) {
    for (const [peer, list] of times) {
      // What is slow is timed once more, for its peak of memory and a time of its own.
      if (slow.has(peer) && (round !== 0 || peer.name === 'tfjs')) continue;
      const answer = await peer.ask({ time: round < 0 ? 1 : SLICE });
      if (!('milliseconds' in answer && 'peak' in answer)) continue;
      peaks.set(peer, answer.peak);
      if (slow.has(peer)) list.splice(0, 1, answer.milliseconds);
      else if (round >= 0) list.push(answer.milliseconds);
    }
  }
  const row: Row = { task: task.name, group: task.group, threads, engines: {} };
  for (const [peer, list] of times) {
    if (list.length === 0) continue;
    const milliseconds = median(list);
    row.engines[peer.name] = {
      milliseconds,
      spread: Math.max(...list) / Math.min(...list),
      gflops: flopsOf(task) / milliseconds / 1e6,
      peak: peaks.get(peer) ?? 0,
    };
  }
  return row;
}

const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2
    ? sorted[sorted.length >> 1]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
};

async function startAll(wanted: readonly Name[], threads: number): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const name of wanted) {
    const peer = await start(name, threads);
    if (peer) peers.push(peer);
  }
  return peers;
}

const versions = new Map<string, string>();
const note = (peers: readonly Peer[]) => {
  for (const { name, version } of peers) versions.set(name, version);
};
const all: Row[] = [];
for (const threads of options.threads.split(',').map(Number)) {
  const peers = await startAll(wantedFor(threads), threads);
  note(peers);
  for (const task of chosen) {
    // Steps of style transfer have processes of their own, so that the most bytes held are theirs alone.
    const alone = task.kind === 'style-step' ? await startAll(wantedFor(threads, task), threads) : undefined;
    const row = await measure(task, alone ?? peers, threads);
    for (const peer of alone ?? []) peer.process.kill();
    all.push(row);
    const found = Object.entries(row.engines).map(
      ([name, { milliseconds, spread }]) =>
        `${name} ${milliseconds.toPrecision(3)} ms ±${((spread - 1) * 50).toFixed(0)} %`,
    );
    console.log(`${threads} × ${row.task}: ${found.join(', ')}`);
    if (options.json) save();
  }
  for (const peer of peers) peer.process.kill();
}

function save(): void {
  writeFileSync(
    options.json!,
    `${JSON.stringify({ machine, date: new Date().toISOString().slice(0, 10), versions: Object.fromEntries(versions), rows: all }, null, 1)}\n`,
  );
}
const text = table(all, machine, versions);
console.log(`\n${text}`);
if (options.table) writeFileSync(options.table, text);
process.exit(0);
