// npy and npz against files that NumPy wrote (fixtures/make.py), and bare arrays as fields: kinds, channels, spacing.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import test from 'tape';
import { peekField, readField, writeField } from '../../src/formats/index.ts';
import { readNpy, writeNpy } from '../../src/formats/npy.ts';
import { readNpz, writeNpz } from '../../src/formats/npz.ts';
import {
  counting,
  fixture,
  largestDifference,
  makeImage,
  makeSound,
  makeVolume,
  realData,
  refuses,
  temporaryFolder,
  testWith,
} from './support.ts';

const folder = temporaryFolder();

const types: [string, string][] = [
  ['float16-big-endian', 'float16'],
  ['float32-fortran', 'float32'],
  ['float64-big-endian-fortran', 'float64'],
  ['int64', 'int64'],
  ['uint64-big-endian', 'uint64'],
  ['uint8', 'uint8'],
  ['int16-big-endian', 'int16'],
];
for (const [name, stored] of types)
  test(`npy: ${name} as NumPy wrote it`, async t => {
    const array = readNpy(readFileSync(fixture(`${name}.npy`)));
    t.deepEqual(array.shape, [2, 3, 4]);
    t.equal(array.stored, stored);
    t.deepEqual([...array.data], [...counting(24)], 'row-major');
    t.deepEqual((await readField(fixture(`${name}.npy`))).shape, [2, 3, 4, 1]);
  });

test('npy: booleans, halves, scalars, and what is not read', async t => {
  t.deepEqual([...readNpy(readFileSync(fixture('bool.npy'))).data.slice(0, 4)], [1, 0, 1, 0]);
  const halves = readNpy(readFileSync(fixture('halves.npy'))).data;
  t.deepEqual(
    [...halves],
    [0, 1, -2.5, 65504, 2 ** -24, 0.3330078125],
    'smallest and largest of half precision',
  );
  const scalar = readNpy(readFileSync(fixture('scalar.npy')));
  t.deepEqual([scalar.shape, [...scalar.data]], [[], [3]]);
  await refuses(t, 'complex', () => readField(fixture('complex.npy')), /type is <c8/);
});

test('npy: headers that lie', async t => {
  const good = readFileSync(fixture('float32-fortran.npy')).toString('latin1');
  const path = join(folder, 'bad.npy');
  const bad = async (what: string, from: string, to: string, pattern: RegExp) => {
    t.ok(good.includes(from.padEnd(to.length)), `${from} is there to be changed`);
    writeFileSync(path, good.replace(from.padEnd(to.length), to.padEnd(from.length)), 'latin1');
    await refuses(t, what, () => readField(path), pattern);
    await refuses(t, `${what}, header alone`, () => peekField(path), pattern);
  };
  await bad(
    'absurd shape',
    '(2, 3, 4), }        ',
    '(20000, 30000, 3), }',
    /announces 20000×30000×3 numbers of type float32 \(7200000000 bytes\)/,
  );
  await bad('beyond every array', '(2, 3, 4), }         ', '(99999, 99999, 99999)', /at most 2147483648/);
  await bad('no shape', "'shape'", "'shade'", /not as NumPy writes it/);
  await bad('negative', '(2, 3, 4), } ', '(-2, 3, 4), }', /not as NumPy writes it/);
  await bad('zero', '(2, 3, 4)', '(2, 0, 4)', /2×0×4/);
});

test('npy: what is written', async t => {
  const bytes = writeNpy({ shape: [2, 3], data: counting(6) });
  t.equal(bytes.length, 128 + 24, 'aligned to 64 bytes');
  t.match(
    Buffer.from(bytes).toString('latin1', 10, 128),
    /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} *\n$/,
  );
  t.deepEqual(readNpy(bytes).shape, [2, 3]);
  const one = readNpy(writeNpy({ shape: [3], data: counting(3) }, 'int16'));
  t.deepEqual([one.shape, one.stored, [...one.data]], [[3], 'int16', [0, 1, 2]]);
  const notes: string[] = [];
  await writeField(makeVolume(), join(folder, 'volume.npy'), { note: note => notes.push(note) });
  t.match(notes[0], /npy keeps no spacing.*\.npz/);
  t.deepEqual(
    (await readField(join(folder, 'volume.npy'))).shape,
    [3, 4, 5, 1],
    'no axis for a single channel',
  );
  const back = await readField(join(folder, 'volume.npy'), { kind: 'volume', spacing: [2, 0.75, 0.5] });
  t.deepEqual(back.axes, makeVolume().axes);
});

