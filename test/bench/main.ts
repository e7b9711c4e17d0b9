// npm run bench: ndconv beside other engines, in one run. Each engine has a process of its own; for every task their
// results are compared, then they are timed in turn, several rounds, and medians and ratios are printed.
//     npm run bench -- [--threads 1,2] [--only WORDS] [--group design,layers] [--rounds 5] [--json FILE]

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { engines } from './engines.ts';
import type { Answer, Request } from './peer.ts';
import { flopsOf, type Task, tasks } from './tasks.ts';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' },
    only: { type: 'string', default: '' },
    group: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const chosen = tasks.filter(
  ({ name, group }) =>
    name.includes(options.only) && (options.group === '' || options.group.split(',').includes(group)),
);

/** Milliseconds that a timing takes at least. */
const SLICE = 150;
/** Milliseconds of a run from which one timing must do. */
const SLOW = 4000;
/** Largest difference of compared results, in relation to the largest value. */
const TOLERANCE = 1e-3;
/** For losses after steps of Adam, which follow the signs of gradients and so blow up rounding. */
const STEP_TOLERANCE = 1e-2;

const names = [
  'ndconv',
  'ndconv direct',
  'ndconv 128-bit',
  'PyTorch',
  'onnxruntime-node',
  'onnxruntime-web',
  'tfjs',
] as const;
type Name = keyof typeof engines | 'PyTorch';

interface Peer {
  name: Name;
  ask(request: Request): Promise<Answer>;
  process: ChildProcess;
}

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Python with PyTorch: of the environment, else Debian's. */
const python = [process.env.NDCONV_PYTHON ?? 'python3', '/usr/bin/python3'].find(
  command => spawnSync(command, ['-c', 'import torch']).status === 0,
);

/** Starts an engine; undefined, with a line that says why, where it is not there. */
async function start(name: Name, threads: number): Promise<Peer | undefined> {
  const [command, args] =
    name === 'PyTorch'
      ? [python ?? 'python3', [here('peer.py'), String(threads)]]
      : [process.execPath, ['--disable-warning=ExperimentalWarning', here('peer.ts'), name, String(threads)]];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', data => {
    complaint = String(data).trim().split('\n').at(-1) ?? '';
  });
  child.on('error', error => {
    complaint = error.message;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done) {
    console.log(`${name} is left out: ${complaint}`);
    return undefined;
  }
  const ask = async (request: Request): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await lines.next();
    return done ? { unable: complaint || 'it ended' } : JSON.parse(value);
  };
  return { name, ask, process: child };
}

const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2
    ? sorted[sorted.length >> 1]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
};

interface Row {
  task: string;
  group: string;
  threads: number;
  /** Median milliseconds, spread (largest over smallest) and peak bytes of the process by engine. */
  engines: Record<string, { milliseconds: number; spread: number; gflops: number; peak: number }>;
}

async function measure(task: Task, peers: readonly Peer[], threads: number): Promise<Row> {
  const able: Peer[] = [];
  let expected: number[] | undefined;
  for (const peer of peers) {
    const answer = await peer.ask({ prepare: task });
    if (!('samples' in answer)) continue;
    expected ??= answer.samples;
    const most = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const error = answer.samples.reduce((m, v, i) => Math.max(m, Math.abs(v - expected![i])), 0) / most;
    if (
      answer.samples.length !== expected.length ||
      !(error < (task.kind === 'style-step' ? STEP_TOLERANCE : TOLERANCE))
    ) {
      console.log(
        `${peer.name} differs on ${task.name} by ${error.toPrecision(2)} of the largest value and is left out`,
      );
      continue;
    }
    able.push(peer);
  }
  const times = new Map<Peer, number[]>(able.map(peer => [peer, []]));
  const peaks = new Map<Peer, number>();
  for (let round = -1; round < rounds; round++) {
    for (const peer of able) {
      if (times.get(peer)!.some(milliseconds => milliseconds > SLOW)) continue;
      const answer = await peer.ask({ time: round < 0 ? 1 : SLICE });
      if (!('milliseconds' in answer)) continue;
      peaks.set(peer, answer.peak);
      if (round >= 0 || answer.milliseconds > SLOW) times.get(peer)!.push(answer.milliseconds);
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
      peak: peaks.get(peer)!,
    };
  }
  return row;
}

function printRow(row: Row): void {
  const own = row.engines.ndconv;
  if (!own) return;
  const cells = names.map(name => {
    const found = row.engines[name];
    if (!found) return '–';
    if (name === 'ndconv') return `${own.milliseconds.toFixed(2)} ms, ${own.gflops.toFixed(0)}`;
    return `${(found.milliseconds / own.milliseconds).toFixed(2)}`;
  });
  console.log(`| ${row.task} | ${cells.join(' | ')} |`);
}

/** Geometric means of the ratios, by group. */
function printMeans(rows: readonly Row[]): void {
  for (const group of new Set(rows.map(row => row.group))) {
    const cells = names.map(name => {
      const ratios = rows
        .filter(row => row.group === group && row.engines[name] && row.engines.ndconv)
        .map(row => row.engines[name].milliseconds / row.engines.ndconv.milliseconds);
      if (ratios.length === 0 || name === 'ndconv') return '';
      return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length).toFixed(2);
    });
    console.log(`| **${group}**, geometric mean | ${cells.join(' | ')} |`);
  }
}

function printMemory(rows: readonly Row[]): void {
  for (const row of rows) {
    const { ndconv, PyTorch } = row.engines;
    if (row.group !== 'steps' || !ndconv || !PyTorch) continue;
    console.log(
      `${row.task}: peak of the process ${mega(ndconv.peak)}, PyTorch's ${mega(PyTorch.peak)} (both grow over the tasks of a run)`,
    );
  }
}
const mega = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

console.log(`${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.versions.node}`);
console.log(
  'Time and GFLOP/s (counted as direct convolution) of ndconv; for the others, how many times as long they take.\n',
);
const all: Row[] = [];
for (const threads of options.threads.split(',').map(Number)) {
  const wanted = threads === 1 ? names : names.filter(name => name !== 'tfjs');
  const peers: Peer[] = [];
  for (const name of wanted) {
    const peer = await start(name, threads);
    if (peer) peers.push(peer);
  }
  console.log(
    `\n| ${threads} thread${threads === 1 ? '' : 's'} | ${names.join(' | ')} |\n|${'---|'.repeat(names.length + 1)}`,
  );
  const rows: Row[] = [];
  for (const task of chosen) {
    const row = await measure(task, peers, threads);
    printRow(row);
    rows.push(row);
  }
  printMeans(rows);
  printMemory(rows);
  all.push(...rows);
  for (const peer of peers) peer.process.kill();
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`);
process.exit(0);
