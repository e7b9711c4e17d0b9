// unit-patches and maximise-activation as a user meets them: what is said before a run, files and coordinates that agree
// with the inputs, in ranks 1 to 3, and the shipped pipelines.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import type { Field } from '../../src/formats/field.ts';
import { readField, writeField } from '../../src/formats/index.ts';
import { excerpt } from '../../src/prepare/excerpt.ts';
import { openSession } from '../cli/session.ts';
import { temporaryFolder, waves } from '../cli/workshop.ts';
import { realData } from '../formats/support.ts';

const root = join(import.meta.dirname, '../..');

/** A pipeline of a small network over windows of a file. */
const pipeline = (rank: number, channels: number, path: string, size: number[], more = '') => `ndconv: 1
seed: 3
steps:
  - { id: input, uses: load, with: { path: ${path} } }
  - { id: parts, uses: windows, with: { input: "@input", size: [${size}] } }
  - id: net
    uses: network
    with:
      from: layers
      rank: ${rank}
      channels: ${channels}
      layers:
        - { type: convolution, name: conv1, kernel: 3, filters: 4, padding: 1 }
        - { type: relu, name: relu1 }
        - { type: max-pool, name: pool1, window: 2 }
        - { type: convolution, name: conv2, kernel: 3, filters: 5 }
  - uses: unit-patches
    with: { network: "@net", dataset: "@parts", layers: { relu1: [2, 0], conv2: 2 }, patches: 3, order: sparsity, folder: found${more} }
`;

const cases: [name: string, field: Field, size: number[], extension: string][] = [
  ['signal.npz', waves('signal', [90, 1], 1 / 100, 's'), [15], 'npz'],
  ['sound.wav', waves('sound', [4000, 1], 1 / 8000, 's'), [800], 'wav'],
  ['picture.png', waves('image', [36, 40, 3]), [12, 14], 'png'],
  ['scan.nii.gz', waves('volume', [16, 18, 20, 1], 1, 'mm'), [8, 9, 10], 'nii.gz'],
];

for (const [name, field, size, extension] of cases)
  test(`unit-patches: ${name}`, async t => {
    const folder = temporaryFolder();
    await writeField(field, join(folder, name));
    writeFileSync(join(folder, 'units.yaml'), pipeline(size.length, field.shape.at(-1)!, name, size));
    const session = openSession(folder);
    const { code, err } = await session.run('run', 'units.yaml', '--out', 'out', '--backend', 'reference');
    session.close();
    t.equal(code, 0, err);
    const found = JSON.parse(readFileSync(join(folder, 'out/found/units.json'), 'utf8'));
    t.deepEqual(
      found.layers.map(({ layer }: { layer: string }) => layer),
      ['relu1', 'conv2'],
    );
    const shown = found.layers[0].units.filter(({ patches }: { patches?: unknown }) => patches);
    t.deepEqual(
      shown.map(({ unit }: { unit: number }) => unit),
      [0, 2],
      'the units asked for',
    );
    const { field: whole } = await readField(join(folder, name)).then(read => ({ field: read }));
    let compared = 0;
    for (const { units } of found.layers)
      for (const { patches = [] } of units)
        for (const patch of patches) {
          const own = await readField(join(folder, 'out/found', patch.files.input));
          t.ok(patch.files.guided.endsWith(`-guided.${extension}`), patch.files.guided);
          // Items are named by where their window begins.
          const at: number[] = (
            / at \[(.*)\]/.exec(patch.item)?.[1].split(',') ?? [seconds(patch.item, field)]
          ).map(Number);
          const box = patch.from.map(
            (from: number, axis: number) => [at[axis] + from, at[axis] + patch.to[axis]] as const,
          );
          const cut = excerpt(whole, box);
          t.deepEqual(own.shape, cut.shape);
          const away = own.data.reduce((most, v, i) => Math.max(most, Math.abs(v - cut.data[i])), 0);
          t.ok(away < 0.01, `the file is the part of the input, to ${away}`);
          if (own.affine && cut.affine)
            t.deepEqual(own.affine.origin.map(Math.round), cut.affine.origin.map(Math.round));
          compared++;
        }
    t.ok(compared >= 5, `${compared} patches`);
    const page = readFileSync(join(folder, 'out/report.html'), 'utf8');
    t.match(page, /<h3>unit 2<\/h3>/);
    t.equal(page.match(/<article class="unit">/g)?.length, 4);
  });

