// What the format tests share: a folder of their own, where real files are, fields made by rule, and expecting a
// FormatError.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tape';
import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import type { Field } from '../../src/formats/field.ts';

const root = join(import.meta.dirname, '../..');

/** A file of an installed package. */
export const installed = (path: string): string => join(root, 'node_modules', path);

/** A file made by other people's writers (see fixtures/make.py). */
export const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name);

/** A file of the real data, which is not part of the project. */
export const realData = (path: string): string =>
  join(process.env.NDCONV_TEST_DATA ?? join(root, '../shared/data'), path);

/** A test that needs a file of the real data; skipped with its reason where that is absent. */
export function testWith(path: string, name: string, run: (t: Test, path: string) => Promise<void>): void {
  const file = realData(path);
  if (existsSync(file)) test(name, t => run(t, file));
  else
    test(name, t => {
      t.skip(`${path} is not there (set NDCONV_TEST_DATA)`);
      t.end();
    });
}

/** A folder that is gone when the tests of the file have ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ndconv-formats-'));
  test.onFinish(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Unfinished files in a folder. */
export const partials = (folder: string): string[] =>
  readdirSync(folder).filter(name => name.endsWith('.partial'));

/** Expects a FormatError that matches every pattern. */
export async function refuses(
  t: Test,
  what: string,
  attempt: () => Promise<unknown>,
  ...patterns: RegExp[]
): Promise<void> {
  try {
    await attempt();
    t.fail(`${what}: was not refused`);
  } catch (error) {
    const message = error instanceof NdconvError ? error.message : `not an NdconvError: ${error}`;
    const missing = patterns.filter(pattern => !pattern.test(message));
    t.deepEqual(missing.map(String), [], `${what}: ${message}`);
    if (error instanceof NdconvError) t.equal(error.tag, 'FormatError');
  }
}

/** Samples that count upwards by rule: `from + i · step`. */
export const counting = (count: number, from = 0, step = 1): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => from + i * step);

/** Largest difference of two arrays; infinite where their lengths differ. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

/** A sound of sines, exact in 16 bits. */
export function makeSound(
  samples: number,
  channels: number,
  sampleType: Field['sampleType'] = 'int16',
): Field {
  const data = Float32Array.from(
    { length: samples * channels },
    (_, i) => Math.round(20000 * Math.sin(i * 0.1 + (i % channels))) / 32768,
  );
  return {
    kind: 'sound',
    shape: [samples, channels],
    data,
    axes: [{ name: 'time', spacing: 1 / 22050, unit: 's' }],
    source: 'made',
    valueUnit: '',
    sampleType,
  };
}

/** A picture whose samples are exact in 8 or 16 bits. */
export function makeImage(
  height: number,
  width: number,
  channels: number,
  sampleType: Field['sampleType'] = 'uint8',
): Field {
  const most = sampleType === 'uint8' ? 255 : 65535;
  return {
    kind: 'image',
    shape: [height, width, channels],
    data: Float32Array.from(
      { length: height * width * channels },
      (_, i) => ((i * 7919) % (most + 1)) / most,
    ),
    axes: [
      { name: 'y', spacing: 1, unit: 'px' },
      { name: 'x', spacing: 1, unit: 'px' },
    ],
    source: 'made',
    valueUnit: '',
    sampleType,
  };
}

/** A CT with an oblique, left-handed orientation. */
export function makeVolume(depth = 3, height = 4, width = 5, channels = 1): Field {
  const [c, s] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
  return {
    kind: 'volume',
    shape: [depth, height, width, channels],
    data: counting(depth * height * width * channels, -1000, 17),
    axes: [
      { name: 'z', spacing: 2, unit: 'mm' },
      { name: 'y', spacing: 0.75, unit: 'mm' },
      { name: 'x', spacing: 0.5, unit: 'mm' },
    ],
    source: 'made',
    valueUnit: 'HU',
    sampleType: 'int16',
    affine: {
      origin: [12.5, -3.25, 100],
      direction: [
        [0, -0.75 * s, 0.5 * c],
        [0, 0.75 * c, 0.5 * s],
        [-2, 0, 0],
      ],
    },
  };
}

/** A plain array of any shape, one channel. */
export const makeArray = (...sizes: number[]): Field => ({
  kind: 'array',
  shape: [...sizes, 1],
  data: counting(
    sizes.reduce((a, b) => a * b, 1),
    0.5,
  ),
  axes: sizes.map((_, at) => ({ name: `axis${at}`, spacing: 1, unit: '' })),
  source: 'made',
  valueUnit: '',
  sampleType: 'float32',
});

/** An ECG of two leads with a few marks, exact in steps of 1/200 mV. */
export function makeEcg(samples = 300): Field {
  return {
    kind: 'signal',
    shape: [samples, 2],
    data: Float32Array.from({ length: 2 * samples }, (_, i) => Math.round(300 * Math.sin(i * 0.07)) / 200),
    axes: [{ name: 'time', spacing: 1 / 360, unit: 's' }],
    source: 'made',
    valueUnit: 'mV',
    sampleType: 'float32',
    channelNames: ['MLII', 'V5'],
    annotations: [
      { at: 10 / 360, label: '+', text: '(N' },
      { at: 100 / 360, label: 'N' },
      { at: 250 / 360, label: 'V' },
    ],
  };
}

/** What an EDF file is made of; a signal of texts holds annotations. */
export interface EdfParts {
  records: number;
  duration: number;
  reserved?: string;
  wide?: boolean;
  signals: {
    label: string;
    unit?: string;
    range?: [number, number];
    stored?: [number, number];
    perRecord: number;
    /** Stored numbers, or one text a record. */
    values: number[] | string[];
  }[];
}

/** The bytes of an EDF or BDF file. */
export function makeEdf({ records, duration, reserved = '', wide, signals }: EdfParts): Buffer {
  const width = wide ? 3 : 2;
  const field = (value: string | number, length: number): string => String(value).padEnd(length);
  const each = (length: number, of: (signal: EdfParts['signals'][number]) => string | number): string =>
    signals.map(signal => field(of(signal), length)).join('');
  const head =
    (wide ? '\xffBIOSEMI' : field(0, 8)) +
    field('X X X X', 80) +
    field('Startdate X X X X', 80) +
    '01.01.2000.00.00' +
    field(256 * (1 + signals.length), 8) +
    field(reserved, 44) +
    field(records, 8) +
    field(duration, 8) +
    field(signals.length, 4) +
    each(16, s => s.label) +
    each(80, () => '') +
    each(8, s => s.unit ?? '') +
    each(8, s => s.range?.[0] ?? -1) +
    each(8, s => s.range?.[1] ?? 1) +
    each(8, s => s.stored?.[0] ?? -32768) +
    each(8, s => s.stored?.[1] ?? 32767) +
    each(80, () => '') +
    each(8, s => s.perRecord) +
    each(32, () => '');
  const body: Buffer[] = [];
  for (let record = 0; record < records; record++)
    for (const { perRecord, values } of signals) {
      const part = Buffer.alloc(perRecord * width);
      if (typeof values[0] === 'string') part.write(values[record] as string, 'utf8');
      else
        for (let i = 0; i < perRecord; i++)
          part.writeIntLE(values[record * perRecord + i] as number, i * width, width);
      body.push(part);
    }
  return Buffer.concat([Buffer.from(head, 'latin1'), ...body]);
}
