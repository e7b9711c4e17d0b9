// NRRD, .nrrd and .nhdr with its data file, in and out; raw, gzip and ascii in. Axes with a space direction (or of a
// spatial kind) are spatial; one without, if it is the fastest, holds the channels. Directions in any of the three
// anatomical spaces become RAS+ mm; written is left-posterior-superior, as medical viewers do.
// Source: "Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { affineOf, type Frame, frameOf, isUsable, swapLps, type Vector, volumeAxes } from './affine.ts';
import { expectBytes, expectSizes, latin, readHead, readWhole, startsWith } from './bytes.ts';
import type { Axis, Field } from './field.ts';
import type { Encoded, FieldHeader, Format, ReadOptions, WriteOptions } from './format.ts';
import { formatError } from './format.ts';
import {
  arrayTypes,
  bytesOf,
  chooseSampleType,
  decodeSamples,
  encodeSamples,
  type StoredType,
  sampleTypeOf,
} from './samples.ts';
import { type Body, dataFileName, expectBody, type Packing, readBody } from './text-header.ts';

const typeNames: Record<string, StoredType> = {};
for (const [type, names] of Object.entries({
  int8: 'signed char|int8|int8_t',
  uint8: 'uchar|unsigned char|uint8|uint8_t',
  int16: 'short|short int|signed short|signed short int|int16|int16_t',
  uint16: 'ushort|unsigned short|unsigned short int|uint16|uint16_t',
  int32: 'int|signed int|int32|int32_t',
  uint32: 'uint|unsigned int|uint32|uint32_t',
  int64: 'longlong|long long|long long int|signed long long|signed long long int|int64|int64_t',
  uint64: 'ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t',
  float32: 'float',
  float64: 'double',
}))
  for (const name of names.split('|')) typeNames[name] = type as StoredType;

/** Signs that turn a space's axes into RAS+. */
const spaces: Record<string, Vector> = {
  'right-anterior-superior': [1, 1, 1],
  ras: [1, 1, 1],
  'left-anterior-superior': [-1, 1, 1],
  las: [-1, 1, 1],
  'left-posterior-superior': [-1, -1, 1],
  lps: [-1, -1, 1],
  'scanner-xyz': [-1, -1, 1],
};

const millimetres: Record<string, number> = {
  mm: 1,
  millimeter: 1,
  millimeters: 1,
  millimetre: 1,
  cm: 10,
  m: 1000,
  um: 0.001,
  µm: 0.001,
  micron: 0.001,
};

/** Kinds of an axis that is no position in space. */
const rangeKinds =
  /^(list|vector|point|covariant-vector|normal|stub|scalar|complex|\d-\w+|quaternion|rgb-color|rgba-color|hsv-color|xyz-color|\dd-.*matrix.*)$/;

interface Parsed {
  header: FieldHeader;
  stored: StoredType;
  littleEndian: boolean;
  ascii: boolean;
  packing: Packing;
  file?: string;
  lines: number;
  skip: number;
  start: number;
  count: number;
}

/** Fields of the header by name, lower case; `start` is where the samples begin. */
function parseLines(path: string, bytes: Uint8Array): { fields: Map<string, string>; start: number } {
  const fields = new Map<string, string>();
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(10, at);
    const line = latin(bytes, at, end < 0 ? bytes.length : end).replace(/\r$/, '');
    if (at > 0 && line === '') return { fields, start: end < 0 ? bytes.length : end + 1 };
    const field = at > 0 && !line.startsWith('#') ? /^([^:]+):[ =]?\s*(.*)$/.exec(line) : null;
    // `key:=value` pairs are free text of the writer's.
    if (field && !line.startsWith(`${field[1]}:=`))
      fields.set(field[1].trim().toLowerCase(), field[2].trim());
    if (end < 0) {
      // A detached header may end without an empty line.
      if (fields.has('data file') || fields.has('datafile')) return { fields, start: bytes.length };
      throw formatError(path, 'its header does not end: it is truncated', 'copy or export it again');
    }
    at = end + 1;
  }
}

/** Directions per axis: a vector, or undefined for `none`. */
function parseDirections(text: string): (number[] | undefined)[] {
  return [...text.matchAll(/none|\(([^)]*)\)/g)].map(found => found[1]?.split(',').map(Number));
}