/** Where a window of a recording begins, in samples. */
const seconds = (item: string, { axes }: Field): number =>
  Math.round(Number(/ at ([\d.]+) s/.exec(item)![1]) / axes[0].spacing);

test('what is wrong is said before a run', async t => {
  const folder = temporaryFolder();
  await writeField(waves('image', [36, 40, 3]), join(folder, 'picture.png'));
  const session = openSession(folder);
  const check = async (text: string, replace: string, by: string) => {
    t.ok(text.includes(replace));
    writeFileSync(join(folder, 'wrong.yaml'), text.replace(replace, by));
    const { code, err } = await session.run('check', 'wrong.yaml');
    t.equal(code, 2, by);
    return err;
  };
  const text = pipeline(2, 3, 'picture.png', [12, 14]);
  t.match(await check(text, 'conv2: 2 }', 'conv3: 2 }'), /no layer 'conv3'[\s\S]*did you mean "?conv/);
  t.match(await check(text, '[2, 0]', '[2, 4]'), /layer relu1 has units 0 to 3; there is no unit 4/);
  t.match(await check(text, 'conv2: 2 }', 'conv2: 9 }'), /layer conv2 has 5 units; 9 were asked for/);
  t.match(await check(text, 'size: [12,14]', 'size: [4,4]'), /kernel size 3 > padded input size 2/);
  const maximise = `${text}  - { id: made, uses: maximise-activation, with: { network: "@net", layer: conv2, unit: 1, iterations: 9 } }
  - { uses: save, with: { input: "@made", path: made.png } }
`;
  t.match(await check(maximise, 'unit: 1', 'unit: 5'), /layer conv2 has units 0 to 4; there is no unit 5/);
  t.match(await check(maximise, 'layer: conv2, unit', 'layer: pool2, unit'), /no layer 'pool2'/);
  t.match(await check(maximise, 'iterations: 9', 'range: [1, 0]'), /the lower end comes first/);
  t.match(await check(maximise, 'iterations: 9', 'size: [1, 2, 3]'), /3 sizes for the 2 dimensions/);
  writeFileSync(join(folder, 'right.yaml'), maximise);
  const first = await session.run('run', 'right.yaml', '--out', 'a', '--backend', 'reference');
  const second = await session.run('run', 'right.yaml', '--out', 'b', '--backend', 'reference');
  session.close();
  t.equal(first.code + second.code, 0, first.err);
  const made = await readField(join(folder, 'a/made.png'));
  t.deepEqual(made.shape, [12, 12, 3], 'as much as the unit sees, and room');
  t.deepEqual(
    readFileSync(join(folder, 'a/made.png')),
    readFileSync(join(folder, 'b/made.png')),
    'by the seed',
  );
  t.deepEqual(
    readFileSync(join(folder, 'a/found/units.json')),
    readFileSync(join(folder, 'b/found/units.json')),
    'the same every time',
  );
});

test('shipped pipelines, made small', async t => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'out'));
  const session = openSession(root);
  const out = (name: string) => join(folder, 'out', name);
  const image = await session.run(
    'run',
    'pipelines/units-image.yaml',
    ...['--out', out('image'), '--set', 'step=250', '--set', 'units=1', '--set', 'made.iterations=3'],
  );
  t.equal(image.code, 0, image.err);
  t.ok(existsSync(out('image/made.png')));
  const small: Record<string, string[]> = {
    ecg: ['beats.limit=60', 'made.iterations=3'],
    audio: ['moments.limit=4', 'units=1'],
    volume: ['size=32', 'units=1'],
    'image-squeezenet': [
      'photos.operations=[{resample: {spacing: 8}}]',
      'crops.size=80',
      'units=1',
      'made.iterations=2',
      `net.weights=${realData('models/squeezenet1_1/squeezenet1_1.safetensors')}`,
    ],
  };
  const needs = realData('models');
  const away =
    realData('') !== join(root, '../shared/data') ? 'the data is not where the pipelines look for it' : '';
  for (const [name, set] of Object.entries(small)) {
    const isHere = existsSync(needs) && (name === 'image-squeezenet' || away === '');
    if (!isHere) {
      t.skip(`units-${name}.yaml: ${away || `${needs} is not there`}`);
      continue;
    }
    const { code, err } = await session.run(
      'run',
      `pipelines/units-${name}.yaml`,
      ...['--out', out(name), ...set.flatMap(one => ['--set', one])],
    );
    t.equal(code, 0, `units-${name}.yaml ${err}`);
    t.ok(existsSync(out(`${name}/report.html`)));
  }
  session.close();
});
