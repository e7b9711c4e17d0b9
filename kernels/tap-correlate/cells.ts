// The cells that a correlation sums over, as it walks them: runs of cells with a fixed step in both tensors, cut into a
// fixed number of parts, and how many of them stay in the cache while all of the result passes.

import { channelsOf, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { KernelCall } from '../kernel.ts';
import type { TapCorrelate } from './spec.ts';

/** Cells of a run at most. */
const RUN = 64;
/** Bytes of A and B that all tiles of the result pass over before the next are taken: more where the result is large. */
const BLOCK = { small: 128 * 1024, large: 256 * 1024 };
const LARGE = 2e6;
const MAX_PARTS = 16;
/** Cells of a part at least, so that adding the parts stays small beside summing them. */
const PART = 512;
const MAX_SCRATCH = 32 * 1024 * 1024;

export interface Cells {
  /** `[byte in A, byte in B, cells]` of each run; 12 bytes. */
  readonly runs: Int32Array;
  /** Bytes from a cell of a run to the next, in A and in B. */
  readonly steps: readonly [number, number];
  /** The first run of each part, and their end. */
  readonly parts: Int32Array;
  /** Runs of a block. */
  readonly block: number;
}

/** For a result of so many bytes, of which each part needs a copy. */
export function cellsOf({ kernel, inputs: [a, b] }: KernelCall, bytes: number): Cells {
  const { padLow, strides, symmetric } = kernel as TapCorrelate;
  const [pa, pb] = [pitchesOf(a), pitchesOf(b)];
  const [cellA, cellB] = [channelsOf(a) * 4, channelsOf(b) * 4];
  const sizes = b.shape.slice(0, -1);
  const stepsA = [pa[0], ...strides.map((s, d) => s * pa[d + 1])].map(s => s * cellA);
  const stepsB = pb.slice(0, sizes.length).map(s => s * cellB);
  const [stepA, stepB] = [stepsA, stepsB].map(s => s.at(-1)!);
  const first = (originOf(a) - padLow.reduce((sum, p, d) => sum + p * pa[d + 1], 0)) * cellA;

  // Rows that continue each other in both are one.
  const rows: { a: number; b: number; length: number }[] = [];
  for (const at of tapIndices(sizes.slice(0, -1))) {
    const byteA = at.reduce((sum, v, d) => sum + v * stepsA[d], first);
    const byteB = at.reduce((sum, v, d) => sum + v * stepsB[d], originOf(b) * cellB);
    const last = rows.at(-1);
    if (last && last.a + last.length * stepA === byteA && last.b + last.length * stepB === byteB)
      last.length += sizes.at(-1)!;
    else rows.push({ a: byteA, b: byteB, length: sizes.at(-1)! });
  }
  const runs = rows.flatMap(({ a, b, length }) =>
    Array.from({ length: Math.ceil(length / RUN) }, (_, i) => i * RUN).flatMap(p => [
      a + p * stepA,
      b + p * stepB,
      Math.min(RUN, length - p),
    ]),
  );
  const count = runs.length / 3;
  const worth = Math.ceil(product(sizes) / PART);
  const parts = Math.max(1, Math.min(MAX_PARTS, count, worth, Math.floor(MAX_SCRATCH / bytes)));
  const longest = Math.min(RUN, Math.max(1, ...rows.map(({ length }) => length)));
  const cell = symmetric ? cellA : cellA + cellB;
  return {
    runs: Int32Array.from(runs),
    steps: [stepA, stepB],
    parts: Int32Array.from({ length: parts + 1 }, (_, p) => Math.floor((p * count) / parts)),
    block: Math.max(1, Math.floor((bytes > LARGE ? BLOCK.large : BLOCK.small) / (cell * longest))),
  };
}
