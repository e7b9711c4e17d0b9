// Layer types that move, combine and sum elements of arrays in any order of dimensions: what networks read from files
// need between their convolutions. Axes count the dimensions of a value as it is stored, the batch being 0. Parameters are
// plain data; which positions an axis reads is a rule of src/networks/axis-rules.ts.

import type { Expr } from '../../kernels/map/expr.ts';
import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { concat, mean, sum } from '../ops/arithmetic.ts';
import { dense } from '../ops/dense.ts';
import { transpose } from '../ops/shape.ts';
import { product, sameShape } from '../tensor/layout.ts';
import { type AxisRule, axisMap, borderOf } from './axis-rules.ts';

type Built = (inputs: readonly Value[], parameters: any, weights: Record<string, Value>) => Value;
const type = (summary: string, build: Built, weights?: readonly string[]) => ({ summary, build, weights });

/** One gather by rules, one per dimension (null leaves it as it is); `value` is put where nothing is read. */
function rearrange(x: Value, rules: readonly (AxisRule | null)[], label: string, value = 0): Value {
  const maps = x.shape.map((n, a) => (rules[a] ? axisMap(rules[a], n) : null));
  if (maps.every(map => map === null)) return x;
  const shape = x.shape.map((n, a) => maps[a]?.size ?? n);
  const moved = x.graph.kernel(
    { family: 'gather', concatAxis: 0, permutation: shape.map((_, a) => a), maps },
    [x],
    shape,
    label,
  );
  if (value === 0) return moved;
  const border = borderOf(maps, value);
  return x.graph.map(
    ['add', 'x0', 'x1'],
    [moved, x.graph.constant(border.shape, border.data, 'outside')],
    label,
  );
}

const byRules = (summary: string, label: string) =>
  type(summary, ([x], p: { rules: (AxisRule | null)[]; value?: number }) =>
    rearrange(x, p.rules, label, p.value),
  );

// Concatenation along an axis that is not the channels.
const join: Built = (inputs, { axis }: { axis: number }) => concat([...inputs], axis);

function reshape(x: Value, shape: readonly number[]): Value {
  const known = product(shape.filter(n => n >= 0));
  return x.graph.reshape(
    x,
    shape.map(n => (n >= 0 ? n : product(x.shape) / known)),
  );
}

const reduce: Built = (
  [x],
  { kind, axes, expr = 'x0' }: { kind: 'sum' | 'mean' | 'max'; axes: number[]; expr?: Expr },
) => {
  if (kind !== 'max') {
    const inner = expr === 'x0' ? x : x.graph.map(expr, [x], 'reduce');
    return kind === 'sum' ? sum(inner, axes) : mean(inner, axes);
  }
  const shape = x.shape.map((n, a) => (axes.includes(a) ? 1 : n));
  return sameShape(shape, x.shape)
    ? x.graph.map(expr, [x], 'max')
    : x.graph.reduce('max', expr, [x], shape, 'max');
};

// [..., M, K] times [..., K, N]; a pair of matrices is a dense layer whose weights are a value.
const matmul: Built = ([a, b]) => {
  if (a.shape.length === 2 && b.shape.length === 2) return dense(a, b);
  const [m, k] = a.shape.slice(-2);
  const n = b.shape.at(-1)!;
  const left = a.graph.reshape(a, [...a.shape.slice(0, -2), m, k, 1]);
  const right = b.graph.reshape(b, [...b.shape.slice(0, -2), 1, k, n]);
  const outer = a.shape.slice(0, -2).map((size, i) => Math.max(size, b.shape[i]));
  const product3 =
    k === 1
      ? a.graph.map(['mul', 'x0', 'x1'], [left, right], 'matmul')
      : a.graph.reduce('sum', ['mul', 'x0', 'x1'], [left, right], [...outer, m, 1, n], 'matmul');
  return a.graph.reshape(product3, [...outer, m, n]);
};

// Where the largest value lies along an axis: the axis as the one spatial dimension of a window that spans it.
const argmax: Built = ([given], { axis, last = false }: { axis: number; last?: boolean }) => {
  const n = given.shape[axis];
  const flip = { rule: 'slice', start: n - 1, step: -1, size: n } as const;
  const x = last
    ? rearrange(
        given,
        given.shape.map((_, a) => (a === axis ? flip : null)),
        'flip',
      )
    : given;
  const outer = product(x.shape.slice(0, axis));
  const inner = product(x.shape.slice(axis + 1));
  const found = x.graph.kernel(
    {
      family: 'window',
      kind: 'argmax',
      kernelShape: [n],
      strides: [1],
      dilations: [1],
      padLow: [0],
      inputDilations: [1],
    },
    [x.graph.reshape(x, [outer, n, inner])],
    [outer, 1, inner],
    'argmax',
  );
  const at = last ? x.graph.map(['sub', n - 1, 'x0'], [found], 'argmax') : found;
  return x.graph.reshape(
    at,
    x.shape.map((size, a) => (a === axis ? 1 : size)),
  );
};

// Inputs and weights broadcast against each other; all have one rank.
const elementwise: Built = (inputs, { expr, shape }: { expr: Expr; shape?: number[] }, weights) => {
  const all = [...inputs, ...Object.values(weights)];
  if (all.length === 0) throw new NdconvError('NetworkError', 'elementwise: an expression needs inputs');
  return all[0].graph.map(expr, all, 'elementwise', shape);
};

/** Layer types of arrays, by name. */
export const arrayLayerTypes = {
  identity: type('its input', ([x]) => x),
  constant: type('a tensor that does not depend on the input', (_, __, w) => w.value, ['value']),
  elementwise: type('an expression over its inputs, with broadcasting', elementwise),
  reshape: type('the same elements under another shape', ([x], p: { shape: number[] }) =>
    reshape(x, p.shape),
  ),
  transpose: type('dimensions in another order', ([x], p: { permutation: number[] }) =>
    transpose(x, p.permutation),
  ),
  join: type('inputs one after the other along an axis', join),
  slice: byRules('ranges and steps of axes', 'slice'),
  pick: byRules('listed positions of axes', 'pick'),
  'pad-axes': byRules('cells outside, of any axis', 'pad'),
  resample: byRules('other sizes of axes: nearest, linear or cubic', 'resample'),
  'window-sum': byRules('sums over a window or all before it, along axes', 'window-sum'),
  reduce: type('sum, mean or maximum over axes', reduce),
  argmax: type('where the largest value lies along an axis', argmax),
  matmul: type('matrix product of two inputs', matmul),
};
