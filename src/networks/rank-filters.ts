// Filters of a layer in another rank (ranks.ts): spread along a new axis, laid into planes, or collapsed along one that goes.

import { NdconvError } from '../errors.ts';
import { product } from '../tensor/layout.ts';
import type { Layer, Weights } from './network.ts';

/** What a layer has along a new axis. */
export interface Fresh {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [number, number];
  readonly outputPadding: number;
}

/** One value for each axis, from one or a list. */
export const asList = <T>(value: T | readonly T[], rank: number): readonly T[] =>
  Array.isArray(value) ? value : new Array<T>(rank).fill(value as T);

/** Filters repeated along a new axis, each slice times its share. */
export function spreadAlong(
  layer: Layer,
  axis: number,
  how: 'average' | 'centre',
  { kernel: size, stride }: Fresh,
): Weights['string'] {
  const { shape, data } = layer.weights!.weights;
  const shares =
    layer.type === 'transposed-convolution'
      ? transposedShares(size, stride, how)
      : Array.from({ length: size }, (_, t) =>
          how === 'average' ? 1 / size : t === Math.floor((size - 1) / 2) ? 1 : 0,
        );
  const outer = product(shape.slice(0, axis));
  const inner = data.length / outer;
  const spread = new Float32Array(data.length * size);
  for (let o = 0; o < outer; o++)
    for (let t = 0; t < size; t++)
      for (let i = 0; i < inner; i++) spread[(o * size + t) * inner + i] = shares[t] * data[o * inner + i];
  return { shape: shape.toSpliced(axis, 0, size), data: spread };
}

/** Every output cell is reached by taps a stride apart: their shares are 1 together, or the middle one has it all. */
function transposedShares(size: number, stride: number, how: 'average' | 'centre'): number[] {
  const reaching = (t: number) => Math.floor((size - 1 - (t % stride)) / stride) + 1;
  const first = Math.floor((size - Math.min(stride, size)) / 2);
  return Array.from({ length: size }, (_, t) =>
    how === 'average' ? 1 / reaching(t) : t >= first && t < first + stride ? 1 : 0,
  );
}

/** Filter k in the plane that leaves out axis k modulo the rank, in the middle of that axis. */
export function inPlanes(layer: Layer, rank: number): Weights['string'] {
  const { shape, data } = layer.weights!.weights;
  const { strides, padding, dilations } = layer.parameters;
  const unequal = (values: unknown) =>
    Array.isArray(values) && values.some(v => JSON.stringify(v) !== JSON.stringify(values[0]));
  const kernel = shape.slice(0, rank);
  if ([kernel, strides, padding, dilations].some(unequal) || layer.type === 'transposed-convolution')
    throw new NdconvError(
      'NetworkError',
      `inflate: layer ${layer.name} ${layer.type === 'transposed-convolution' ? 'is a transposed convolution' : 'treats its axes differently'}, and planes need them alike: use average or centre`,
      { layer: layer.name },
    );
  const [size] = kernel;
  const [depth, filters] = shape.slice(rank);
  const full = [...new Array<number>(rank + 1).fill(size), depth, filters];
  const spread = new Float32Array(product(full));
  const middle = Math.floor((size - 1) / 2);
  const taps = size ** rank;
  for (let t = 0; t < taps; t++) {
    const at = kernel.map((_, a) => Math.floor(t / size ** (rank - 1 - a)) % size);
    for (let plane = 0; plane <= rank; plane++) {
      const cell = at.toSpliced(plane, 0, middle).reduce((sum, p) => sum * size + p, 0);
      for (let c = 0; c < depth; c++)
        for (let k = plane; k < filters; k += rank + 1)
          spread[(cell * depth + c) * filters + k] = data[(t * depth + c) * filters + k];
    }
  }
  return { shape: full, data: spread };
}

/** Filters summed along an axis, or their middle slice. */
export function collapsed(layer: Layer, axis: number, how: 'sum' | 'centre'): Weights['string'] {
  const { shape, data } = layer.weights!.weights;
  const size = shape[axis];
  const outer = product(shape.slice(0, axis));
  const inner = product(shape.slice(axis + 1));
  const kept = new Float32Array(outer * inner);
  // Seen from one cell, a transposed convolution gives every output what taps a stride apart give together.
  const share =
    layer.type === 'transposed-convolution'
      ? 1 / asList((layer.parameters.strides as number | undefined) ?? 1, axis + 1)[axis]
      : 1;
  const middle = Math.floor((size - 1) / 2);
  for (let o = 0; o < outer; o++)
    for (let t = 0; t < size; t++)
      if (how === 'sum' || t === middle)
        for (let i = 0; i < inner; i++)
          kept[o * inner + i] += (how === 'sum' ? share : 1) * data[(o * size + t) * inner + i];
  return { shape: shape.toSpliced(axis, 1), data: kept };
}
