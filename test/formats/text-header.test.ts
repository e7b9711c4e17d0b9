// NRRD and MetaImage written by hand as other programs write them: anatomical spaces, channels and time, units,
// encodings, detached data, and headers that lie. Position is checked against ITK's for the real files.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import test from 'tape';
import { peekField, readField, writeField } from '../../src/formats/index.ts';
import {
  counting,
  largestDifference,
  makeArray,
  makeVolume,
  refuses,
  temporaryFolder,
  testWith,
} from './support.ts';

const folder = temporaryFolder();
const shorts = (count: number, bigEndian = false): Buffer => {
  const bytes = Buffer.from(Int16Array.from({ length: count }, (_, i) => i * 300).buffer);
  return bigEndian ? bytes.swap16() : bytes;
};
const values = (count: number) => counting(count, 0, 300);

function make(name: string, lines: string[], ...body: Buffer[]): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), ...body]));
  return path;
}

const nrrdLines = [
  'NRRD0005',
  '# a comment',
  'type: short',
  'dimension: 3',
  'sizes: 4 3 2',
  'endian: little',
  'key:=value: with colon',
];
const oblique = ['space directions: (0,2,0) (-3,0,0) (0,0,4)', 'space origin: (10,20,30)'];

test('nrrd: positions from every space become RAS', async t => {
  // x-index runs along the second world axis, y-index against the first.
  const ras = {
    origin: [10, 20, 30],
    direction: [
      [0, -3, 0],
      [0, 0, 2],
      [4, 0, 0],
    ],
  };
  const flip = (signs: number[]) => ({
    origin: ras.origin.map((value, row) => value * signs[row]),
    direction: ras.direction.map((row, at) => row.map(value => value * signs[at] || 0)),
  });
  const spaces: [string, number[]][] = [
    ['right-anterior-superior', [1, 1, 1]],
    ['RAS', [1, 1, 1]],
    ['left-anterior-superior', [-1, 1, 1]],
    ['left-posterior-superior', [-1, -1, 1]],
    ['LPS', [-1, -1, 1]],
  ];
  for (const [space, signs] of spaces) {
    const path = make(
      'space.nrrd',
      [...nrrdLines, `space: ${space}`, ...oblique, 'encoding: raw', ''],
      shorts(24),
    );
    const volume = await readField(path);
    t.deepEqual(volume.affine, flip(signs), space);
    t.deepEqual(volume.shape, [2, 3, 4, 1]);
    t.deepEqual(
      volume.axes.map(axis => axis.spacing),
      [4, 3, 2],
    );
    t.equal(largestDifference(volume.data, values(24)), 0);
    t.equal(volume.sampleType, 'int16');
  }
});

test('nrrd: encodings, byte orders and line ends', async t => {
  const path = make('gz.nrrd', [...nrrdLines, 'encoding: gzip', ''], gzipSync(shorts(24)));
  t.equal(largestDifference((await readField(path)).data, values(24)), 0);
  const big = nrrdLines.map(line => line.replace('little', 'big'));
  t.equal(
    largestDifference(
      (await readField(make('big.nrrd', [...big, 'encoding: raw', ''], shorts(24, true)))).data,
      values(24),
    ),
    0,
  );
  const windows = nrrdLines.concat('encoding: raw', '').map(line => `${line}\r`);
  t.equal(largestDifference((await readField(make('crlf.nrrd', windows, shorts(24)))).data, values(24)), 0);
  const text = make(
    'text.nrrd',
    [...nrrdLines, 'encoding: ascii', ''],
    Buffer.from([...values(24)].join(' ')),
  );
  t.equal(largestDifference((await readField(text)).data, values(24)), 0);
});

