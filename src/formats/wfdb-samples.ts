// Samples of WFDB signal files: the stored integers of one file, frame by frame, in the formats that hold a fixed number
// of bits a sample. Source: signal(5) of the WFDB Applications Guide.

import { decodeSamples, type StoredType } from './samples.ts';

interface Packing {
  /** Bytes that `count` samples take. */
  size(count: number): number;
  decode(bytes: Uint8Array, count: number): Float32Array | Int32Array;
  /** The stored number that stands for "no value". */
  missing: number;
  bits: number;
}

const plain = (type: StoredType, bits: number, offset = 0, littleEndian = true): Packing => ({
  size: count => count * Math.ceil(bits / 8),
  decode: (bytes, count) => decodeSamples(bytes, type, count, { offset, littleEndian }),
  missing: -(2 ** (bits - 1)),
  bits,
});

/** 32-bit integers stay integers: a float32 would lose their last bits before the gain is taken out. */
const long: Packing = {
  ...plain('int32', 32),
  decode: (bytes, count) => new Int32Array(bytes.slice(0, 4 * count).buffer),
};

/** Two 12-bit samples in three bytes: low byte, both high halves, low byte. */
const twelveBit: Packing = {
  size: count => Math.ceil((count * 3) / 2),
  decode(bytes, count) {
    const out = new Int32Array(count);
    for (let i = 0, at = 0; i < count; i += 2, at += 3) {
      out[i] = ((bytes[at] | (bytes[at + 1] << 8)) << 20) >> 20;
      if (i + 1 < count) out[i + 1] = ((bytes[at + 2] | ((bytes[at + 1] & 0xf0) << 4)) << 20) >> 20;
    }
    return out;
  },
  missing: -2048,
  bits: 12,
};

/** By the number of the format in a header. */
export const packings: Readonly<Record<number, Packing>> = {
  16: plain('int16', 16),
  24: plain('int24', 24),
  32: long,
  61: plain('int16', 16, 0, false),
  80: plain('uint8', 8, -128),
  160: plain('uint16', 16, -32768),
  212: twelveBit,
};
