// Runs of the command line: exit codes, what is printed and written, events, the same bytes, Ctrl-C, closed pipes.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type Test } from 'tape';
import type { RunEvent } from '../../src/pipeline/index.ts';
import { openSession } from './session.ts';
import { makeWorkshop } from './workshop.ts';

const pipeline = `ndconv: 1
name: trial
params: { iterations: 3, size: 16 }
seed: 7
steps:
  - uses: save
    with: { input: "@result", path: pictures/result.png }
  - id: result
    uses: style-transfer
    with:
      network: "@net"
      content: { input: "@content" }
      styles: [{ input: "@style" }]
      start: noise
      iterations: \${params.iterations}
  - id: content
    uses: load
    with: { path: picture.png, size: "\${params.size}" }
  - id: style
    uses: load
    with: { path: other.png }
  - id: net
    uses: network
    with: { from: random-filters, rank: 2, channels: 3, kernels: [3], filters: 4, blocks: 2 }
`;

const one = (uses: string): string => `ndconv: 1\nname: one\nsteps:\n  - uses: ${uses}\n`;

const folder = await makeWorkshop();
const at = (...path: string[]): string => join(folder, ...path);
for (const [name, text] of Object.entries({
  trial: pipeline,
  slow: one('slow'),
  failing: one('failing'),
  broken: one('broken'),
}))
  writeFileSync(at(`${name}.yaml`), text);

const everyFile = (name: string): string[] =>
  existsSync(at(name))
    ? readdirSync(at(name), { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => entry.name)
        .sort()
    : [];
const hashOf = (...path: string[]): string =>
  createHash('sha256')
    .update(readFileSync(at(...path)))
    .digest('hex');
const eventsOf = (out: string): RunEvent[] =>
  out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));

/** A program in the folder; `ended` gives its exit code and all it printed. */
function start(program: string, ...args: string[]) {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, program), ...args],
    { cwd: folder, env: { ...process.env, NO_COLOR: '1', NDCONV_DEBUG: '' } },
  );
  let [out, err] = ['', ''];
  child.stdout!.on('data', data => (out += data));
  child.stderr!.on('data', data => (err += data));
  const ended = new Promise<{ code: number | null; out: string; err: string }>(resolve => {
    child.on('close', code => resolve({ code, out, err }));
  });
  /** Waits for a text on standard output or error. */
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (`${out}${err}`.includes(text)) resolve();
      };
      child.stdout!.on('data', look);
      child.stderr!.on('data', look);
      void ended.then(() => reject(new Error(`it ended without saying ${text}: ${out}${err}`)));
      look();
    });
  return { child, ended, says };
}
const ndconv = '../../src/cli/main.ts';
const withSteps = 'with-steps.ts';

test('run: writes what was asked for, a report and a record, and ends with 0', async t => {
  const session = openSession(folder);
  const { code, out, err } = await session.run('run', 'trial.yaml', '--out', 'plain');
  t.equal(code, 0);
  t.equal(err, '');
  t.deepEqual(everyFile('plain'), ['report.html', 'result.png', 'run.json']);
  t.match(out, /^trial {2}backend auto, seed 7$/m);
  t.match(out, /^ {2}on wasm: WebAssembly SIMD/m);
  t.match(out, /^ {2}wrote plain\/pictures\/result.png$/m);
  t.match(out, /^done in [\d.]+ s; results are in plain$/m);
  t.match(out, /\[1\/5\] content \(load\)(.|\n)*\[5\/5\] save/, 'steps run in the order of their references');

  const record = JSON.parse(readFileSync(at('plain/run.json'), 'utf8'));
  t.equal(record.status, 'done');
  t.deepEqual(record.pipeline.params, { iterations: 3, size: 16 });
  t.equal(record.artefacts[0].sha256, hashOf('plain/pictures/result.png'), 'the record knows the result');

  const quiet = await session.run('run', 'trial.yaml', '--out', 'plain', '--quiet');
  t.deepEqual([quiet.code, quiet.out, quiet.err], [0, '', ''], '--quiet prints nothing');
  session.close();
});

