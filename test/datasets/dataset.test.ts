// Datasets: folders and lists, splits by identity, batches, files that cannot be read, augmentation in every rank, and the
// step as pipelines use it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import test from 'tape';
import { augmentField } from '../../src/datasets/augment.ts';
import {
  type Batch,
  batches,
  createDataset,
  type Dataset,
  readAll,
  splitByIdentity,
  stack,
  surveyDataset,
} from '../../src/datasets/dataset.ts';
import { type Item, listItems, parts } from '../../src/datasets/list.ts';
import { checkPipeline, PipelineError, runPipeline, type Step } from '../../src/pipeline/index.ts';
import { steps } from '../../src/pipeline/steps/index.ts';
import { createRandom } from '../../src/random.ts';
import { largestDifference, makeArray, makeImage, realData, refuses, testWith } from '../formats/support.ts';

const folder = mkdtempSync(join(tmpdir(), 'ndconv-datasets-'));
test.onFinish(() => rmSync(folder, { recursive: true, force: true }));

/** A grey picture of 4 × 3 samples of one value. */
const picture = (value: number): Buffer =>
  Buffer.concat([Buffer.from('P5\n3 4\n255\n'), Buffer.alloc(12, value)]);

// Twelve identities of three pictures, and of the first one that is damaged.
for (let i = 1; i <= 12; i++) {
  mkdirSync(join(folder, `faces/s${i}`), { recursive: true });
  for (let k = 1; k <= 3; k++) writeFileSync(join(folder, `faces/s${i}/${k}.pgm`), picture(10 * i + k));
}
writeFileSync(join(folder, 'faces/s1/4.pgm'), picture(1).subarray(0, 15));
writeFileSync(join(folder, 'faces/s1/notes.txt'), 'none');
writeFileSync(join(folder, 'faces/README.md'), 'none');

const items = (identities: number, each: number): Item[] =>
  Array.from({ length: identities * each }, (_, i) => {
    const identity = `p${Math.floor(i / each)}`;
    return { path: `${identity}/${i}`, name: `${identity}/${i}`, label: identity, identity };
  });

const drawn = async (dataset: Dataset, options: Parameters<typeof batches>[1]): Promise<Batch[]> => {
  const all: Batch[] = [];
  for await (const batch of batches(dataset, options)) all.push(batch);
  return all;
};

test('list: a folder with a subfolder per identity', async t => {
  const { items: found, others } = await listItems(join(folder, 'faces'));
  t.equal(found.length, 37);
  t.deepEqual(
    [found[0].name, found[4].name, found[36].identity],
    ['s1/1.pgm', 's2/1.pgm', 's12'],
    'numbers in order',
  );
  t.equal(others.length, 1);
  const flat = (await listItems(join(folder, 'faces/s2'))).items;
  t.deepEqual(
    flat.map(({ name, label, identity }) => [name, label, identity]),
    ['1.pgm', '2.pgm', '3.pgm'].map(name => [name, name, name]),
    'in a folder of files every one is an identity of its own',
  );
  t.equal((await listItems(join(folder, 'faces'), '?.PG*')).items.length, 37, 'by name');
  await refuses(
    t,
    'no such name',
    () => listItems(join(folder, 'faces'), '[1.pgm'),
    /that name \(but 1 others\)/,
  );
  await refuses(t, 'nothing there', () => listItems(join(folder, 'none')), /cannot be read/);
});

test('list: CSV and JSON', async t => {
  const put = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const csv = put(
    'list.csv',
    'label,path,identity,split\nsmile,faces/s1/1.pgm,ann,train\n"a, b",faces/s2/1.pgm,,\n',
  );
  const [first, second] = (await listItems(csv)).items;
  t.deepEqual(first, {
    path: join(folder, 'faces/s1/1.pgm'),
    name: 'faces/s1/1.pgm',
    label: 'smile',
    identity: 'ann',
    part: 'train',
  });
  t.deepEqual([second.label, second.identity, second.part], ['a, b', 'a, b', undefined]);
  const json = put('list.json', JSON.stringify({ items: [{ path: 'faces/s1/1.pgm', label: 3 }] }));
  t.equal((await listItems(json)).items[0].label, '3');
  const says = (name: string, text: string, pattern: RegExp) =>
    refuses(t, text, () => listItems(put(name, text)), pattern);
  await says('a.csv', 'file,who\na,b\n', /names the columns file, who; it needs path and label/);
  await says('a.csv', 'path,label\na.png\n', /line 2 has no label/);
  await says(
    'a.csv',
    'path,label,split\na,b,training\n',
    /line 2 has the split "training"; write one of train/,
  );
  await says('a.csv', 'path,label\n', /lists no items/);
  await says('a.json', '{ "items": 3 }', /is no list/);
  await says('a.json', '[{ "path": "x" }]', /item 1 has no label/);
  await says('a.json', '[', /is no JSON/);
});

