// Windows: around annotations and one after another in any rank, their labels and identities, and the step as pipelines
// use it, right and wrong.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { createDataset, type Dataset, readAll } from '../../src/datasets/dataset.ts';
import { listWindows } from '../../src/datasets/window-list.ts';
import { cutWindows, type WindowItem } from '../../src/datasets/windows.ts';
import type { Field } from '../../src/formats/field.ts';
import { writeField } from '../../src/formats/index.ts';
import { checkPipeline, PipelineError, runPipeline, type Step } from '../../src/pipeline/index.ts';
import { steps } from '../../src/pipeline/steps/index.ts';
import { makeArray, makeEcg, temporaryFolder, testWith } from '../formats/support.ts';

const folder = temporaryFolder();

const oneField = (field: Field): Dataset => ({
  ...createDataset([{ path: '/a.hea', name: 'a', label: 'ann', identity: 'ann' }]),
  read: async () => field,
});

test('windows around annotations', async t => {
  const ecg = makeEcg();
  const notes: string[] = [];
  const note = (message: string) => notes.push(message);
  const labels = { normal: ['N'], ectopic: ['V', 'E'] };
  const made = await cutWindows(oneField(ecg), { cut: { before: 20, after: 30, labels }, note });
  t.deepEqual(made.labels, ['normal', 'ectopic']);
  t.deepEqual(made.identities, ['ann']);
  t.deepEqual(
    made.items.map(({ name, identity }) => `${name} ${identity}`),
    ['a at 0.222 s ann', 'a at 0.639 s ann'],
  );
  t.deepEqual((made.items[0] as WindowItem).ranges, [[80, 130]]);
  t.ok(Math.abs((made.items[0] as WindowItem).box[1] - 130 / 360) < 1e-12, 'seconds');
  for await (const { item, field } of readAll(made)) {
    const [[from, to]] = (item as WindowItem).ranges;
    t.deepEqual(field.shape, [50, 2]);
    t.deepEqual([...field.data], [...ecg.data.subarray(2 * from, 2 * to)], item.name);
  }
  t.deepEqual(notes, ['annotations left out, as no label lists them: + 1']);
  const own = listWindows(ecg, { before: 20, after: 30 });
  t.equal(own.beyond, 1, 'one begins before the recording');
  t.deepEqual(
    own.windows.map(({ label }) => label),
    ['N', 'V'],
    'their own labels',
  );
  t.equal(listWindows(ecg, { before: 5, after: 5 }, 2).windows.length, 2, 'the first ones');
});

test('windows one after another in three ranks', async t => {
  for (const sizes of [[11], [5, 7], [4, 5, 6]]) {
    const field = makeArray(...sizes);
    const cut = { size: sizes.map(() => 3), step: sizes.map(() => 2) };
    const made = await cutWindows(oneField(field), { cut });
    const expected = sizes.reduce((n, size) => n * (Math.floor((size - 3) / 2) + 1), 1);
    t.equal(made.items.length, expected, `${sizes.join('×')}: ${expected} windows`);
    const last = made.items.at(-1) as WindowItem;
    const { data } = (await made.read(last))!;
    const corner = last.ranges.reduce((at, [from], axis) => at * sizes[axis] + from, 0);
    t.equal(data[0], field.data[corner], 'its first sample');
    t.equal(last.label, 'ann');
  }
});

test('windows: what cannot be prepared is left out and named', async t => {
  const field = { ...makeArray(6), data: Float32Array.of(1, 1, 1, 1, 2, 3) };
  const notes: string[] = [];
  const made = await cutWindows(oneField(field), {
    cut: { size: [3], step: [3] },
    operations: [{ normalise: { method: 'zscore' } }],
    note: message => notes.push(message),
  });
  let read = 0;
  for await (const _ of readAll(made)) read++;
  t.equal(read, 1);
  t.match(notes.join(), /a at \[0\] is left out: .*all 3 values are 1/);
});

/** The outputs and plan lines of a pipeline's step `windows`, or its problems. */
async function attempt(lines: string, input: string): Promise<{ says: string[]; made?: Dataset }> {
  const file = join(folder, 'pipeline.yaml');
  const indented = lines.replace(/^/gm, '      ');
  writeFileSync(
    file,
    `ndconv: 1
backend: reference
steps:
  - id: input
    ${input}
  - id: cut
    uses: windows
    with:
      input: "@input"
${indented}
  - uses: keep
    with: { input: "@cut" }
`,
  );
  let made: Dataset | undefined;
  const keep: Step<{ input: string }> = {
    name: 'keep',
    summary: 'keeps a dataset for the test',
    schema: { required: ['input'], properties: { input: { reference: ['dataset'] } } },
    outputs: {},
    check: () => ({ outputs: {} }),
    async run({ params, valueOf }) {
      made = valueOf<Dataset>(params.input);
      return {};
    },
  };
  const settings = { steps: { ...steps, keep }, out: join(folder, 'out') };
  try {
    const { plan } = await checkPipeline(file, settings);
    await runPipeline(file, settings);
    return { says: plan.steps.get('cut')?.lines ?? [], made };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return { says: error.problems.map(({ place, message }) => `${place.line}:${place.column} ${message}`) };
  }
}