test('run: --json prints one event a line', async t => {
  const session = openSession(folder);
  const { code, out, err } = await session.run('run', 'trial.yaml', '--json', '--out', 'events');
  t.deepEqual([code, err], [0, '']);
  const events = eventsOf(out);
  const kinds = events.map(({ event }) => event).filter((event, i, all) => event !== all[i - 1]);
  t.deepEqual(kinds.slice(0, 4), ['start', 'step', 'backend', 'progress']);
  t.deepEqual(kinds.slice(-3), ['step', 'artefact', 'done']);
  const of = <E extends RunEvent['event']>(name: E) =>
    events.filter(({ event }) => event === name) as Extract<RunEvent, { event: E }>[];
  t.deepEqual(of('start')[0].steps, ['content', 'style', 'net', 'result', 'save']);
  t.deepEqual(
    of('step').map(({ index }) => index),
    [1, 2, 3, 4, 5],
  );
  const progress = of('progress').filter(({ iteration }) => iteration !== undefined);
  t.ok(progress.length >= 3 && progress.every(({ figures }) => figures!.loss >= 0), 'losses on the way');
  t.ok(progress.at(-1)!.figures!.loss < progress[0].figures!.loss, 'the loss falls');
  t.deepEqual(
    of('artefact').map(({ path }) => path),
    ['pictures/result.png', 'report.html', 'run.json'],
  );
  t.deepEqual(of('done')[0].artefacts, ['pictures/result.png', 'report.html', 'run.json']);
  t.equal(of('done')[0].folder, at('events'));
  session.close();
});

test('run: the same file, seed and backend give the same bytes, with any number of threads', async t => {
  const session = openSession(folder);
  const result = async (name: string, ...args: string[]): Promise<string> => {
    const { code, err } = await session.run('run', 'trial.yaml', '--quiet', '--out', name, ...args);
    t.equal(code, 0, `${args.join(' ')}${err}`);
    return hashOf(name, 'pictures/result.png');
  };
  const first = await result('a');
  t.equal(await result('b'), first, 'again');
  t.equal(await result('c', '--backend', 'wasm', '--threads', '1'), first, 'one thread');
  t.notEqual(await result('d', '--seed', '8'), first, 'another seed');
  t.notEqual(await result('e', '--set', 'size=12'), first, 'another size');
  const { backend } = JSON.parse(readFileSync(at('c/run.json'), 'utf8'));
  t.match(backend.description, /\b1 thread$/, '--threads takes effect');
  t.equal(await result('f', '--set', 'threads=1'), first, 'threads in the file');
  const written = JSON.parse(readFileSync(at('f/run.json'), 'utf8'));
  t.match(written.backend.description, /\b1 thread$/, 'threads in the file take effect');
  t.equal(written.pipeline.threads, 1);
  session.close();
});

test('run: a failure ends with 1, keeps what is complete and nothing else', async t => {
  const failing = await start(withSteps, 'run', 'failing.yaml', '--out', 'failed').ended;
  t.equal(failing.code, 1);
  t.match(failing.err, /^ndconv: step failing: the loss became NaN; lower the rate$/m);
  t.deepEqual(everyFile('failed'), ['first.txt', 'run.json']);
  t.equal(JSON.parse(readFileSync(at('failed/run.json'), 'utf8')).status, 'failed');

  const broken = await start(withSteps, 'run', 'broken.yaml', '--json', '--out', 'broken').ended;
  t.equal(broken.code, 1);
  t.equal(eventsOf(broken.out).at(-1)!.event, 'error');
  t.match(broken.err, /TypeError: undefined is not a function(.|\n)*This is a defect of ndconv/);
  t.notOk(existsSync(at('broken')), 'a run that wrote nothing leaves nothing');
});

async function stoppedRun(t: Test, out: string, args: string[], when: string) {
  const run = start(ndconv, 'run', 'trial.yaml', '--set', 'iterations=1000000', '--out', out, ...args);
  await run.says(when);
  run.child.kill('SIGINT');
  const ended = await run.ended;
  t.equal(ended.code, 1, 'exit code 1');
  t.deepEqual(everyFile(out), ['report.html', 'result.png', 'run.json'], 'the result so far is saved');
  t.equal(JSON.parse(readFileSync(at(out, 'run.json'), 'utf8')).status, 'stopped');
  return ended;
}

