// MetaImage, .mha and .mhd with its data file, in and out; plain and zlib-compressed. Positions are LPS+ mm, as ITK
// takes them, and become RAS+. Source: ITK's MetaIO documentation and its reading of TransformMatrix, in which each
// row is the direction of one axis, fastest axis first.

import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import {
  affineOf,
  type Frame,
  frameOf,
  isUsable,
  lengthOf,
  scaled,
  swapLps,
  type Vector,
  volumeAxes,
} from './affine.ts';
import { expectSizes, latin, readHead, readWhole } from './bytes.ts';
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
  scaledSampleType,
} from './samples.ts';
import { type Body, dataFileName, expectBody, readBody } from './text-header.ts';

const typeNames: Record<string, StoredType> = {
  MET_CHAR: 'int8',
  MET_UCHAR: 'uint8',
  MET_SHORT: 'int16',
  MET_USHORT: 'uint16',
  MET_INT: 'int32',
  MET_UINT: 'uint32',
  MET_LONG: 'int32',
  MET_ULONG: 'uint32',
  MET_LONG_LONG: 'int64',
  MET_ULONG_LONG: 'uint64',
  MET_FLOAT: 'float32',
  MET_DOUBLE: 'float64',
};

interface Parsed {
  header: FieldHeader;
  stored: StoredType;
  littleEndian: boolean;
  scale: number;
  offset: number;
  body: Body;
  count: number;
}

/** Fields by name up to ElementDataFile, which is the last; `start` is where samples in the same file begin. */
function parseLines(path: string, bytes: Uint8Array): { fields: Map<string, string>; start: number } {
  const fields = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const line = latin(bytes, at, end < 0 ? bytes.length : end);
    const field = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (field) fields.set(field[1], field[2]);
    if (field?.[1] === 'ElementDataFile') return { fields, start: end < 0 ? bytes.length : end + 1 };
    if (end < 0) break;
    at = end + 1;
  }
  throw formatError(
    path,
    'its header has no ElementDataFile line: it is truncated',
    'copy or export it again',
  );
}

function parse(path: string, bytes: Uint8Array, { note }: ReadOptions): Parsed {
  const { fields, start } = parseLines(path, bytes);
  const numbers = (...names: string[]): number[] | undefined => {
    const name = names.find(name => fields.has(name));
    return name === undefined ? undefined : (fields.get(name) as string).split(/\s+/).map(Number);
  };
  const flag = (name: string): boolean => /^(true|1)$/i.test(fields.get(name) ?? '');
  const refuse = (what: string): never => {
    throw formatError(path, `its ${what}, which is not read`, 'convert it, for instance with Slicer or ITK');
  };
  const stored =
    typeNames[fields.get('ElementType') ?? ''] ?? refuse(`ElementType is ${fields.get('ElementType')}`);
  const sizes = numbers('DimSize') ?? [];
  expectSizes(path, sizes, 'DimSize');
  if (numbers('NDims')?.[0] !== sizes.length)
    throw formatError(
      path,
      `NDims is ${fields.get('NDims')} but DimSize has ${sizes.length} numbers`,
      'repair the header',
    );
  const channels = numbers('ElementNumberOfChannels')?.[0] ?? 1;
  const count = expectSizes(path, [...sizes, channels]);
  if (fields.has('BinaryData') && !flag('BinaryData')) refuse('samples are written as text');
  const data = fields.get('ElementDataFile') as string;
  if (/^LIST\b/.test(data) || data.includes('%')) refuse('samples are spread over several files');

  const spacing = numbers('ElementSpacing', 'ElementSize') ?? sizes.map(() => 1);
  const rank = sizes.length;
  const matrix = numbers('TransformMatrix', 'Rotation', 'Orientation');
  const origin = numbers('Offset', 'Position', 'Origin');
  let frame: Frame | undefined;
  if (rank >= 3 && matrix && origin) {
    const row = (r: number) => scaled([0, 1, 2].map(c => matrix[r * rank + c]) as Vector, spacing[r]);
    frame = swapLps({ origin: origin.slice(0, 3) as Vector, steps: [row(0), row(1), row(2)] });
    if (!isUsable(frame)) {
      note?.(`${path}: its TransformMatrix is not usable and is left out`);
      frame = undefined;
    }
  }
  const leading: Axis[] = spacing
    .slice(3, rank)
    .map((step, at) => ({ name: at === 0 ? 't' : `axis${at}`, spacing: step > 0 ? step : 1, unit: '' }))
    .reverse();
  const scale = numbers('ElementToIntensityFunctionSlope')?.[0] ?? 1;
  const offset = numbers('ElementToIntensityFunctionOffset')?.[0] ?? 0;
  const header: FieldHeader = {
    kind: rank >= 3 ? 'volume' : 'array',
    shape: [...sizes].reverse().concat(channels),
    axes: volumeAxes(
      frame ? frame.steps.map(lengthOf) : spacing.slice(0, Math.min(3, rank)).map(Math.abs),
      'mm',
      leading,
    ),
    source: path,
    valueUnit: fields.get('ValueUnit') ?? '',
    sampleType: sampleTypeOf(stored),
  };
  if (frame) header.affine = affineOf(frame);
  const body: Body = {
    file: data === 'LOCAL' ? undefined : data,
    start,
    skip: numbers('HeaderSize')?.[0] ?? 0,
    lines: 0,
    packing: flag('CompressedData') ? 'zlib' : 'raw',
    need: count * bytesOf[stored],
    what: `${[...sizes, channels].join('×')} samples of type ${stored}`,
  };
  const littleEndian = !(flag('BinaryDataByteOrderMSB') || flag('ElementByteOrderMSB'));
  return { header, stored, littleEndian, scale, offset, body, count };
}

