// The cells that a correlation sums over, as it walks them: runs of cells with a fixed step in both tensors, cut into a
// fixed number of parts, and how many of them stay in the cache while all of the result passes.

import { channelsOf, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { KernelCall } from '../kernel.ts';
import type { TapCorrelate } from './spec.ts';

/** Cells of a run at most. */
const RUN = 64;
/** Bytes of A and B that all tiles of the result pass over before the next are taken. */
const BLOCK = 128 * 1024;
const MAX_PARTS = 16;
/** Cells of a part at least, so that adding the parts stays small beside summing them. */
const PART = 512;
const MAX_SCRATCH = 32 * 1024 * 1024;

/** Bytes of 16 channels of a cell, which packed blocks hold side by side: `[16 channels][cell]`. */
export const PACKED = 64;
/** Cells of a packed block, as many as there is room for. */
const PACKED_CELLS = { most: 256, least: 64, bytes: 2e6 };
/** Cells of A that a packed block may hold for each summed over: margins, and what strides pass over, are copied too. */
const WASTE = 3;

/** Where blocks of A and B are put aside. */
export interface Packing {
  /** By number of the run that a block begins with: first byte and cells in A, and in B; 16 bytes. */
  readonly sources: Int32Array;
  /** Cells of A and of B that there is room for. */
  readonly room: readonly [number, number];
}

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

/** The same for blocks of A and B that are put aside as `[16 channels][cell]`, bytes counted there. */
export function packedCells(call: KernelCall, bytes: number): (Cells & { packing: Packing }) | undefined {
  const { kernelShape, dilations } = call.kernel as TapCorrelate;
  const [cellA, cellB] = call.inputs.map(layout => channelsOf(layout) * 4);
  const { runs, steps, parts, longest } = cutInto(call, bytes);
  const { most, least, bytes: room } = PACKED_CELLS;
  const cells = Math.max(least, Math.min(most, Math.floor(room / (cellA + cellB))));
  const block = Math.max(1, Math.floor(cells / longest));
  const pitches = pitchesOf(call.inputs[0]);
  const lastTap = kernelShape.reduce((sum, k, d) => sum + (k - 1) * dilations[d] * pitches[d + 1], 0);
  const packed = runs.slice();
  const sources = new Int32Array((runs.length / 3) * 4);
  const held = [0, 0];
  for (let part = 0; part < parts.length - 1; part++)
    for (let first = parts[part]; first < parts[part + 1]; first += block) {
      const ends = Math.min(parts[part + 1], first + block);
      [cellA, cellB].forEach((cell, t) => {
        const starts = Array.from({ length: ends - first }, (_, r) => runs[3 * (first + r) + t] / cell);
        const low = Math.min(...starts);
        const behind = starts.map((s, r) => s + (runs[3 * (first + r) + 2] - 1) * (steps[t] / cell));
        const count = Math.max(...behind) + 1 + (t ? 0 : lastTap) - low;
        held[t] = Math.max(held[t], count);
        sources.set([low * cell, count], 4 * first + 2 * t);
        for (const [r, start] of starts.entries()) packed[3 * (first + r) + t] = (start - low) * PACKED;
      });
    }
  if (held[0] > WASTE * block * longest) return undefined;
  return {
    runs: packed,
    steps: [(steps[0] / cellA) * PACKED, (steps[1] / cellB) * PACKED],
    parts,
    block,
    packing: { sources, room: [held[0], held[1]] },
  };
}

/** For a result of so many bytes, of which each part needs a copy. */
export function cellsOf(call: KernelCall, bytes: number): Cells {
  const { symmetric } = call.kernel as TapCorrelate;
  const { longest, ...cells } = cutInto(call, bytes);
  const [cellA, cellB] = call.inputs.map(layout => channelsOf(layout) * 4);
  const cell = symmetric ? cellA : cellA + cellB;
  return { ...cells, block: Math.max(1, Math.floor(BLOCK / (cell * longest))) };
}

// Runs and parts, and the longest run.
function cutInto(
  { kernel, inputs: [a, b] }: KernelCall,
  bytes: number,
): Omit<Cells, 'block'> & { longest: number } {
  const { padLow, strides } = kernel as TapCorrelate;
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
  return {
    runs: Int32Array.from(runs),
    steps: [stepA, stepB],
    parts: Int32Array.from({ length: parts + 1 }, (_, p) => Math.floor((p * count) / parts)),
    longest,
  };
}