function parse(path: string, bytes: Uint8Array, { note }: ReadOptions): Parsed {
  const { fields, start } = parseLines(path, bytes);
  const need = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined)
      throw formatError(path, `its header lacks "${name}"`, 'repair the header or export it again');
    return value;
  };
  const refuse = (what: string): never => {
    throw formatError(path, `its ${what}, which is not read`, 'convert it, for instance with unu or Slicer');
  };
  const stored = typeNames[need('type').toLowerCase()] ?? refuse(`type is ${fields.get('type')}`);
  const sizes = need('sizes').split(/\s+/).map(Number);
  const count = expectSizes(path, sizes, 'sizes');
  if (Number(need('dimension')) !== sizes.length)
    throw formatError(
      path,
      `its dimension is ${fields.get('dimension')} but it has ${sizes.length} sizes`,
      'repair the header',
    );
  const encoding = need('encoding').toLowerCase();
  const ascii = ['ascii', 'text', 'txt'].includes(encoding);
  const gzipped = encoding === 'gzip' || encoding === 'gz';
  if (!ascii && !gzipped && encoding !== 'raw') refuse(`encoding is ${encoding}`);
  const endian = fields.get('endian')?.toLowerCase();
  if (!ascii && bytesOf[stored] > 1 && endian === undefined)
    throw formatError(path, 'its header lacks "endian"', 'add "endian: little" or "endian: big"');
  const file = fields.get('data file') ?? fields.get('datafile');
  if (file !== undefined && (/^LIST\b/.test(file) || / -?\d+ -?\d+ -?\d+( \d+)?$/.test(file)))
    refuse('samples are spread over several files');

  const parsedDirections = fields.has('space directions')
    ? parseDirections(need('space directions'))
    : undefined;
  const kinds = fields.get('kinds')?.toLowerCase().split(/\s+/);
  const listed = fields.get('spacings')?.split(/\s+/).map(Number);
  const spatial = sizes.map((_, at) =>
    parsedDirections
      ? parsedDirections[at] !== undefined
      : kinds?.[at] !== undefined
        ? !rangeKinds.test(kinds[at])
        : true,
  );
  const channels = !spatial[0] && sizes.length > 1 ? sizes[0] : 1;
  const first = !spatial[0] && sizes.length > 1 ? 1 : 0;
  const axisSizes = sizes.slice(first);
  const units = [...(fields.get('units') ?? '').matchAll(/"([^"]*)"/g)].map(found => found[1]);
  const spaceUnits = [...(fields.get('space units') ?? '').matchAll(/"([^"]*)"/g)].map(found => found[1]);
  const placed = axisSizes.length >= 3 && [0, 1, 2].every(i => parsedDirections?.[first + i]?.length === 3);
  const signs = spaces[(fields.get('space') ?? '').toLowerCase()];
  const by = millimetres[spaceUnits[0] ?? 'mm'] ?? 1;
  let frame: Frame | undefined;
  if (placed && signs) {
    const turn = (v: number[]): Vector => [
      v[0] * signs[0] * by || 0,
      v[1] * signs[1] * by || 0,
      v[2] * signs[2] * by || 0,
    ];
    const origin = parseDirections(fields.get('space origin') ?? '(0,0,0)')[0] ?? [0, 0, 0];
    const steps = [0, 1, 2].map(i => turn(parsedDirections?.[first + i] as number[])) as Frame['steps'];
    frame = { origin: turn(origin), steps };
    if (!isUsable(frame)) {
      note?.(`${path}: its space directions are not a usable matrix and are left out`);
      frame = undefined;
    }
  }
  const spacings = axisSizes.map((_, at) => {
    const direction = parsedDirections?.[first + at];
    return direction
      ? Math.hypot(...direction) * by
      : Math.abs(listed?.[first + at] ?? Number.NaN) * (millimetres[units[first + at]] ?? 1);
  });
  const volume = axisSizes.length >= 3;
  const unitAt = (at: number): string => {
    const unit = units[first + at] || (spaceUnits[at] ?? '') || (volume ? 'mm' : '');
    return unit in millimetres ? 'mm' : unit;
  };
  const space = volumeAxes(spacings.slice(0, 3)).map((axis, at, all) => ({
    ...axis,
    unit: unitAt(all.length - 1 - at),
  }));
  const rest: Axis[] = axisSizes.slice(3).map((_, at) => ({
    name: at === 0 ? 't' : `axis${at}`,
    spacing: spacings[3 + at] > 0 ? spacings[3 + at] : 1,
    unit: unitAt(3 + at),
  }));
  const header: FieldHeader = {
    kind: volume ? 'volume' : 'array',
    shape: [...axisSizes].reverse().concat(channels),
    axes: [...rest.reverse(), ...space],
    source: path,
    valueUnit: fields.get('sample units')?.replaceAll('"', '') ?? '',
    sampleType: sampleTypeOf(stored),
  };
  if (frame) header.affine = affineOf(frame);
  const lines = Number(fields.get('line skip') ?? fields.get('lineskip') ?? 0);
  const skip = Number(fields.get('byte skip') ?? fields.get('byteskip') ?? 0);
  const littleEndian = endian !== 'big';
  return {
    header,
    stored,
    littleEndian,
    ascii,
    packing: gzipped ? 'gzip' : 'raw',
    file,
    lines,
    skip,
    start,
    count,
  };
}

