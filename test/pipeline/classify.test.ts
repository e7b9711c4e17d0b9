// `classify` and `segment`: answers of small networks that can be told by hand, wrong parameters at their place, and the
// shipped pipelines with real networks.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { readField, writeField } from '../../src/formats/index.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { checkPipeline, PipelineError, runPipeline } from '../../src/pipeline/index.ts';
import { accuracyOf, classScores, confusionOf, softmax } from '../../src/pipeline/steps/classify/score.ts';
import { makeEcg, makeVolume, realData, temporaryFolder, testWith } from '../formats/support.ts';

const folder = temporaryFolder();
const shipped = (name: string): string => join(import.meta.dirname, '../../pipelines', name);

test('scores of a classifier', t => {
  const table = confusionOf(
    ['a', 'b', 'c'],
    [
      { label: 'a', predicted: 'a' },
      { label: 'a', predicted: 'b' },
      { label: 'b', predicted: 'b' },
      { label: 'b', predicted: 'b' },
    ],
  );
  t.deepEqual(table.counts, [
    [1, 1, 0],
    [0, 2, 0],
    [0, 0, 0],
  ]);
  t.equal(accuracyOf(table), 0.75);
  const [a, b, c] = classScores(table);
  t.deepEqual([a.recall, a.precision, b.recall, b.count], [0.5, 1, 1, 2]);
  t.equal(b.precision, 2 / 3);
  t.ok(Number.isNaN(c.recall) && Number.isNaN(c.precision));
  t.deepEqual(softmax([1000, 1000]), [0.5, 0.5], 'large scores');
  t.ok(Math.abs(softmax([0, Math.log(3)])[1] - 0.75) < 1e-12);
  t.end();
});

/** A safetensors file of float32. */
function writeTensors(name: string, tensors: Record<string, { shape: number[]; data: number[] }>): string {
  let at = 0;
  const head: Record<string, unknown> = {};
  for (const [key, { shape, data }] of Object.entries(tensors)) {
    head[key] = { dtype: 'F32', shape, data_offsets: [at, at + 4 * data.length] };
    at += 4 * data.length;
  }
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const values = Object.values(tensors).map(({ data }) => Buffer.from(Float32Array.from(data).buffer));
  const bytes = Buffer.concat([length, json, ...values]);
  const path = join(folder, name);
  writeFileSync(path, bytes);
  readSafetensors(bytes, path);
  return path;
}

// Two channels in, two classes out: the second class where the second lead is larger.
writeTensors('pick.safetensors', { pick: { shape: [1, 2, 2], data: [1, 0, 0, 1] } });

const network = `
  - id: net
    uses: network
    with:
      from: layers
      rank: RANK
      channels: 2
      weights: pick.safetensors
      order: out-last
      layers:
        - { name: pick, type: convolution, weights: { weights: pick } }
LAYERS`;

/** Runs steps after those that load `ecg.hea` and build the network; the problems where it is refused. */
async function attempt(steps: string, layers: string, name = 'p'): Promise<string[]> {
  const file = join(folder, `${name}.yaml`);
  const net = network.replace('RANK', '1').replace('LAYERS', layers);
  writeFileSync(
    file,
    `ndconv: 1
backend: reference
steps:
  - id: record
    uses: load
    with: { path: ecg.hea }
  - id: beats
    uses: windows
    with: { input: "@record", before: 5, after: 5, labels: { calm: N, wild: V } }${net}
${steps}
`,
  );
  try {
    await checkPipeline(file);
    await runPipeline(file, { out: join(folder, name) });
    return [];
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return error.problems.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
  }
}

const pooled = '        - { name: mean, type: global-average-pool }';

test('classify and segment: a network that compares two leads', async t => {
  const ecg = makeEcg();
  // The second lead is above the first in the last third, where the V beat is.
  for (let i = 0; i < 300; i++) ecg.data[2 * i + 1] = ecg.data[2 * i] + (i < 200 ? -1 : 1);
  await writeField(ecg, join(folder, 'ecg.hea'));
  const steps = `  - uses: classify
    with: { network: "@net", input: "@beats", classes: [calm, wild], path: answers.csv }
  - id: map
    uses: segment
    with: { network: "@net", input: "@record", layer: pick }
  - uses: save
    with: { input: "@map", path: map.npz }`;
  t.deepEqual(await attempt(steps, pooled), []);
  const lines = readFileSync(join(folder, 'p/answers.csv'), 'utf8').trim().split('\n');
  t.equal(lines[0], 'name,label,predicted,p(calm),p(wild)');
  t.deepEqual(
    lines.slice(1).map(line => line.split(',').slice(1, 3)),
    [
      ['calm', 'calm'],
      ['wild', 'wild'],
    ],
  );
  const sure = 1 / (1 + Math.exp(-1));
  t.ok(Math.abs(Number(lines[1].split(',')[3]) - sure) < 0.02, 'probabilities of scores that differ by 1');
  const record = JSON.parse(readFileSync(join(folder, 'p/run.json'), 'utf8'));
  const classified = record.steps.find(({ uses }: { uses: string }) => uses === 'classify');
  t.deepEqual(classified.figures.accuracy, [1]);
  const map = await readField(join(folder, 'p/map.npz'));
  t.deepEqual([map.sampleType, map.shape], ['uint8', [300, 1]]);
  t.ok(
    map.data.every((label, i) => label === (i < 200 ? 0 : 1)),
    'a class for every sample',
  );
});

