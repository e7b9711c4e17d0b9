// NIfTI against files that nibabel wrote (fixtures/make.py): numeric types, byte orders, versions, orientation from
// sform and qform, scaling, units, time and vectors; and headers that lie.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import test from 'tape';
import type { Affine } from '../../src/formats/affine.ts';
import { peekField, readField, writeField } from '../../src/formats/index.ts';
import {
  counting,
  fixture,
  largestDifference,
  makeArray,
  makeVolume,
  refuses,
  temporaryFolder,
  testWith,
} from './support.ts';

const folder = temporaryFolder();
const [c, s] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];

/** What make.py gave every volume: columns for z, y, x. */
const affine = {
  origin: [10, -20, 30],
  direction: [
    [0, -0.7 * s, 1.5 * c],
    [0, 0.7 * c, 1.5 * s],
    [-2, 0, 0],
  ],
};

/** Checks position and values of a volume that counts upwards. */
const types: [string, string][] = [
  ['int8.nii.gz', 'int8'],
  ['uint16.nii.gz', 'uint16'],
  ['int16-big-endian.nii', 'int16'],
  ['int32.nii.gz', 'int32'],
  ['uint32.nii.gz', 'uint32'],
  ['int64.nii.gz', 'float64'],
  ['float64.nii.gz', 'float64'],
  ['qform-only.nii.gz', 'int16'],
  ['sform-first.nii.gz', 'int16'],
  ['nifti2-big-endian.nii.gz', 'float32'],
];
for (const [name, sampleType] of types)
  test(`nifti: ${name} as nibabel wrote it`, async t => {
    const volume = await readField(fixture(name));
    t.deepEqual(volume.shape, [6, 5, 4, 1]);
    t.equal(volume.sampleType, sampleType);
    t.equal(largestDifference(volume.data, counting(120)), 0);
    t.deepEqual(
      volume.axes.map(axis => axis.name),
      ['z', 'y', 'x'],
    );
    t.ok(
      largestDifference(
        volume.axes.map(axis => axis.spacing),
        [2, 0.7, 1.5],
      ) < 1e-6,
    );
    t.ok(largestDifference(volume.affine!.origin, affine.origin) < 1e-5);
    t.ok(
      largestDifference(volume.affine!.direction.flat(), affine.direction.flat()) < 1e-6,
      'sform first, else qform',
    );
    const { data: _, ...header } = volume;
    t.deepEqual(await peekField(fixture(name)), header);
  });

test('nifti: scaled values', async t => {
  const scaled = await readField(fixture('scaled.nii.gz'));
  t.equal(largestDifference(scaled.data, counting(120, -3, 0.5)), 0);
  t.equal(scaled.sampleType, 'float32', 'halves are no integers');
  const ct = await readField(fixture('hounsfield.nii.gz'));
  t.equal(largestDifference(ct.data, counting(120, -1024)), 0);
  t.equal(ct.sampleType, 'int16', 'an intercept of -1024 makes uint16 signed');
  const path = join(folder, 'ct.nii');
  await writeField({ ...ct, valueUnit: 'HU' }, path);
  const bytes = readFileSync(path);
  t.deepEqual(
    [bytes.readInt16LE(70), bytes.readFloatLE(112), bytes.readFloatLE(116), bytes.readInt16LE(352)],
    [4, 1, 0, -1024],
    'int16, slope 1, intercept 0, HU as they are',
  );
  t.equal((await readField(path)).valueUnit, 'HU');
});

test('nifti: units', async t => {
  const small = await readField(fixture('micron.nii.gz'));
  t.ok(
    largestDifference(
      small.axes.map(axis => axis.spacing),
      [0.002, 0.0007, 0.0015],
    ) < 1e-9,
    'micrometres become mm',
  );
  t.ok(largestDifference(small.affine!.origin, [0.01, -0.02, 0.03]) < 1e-8);
  const film = await readField(fixture('time.nii.gz'));
  t.deepEqual(film.shape, [2, 6, 5, 4, 1]);
  t.deepEqual(film.axes[0], { name: 't', spacing: 2.5, unit: 's' });
  t.equal(film.data[120], 1000, 'time is the slowest axis');
  await writeField(film, join(folder, 'film.nii'));
  t.deepEqual({ ...(await readField(join(folder, 'film.nii'))), source: '' }, { ...film, source: '' });
});

test('nifti: vectors and colours become channels', async t => {
  const vector = await readField(fixture('vector.nii.gz'));
  t.deepEqual(vector.shape, [6, 5, 4, 3]);
  t.deepEqual([...vector.data.slice(0, 6)], [0, 1000, 2000, 1, 1001, 2001]);
  const rgb = await readField(fixture('rgb.nii.gz'));
  t.deepEqual(rgb.shape, [6, 5, 4, 3]);
  t.deepEqual([...rgb.data.slice(0, 6)], [0, 100, 255, 1, 101, 254]);
});

test('nifti: no orientation stays none', async t => {
  const volume = await readField(fixture('no-affine.nii.gz'));
  t.equal(volume.affine, undefined);
  await writeField(volume, join(folder, 'none.nii'));
  const bytes = readFileSync(join(folder, 'none.nii'));
  t.deepEqual([bytes.readInt16LE(252), bytes.readInt16LE(254)], [0, 0], 'neither qform nor sform is claimed');
});

