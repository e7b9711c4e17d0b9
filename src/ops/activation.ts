// Activations: one elementwise expression each.

import type { Expr } from '../../kernels/map/expr.ts';
import type { Value } from '../graph/graph.ts';

const unary =
  (label: string, expr: Expr) =>
  (x: Value): Value =>
    x.graph.map(expr, [x], label);

/** max(x, 0); slope 0 at 0. */
export const relu = unary('relu', ['max', 'x0', 0]);
export const sigmoid = unary('sigmoid', ['sigmoid', 'x0']);
export const tanh = unary('tanh', ['tanh', 'x0']);
/** log(1 + eˣ), written so that it does not overflow. */
export const softplus = unary('softplus', [
  'add',
  ['max', 'x0', 0],
  ['log', ['add', 1, ['exp', ['neg', ['abs', 'x0']]]]],
]);

/** x where x > 0, else slope·x (Maas et al. 2013). */
export const leakyRelu = (x: Value, slope = 0.01): Value =>
  x.graph.map(['select', 'x0', 'x0', ['mul', slope, 'x0']], [x], 'leaky-relu');

/** Leaky ReLU with one trained slope per channel, `[C]` (He et al. 2015). */
export function prelu(x: Value, slopes: Value): Value {
  const slope = x.graph.reshape(slopes, [...x.shape.slice(1).map(() => 1), slopes.shape.at(-1)!]);
  return x.graph.map(['select', 'x0', 'x0', ['mul', 'x1', 'x0']], [x, slope], 'prelu');
}

/** x where x > 0, else α(eˣ − 1) (Clevert et al. 2016). */
export const elu = (x: Value, alpha = 1): Value =>
  x.graph.map(['select', 'x0', 'x0', ['mul', alpha, ['sub', ['exp', ['min', 'x0', 0]], 1]]], [x], 'elu');