test('classify and segment: wrong parameters are found before running, at their place', async t => {
  const classify = (rest: string) =>
    `  - uses: classify\n    with: { network: "@net", input: "@beats"${rest} }`;
  const segment = (rest: string) =>
    `  - uses: segment\n    with: { network: "@net", input: "@record"${rest} }`;
  const cases: [string, string, string, RegExp][] = [
    [
      'labels that are no classes',
      classify(', classes: [calm, still]'),
      pooled,
      /22:\d+ labels that are none of the classes calm, still: wild/,
    ],
    [
      'too many classes',
      classify(', classes: [calm, wild, odd]'),
      pooled,
      /3 names for the 2 classes of layer mean/,
    ],
    ['one name twice', classify(', classes: [calm, calm]'), pooled, /two classes have the name calm/],
    [
      'many cells',
      classify(''),
      '',
      /layer pick gives 10 cells of 2 channels, one answer for each; name a layer with one row, or use segment/,
    ],
    ['no such layer', classify(', layer: maen'), pooled, /no layer 'maen'/],
    ['another file', classify(', path: a.txt'), pooled, /a\.txt: answers are written as \.csv/],
    ['fewer cells', segment(''), pooled, /layer mean gives .* cells for the 300 of the input/],
    [
      'a threshold of many',
      segment(', layer: pick, threshold: 0.4'),
      pooled,
      /it has no effect on 2 channels/,
    ],
    [
      'names of a map',
      segment(', layer: pick, classes: [a, b, c]'),
      pooled,
      /3 names for the 2 classes of layer pick/,
    ],
  ];
  for (const [name, steps, layers, pattern] of cases)
    t.match((await attempt(steps, layers, 'wrong')).join('\n'), pattern, name);
});

test('segment: a network of one channel, and the grid of the scan', async t => {
  const volume = { ...makeVolume(), channelNames: undefined };
  await writeField(volume, join(folder, 'scan.nii.gz'));
  const file = join(folder, 'one.yaml');
  writeFileSync(
    file,
    `ndconv: 1
backend: reference
steps:
  - { id: scan, uses: load, with: { path: scan.nii.gz } }
  - id: net
    uses: network
    with: { from: layers, rank: 3, channels: 1, layers: [{ type: affine, scale: 1, shift: 0 }] }
  - { id: mask, uses: segment, with: { network: "@net", input: "@scan", threshold: -500 } }
  - { uses: save, with: { input: "@mask", path: mask.nii.gz } }
`,
  );
  await runPipeline(file, { out: join(folder, 'one') });
  const mask = await readField(join(folder, 'one/mask.nii.gz'));
  t.equal(mask.sampleType, 'uint8');
  t.deepEqual(
    [...mask.data],
    [...volume.data].map(value => (value > -500 ? 1 : 0)),
  );
  const [near, exact] = [mask.affine!.direction.flat(), volume.affine!.direction.flat()];
  t.ok(
    near.every((value, i) => Math.abs(value - exact[i]) < 1e-5),
    'lies where the scan lies',
  );
});

testWith(
  'models/ecg_heartbeats/ecg_heartbeats.onnx',
  'the shipped pipeline names at least 99 % of 600 beats',
  async (t, path) => {
    const out = join(folder, 'beats');
    await runPipeline(shipped('classify-beats.yaml'), {
      set: [`network=${path}`, `record=${realData('ecg/100.hea')}`],
      out,
    });
    const { steps } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    const [accuracy] = steps.at(-1).figures.accuracy;
    t.ok(accuracy >= 0.99, `${(100 * accuracy).toFixed(2)} %`);
    t.equal(readFileSync(join(out, 'beats.csv'), 'utf8').trim().split('\n').length, 601);
  },
);

testWith(
  'models/meshnet_gwm/model.json',
  'the shipped pipeline finds grey and white matter',
  async (t, path) => {
    const out = join(folder, 'brain');
    const scan = realData('volumes/t1_crop.nii.gz');
    await runPipeline(shipped('segment-brain.yaml'), {
      set: [`network=${path}`, `scan=${scan}`, 'size=128'],
      out,
    });
    const tissue = await readField(join(out, 'tissue.nii.gz'));
    t.deepEqual(tissue.shape, [256, 256, 256, 1], "the scan's grid");
    const counts = [0, 0, 0];
    for (const label of tissue.data) counts[label]++;
    const [, white, grey] = counts.map(count => count / 1000);
    t.ok(
      white > 200 && white < 700 && grey > 200 && grey < 1000,
      `white ${white.toFixed(0)} cm³, grey ${grey.toFixed(0)} cm³`,
    );
  },
);