async function peek(path: string, options: ReadOptions): Promise<FieldHeader> {
  const { header, body } = parse(path, await readHead(path, 1 << 16), options);
  await expectBody(path, body);
  return header;
}

async function read(path: string, options: ReadOptions): Promise<Field> {
  const own = await readWhole(path);
  const { header, stored, littleEndian, scale, offset, body, count } = parse(path, own, options);
  const data = decodeSamples(await readBody(path, own, body), stored, count, { littleEndian, scale, offset });
  return { ...header, data, sampleType: scaledSampleType(stored, scale, offset, data) };
}

async function encode(field: Field, target: string, options: WriteOptions): Promise<Encoded> {
  const sampleType = chooseSampleType('metaimage', field.sampleType, options, arrayTypes, { int24: 'int32' });
  const channels = field.shape[field.shape.length - 1];
  const sizes = field.shape.slice(0, -1).reverse();
  const rank = sizes.length;
  const { bytes, clipped } = encodeSamples(field.data, sampleType);
  const packed = await promisify(deflate)(bytes, { level: 4 });
  const detached = target.toLowerCase().endsWith('.mhd');
  const dataFile = dataFileName(target, '.zraw');
  const spacing = field.axes.map(axis => axis.spacing).reverse();
  const lines = [
    'ObjectType = Image',
    `NDims = ${rank}`,
    'BinaryData = True',
    'BinaryDataByteOrderMSB = False',
  ];
  lines.push('CompressedData = True', `CompressedDataSize = ${packed.length}`);
  if (field.affine) {
    const { origin, steps } = swapLps(frameOf(field.affine));
    for (const [at, step] of steps.entries()) spacing[at] = lengthOf(step);
    const matrix = sizes.map((_, row) =>
      sizes.map((_, column) =>
        row < 3 ? (column < 3 ? steps[row][column] / spacing[row] : 0) : row === column ? 1 : 0,
      ),
    );
    lines.push(`TransformMatrix = ${matrix.flat().join(' ')}`);
    lines.push(`Offset = ${[...origin, ...sizes.slice(3).map(() => 0)].join(' ')}`);
    lines.push(`CenterOfRotation = ${sizes.map(() => 0).join(' ')}`);
  }
  const typeName = Object.entries(typeNames).find(([, type]) => type === sampleType)?.[0];
  lines.push(`ElementSpacing = ${spacing.join(' ')}`, `DimSize = ${sizes.join(' ')}`);
  // A field of our own, which other readers keep as free metadata.
  if (field.valueUnit) lines.push(`ValueUnit = ${field.valueUnit.replace(/\s+/g, ' ')}`);
  if (channels > 1) lines.push(`ElementNumberOfChannels = ${channels}`);
  lines.push(`ElementType = ${typeName}`, `ElementDataFile = ${detached ? dataFile : 'LOCAL'}`);
  const head = Buffer.from(`${lines.join('\n')}\n`, 'latin1');
  const encoded: Encoded = { parts: detached ? [head] : [head, packed], sampleType, clipped };
  if (detached) encoded.beside = [{ name: dataFile, parts: [packed] }];
  return encoded;
}

export const metaimage: Format = {
  name: 'metaimage',
  kinds: ['volume', 'array'],
  extensions: ['.mha', '.mhd'],
  summary: 'volumes and arrays of any rank, plain and compressed, orientation kept',
  writeOptions: ['sampleType'],
  detect: head =>
    /^\s*(ObjectType|NDims|Comment)\s*=/.test(latin(head, 0, 64)) && /\bNDims\s*=/.test(latin(head)),
  peek,
  read,
  encode,
};