test('split: every identity is in one part, by seed', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(1000),
      (n, each, seed) => {
        const whole = createDataset(items(n, each));
        const shares = { train: 0.7, validation: 0.15, test: 0.15 };
        const split = splitByIdentity(whole, shares, seed);
        const again = splitByIdentity(whole, shares, seed);
        const identities = parts.flatMap(part => split[part].identities);
        return (
          new Set(identities).size === n &&
          identities.length === n &&
          parts.every(part => split[part].items.length === each * split[part].identities.length) &&
          parts.every(part => Math.abs(split[part].identities.length - shares[part] * n) < 2) &&
          (n < 3 || parts.every(part => split[part].items.length > 0)) &&
          parts.every(part => split[part].identities.join() === again[part].identities.join())
        );
      },
    ),
    { seed: 2, numRuns: 100 },
  );
  const whole = createDataset(items(30, 2));
  const half = { train: 1, validation: 0, test: 1 };
  t.notDeepEqual(
    splitByIdentity(whole, half, 1).train.identities,
    splitByIdentity(whole, half, 2).train.identities,
  );
  t.equal(splitByIdentity(whole, half, 1).validation.items.length, 0);
  const listed = items(4, 2).map(item =>
    item.identity === 'p2' ? { ...item, part: 'test' as const } : item,
  );
  t.ok(
    splitByIdentity(createDataset(listed), { train: 1, validation: 0, test: 0 }, 3).test.identities.includes(
      'p2',
    ),
  );
  listed[5] = { ...listed[5], part: 'train' as never };
  t.throws(() => splitByIdentity(createDataset(listed), half, 3), /p2 is in test and, with p2\/5, in train/);
  t.throws(() => splitByIdentity(whole, { train: 0, validation: 0, test: 0 }, 3), /shares/);
  t.end();
});

test('batches: P identities of K samples, by seed and pass; what is damaged is named once', async t => {
  const notes: string[] = [];
  const { items: found } = await listItems(join(folder, 'faces'));
  const dataset = createDataset(found, { note: message => notes.push(message) });
  const options = { identities: 4, samples: 3, seed: 5 };
  const first = await drawn(dataset, options);
  t.equal(first.length, 3);
  for (const { items: own, fields, classes } of first) {
    t.equal(new Set(own.map(({ identity }) => identity)).size, 4);
    t.equal(new Set(own.map(({ path }) => path)).size, 12, 'no file twice');
    t.ok(own.every((item, i) => dataset.labels[classes[i]] === item.label));
    t.deepEqual(stack(fields).shape, [12, 4, 3, 1]);
  }
  const names = (all: Batch[]): string => all.flatMap(batch => batch.items.map(({ name }) => name)).join();
  t.equal(names(first), names(await drawn(dataset, options)), 'the same again');
  t.notEqual(
    names(first),
    names(await drawn(dataset, { ...options, epoch: 1 })),
    'another pass, another order',
  );
  const many = await drawn(dataset, { ...options, samples: 5 });
  t.ok(
    many.every(batch => batch.fields.length === 20),
    'files are given again where there are too few',
  );
  t.equal(notes.length, 1, notes.join());
  t.match(notes[0], /^s1\/4\.pgm is left out: .*truncated/);
  let count = 0;
  for await (const { item, field } of readAll(dataset)) {
    count++;
    const [, i, k] = /s(\d+)\/(\d)/.exec(item.name)!.map(Number);
    if (Math.abs(field.data[0] - (10 * i + k) / 255) > 1e-6) t.fail(item.name);
  }
  t.equal(count, 36);
  const small = createDataset(found, { operations: [{ pad: { multiple: 4 } }], cacheBytes: 0 });
  t.deepEqual((await small.read(found[0]))?.shape, [4, 4, 1]);
  t.deepEqual((await surveyDataset(small)).shape, [4, 4, 1]);
  t.throws(() => stack([makeArray(2), makeArray(3)]), /shape 2×1 and made 3×1/);
});