test('windows: wrong parameters are found before running, at their place', async t => {
  await writeField(makeEcg(), join(folder, 'ecg.hea'));
  const load = 'uses: load\n    with: { path: ecg.hea }';
  const cases: [string, string, RegExp][] = [
    ['neither', 'limit: 3', /^10:\d+ give before and after, for windows around annotations, or size/],
    ['both', 'before: 3\nafter: 2\nsize: 4', /^13:\d+ give before and after/],
    [
      'labels that are not there',
      'before: 3\nafter: 3\nlabels: { F: [F] }',
      /^13:\d+ no label lists.*\+ 1, N 1, V 1/,
    ],
    [
      'listed twice',
      'before: 3\nafter: 3\nlabels: { A: [N], B: [N, V] }',
      /^13:\d+ the annotation N is listed under A and B/,
    ],
    ['labels without annotations', 'size: 20\nlabels: { A: N }', /^12:\d+ 'labels' has no effect/],
    ['too large', 'size: 400', /^11:\d+ a window of 400 is larger than the field of 300/],
    ['of another rank', 'size: [20, 20]', /^11:\d+ 2 numbers for 1 dimensions/],
    ['a step that does nothing', 'before: 3\nafter: 3\nstep: 4', /^13:\d+ 'step' has no effect/],
    [
      'an operation that does not fit',
      'size: 20\noperations: [{ crop: { to: 30 } }]',
      /^12:\d+ crop: \[0, 30\] is no part/,
    ],
  ];
  for (const [name, lines, pattern] of cases) {
    const { says } = await attempt(lines, load);
    t.match(says.join('\n'), pattern, name);
  }
  const foam = 'uses: generate\n    with: { what: foam, rank: 2, size: 16 }';
  t.match(
    (await attempt('before: 3\nafter: 3', foam)).says.join(),
    /10:\d+ a field of 2 dimensions has no annotations/,
  );
  const { says, made } = await attempt('size: [8, 5]\nstep: 4', foam);
  t.deepEqual(says, ['windows of 8×5: 9 (all 9)']);
  t.equal(made?.items.length, 9);
});

testWith('ecg/100.hea', 'windows: the beats of a record by AAMI class', async (t, path) => {
  const { says, made } = await attempt(
    `before: 90
after: 170
labels: { N: [N, L, R, e, j], S: [A, a, J, S], V: [V, E], F: F, Q: [/, f, Q] }
operations: [{ normalise: { method: zscore } }]`,
    `uses: load\n    with: { path: ${JSON.stringify(path)}, channels: [MLII] }`,
  );
  t.deepEqual(says, ['windows of 260: 2271 (N 2237, S 33, V 1)', 'left out: + 1']);
  const field = await made!.read(made!.items[7]);
  t.deepEqual(field?.shape, [260, 1]);
});

test('windows by label, block and part', async t => {
  const ecg = makeEcg(400);
  const annotations = Array.from({ length: 19 }, (_, i) => ({
    at: (20 * i + 20) / 360,
    label: i % 4 === 3 ? 'V' : 'N',
  }));
  const marked = { ...ecg, annotations };
  const cut = { before: 8, after: 8 };
  const made = await cutWindows(oneField(marked), {
    cut,
    grouping: { block: [100], split: { train: 1, validation: 0, test: 1 } },
  });
  const shown = made.items.map(
    item => `${(item as WindowItem).ranges[0][0]} ${item.label} ${item.identity} ${item.part}`,
  );
  t.equal(made.items.length, 16, 'the marks at 100, 200 and 300 are at borders');
  t.deepEqual(shown.slice(3, 5), ['72 V ann 0 train', '112 N ann 1 train']);
  t.deepEqual(shown.slice(-1), ['372 N ann 3 test']);
  t.ok(made.items.every(item => (item.part === 'train') === (item as WindowItem).ranges[0][0] < 200));
  t.deepEqual(made.identities, ['ann 0', 'ann 1', 'ann 2', 'ann 3']);
  const list = (grouping: Parameters<typeof listWindows>[3], limit?: number) =>
    listWindows(marked, cut, limit, grouping);
  t.deepEqual(
    list({ split: { train: 1, validation: 0, test: 1 } }, 3).windows.map(({ part }) => part),
    ['train', 'train', 'train', 'test', 'test', 'test'],
    'so many of each part',
  );
  t.ok(
    list({ label: 'file' }).windows.every(({ label }) => label === undefined),
    'the label of the file',
  );
  t.deepEqual(
    [...new Set(list({ label: 'block', block: [200] }).windows.map(({ label }) => label))],
    ['0', '1'],
  );
  const regions = await cutWindows(oneField(makeArray(8, 9, 8)), {
    cut: { size: [2, 2, 2], step: [1, 1, 1] },
    grouping: { label: 'block', block: [4, 4, 4] },
  });
  t.equal(regions.labels.length, 8);
  t.equal(regions.items.length, 8 * 27, 'only what lies within a region, and whole regions');
  t.equal(regions.items[0].identity, 'ann 0,0,0');
  const picture: Field = { ...makeArray(6, 9), kind: 'image' };
  const tiles = await cutWindows(oneField(picture), { cut: { size: [2, 3], step: [2, 3] } });
  t.deepEqual((tiles.items[1] as WindowItem).box, [3, 0, 3, 2], 'x, y, width and height in a picture');
  try {
    await cutWindows(oneField(marked), { cut, grouping: { block: [10] } });
    t.fail('was not refused');
  } catch (error) {
    t.ok(
      /18|19 windows of 16 samples crosses a border/.test((error as Error).message),
      (error as Error).message,
    );
  }
  t.end();
});