test('nifti: sform and qform are written alike, sheared volumes without qform', async t => {
  const path = join(folder, 'both.nii');
  const volume = makeVolume();
  await writeField(volume, path);
  const bytes = readFileSync(path);
  t.deepEqual([bytes.readInt16LE(252), bytes.readInt16LE(254)], [1, 1]);
  bytes.writeInt16LE(0, 254);
  const only = join(folder, 'qform.nii');
  writeFileSync(only, bytes);
  const back = await readField(only);
  t.ok(
    largestDifference(back.affine!.direction.flat(), volume.affine!.direction.flat()) < 1e-6,
    'the quaternion says the same',
  );
  const sheared = {
    ...volume,
    affine: {
      ...volume.affine!,
      direction: [
        [1, 0, 0.5],
        [0.3, 0.75, 0],
        [-2, 0, 0],
      ] as Affine['direction'],
    },
  };
  await writeField(sheared, path);
  t.deepEqual([readFileSync(path).readInt16LE(252), readFileSync(path).readInt16LE(254)], [0, 1]);
  t.ok(
    largestDifference((await readField(path)).affine!.direction.flat(), sheared.affine.direction.flat()) <
      1e-6,
  );
});

test('nifti: long axes need version 2, and arrays fit', async t => {
  const path = join(folder, 'long.nii');
  await writeField(makeArray(40000), path);
  t.equal(readFileSync(path).readInt32LE(0), 540);
  t.deepEqual((await readField(path)).shape, [1, 1, 40000, 1]);
  await refuses(
    t,
    'five dimensions',
    () => writeField(makeArray(2, 2, 2, 2, 2), path),
    /up to 4 dimensions/,
    /2×2×2×2×2/,
  );
});

test('nifti: headers that lie', async t => {
  const path = join(folder, 'good.nii');
  await writeField(makeVolume(), path);
  const good = readFileSync(path);
  const lying = async (what: string, change: (bytes: Buffer) => void, ...patterns: RegExp[]) => {
    for (const packed of [false, true]) {
      const bytes = Buffer.from(good);
      change(bytes);
      const bad = join(folder, packed ? 'bad.nii.gz' : 'bad.nii');
      writeFileSync(bad, packed ? gzipSync(bytes) : bytes);
      await refuses(t, what, () => readField(bad), ...patterns);
    }
  };
  const sizes =
    (...values: number[]) =>
    (bytes: Buffer) =>
      bytes.set(Buffer.from(Int16Array.from(values).buffer), 42);
  await lying('32767³', sizes(32767, 32767, 32767), /32767×32767×32767/);
  await lying('1000³', sizes(1000, 1000, 1000), /announces 1000×1000×1000 voxels of type int16/);
  await lying('a size of 0', sizes(0, 4, 5), /0×4×3|0×4×5/);
  await lying('a negative size', sizes(-3, 4, 5), /-3×4×5/);
  await lying('40 dimensions', bytes => bytes.writeInt16LE(40, 40), /40 dimensions/);
  await lying('an unknown type', bytes => bytes.writeInt16LE(1792, 70), /code 1792/);
  await lying('samples beyond the end', bytes => bytes.writeFloatLE(1e9, 108), /announces|start at byte/);
  await lying('an offset of NaN', bytes => bytes.writeFloatLE(Number.NaN, 108), /start at byte NaN/);
  const notes: string[] = [];
  const flat = Buffer.from(good);
  flat.fill(0, 280, 328);
  writeFileSync(join(folder, 'flat.nii'), flat);
  const volume = await readField(join(folder, 'flat.nii'), { note: note => notes.push(note) });
  t.equal(volume.affine, undefined, 'a matrix of zeros places nothing');
  t.match(notes[0], /orientation is not a usable matrix/);
  const bomb = join(folder, 'bomb.nii.gz');
  writeFileSync(bomb, gzipSync(Buffer.concat([good, Buffer.alloc(1 << 24)])));
  await refuses(t, 'far more data than announced', () => readField(bomb), /holds more than/);
});

test('nifti: a packed volume of nothing but zeros', async t => {
  const path = join(folder, 'zeros.nii.gz');
  const zeros = { ...makeVolume(64, 128, 128), data: new Float32Array(64 * 128 * 128) };
  t.ok((await writeField(zeros, path)).bytes < 20_000);
  t.deepEqual((await peekField(path)).shape, zeros.shape);
  t.equal(largestDifference((await readField(path)).data, zeros.data), 0);
});

test('nifti: NaN is refused with its place', async t => {
  const volume = { ...makeVolume(), sampleType: 'float32' as const };
  volume.data[5 * 4 + 7] = Number.NaN;
  const path = join(folder, 'nan.nii');
  await writeField(volume, path, { allowNaN: true });
  await refuses(t, 'NaN', () => readField(path), /1 of its 60 samples/, /\[1, 1, 2, 0\]/);
  t.ok(Number.isNaN((await readField(path, { allowNaN: true })).data[27]));
  await refuses(
    t,
    'NaN as integers',
    () => writeField({ ...volume, sampleType: 'int16' }, path, { allowNaN: true }),
    /int16 cannot hold them/,
  );
});

testWith('volumes/t1_crop.nii.gz', 'nifti: a T1 scan, as nibabel and ITK place it', async (t, path) => {
  const volume = await readField(path);
  t.deepEqual(volume.shape, [256, 256, 256, 1]);
  t.deepEqual(volume.affine!.direction, [
    [0, 0, -1],
    [1, 0, 0],
    [0, -1, 0],
  ]);
  t.ok(largestDifference(volume.affine!.origin, [127.59999847, -133.48001099, 134.47999573]) < 1e-6);
  let sum = 0;
  for (const value of volume.data) sum += value;
  t.ok(Math.abs(sum / volume.data.length - 16.634400784969) < 1e-6, 'mean as nibabel has it');
  const inside = gunzipSync(readFileSync(path));
  t.equal(
    volume.data[100 * 65536 + 128 * 256 + 90],
    inside[inside.readFloatLE(108) + 100 * 65536 + 128 * 256 + 90],
  );
});