test('augmentation: the same in every rank, seeded, and nothing where nothing is asked for', t => {
  for (const sizes of [[40], [9, 8], [5, 6, 7], [3, 4, 3, 4]]) {
    const field = makeArray(...sizes);
    const all = { flip: [0], shift: 0.2, crop: 0.8, noise: 0.1, intensity: 0.2 };
    const of = (seed: number, what = all) => augmentField(field, what, createRandom(seed)).data;
    t.deepEqual(of(1), of(1));
    t.notDeepEqual(of(1), of(2));
    t.ok(of(1).every(Number.isFinite));
    t.equal(
      largestDifference(augmentField(field, {}, createRandom(1)).data, field.data),
      0,
      `${sizes.length}: nothing`,
    );
    const turned = [1, 2, 3, 4, 5, 6].map(
      seed => augmentField(field, { flip: ['axis0'] }, createRandom(seed)).data[0],
    );
    t.deepEqual([...new Set(turned)].length, 2, 'turned every other time');
  }
  const noisy = augmentField(makeArray(4000), { noise: 0.5 }, createRandom(3)).data;
  const difference = noisy.map((value, i) => value - makeArray(4000).data[i]);
  const deviation = Math.sqrt(difference.reduce((sum, value) => sum + value * value, 0) / 4000);
  t.ok(Math.abs(deviation / (0.5 * (4000 / Math.sqrt(12))) - 1) < 0.05, 'noise as strong as asked for');
  const shifted = augmentField(makeImage(8, 8, 3), { shift: 0.3 }, createRandom(1));
  t.deepEqual(shifted.shape, [8, 8, 3]);
  t.end();
});

/** Counts what it is given. */
const count: Step<{ of: string }> = {
  name: 'count',
  summary: 'counts',
  schema: { required: ['of'], properties: { of: { reference: ['dataset'] } } },
  outputs: {},
  effect: true,
  check: ({ params, planOf }) => ({ outputs: {}, lines: [JSON.stringify(planOf(params.of))] }),
  async run({ params, valueOf, note }) {
    const all = await drawn(valueOf<Dataset>(params.of), { identities: 2, samples: 2, seed: 1 });
    note(`${all.reduce((sum, batch) => sum + batch.fields.length, 0)} fields`);
    return {};
  },
};

test('the step: plan lines, outputs, problems', async t => {
  const file = join(folder, 'p.yaml');
  const table = { ...steps, count };
  const check = async (more: string, path = 'faces') => {
    writeFileSync(
      file,
      `ndconv: 1\nsteps:\n  - { id: faces, uses: dataset, with: { path: ${path}${more} } }\n  - { uses: count, with: { of: "@faces.train" } }\n`,
    );
    return checkPipeline(file, { steps: table });
  };
  const problemsOf = (...of: Parameters<typeof check>): Promise<string> =>
    check(...of).then(
      () => '',
      error => (error instanceof PipelineError ? error.message : Promise.reject(error)),
    );
  const { plan } = await check(', operations: [{ resample: { size: 8 } }], augment: { flip: [x] }');
  const { lines = [], outputs } = plan.steps.get('faces')!;
  t.match(lines[0], /37 files of 12 identities, 3 to 4 each/);
  t.match(lines[1], /s1 4, s2 3/);
  t.match(lines[2], /train 8 \(\d+ files\), validation 2 \(\d+ files\), test 2/);
  t.match(lines.join('\n'), /shapes: 8×8×1 \(36\), after resample/);
  t.match(lines.join('\n'), /left out: s1\/4\.pgm: .*truncated/);
  t.deepEqual(outputs.train.fieldShape, [8, 8, 1]);
  t.match(await problemsOf(', augment: { flip: [w] }'), /no axis w; there are y, x/);
  t.match(
    await problemsOf(', operations: [{ crop: { from: 3, to: 9 } }]'),
    /none of the 37 files.*no part of the 4 samples/,
  );
  t.match(await problemsOf(', split: { train: 0 }'), /shares/);
  t.match(await problemsOf(', augment: { flop: [x] }'), /flop/);
  t.match(await problemsOf(', files: "*.png"'), /hold no file of a known format and that name/);
  await check(', split: { train: 1 }');
  const notes: string[] = [];
  await runPipeline(file, {
    steps: table,
    out: join(folder, 'out'),
    backend: 'reference',
    onEvent: event => {
      if (event.event === 'note') notes.push(event.message);
    },
  });
  t.ok(notes.includes('24 fields'), notes.join());
});

testWith('faces/orl', 'the faces of thirty persons', async t => {
  const { items: found } = await listItems(realData('faces/orl'));
  const dataset = createDataset(found);
  t.deepEqual([found.length, dataset.identities.length], [300, 30]);
  const survey = await surveyDataset(dataset, 30);
  t.deepEqual([survey.shape, survey.broken], [[112, 92, 1], []]);
  const [batch] = await drawn(dataset, { identities: 5, samples: 4, seed: 1 });
  t.deepEqual(stack(batch.fields).shape, [20, 112, 92, 1]);
});
