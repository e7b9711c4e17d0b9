// The step `train-embedding` as pipelines use it: a network trained, kept in a file, read again and used; checkpoints and
// resuming; keys without effect and data that cannot be learned from, said before anything runs.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { readEmbeddings } from '../../src/embeddings/store.ts';
import { writeNpy } from '../../src/formats/npy.ts';
import { readNetwork } from '../../src/networks/readers/index.ts';
import { readWeights } from '../../src/networks/weights.ts';
import { checkPipeline, PipelineError, type RunEvent, runPipeline } from '../../src/pipeline/index.ts';
import { temporaryFolder } from '../formats/support.ts';
import { people } from './samples.ts';

const folder = temporaryFolder();

/** Signals of eight samples in a folder per identity. */
for (const [name, count, samples] of [
  ['many', 8, 4],
  ['single', 6, 1],
] as const) {
  const dataset = people(1, 0, count, samples);
  for (const item of dataset.items) {
    mkdirSync(join(folder, name, item.label), { recursive: true });
    const { data } = (await dataset.read(item))!;
    writeFileSync(join(folder, name, `${item.name}.npy`), writeNpy({ shape: [8], data }));
  }
}
mkdirSync(join(folder, 'alone', 'p1'), { recursive: true });
for (const i of [1, 2])
  writeFileSync(join(folder, `alone/p1/${i}.npy`), readFileSync(join(folder, 'many/p1/1.npy')));

/** A pipeline; `training` is what stands under `with` beside the usual. */
const pipeline = (
  training: string,
  { path = 'many', split = 'train: 5, validation: 3', after = '' } = {},
) => `ndconv: 1
seed: 4
steps:
  - { id: data, uses: dataset, with: { path: ${path}, drawn: in-order, split: { ${split} } } }
  - id: net
    uses: network
    with: { from: residual, rank: 1, widths: [4, 6], stem: { kernel: 3, strides: 1 }, cells: 2, size: 6 }
  - id: trained
    uses: train-embedding
    with: { dataset: "@data.train", network: "@net", batch: { identities: 3, samples: 3 }${training} }
${after}
`;

/** Runs a pipeline in the folder; everything that it said. */
async function run(text: string, out: string, signal?: AbortSignal, onEvent?: (event: RunEvent) => void) {
  const file = join(folder, 'pipeline.yaml');
  writeFileSync(file, text);
  const notes: string[] = [];
  const { status } = await runPipeline(file, {
    backend: 'wasm',
    threads: 1,
    out: join(folder, out),
    signal,
    onEvent: event => {
      if (event.event === 'note') notes.push(event.message);
      onEvent?.(event);
    },
  });
  return { status, notes };
}

const problemsOf = async (text: string): Promise<string> => {
  const file = join(folder, 'check.yaml');
  writeFileSync(file, text);
  return checkPipeline(file).then(
    () => 'none',
    error => (error instanceof PipelineError ? error.message : `not a PipelineError: ${error}`),
  );
};

test('trained, kept, read again, used', async t => {
  const kept = ', validation: "@data.validation", steps: 30, validateEvery: 10, path: net.safetensors';
  const { status, notes } = await run(pipeline(kept), 'first');
  t.equal(status, 'done');
  t.match(
    notes.join('\n'),
    /30 steps in \d+ s: loss .* kept is the network of step \d0, with an equal error rate of/,
  );
  const path = join(folder, 'first/net.safetensors');
  const network = await readNetwork(path);
  t.deepEqual(network.layers.at(-1), { name: 'unit length', type: 'l2-normalise', parameters: {} });
  t.deepEqual(
    (await readWeights(path)).get('filters.weight')?.shape,
    [4, 1, 3],
    'out first, as PyTorch has it',
  );
  const use = `ndconv: 1
steps:
  - { id: data, uses: dataset, with: { path: many } }
  - { id: net, uses: network, with: { from: file, path: first/net.safetensors } }
  - { id: named, uses: network, with: { from: residual, rank: 1, widths: [4, 6], stem: { kernel: 3, strides: 1 }, cells: 2, size: 6, weights: first/net.safetensors } }
  - { id: a, uses: embed, with: { dataset: "@data", network: "@net", path: a.json } }
  - { id: b, uses: embed, with: { dataset: "@data", network: "@named", normalise: true, path: b.json } }
  - { id: m, uses: embed, with: { dataset: "@data", network: "@net", mirror: 0, path: m.json } }
`;
  t.equal((await run(use, 'used')).status, 'done');
  const { vectors: a } = await readEmbeddings(join(folder, 'used/a.json'));
  const { vectors: b } = await readEmbeddings(join(folder, 'used/b.json'));
  const { vectors: m } = await readEmbeddings(join(folder, 'used/m.json'));
  const sums = m.map((v, i) => v - a[i]);
  const turned = Array.from(sums.subarray(0, 6), v => v ** 2).reduce((x, y) => x + y, 0);
  t.ok(Math.abs(turned - 1) < 1e-5, 'with its mirror image: what is more is of length 1 as well');
  t.ok(
    a.every((v, i) => Math.abs(v - b[i]) < 1e-6),
    'the same by from: file and by name of the layers',
  );
  t.ok(Math.abs(a.subarray(0, 6).reduce((sum, v) => sum + v * v, 0) - 1) < 1e-5, 'of length 1');
});

