// The oracle: what each family computes, in plain TypeScript on packed arrays (no margins), written to be read and
// obviously right, not fast. Every backend is compared with it.

import { product } from '../src/tensor/layout.ts';
import type { Packed } from '../src/tensor/packed.ts';
import { gather } from './gather/reference.ts';
import type { Family, Kernel, Reference } from './kernel.ts';
import { map } from './map/reference.ts';
import { reduce } from './reduce/reference.ts';
import { tapConv } from './tap-conv/reference.ts';
import { tapCorrelate } from './tap-correlate/reference.ts';
import { window } from './window/reference.ts';

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
  const result = new Float32Array(product(output));
  table[kernel.family](kernel, inputs, output, result);
  return result;
}
