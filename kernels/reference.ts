// The oracle: what each family computes, in plain TypeScript on packed arrays (no margins), written to be read and
// obviously right, not fast. Every backend is compared with it.

import { gather } from './gather/reference.ts';
import type { Family, Kernel } from './kernel.ts';
import { map } from './map/reference.ts';
import { reduce } from './reduce/reference.ts';
import { tapConv } from './tap-conv/reference.ts';
import { tapCorrelate } from './tap-correlate/reference.ts';
import { window } from './window/reference.ts';

/** Values of a shape, row-major, no margins. */
export interface Packed {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Fills `result` (zeros at the start) for an output of shape `output`. */
export type Reference<K extends Kernel> = (
  kernel: K,
  inputs: readonly Packed[],
  output: readonly number[],
  result: Float32Array,
) => void;

/** Coordinates of a row-major index. */
export function coordinatesOf(index: number, shape: readonly number[]): number[] {
  const at = new Array<number>(shape.length);
  let rest = index;
  for (let a = shape.length - 1; a >= 0; a--) {
    at[a] = rest % shape[a];
    rest = Math.floor(rest / shape[a]);
  }
  return at;
}

/** Row-major index of coordinates. */
export const indexOf = (at: readonly number[], shape: readonly number[]): number =>
  at.reduce((index, v, a) => index * shape[a] + v, 0);

/** Index into a tensor whose dimensions of size 1 are broadcast. */
export const broadcastIndex = (at: readonly number[], shape: readonly number[]): number =>
  at.reduce((index, v, a) => index * shape[a] + (shape[a] === 1 ? 0 : v), 0);

const table: { [F in Family]: Reference<any> } = {
  'tap-conv': tapConv,
  'tap-correlate': tapCorrelate,
  window,
  map,
  reduce,
  gather,
};

/** Runs one kernel. */
export function runReference(
  kernel: Kernel,
  inputs: readonly Packed[],
  output: readonly number[],
): Float32Array {
  const result = new Float32Array(output.reduce((a, b) => a * b, 1));
  table[kernel.family](kernel, inputs, output, result);
  return result;
}
