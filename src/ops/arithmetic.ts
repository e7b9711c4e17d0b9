// Elementwise arithmetic with broadcasting, concatenation, and sums over dimensions. A vector `[C]` beside a tensor of
// higher rank is taken per channel.

import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { product } from '../tensor/layout.ts';

/** Gives two values the same rank by putting dimensions of size 1 in front, as NumPy does. */
function align(a: Value, b: Value): [Value, Value] {
  const lift = (v: Value, rank: number) =>
    v.shape.length === rank
      ? v
      : v.graph.reshape(v, [...new Array<number>(rank - v.shape.length).fill(1), ...v.shape]);
  const rank = Math.max(a.shape.length, b.shape.length);
  return [lift(a, rank), lift(b, rank)];
}

const binary =
  (op: 'add' | 'sub' | 'mul' | 'div') =>
  (a: Value, b: Value): Value =>
    a.graph.map([op, 'x0', 'x1'], align(a, b), op);

export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');

/** The value times a number. */
export const scale = (x: Value, factor: number): Value =>
  factor === 1 ? x : x.graph.map(['mul', factor, 'x0'], [x], 'scale');

/** Puts values one after the other along `axis`; all other sizes must agree. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  for (const v of values)
    if (v.shape.length !== first.shape.length || v.shape.some((n, a) => a !== axis && n !== first.shape[a]))
      throw new NdconvError(
        'ShapeError',
        `concat: shapes ${values.map(u => `[${u.shape}]`).join(', ')} differ outside dimension ${axis}`,
      );
  // A GPU binds few buffers: long lists are joined in a tree.
  if (values.length > 4) return concat([concat(values.slice(0, 4), axis), ...values.slice(4)], axis);
  if (values.length === 1) return first;
  const shape = first.shape.map((n, a) => (a === axis ? values.reduce((sum, v) => sum + v.shape[a], 0) : n));
  const kernel = {
    family: 'gather',
    concatAxis: axis,
    permutation: shape.map((_, a) => a),
    maps: shape.map(() => null),
  } as const;
  return first.graph.kernel(kernel, values, shape, 'concat');
}

/** Sum over dimensions (all where absent), which keep size 1. */
export function sum(x: Value, axes: readonly number[] = x.shape.map((_, a) => a)): Value {
  const shape = x.shape.map((n, a) => (axes.includes(a) ? 1 : n));
  return product(shape) === product(x.shape) ? x : x.graph.reduce('sum', 'x0', [x], shape, 'sum');
}

/** Mean over dimensions (all where absent), which keep size 1. */
export function mean(x: Value, axes: readonly number[] = x.shape.map((_, a) => a)): Value {
  const count = product(axes.map(a => x.shape[a]));
  if (count === 1) return x;
  const shape = x.shape.map((n, a) => (axes.includes(a) ? 1 : n));
  return x.graph.reduce('sum', ['mul', 1 / count, 'x0'], [x], shape, 'mean');
}
