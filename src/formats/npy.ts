// NumPy's .npy, in and out: every real numeric type and bool, both byte orders, C and Fortran order. Networks and
// goldens read it too, so that reading and writing are exported apart from the format.
// Source: NEP 1 and the documentation of numpy.lib.format.

import { arrayOptions, describeArray } from './arrays.ts';
import { expectBytes, expectSizes, latin, readHead, readWhole, sizeOf, viewOf } from './bytes.ts';
import type { Field } from './field.ts';
import { type Encoded, type Format, formatError, type WriteOptions } from './format.ts';
import {
  arrayTypes,
  bytesOf,
  chooseSampleType,
  decodeSamples,
  encodeSamples,
  type Quantiser,
  rangeOf,
  type SampleType,
  type StoredType,
} from './samples.ts';

/** An array as numbers, row-major (C order). A 0-dimensional one has shape []. */
export interface NpyArray {
  shape: number[];
  data: Float32Array;
  /** What the file stored. */
  stored: StoredType;
}

/** NumPy's description of a type: `<f4`, `|u1` … */
const descriptions: Record<string, StoredType> = {
  i1: 'int8',
  u1: 'uint8',
  b1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
};

export interface NpyHeader {
  shape: number[];
  stored: StoredType;
  littleEndian: boolean;
  fortran: boolean;
  /** Where the samples begin. */
  start: number;
}

export const isNpy = (head: Uint8Array): boolean => latin(head, 0, 6) === '\x93NUMPY';

/** Length of text and where it begins. */
function headerExtent(path: string, bytes: Uint8Array): { from: number; to: number } {
  if (!isNpy(bytes) || bytes.length < 12)
    throw formatError(path, 'does not start as an npy file', 'check that it is one');
  const wide = bytes[6] > 1;
  const from = wide ? 12 : 10;
  const view = viewOf(bytes);
  const to = from + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (to > bytes.length)
    throw formatError(path, 'ends within its header: it is truncated', 'copy or export it again');
  return { from, to };
}

/** Description of the array, from the start of the file. Errors: FormatError naming `path`. */
export function parseNpyHeader(path: string, bytes: Uint8Array): NpyHeader {
  const { from, to } = headerExtent(path, bytes);
  const text = latin(bytes, from, to);
  const description = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const sizes = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (order === undefined || sizes === undefined || (description === undefined && !text.includes("'descr'")))
    throw formatError(path, 'its header is not as NumPy writes it', 'save it again with numpy.save');
  const stored = description && descriptions[description.slice(1)];
  if (!stored)
    throw formatError(
      path,
      `its type is ${description ?? 'a record'}, which is not read`,
      'save it as a real numeric type',
      {
        description,
      },
    );
  const shape = sizes
    .split(',')
    .filter(size => size.trim() !== '')
    .map(size => Number.parseInt(size, 10));
  if (shape.length > 0) expectSizes(path, shape);
  return { shape, stored, littleEndian: description?.[0] !== '>', fortran: order === 'True', start: to };
}

/**
 * Reads an npy file from its bytes; numbers become float32, and Fortran order becomes row-major.
 * Errors: FormatError naming `path`.
 */
export function readNpy(bytes: Uint8Array, path = 'npy array'): NpyArray {
  const { shape, stored, littleEndian, fortran, start } = parseNpyHeader(path, bytes);
  const count = shape.reduce((a, b) => a * b, 1);
  expectBytes(
    path,
    count * bytesOf[stored],
    bytes.length - start,
    `${shape.join('×') || 1} numbers of type ${stored}`,
  );
  const data = decodeSamples(bytes.subarray(start), stored, count, { littleEndian });
  return { shape, data: fortran ? rowMajor(data, shape) : data, stored };
}

/** Column-major (Fortran) to row-major. */
function rowMajor(data: Float32Array, shape: readonly number[]): Float32Array {
  const rank = shape.length;
  if (rank < 2) return data;
  const strides = new Array<number>(rank).fill(1);
  for (let axis = 1; axis < rank; axis++) strides[axis] = strides[axis - 1] * shape[axis - 1];
  const out = new Float32Array(data.length);
  const index = new Array<number>(rank).fill(0);
  const last = rank - 1;
  for (let at = 0; at < out.length; ) {
    let from = 0;
    for (let axis = 0; axis < last; axis++) from += index[axis] * strides[axis];
    for (let i = 0; i < shape[last]; i++) out[at++] = data[from + i * strides[last]];
    for (let axis = last - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return out;
}

/** The header of an npy file that holds a C-order array; 64-byte aligned as NumPy's. */
function npyHeader(shape: readonly number[], description: string): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${description}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const padded = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11, ' ') + '\n';
  const bytes = new Uint8Array(10 + padded.length);
  bytes.set(Buffer.from('\x93NUMPY\x01\0', 'latin1'));
  viewOf(bytes).setUint16(8, padded.length, true);
  bytes.set(Buffer.from(padded, 'latin1'), 10);
  return bytes;
}

