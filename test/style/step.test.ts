// The step `style-transfer` as pipelines use it: snapshots, starts, options that must have an effect, stopping, problems
// that are found before anything runs.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'tape';
import { readField } from '../../src/formats/index.ts';
import { checkPipeline, PipelineError, type RunEvent, runPipeline } from '../../src/pipeline/index.ts';

/** A pipeline of two foams and a small network; `transfer` is what stands under `with` beside the usual. */
const pipeline = (transfer: string, more = '', content = '{ what: foam, rank: 2, size: 16 }') => `ndconv: 1
seed: 3
steps:
  - { id: content, uses: generate, with: ${content} }
  - { id: style, uses: generate, with: { what: foam, rank: 2, size: 20, bubble: 4 } }
  - { id: net, uses: network, with: { from: random-filters, rank: 2, kernels: [3], filters: 6 } }
${more}
  - id: result
    uses: style-transfer
    with: { network: "@net", content: { input: "@content" }, styles: [{ input: "@style" }], iterations: 10${transfer} }
  - { uses: save, with: { input: "@result", path: result.npy } }
`;

/** Runs `of` with a folder that holds the pipeline. */
async function withFile<T>(text: string, of: (file: string, out: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'ndconv-style-'));
  try {
    const file = join(folder, 'pipeline.yaml');
    writeFileSync(file, text);
    return await of(file, join(folder, 'out'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const settings = { backend: 'wasm', threads: 1 } as const;

/** The result, the notes and the files of a run. */
const resultOf = (text: string, signal?: AbortSignal, onEvent?: (event: RunEvent) => void) =>
  withFile(text, async (file, out) => {
    const notes: string[] = [];
    const { status, artefacts } = await runPipeline(file, {
      ...settings,
      out,
      signal,
      onEvent: event => {
        if (event.event === 'note') notes.push(event.message);
        onEvent?.(event);
      },
    });
    const field = await readField(join(out, 'result.npy'));
    return { status, artefacts, notes, data: field.data, bytes: readFileSync(join(out, 'result.npy')) };
  });

/** What is wrong with a pipeline, one message a line. */
const problemsOf = (text: string): Promise<string> =>
  withFile(text, async file => {
    try {
      await checkPipeline(file);
      return '';
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      return error.message;
    }
  });

test('a short file is enough, and the same seed gives the same bytes', async t => {
  const [a, b] = [await resultOf(pipeline('')), await resultOf(pipeline(''))];
  t.deepEqual(a.bytes, b.bytes);
  const other = await resultOf(pipeline('').replace('seed: 3', 'seed: 4'));
  t.notDeepEqual(a.bytes, other.bytes);
  t.ok(
    a.notes.some(note => /style loss 1\.00 → .* in 10 steps/.test(note)),
    a.notes.join('; '),
  );
});

test('snapshots: one file every n steps, in the format of the kind', async t => {
  const text = pipeline(', snapshots: { every: 4, folder: looks }');
  const { artefacts } = await resultOf(text);
  t.deepEqual(
    artefacts.filter(path => path.startsWith('looks')),
    ['looks/04.png', 'looks/08.png'],
  );
  await withFile(text, async (file, out) => {
    await runPipeline(file, { ...settings, out });
    t.deepEqual(readdirSync(join(out, 'looks')).sort(), ['04.png', '08.png']);
    t.deepEqual((await readField(join(out, 'looks', '08.png'))).shape, [16, 16, 1]);
  });
});

test('starts: content, noise, another field', async t => {
  const other = '  - { id: other, uses: generate, with: { what: foam, rank: 2, size: 16, bubble: 6 } }';
  const one = ', optimiser: sgd, rate: 1.0e-9, contentWeight: 0';
  const content = await resultOf(pipeline(`${one}, start: content`));
  const noise = await resultOf(pipeline(`${one}, start: noise`));
  const given = await resultOf(pipeline(`${one}, start: "@other"`, other));
  const expected = await withFile(
    `ndconv: 1\nseed: 3\nsteps:\n${other}\n  - { uses: save, with: { input: "@other", path: o.npy } }\n`,
    async (file, out) => {
      await runPipeline(file, { ...settings, out });
      return (await readField(join(out, 'o.npy'))).data;
    },
  );
  const distance = (a: Float32Array, b: Float32Array) => Math.max(...a.map((v, i) => Math.abs(v - b[i])));
  t.ok(distance(given.data, expected) < 1e-3, 'begins at the field and, with a tiny rate, stays there');
  t.ok(distance(content.data, expected) > 0.1);
  t.ok(distance(noise.data, content.data) > 0.1);
  t.match(
    await problemsOf(pipeline(', start: "@style"')),
    /@style has the shape 20×20×1, the content 16×16×1: a start must be of the same size/,
  );
});

test('several styles, each with its weight', async t => {
  const more = '  - { id: second, uses: generate, with: { what: foam, rank: 2, size: 16, bubble: 8 } }';
  const text = (weight: number) =>
    pipeline('', more).replace(
      'styles: [{ input: "@style" }]',
      `styles: [{ input: "@style" }, { input: "@second", weight: ${weight} }]`,
    );
  const [light, heavy] = [await resultOf(text(0.1)), await resultOf(text(10))];
  t.notDeepEqual(light.bytes, heavy.bytes);
});

test('stopping returns the result so far', async t => {
  const stop = new AbortController();
  let seen = 0;
  const { status, notes } = await resultOf(
    pipeline('').replace('iterations: 10', 'iterations: 5000'),
    stop.signal,
    event => {
      if (event.event === 'progress' && ++seen === 3) stop.abort();
    },
  );
  t.equal(status, 'stopped');
  t.ok(
    notes.some(note => /in \d{1,3} steps/.test(note)),
    notes.join('; '),
  );
});

test('options without effect are refused', async t => {
  for (const [options, message] of [
    [', rate: 0.1', /rate has no effect with lbfgs/],
    [', optimiser: adam, history: 5', /history has no effect with adam/],
    [', optimiser: adam, momentum: 0.5', /momentum has no effect with adam/],
    [', optimiser: sgd, beta1: 0.5', /beta1 has no effect with sgd/],
    [', snapshots: { every: 11 }', /every 11 steps has no effect within 10 steps/],
  ] as const)
    t.match(await problemsOf(pipeline(options)), message);
  const layers = pipeline(', contentWeight: 0').replace(
    'input: "@content"',
    'input: "@content", layers: { relu1: 1 }',
  );
  t.match(await problemsOf(layers), /layers have no effect with contentWeight: 0/);
  for (const options of [
    ', optimiser: adam, rate: 0.1, beta1: 0.8, beta2: 0.99, epsilon: 1.0e-7',
    ', optimiser: sgd, rate: 0.1, momentum: 0.5',
    ', history: 20, totalVariation: 0.1, losses: plain, start: noise',
  ])
    t.equal(await problemsOf(pipeline(options)), '', options);
});

test('problems are found before anything runs', async t => {
  const broken = (from: string, to: string) => problemsOf(pipeline('').replace(from, to));
  t.match(
    await broken('styles: [{ input: "@style" }]', 'styles: [{ input: "@style", layers: { relu9: 1 } }]'),
    /no layer 'relu9'/,
  );
  t.match(
    await broken('filters: 6 }', 'filters: 6, channels: 3 }'),
    /takes 3 channels, the content has 1: set channels: 1/,
  );
  t.match(
    await broken('rank: 2, kernels', 'rank: 3, kernels'),
    /takes 3 spatial dimensions, the content has 2: set rank: 2/,
  );
  t.match(
    await broken('{ what: foam, rank: 2, size: 20, bubble: 4 }', '{ what: bells, duration: 1 }'),
    /@style is of kind sound, the content of kind image/,
  );
  const deep = pipeline('')
    .replace(
      '{ from: random-filters, rank: 2, kernels: [3], filters: 6 }',
      '{ from: layers, rank: 2, layers: [{ type: convolution, kernel: 7, filters: 4 }] }',
    )
    .replace('input: "@content"', 'input: "@content", layers: { convolution1: 1 }')
    .replace('input: "@style"', 'input: "@style", layers: { convolution1: 1 }');
  t.equal(await problemsOf(deep), '', 'large enough for a filter of 7');
  t.match(await problemsOf(deep.replace('size: 16', 'size: 5')), /kernel size 7 .*5/);
  t.match(
    await problemsOf(deep.replace(', layers: { convolution1: 1 }', '')),
    /does not say which layers hold content: give `layers`/,
  );
});