test('run: Ctrl-C saves the result so far, says so and ends with 1', async t => {
  const plain = await stoppedRun(t, 'stopped', [], '  on wasm');
  t.match(plain.err, /^Stopping after the iteration in hand; what there is will be saved/m);
  t.match(plain.out, /^stopped after [\d.]+ s; the result so far is in stopped$/m);

  const json = await stoppedRun(t, 'stopped-json', ['--json'], '"event":"progress"');
  const last = eventsOf(json.out).at(-1)!;
  t.ok(last.event === 'done' && last.status === 'stopped');
  t.equal(json.err, '');
});

test('run: a second Ctrl-C ends at once with 130 and leaves nothing unfinished', async t => {
  const run = start(withSteps, 'run', 'slow.yaml', '--out', 'slow');
  await run.says('half of it is written');
  t.ok(everyFile('slow').length === 1, 'a file is being written');
  run.child.kill('SIGINT');
  await run.says('Ctrl-C again ends at once');
  run.child.kill('SIGINT');
  t.equal((await run.ended).code, 130);
  t.notOk(existsSync(at('slow')), 'neither file nor folder is left');
});

test('a reader that goes away stops no run and is no failure', async t => {
  const run = start(ndconv, 'run', 'trial.yaml', '--json', '--out', 'unread');
  await run.says('"event":"start"');
  run.child.stdout!.destroy();
  const { code, err } = await run.ended;
  t.deepEqual([code, err], [0, '']);
  t.deepEqual(everyFile('unread'), ['report.html', 'result.png', 'run.json']);
});

test('check, plan, formats, schema, doctor', async t => {
  const session = openSession(folder);
  const check = await session.run('check', 'trial.yaml');
  t.deepEqual(
    [check.code, check.out],
    [0, 'trial: nothing wrong; 5 steps: content → style → net → result → save\n'],
  );
  t.notOk(existsSync(at('out')), 'a check writes nothing');

  const plan = await session.run('plan', 'trial.yaml', '--set', 'size=10');
  t.equal(plan.code, 0);
  t.match(plan.out, /image 8×10×3/, 'shapes follow the parameters');
  t.match(plan.out, /^at most [\d.]+ \wiB of memory \(during result\)/m);
  const asJson = JSON.parse((await session.run('plan', 'trial.yaml', '--json')).out);
  t.deepEqual(asJson.steps[0].outputs.value, { kind: 'field', shape: [13, 16, 3] });

  const formats = await session.run('formats');
  t.match(formats.out, /^nifti +\.nii\.gz \.nii +read, write/m);
  const schema = await session.run('schema');
  t.equal(JSON.parse(schema.out).title, 'ndconv pipeline');

  const doctor = await session.run('doctor', '--json');
  t.equal(doctor.code, 0);
  const { backends, auto, wide } = JSON.parse(doctor.out);
  const rightOnes = backends
    .filter(({ right }: { right: boolean }) => right)
    .map(({ name }: { name: string }) => name);
  t.ok(
    ['reference', 'wasm', 'gpujs:cpu'].every(name => rightOnes.includes(name)),
    `right: ${rightOnes.join(', ')}`,
  );
  t.ok(rightOnes.includes(auto.name) && auto.reason.length > 0, `auto takes ${auto.name}: ${auto.reason}`);
  t.ok(typeof wide.used === 'boolean' && wide.reason.length > 0, `wide vectors: ${wide.reason}`);
  session.close();
});

test('init: each starter runs as it is written', async t => {
  const session = openSession(folder);
  for (const kind of ['sound', 'image', 'volume', 'ecg']) {
    const written = await session.run('init', kind);
    t.equal(written.code, 0);
    t.match(written.out, new RegExp(`wrote ${kind}.yaml`));
    const smaller = {
      sound: ['duration=0.5'],
      image: ['size=24'],
      volume: ['voxel=10'],
      ecg: ['duration=3'],
    }[kind]!;
    const args = [...smaller, 'iterations=1'].flatMap(setting => ['--set', setting]);
    const { code, err } = await session.run(
      'run',
      `${kind}.yaml`,
      '--quiet',
      '--out',
      `starter-${kind}`,
      ...args,
    );
    t.deepEqual([code, err], [0, ''], `${kind}: runs`);
    t.ok(
      everyFile(`starter-${kind}`).some(name => name.startsWith('result')),
      `${kind}: wrote its result`,
    );
  }
  session.close();
});

test.onFinish(() => rmSync(folder, { recursive: true, force: true }));