/** An npy file of float32 numbers, or of another type. Little-endian, C order. */
export function writeNpy(
  array: { shape: readonly number[]; data: Float32Array },
  type: SampleType = 'float32',
): Uint8Array {
  return Buffer.concat(encodeNpy(array, type).parts);
}

/** Parts of an npy file and the number of clipped samples; the quantiser is as for `encodeSamples`. */
export function encodeNpy(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  type: SampleType,
  quantiser: Quantiser = {},
): { parts: Uint8Array[]; clipped: number } {
  const description = Object.entries(descriptions).find(
    ([name, stored]) => stored === type && name !== 'b1',
  )?.[0];
  const { bytes, clipped } = encodeSamples(data, type, quantiser);
  return { parts: [npyHeader(shape, (bytesOf[type] === 1 ? '|' : '<') + description), bytes], clipped };
}

/** An npy file of one text, as numpy reads with `str(array)`. */
export function encodeNpyText(text: string): Uint8Array {
  const points = Uint32Array.from(text, letter => letter.codePointAt(0) ?? 0);
  return Buffer.concat([npyHeader([], `<U${points.length}`), new Uint8Array(points.buffer)]);
}

/** The text of an npy file that `encodeNpyText` wrote, or undefined. */
export function decodeNpyText(bytes: Uint8Array, path: string): string | undefined {
  const { from, to } = headerExtent(path, bytes);
  const length = Number(/'descr'\s*:\s*'<U(\d+)'/.exec(latin(bytes, from, to))?.[1]);
  if (!(length >= 0) || bytes.length < to + 4 * length) return undefined;
  const view = viewOf(bytes);
  const points = Array.from({ length }, (_, i) => view.getUint32(to + 4 * i, true));
  // Unicode ends there.
  return points.some(point => point > 0x10ffff)
    ? undefined
    : points.map(point => String.fromCodePoint(point)).join('');
}

/**
 * How a field is stored as an array: shape without a single channel, its sample type (floating point where images,
 * sounds and signals were scaled to it, so that the numbers in the file are the field's own).
 */
export function arrayOf(
  field: Field,
  format: string,
  options: WriteOptions,
): { shape: number[]; type: SampleType } {
  const shape = field.shape[field.shape.length - 1] === 1 ? field.shape.slice(0, -1) : field.shape;
  const scaled = field.kind !== 'volume' && field.kind !== 'array';
  const own = scaled ? 'float32' : field.sampleType;
  return { shape, type: chooseSampleType(format, own, options, arrayTypes, { int24: 'int32' }) };
}

export const npy: Format = {
  name: 'npy',
  kinds: ['array', 'signal', 'volume', 'image', 'sound'],
  extensions: ['.npy'],
  summary: 'one NumPy array; knows no spacing or units (npz keeps them)',
  readOptions: arrayOptions,
  writeOptions: ['sampleType'],
  detect: isNpy,

  async peek(path, options) {
    const { shape, stored, start } = parseNpyHeader(path, await readHead(path, 1 << 16));
    const count = shape.reduce((a, b) => a * b, 1);
    expectBytes(
      path,
      count * bytesOf[stored],
      (await sizeOf(path)) - start,
      `${shape.join('×')} numbers of type ${stored}`,
    );
    return describeArray(path, shape, stored, options).header;
  },

  async read(path, options) {
    const { shape, data, stored } = readNpy(await readWhole(path), path);
    const { header, scale } = describeArray(path, shape, stored, options);
    return { ...header, data: scale === 1 ? data : data.map(value => value * scale) };
  },

  async encode(field, target, options): Promise<Encoded> {
    const { shape, type } = arrayOf(field, 'npy', options);
    if (field.affine || field.axes.some(axis => axis.unit !== '' && axis.unit !== 'px'))
      options.note?.(`${target}: npy keeps no spacing, units or orientation; save as .npz to keep them`);
    const { parts, clipped } = encodeNpy({ shape, data: field.data }, type, quantiserOf(field.kind, type));
    return { parts, sampleType: type, clipped };
  },
};

/** What brings images and sounds into the range of an integer type; the inverse of `describeArray`. */
export function quantiserOf(kind: Field['kind'], type: SampleType): Quantiser {
  const range = rangeOf(type);
  if (!range || (kind !== 'sound' && kind !== 'image')) return {};
  return kind === 'sound'
    ? { scale: 2 ** (8 * bytesOf[type] - 1), low: -1, high: 1 }
    : { scale: range[1], low: 0, high: 1 };
}
