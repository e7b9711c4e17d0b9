// What each output position of a gather reads, worked out beforehand: a list of (input, offset, weight) per position of
// the first few dimensions.

import { channelsOf, type Layout, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';
import { coordinatesOf } from '../../src/tensor/packed.ts';
import type { KernelCall } from '../kernel.ts';
import { cellStarts, rowStarts } from '../wasm-text.ts';
import type { Gather } from './spec.ts';

/** Per output position (over the first dimensions): where it lies, and its terms. */
export interface Terms {
  /** Element offsets of the positions in the output. */
  output: Int32Array;
  /** Range of terms of position p: `start[p]` to `start[p + 1]`. */
  start: Int32Array;
  /** Per term: which input, element offset in it, and weight. */
  input: Int32Array;
  offset: Int32Array;
  weight: Float32Array;
}

export function termsOf(call: KernelCall, dimensions: number): Terms {
  const kernel = call.kernel as Gather;
  const { output, inputs } = call;
  const rank = output.shape.length;
  const shape = output.shape.slice(0, dimensions);
  const positions = product(shape);
  const K = channelsOf(output);
  const starts = dimensions < rank - 1 ? rowStarts(output) : cellStarts(output);
  const strides = inputs.map(elementStrides);
  const origins = inputs.map(l => originOf(l) * channelsOf(l));
  const [start, input, offset, weight]: [number[], number[], number[], number[]] = [[0], [], [], []];
  const where = new Int32Array(positions);
  const source = new Array<number>(rank).fill(0);
  const visit = (at: number[], a: number, w: number): void => {
    if (a === dimensions) {
      let n = 0;
      let along = source[kernel.concatAxis];
      while (along >= inputs[n].shape[kernel.concatAxis]) along -= inputs[n++].shape[kernel.concatAxis];
      let o = origins[n];
      for (let d = 0; d < rank; d++) o += (d === kernel.concatAxis ? along : source[d]) * strides[n][d];
      input.push(n);
      offset.push(o);
      weight.push(w);
      return;
    }
    const map = kernel.maps[a];
    const d = kernel.permutation[a];
    if (!map) {
      source[d] = at[a];
      visit(at, a + 1, w);
      return;
    }
    for (let j = 0; j < map.terms; j++) {
      const e = at[a] * map.terms + j;
      if (map.index[e] < 0) continue;
      source[d] = map.index[e];
      visit(at, a + 1, w * map.weight[e]);
    }
  };
  for (let p = 0; p < positions; p++) {
    where[p] = dimensions === rank ? starts[Math.floor(p / K)] + (p % K) : starts[p];
    visit(coordinatesOf(p, shape), 0, 1);
    start.push(input.length);
  }
  return {
    output: where,
    start: Int32Array.from(start),
    input: Int32Array.from(input),
    offset: Int32Array.from(offset),
    weight: Float32Array.from(weight),
  };
}

/** Elements between neighbours along every dimension, channels included. */
export const elementStrides = (layout: Layout): number[] => [
  ...pitchesOf(layout).map(p => p * channelsOf(layout)),
  1,
];
