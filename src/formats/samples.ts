// Numbers in files: turns the bytes of any numeric type and byte order into float32 samples and back, with an affine
// scale on the way, and moves channels between the slowest and the fastest place. It knows nothing of any format and
// takes the machine to be little-endian, as every machine is that Node is published for bar one.

import { NdconvError } from '../errors.ts';
import type { Field } from './field.ts';
import type { WriteOptions } from './format.ts';

export type SampleType = Field['sampleType'];

/** Every numeric type that some format stores; a field names the nearest of its own. */
export type StoredType = SampleType | 'int64' | 'uint64' | 'float16' | 'bfloat16';

/** Bytes of one sample. */
export const bytesOf: Readonly<Record<StoredType, number>> = {
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  float16: 2,
  bfloat16: 2,
  int24: 3,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
};

/** Types that formats of plain arrays write. */
export const arrayTypes: readonly SampleType[] = [
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'float32',
  'float64',
];

/** The field's sample type that holds what a file stored. */
export function sampleTypeOf(stored: StoredType): SampleType {
  if (stored === 'int64' || stored === 'uint64') return 'float64';
  return stored === 'float16' || stored === 'bfloat16' ? 'float32' : stored;
}

/** Smallest and largest value of an integer type; undefined for floating point. */
export function rangeOf(type: StoredType): [number, number] | undefined {
  if (type.includes('float')) return undefined;
  const bits = 8 * bytesOf[type];
  return type.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** Bytes in little-endian order at offset 0 of a buffer of their own kind of alignment; copies only where it must. */
function aligned(bytes: Uint8Array, width: number, length: number, littleEndian: boolean): Uint8Array {
  if (littleEndian || width === 1)
    return bytes.byteOffset % width === 0
      ? bytes.subarray(0, length)
      : new Uint8Array(bytes.subarray(0, length));
  const swapped = new Uint8Array(length);
  for (let at = 0; at < length; at += width)
    for (let i = 0; i < width; i++) swapped[at + i] = bytes[at + width - 1 - i];
  return swapped;
}

/** Value of an IEEE 754 half-precision number given by its bits. */
export function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Float32 samples of `count` stored numbers: `scale · stored + offset`, computed in float64.
 * `bytes` must hold at least `count` numbers.
 */
export function decodeSamples(
  bytes: Uint8Array,
  type: StoredType,
  count: number,
  { littleEndian = true, scale = 1, offset = 0 } = {},
): Float32Array {
  const width = bytesOf[type];
  if (bytes.length < count * width)
    throw new RangeError(`${count} ${type} samples need ${count * width} bytes, not ${bytes.length}`);
  const out = new Float32Array(count);
  const raw = aligned(bytes, width, count * width, littleEndian);
  const { buffer, byteOffset } = raw;
  const each = (values: ArrayLike<number>) => {
    if (scale === 1 && offset === 0) out.set(values);
    else for (let i = 0; i < count; i++) out[i] = values[i] * scale + offset;
  };
  if (type === 'int8') each(new Int8Array(buffer, byteOffset, count));
  else if (type === 'uint8') each(raw);
  else if (type === 'int16') each(new Int16Array(buffer, byteOffset, count));
  else if (type === 'uint16') each(new Uint16Array(buffer, byteOffset, count));
  else if (type === 'int32') each(new Int32Array(buffer, byteOffset, count));
  else if (type === 'uint32') each(new Uint32Array(buffer, byteOffset, count));
  else if (type === 'float32') each(new Float32Array(buffer, byteOffset, count));
  else if (type === 'float64') each(new Float64Array(buffer, byteOffset, count));
  else if (type === 'int24') {
    for (let i = 0, at = 0; i < count; i++, at += 3)
      out[i] = (((raw[at] | (raw[at + 1] << 8) | (raw[at + 2] << 16)) << 8) >> 8) * scale + offset;
  } else if (type === 'float16') {
    const halves = new Uint16Array(buffer, byteOffset, count);
    for (let i = 0; i < count; i++) out[i] = halfToNumber(halves[i]) * scale + offset;
  } else if (type === 'bfloat16') {
    const tops = new Uint16Array(buffer, byteOffset, count);
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < count; i++) bits[i] = tops[i] << 16;
    if (scale !== 1 || offset !== 0) for (let i = 0; i < count; i++) out[i] = out[i] * scale + offset;
  } else {
    const low = new Uint32Array(buffer, byteOffset, 2 * count);
    const high = type === 'int64' ? new Int32Array(buffer, byteOffset, 2 * count) : low;
    for (let i = 0; i < count; i++) out[i] = (high[2 * i + 1] * 2 ** 32 + low[2 * i]) * scale + offset;
  }
  return out;
}