test('stopped and resumed', async t => {
  const training = (resume: boolean) =>
    pipeline(`, steps: 24, checkpoints: { every: 8 }, resume: ${resume}, path: net.safetensors`);
  await run(training(false), 'whole');
  const stop = new AbortController();
  const stopped = await run(training(false), 'parts', stop.signal, event => {
    if (event.event === 'progress' && event.iteration === 11) stop.abort();
  });
  t.equal(stopped.status, 'stopped');
  const { status, notes } = await run(training(true), 'parts');
  t.equal(status, 'done');
  t.ok(notes.includes('goes on after step 8 from checkpoint.safetensors'), notes[0]);
  const bytes = (out: string) => readFileSync(join(folder, out, 'net.safetensors'));
  t.ok(bytes('parts').equals(bytes('whole')), 'the same file as without the interruption');
});

test('several networks trained one after the other and joined', async t => {
  const one = '{ from: residual, rank: 1, widths: [4, 6], cells: 2, size: 6 }';
  const text = pipeline(', steps: 8, checkpoints: { every: 4 }, path: net.safetensors')
    .replace('network: "@net"', 'network: ["@net", "@other"]')
    .replace('  - id: trained', `  - { id: other, uses: network, with: ${one} }\n  - id: trained`);
  const use = '  - { uses: embed, with: { dataset: "@data", network: "@trained", path: e.json } }\n';
  const { status, notes } = await run(text + use, 'joined');
  t.equal(status, 'done');
  t.ok(notes.some(note => note.startsWith('network 1 of 2: 8 steps in ')));
  t.ok(notes.some(note => note.startsWith('network 2 of 2: 8 steps in ')));
  for (const i of [1, 2])
    t.ok(existsSync(join(folder, `joined/checkpoint-${i}.safetensors`)), 'a checkpoint each');
  const network = await readNetwork(join(folder, 'joined/net.safetensors'));
  t.equal(network.layers.at(-1)!.type, 'l2-normalise');
  const { vectors, size } = await readEmbeddings(join(folder, 'joined/e.json'));
  t.equal(size, 12, 'rows of both');
  const half = vectors.subarray(0, 6).reduce((sum, v) => sum + v * v, 0);
  t.ok(Math.abs(half - 0.5) < 1e-5, 'each counts alike');
  const apart = text.replace(
    'from: residual, rank: 1, widths: [4, 6], cells',
    'from: residual, channels: 2, rank: 1, widths: [4, 6], cells',
  );
  t.match(await problemsOf(apart), /only networks of the same input can be joined/);
});

test('what has no effect or cannot be is said before anything runs', async t => {
  const says = async (text: string, message: RegExp) => t.match(await problemsOf(text), message);
  await says(pipeline(', margin: 0'), /margin must be above 0 and is 0/);
  await says(pipeline(', margin: -0.5'), /margin must be above 0 and is -0\.5/);
  await says(pipeline(', loss: pairs, margin: 1'), /margin has no effect with loss: pairs/);
  await says(pipeline(', loss: contrastive, miner: hard'), /miner has no effect with loss: contrastive/);
  await says(pipeline(', optimiser: sgd, beta1: 0.5'), /beta1 has no effect with sgd/);
  await says(pipeline(', resume: true'), /resume has no effect without checkpoints/);
  await says(pipeline(', validateEvery: 5'), /validateEvery has no effect without validation/);
  await says(pipeline('', { path: 'single' }), /one sample per label \(\d items of as many labels\)/);
  await says(pipeline('', { path: 'alone', split: 'train: 1' }), /one identity only \(2 items\)/);
  await says(pipeline(', validation: "@data.test"'), /there is nothing to train on|empty/);
  await says(pipeline(', freeze: [filter]'), /no layer 'filter' with weights.*did you mean "filters"/s);
  const cells = pipeline('').replace('cells: 2', 'cells: 20');
  await says(cells, /cell pool: 20 cells > input size 8 in dimension 0/);
});