test('arrays: kinds, channels and spacing are the reader’s to say', async t => {
  const path = join(folder, 'picture.npy');
  const image = makeImage(4, 6, 3);
  const { sampleType } = await writeField(image, path, { sampleType: 'uint8' });
  t.equal(sampleType, 'uint8');
  const back = await readField(path, { kind: 'image', channels: 'last' });
  t.deepEqual(back.shape, [4, 6, 3]);
  t.ok(largestDifference(back.data, image.data) < 1e-6, 'integers become [0, 1] again');
  t.deepEqual(back.axes, image.axes);
  const sound = join(folder, 'sound.npy');
  await writeField(makeSound(20, 2), sound, { sampleType: 'int16' });
  const heard = await readField(sound, { kind: 'sound', channels: 'last', spacing: [1 / 22050] });
  t.equal(largestDifference(heard.data, makeSound(20, 2).data), 0);
  t.deepEqual(heard.axes, makeSound(20, 2).axes);
  await refuses(
    t,
    'no sample rate',
    () => readField(sound, { kind: 'sound', channels: 'last' }),
    /sample rate/,
    /spacing: \[1 \/ rate\]/,
  );
  await refuses(
    t,
    'wrong rank',
    () => readField(sound, { kind: 'volume' }),
    /volume has 3 to 4 spatial dimensions/,
    /channels: last/,
  );
  await refuses(
    t,
    'wrong spacing',
    () => readField(path, { spacing: [1] }),
    /3 spatial dimensions/,
    /one positive number/,
  );
});

test('npz: as NumPy wrote it', async t => {
  const one = await readField(fixture('one.npz'));
  t.deepEqual(
    [one.shape, [...one.data]],
    [
      [2, 3, 1],
      [0, 1, 2, 3, 4, 5],
    ],
  );
  await refuses(t, 'which?', () => readField(fixture('two.npz')), /holds 2 arrays/, /entry to one of a, b/);
  await refuses(t, 'none such', () => readField(fixture('two.npz'), { entry: 'c' }), /no array "c"/, /a, b/);
  t.deepEqual((await readField(fixture('two.npz'), { entry: 'b' })).shape, [3, 3, 1]);
  const arrays = await readNpz(readFileSync(fixture('two.npz')));
  t.deepEqual([...arrays.keys()], ['a', 'b']);
  t.deepEqual([...(arrays.get('b')?.data ?? [])], [1, 0, 0, 0, 1, 0, 0, 0, 1]);
});

test('npz: arrays and fields that ndconv wrote', async t => {
  const arrays = new Map([
    ['w', { shape: [2, 2], data: counting(4) }],
    ['b', { shape: [3], data: counting(3, 7) }],
  ]);
  const bytes = await writeNpz(arrays);
  t.deepEqual(bytes, await writeNpz(arrays), 'equal arrays give equal bytes');
  const back = await readNpz(bytes);
  t.deepEqual([...(back.get('b')?.data ?? [])], [7, 8, 9]);
  const path = join(folder, 'image.npz');
  await writeField(makeImage(3, 4, 1), path, { sampleType: 'uint8' });
  const image = await readField(path);
  t.ok(largestDifference(image.data, makeImage(3, 4, 1).data) < 1e-6, 'integers come back as fractions');
  t.deepEqual(
    [...(await readNpz(readFileSync(path))).keys()],
    ['data', 'spacing'],
    'the description is no array',
  );
  const plain = await readField(path, { kind: 'array' });
  t.deepEqual(
    [plain.kind, plain.data[1]],
    ['array', 7919 % 256],
    'what the reader says goes before the description',
  );
});

test('npz: zips that lie', async t => {
  const path = join(folder, 'bad.npz');
  const forged = zipSync({
    'data.npy': writeNpy({ shape: [2], data: counting(2) }),
    'ndconv.npy': strToU8('no npy'),
  });
  writeFileSync(path, forged);
  await refuses(t, 'a description that is none', () => readField(path), /does not start as an npy file/);
  // The size a member is said to have: in its own header at 22, in the directory at 24.
  const huge = Buffer.from(
    zipSync({ 'data.npy': writeNpy({ shape: [2], data: counting(2) }) }, { level: 6 }),
  );
  huge.writeUInt32LE(0xf0000000, huge.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 24);
  writeFileSync(path, huge);
  await refuses(t, 'a member of 4 GB', () => readField(path), /announces data\.npy \(4026531840 bytes\)/);
  writeFileSync(path, zipSync({ 'a.txt': strToU8('text') }));
  await refuses(t, 'another zip', () => readField(path), /does not begin as a npz/);
});

testWith('volumes/stent.npz', 'npz: a CT, as NumPy stored it', async (t, path) => {
  const volume = await readField(path, { kind: 'volume', spacing: [2.5, 1, 1] });
  t.deepEqual(volume.shape, [256, 128, 128, 1]);
  t.equal(volume.sampleType, 'int16');
  t.deepEqual(
    volume.axes.map(axis => axis.spacing),
    [2.5, 1, 1],
  );
});

testWith('models/brain3d/reference_input.npy', 'npy: what a network is fed', async (t, path) => {
  const array = readNpy(readFileSync(path), path);
  t.deepEqual(array.shape, [1, 1, 64, 64, 64]);
  t.deepEqual(
    readNpy(readFileSync(realData('models/brain3d/reference_output.npy'))).shape.slice(-3),
    [64, 64, 64],
  );
});