/** How samples become stored numbers: `round(scale · sample)`; values within [low, high] are never called clipped. */
export interface Quantiser {
  scale?: number;
  low?: number;
  high?: number;
}

/**
 * Bytes of float32 samples as `type`, and how many lay outside its range and were set to its nearest end.
 * A sample is counted only if it is more than half a step outside, or outside [low, high] where those are given.
 * Little-endian. Errors: FormatError where a sample is NaN and the type holds integers.
 */
export function encodeSamples(
  data: Float32Array,
  type: SampleType,
  { scale = 1, low, high }: Quantiser = {},
): { bytes: Uint8Array; clipped: number } {
  const range = rangeOf(type);
  if (!range) {
    if (type === 'float32')
      return { bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), clipped: 0 };
    return { bytes: new Uint8Array(Float64Array.from(data).buffer), clipped: 0 };
  }
  const [min, max] = range;
  const lowest = low === undefined ? min - 0.5 : low * scale;
  const highest = high === undefined ? max + 0.5 : high * scale;
  const count = data.length;
  const width = bytesOf[type];
  const bytes = new Uint8Array(count * width);
  const narrow =
    width === 1
      ? bytes
      : width === 2
        ? new Uint16Array(bytes.buffer)
        : width === 4
          ? new Uint32Array(bytes.buffer)
          : undefined;
  let clipped = 0;
  for (let i = 0; i < count; i++) {
    const scaled = data[i] * scale;
    if (scaled < lowest || scaled > highest) clipped++;
    const rounded = Math.round(scaled);
    const value = Math.max(min, Math.min(max, rounded));
    if (narrow) narrow[i] = value;
    else {
      bytes[3 * i] = value;
      bytes[3 * i + 1] = value >> 8;
      bytes[3 * i + 2] = value >> 16;
    }
  }
  return { bytes, clipped };
}

/** From `[channels, cells]` to `[cells, channels]`. */
export function channelsLast(data: Float32Array, cells: number, channels: number): Float32Array {
  if (channels === 1) return data;
  const out = new Float32Array(data.length);
  for (let c = 0; c < channels; c++)
    for (let p = 0, from = c * cells, to = c; p < cells; p++, to += channels) out[to] = data[from + p];
  return out;
}

/** From `[cells, channels]` to `[channels, cells]`. */
export const channelsFirst = (data: Float32Array, cells: number, channels: number): Float32Array =>
  channelsLast(data, channels, cells);

/** First sample that is NaN or infinite, and how many there are. */
export function findNonFinite(data: Float32Array): { count: number; first: number } {
  let count = 0;
  let first = -1;
  for (let i = 0; i < data.length; i++) {
    // x - x is 0 for finite numbers and NaN for the others.
    if (data[i] - data[i] !== 0) {
      if (count++ === 0) first = i;
    }
  }
  return { count, first };
}

/** Smallest and largest sample. */
export function extremesOf(data: Float32Array): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/**
 * The sample type that stands for stored integers after `scale · stored + offset`: the stored one, or a wider
 * integer where a whole offset (as of a CT) moves the values out of it, or float32 where they are no integers.
 */
export function scaledSampleType(
  stored: StoredType,
  scale: number,
  offset: number,
  data: Float32Array,
): SampleType {
  const range = rangeOf(stored);
  if (!range || (scale === 1 && offset === 0)) return sampleTypeOf(stored);
  if (!Number.isInteger(scale) || !Number.isInteger(offset)) return 'float32';
  const [low, high] = extremesOf(data);
  const own = sampleTypeOf(stored);
  for (const type of [own, 'int16', 'int32'] as const) {
    const limits = rangeOf(type);
    if (limits && bytesOf[type] >= bytesOf[own] && low >= limits[0] && high <= limits[1]) return type;
  }
  return 'float32';
}

/** The sample type to write: the one asked for or the field's own; an error names those the format has. */
export function chooseSampleType(
  format: string,
  own: SampleType,
  options: WriteOptions,
  supported: readonly SampleType[],
  substitutes: Partial<Record<SampleType, SampleType>>,
): SampleType {
  const wanted = options.sampleType;
  if (wanted !== undefined && !supported.includes(wanted))
    throw new NdconvError(
      'FormatError',
      `${format}: sampleType ${wanted} cannot be written; it has ${supported.join(', ')}`,
      { format, sampleType: wanted, supported },
    );
  if (wanted !== undefined) return wanted;
  return supported.includes(own) ? own : (substitutes[own] ?? supported[supported.length - 1]);
}