test('nrrd: channels and time', async t => {
  const colour = [
    'NRRD0004',
    'type: uchar',
    'dimension: 4',
    'sizes: 3 2 2 2',
    'space: left-posterior-superior',
    'space directions: none (1,0,0) (0,1,0) (0,0,1)',
    'kinds: vector domain domain domain',
    'space origin: (0,0,0)',
    'encoding: raw',
    '',
  ];
  const vector = await readField(make('rgb.nrrd', colour, Buffer.from(counting(24))));
  t.deepEqual(vector.shape, [2, 2, 2, 3]);
  t.deepEqual(vector.affine?.direction, [
    [0, 0, -1],
    [0, -1, 0],
    [1, 0, 0],
  ]);
  const film = [
    'NRRD0004',
    'type: uchar',
    'dimension: 4',
    'sizes: 2 2 2 3',
    'kinds: domain domain domain time',
    'spacings: 1 2 3 0.5',
    'units: "mm" "mm" "um" "s"',
    'encoding: raw',
    '',
  ];
  const time = await readField(make('time.nrrd', film, Buffer.from(counting(24))));
  t.deepEqual(time.shape, [3, 2, 2, 2, 1]);
  t.deepEqual(time.axes, [
    { name: 't', spacing: 0.5, unit: 's' },
    { name: 'z', spacing: 0.003, unit: 'mm' },
    { name: 'y', spacing: 2, unit: 'mm' },
    { name: 'x', spacing: 1, unit: 'mm' },
  ]);
  const path = join(folder, 'again.nrrd');
  const placed = { ...time, affine: makeVolume().affine };
  await writeField(placed, path);
  const again = await readField(path);
  t.deepEqual(again.shape, time.shape);
  t.deepEqual(again.axes[0], time.axes[0], 'the time axis keeps its spacing beside space directions');
  await writeField(makeArray(2, 3, 4, 5, 6), path);
  t.deepEqual((await readField(path)).shape, [2, 3, 4, 5, 6, 1], 'any rank');
});

test('nrrd: detached data', async t => {
  writeFileSync(join(folder, 'beside.raw'), Buffer.concat([Buffer.from('junk'), shorts(24)]));
  const detached = [...nrrdLines, 'encoding: raw', 'data file: beside.raw'];
  t.equal(
    largestDifference((await readField(make('a.nhdr', [...detached, 'byte skip: 4', '']))).data, values(24)),
    0,
  );
  t.equal(
    largestDifference((await readField(make('b.nhdr', [...detached, 'byte skip: -1']))).data, values(24)),
    0,
  );
  const lost = make('lost.nhdr', [...nrrdLines, 'encoding: raw', 'data file: gone.raw', '']);
  await refuses(
    t,
    'missing data file',
    () => peekField(lost),
    /its samples are in gone\.raw, which is not there/,
    /same folder/,
  );
  const many = make('many.nhdr', [...nrrdLines, 'encoding: raw', 'data file: slice%03d.raw 1 2 1', '']);
  await refuses(t, 'several data files', () => readField(many), /spread over several files/);
});

test('nrrd: headers that lie', async t => {
  const cases: [string, string[], RegExp][] = [
    [
      'absurd sizes',
      nrrdLines.map(line => line.replace('4 3 2', '4000 3000 90')),
      /announces 1×90×3000×4000|announces .* samples of type int16/,
    ],
    [
      'beyond every array',
      nrrdLines.map(line => line.replace('4 3 2', '400000 300000 2000000')),
      /at most 2147483648/,
    ],
    ['a size of 0', nrrdLines.map(line => line.replace('4 3 2', '4 0 2')), /4×0×2/],
    ['sizes that are no numbers', nrrdLines.map(line => line.replace('4 3 2', '4 x 2')), /NaN/],
    [
      'wrong dimension',
      nrrdLines.map(line => line.replace('dimension: 3', 'dimension: 2')),
      /dimension is 2 but it has 3 sizes/,
    ],
    ['unknown type', nrrdLines.map(line => line.replace('short', 'block')), /type is block/],
    ['no endian', nrrdLines.filter(line => !line.startsWith('endian')), /lacks "endian"/],
  ];
  for (const encoding of ['raw', 'gzip'])
    for (const [what, lines, pattern] of cases)
      await refuses(
        t,
        `${what}, ${encoding}`,
        () => readField(make('bad.nrrd', [...lines, `encoding: ${encoding}`, ''], shorts(24))),
        pattern,
      );
  await refuses(
    t,
    'unknown encoding',
    () => readField(make('bad.nrrd', [...nrrdLines, 'encoding: bzip2', ''], shorts(24))),
    /encoding is bzip2/,
  );
  const notes: string[] = [];
  const flat = make(
    'flat.nrrd',
    [...nrrdLines, 'space: LPS', 'space directions: (1,0,0) (2,0,0) (0,0,1)', 'encoding: raw', ''],
    shorts(24),
  );
  t.equal((await readField(flat, { note: note => notes.push(note) })).affine, undefined);
  t.match(notes[0], /not a usable matrix/);
});

