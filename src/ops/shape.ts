// Operations that only move or rename elements: reshape, flatten, transpose, slice.

import { selectMap } from '../../kernels/gather/spec.ts';
import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { product } from '../tensor/layout.ts';

/** The same elements, row-major, under another shape. */
export const reshape = (x: Value, shape: readonly number[]): Value => x.graph.reshape(x, shape);

/** `[batch, …]` to `[batch, everything else]`. */
export const flatten = (x: Value): Value => reshape(x, [x.shape[0], product(x.shape.slice(1))]);

/** Permutes dimensions: dimension `a` of the result is dimension `permutation[a]` of `x`. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  const seen = [...permutation].sort((a, b) => a - b);
  if (seen.length !== x.shape.length || seen.some((v, i) => v !== i))
    throw new NdconvError(
      'ShapeError',
      `transpose: [${permutation}] is no permutation of ${x.shape.length} dimensions`,
    );
  const shape = permutation.map(a => x.shape[a]);
  const maps = shape.map(() => null);
  return x.graph.kernel(
    { family: 'gather', concatAxis: 0, permutation: [...permutation], maps },
    [x],
    shape,
    'transpose',
  );
}

/** Positions `start` (inclusive) to `end` (exclusive) of one dimension. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  if (axis < 0 || axis >= x.shape.length || start < 0 || end > x.shape[axis] || start >= end)
    throw new NdconvError(
      'ShapeError',
      `slice: ${start} to ${end} of dimension ${axis} does not lie in [${x.shape}]`,
    );
  const shape = x.shape.map((n, a) => (a === axis ? end - start : n));
  const maps = shape.map((n, a) => (a === axis ? selectMap(n, p => start + p) : null));
  return x.graph.kernel(
    { family: 'gather', concatAxis: 0, permutation: shape.map((_, a) => a), maps },
    [x],
    shape,
    'slice',
  );
}

/** The positions of one dimension in the opposite order. */
export function flip(x: Value, axis: number): Value {
  if (axis < 0 || axis >= x.shape.length)
    throw new NdconvError('ShapeError', `flip: there is no dimension ${axis} in [${x.shape}]`);
  const maps = x.shape.map((n, a) => (a === axis ? selectMap(n, p => n - 1 - p) : null));
  return x.graph.kernel(
    { family: 'gather', concatAxis: 0, permutation: x.shape.map((_, a) => a), maps },
    [x],
    x.shape,
    'flip',
  );
}