/** What has to follow the header. */
const bodyOf = (parsed: Parsed): Body => ({
  ...parsed,
  need: parsed.ascii ? 2 * parsed.count - 1 : parsed.count * bytesOf[parsed.stored],
  what: `${[...parsed.header.shape].reverse().join('×')} samples of type ${parsed.stored}`,
});

async function peek(path: string, options: ReadOptions): Promise<FieldHeader> {
  const parsed = parse(path, await readHead(path, 1 << 16), options);
  await expectBody(path, bodyOf(parsed));
  return parsed.header;
}

async function read(path: string, options: ReadOptions): Promise<Field> {
  const own = await readWhole(path);
  const parsed = parse(path, own, options);
  const { header, stored, littleEndian, count } = parsed;
  const body = bodyOf(parsed);
  const bytes = await readBody(path, own, body);
  if (!parsed.ascii) return { ...header, data: decodeSamples(bytes, stored, count, { littleEndian }) };
  const words = latin(bytes)
    .trim()
    .split(/[\s,]+/);
  expectBytes(path, count, words.length, body.what);
  return { ...header, data: Float32Array.from({ length: count }, (_, i) => Number(words[i])) };
}

async function encode(field: Field, target: string, options: WriteOptions): Promise<Encoded> {
  const sampleType = chooseSampleType('nrrd', field.sampleType, options, arrayTypes, { int24: 'int32' });
  const channels = field.shape[field.shape.length - 1];
  const sizes = field.shape.slice(0, -1).reverse();
  const axes = [...field.axes].reverse();
  const { bytes, clipped } = encodeSamples(field.data, sampleType);
  const detached = target.toLowerCase().endsWith('.nhdr');
  const dataFile = dataFileName(target, '.raw.gz');
  const withChannels = <T>(value: T, values: T[]): T[] => (channels > 1 ? [value, ...values] : values);
  const typeName = { float32: 'float', float64: 'double' }[sampleType as string] ?? sampleType;
  const lines = ['NRRD0004', `type: ${typeName}`, `dimension: ${sizes.length + (channels > 1 ? 1 : 0)}`];
  if (field.affine) {
    const { origin, steps } = swapLps(frameOf(field.affine));
    const show = (v: Vector) => `(${v.join(',')})`;
    const directions = sizes.map((_, at) => (at < 3 ? show(steps[at]) : 'none'));
    lines.push('space: left-posterior-superior', `sizes: ${withChannels(channels, sizes).join(' ')}`);
    lines.push(`space directions: ${withChannels('none', directions).join(' ')}`);
    lines.push(
      `kinds: ${withChannels(
        'vector',
        sizes.map((_, at) => (at < 3 ? 'domain' : 'time')),
      ).join(' ')}`,
    );
    lines.push('space units: "mm" "mm" "mm"', `space origin: ${show(origin)}`);
    if (sizes.length > 3) {
      // Axes outside space keep their own spacing; those inside have it in their direction.
      lines.push(
        `spacings: ${withChannels<number | string>(
          'nan',
          axes.map((axis, at) => (at < 3 ? 'nan' : axis.spacing)),
        ).join(' ')}`,
      );
      lines.push(
        `units: ${withChannels(
          '""',
          axes.map((axis, at) => (at < 3 ? '""' : JSON.stringify(axis.unit))),
        ).join(' ')}`,
      );
    }
  } else {
    lines.push(`sizes: ${withChannels(channels, sizes).join(' ')}`);
    lines.push(
      `kinds: ${withChannels(
        'vector',
        axes.map(axis => (axis.unit === 's' ? 'time' : 'domain')),
      ).join(' ')}`,
    );
    lines.push(
      `spacings: ${withChannels<number | string>(
        'nan',
        axes.map(axis => axis.spacing),
      ).join(' ')}`,
    );
    lines.push(
      `units: ${withChannels(
        '""',
        axes.map(axis => JSON.stringify(axis.unit)),
      ).join(' ')}`,
    );
  }
  if (field.valueUnit) lines.push(`sample units: ${JSON.stringify(field.valueUnit)}`);
  lines.push('encoding: gzip', 'endian: little');
  if (detached) lines.push(`data file: ${dataFile}`);
  const head = Buffer.from(`${lines.join('\n')}\n\n`, 'latin1');
  const packed = await promisify(gzip)(bytes, { level: 4 });
  const encoded: Encoded = { parts: detached ? [head] : [head, packed], sampleType, clipped };
  if (detached) encoded.beside = [{ name: dataFile, parts: [packed] }];
  return encoded;
}

export const nrrd: Format = {
  name: 'nrrd',
  kinds: ['volume', 'array'],
  extensions: ['.nrrd', '.nhdr'],
  summary: 'volumes and arrays of any rank, raw and gzip, orientation and units kept',
  writeOptions: ['sampleType'],
  detect: head => startsWith(head, 'NRRD000'),
  peek,
  read,
  encode,
};