const metaLines = [
  'ObjectType = Image',
  'NDims = 3',
  'DimSize = 4 3 2',
  'ElementType = MET_SHORT',
  'ElementSpacing = 2 3 4',
];

test('metaimage: position and values', async t => {
  // Rows of the matrix are directions of the x-, y- and z-index in LPS.
  const placed = [...metaLines, 'TransformMatrix = 0 1 0 -1 0 0 0 0 1', 'Offset = 10 20 30'];
  const volume = await readField(make('placed.mha', [...placed, 'ElementDataFile = LOCAL'], shorts(24)));
  t.deepEqual(volume.affine, {
    origin: [-10, -20, 30],
    direction: [
      [0, 3, 0],
      [0, 0, -2],
      [4, 0, 0],
    ],
  });
  t.equal(largestDifference(volume.data, values(24)), 0);
  const packed = [...metaLines, 'CompressedData = True', 'ElementDataFile = LOCAL'];
  t.equal(
    largestDifference(
      (await readField(make('packed.mha', packed, deflateSync(shorts(24))))).data,
      values(24),
    ),
    0,
  );
  const big = [...metaLines, 'BinaryDataByteOrderMSB = True', 'ElementDataFile = LOCAL'];
  t.equal(largestDifference((await readField(make('big.mha', big, shorts(24, true)))).data, values(24)), 0);
  writeFileSync(join(folder, 'head.raw'), Buffer.concat([Buffer.alloc(10), shorts(24)]));
  for (const skip of [10, -1]) {
    const path = make('beside.mhd', [...metaLines, `HeaderSize = ${skip}`, 'ElementDataFile = head.raw']);
    t.equal(largestDifference((await readField(path)).data, values(24)), 0, `HeaderSize ${skip}`);
  }
  const vector = metaLines
    .map(line => line.replace('4 3 2', '2 2 2'))
    .concat('ElementNumberOfChannels = 3', 'ElementDataFile = LOCAL');
  t.deepEqual((await readField(make('vector.mha', vector, shorts(24)))).shape, [2, 2, 2, 3]);
});

test('metaimage: headers that lie', async t => {
  const bad = (what: string, pattern: RegExp, ...change: [string, string][]) => {
    const lines = metaLines.map(line => change.reduce((text, [from, to]) => text.replace(from, to), line));
    const path = make('bad.mha', [...lines, 'ElementDataFile = LOCAL'], shorts(24));
    return refuses(t, what, () => readField(path), pattern);
  };
  await bad('absurd size', /announces 4000×3000×20×1 samples/, ['4 3 2', '4000 3000 20']);
  await bad('size of 0', /0×3×2/, ['4 3 2', '0 3 2']);
  await bad('wrong rank', /NDims is 2 but DimSize has 3/, ['NDims = 3', 'NDims = 2']);
  await bad('unknown type', /MET_STRING/, ['MET_SHORT', 'MET_STRING']);
  const list = make('list.mha', [...metaLines, 'ElementDataFile = LIST']);
  await refuses(t, 'list', () => readField(list), /several files/);
  const short = make(
    'short.mha',
    [...metaLines, 'CompressedData = True', 'ElementDataFile = LOCAL'],
    deflateSync(shorts(20)),
  );
  await refuses(t, 'compressed, too short', () => readField(short), /announces .* \(48 bytes\) but only 40/);
});

testWith('volumes/LIDC2.mha', 'metaimage: a chest CT, as ITK places it', async (t, path) => {
  const volume = await readField(path);
  t.deepEqual(volume.shape, [133, 256, 256, 1]);
  t.ok(largestDifference(volume.affine!.origin, [0, -360, 332.5]) < 1e-9);
  t.ok(
    largestDifference(volume.affine!.direction.flat(), [0, 0, -1.40625, 0, 1.40625, 0, -2.5, 0, 0]) < 1e-9,
  );
});

testWith('volumes/tooth.nrrd', 'nrrd: a tooth, as ITK places it', async (t, path) => {
  const volume = await readField(path);
  t.deepEqual(volume.shape, [161, 94, 103, 1]);
  t.deepEqual(volume.affine?.direction, [
    [0, 0, -1],
    [0, -1, 0],
    [1, 0, 0],
  ]);
  let sum = 0;
  for (const value of volume.data) sum += value;
  t.ok(Math.abs(sum / volume.data.length - 103.16516465850057) < 1e-6);
});
