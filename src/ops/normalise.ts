// Normalisations, composed of means and elementwise expressions.

import type { Value } from '../graph/graph.ts';
import { add, div, mean, mul, sub, sum } from './arithmetic.ts';

/** scale·x + shift per channel (`[C]` each). */
export const affine = (x: Value, scale: Value, shift: Value): Value => add(mul(x, scale), shift);

/** Batch normalisation at inference: γ(x − μ)/√(σ² + ε) + β with running statistics `[C]` (Ioffe & Szegedy 2015). */
export function batchNorm(
  x: Value,
  mean: Value,
  variance: Value,
  gamma: Value,
  beta: Value,
  epsilon = 1e-5,
): Value {
  const factor = x.graph.map(
    ['div', 'x0', ['sqrt', ['add', 'x1', epsilon]]],
    [gamma, variance],
    'batch-norm factor',
  );
  return add(mul(sub(x, mean), factor), beta);
}

/** Zero mean and unit variance over the cells of each sample and channel (Ulyanov et al. 2016), then γ and β if given. */
export function instanceNorm(x: Value, gamma?: Value, beta?: Value, epsilon = 1e-5): Value {
  const axes = x.shape.map((_, a) => a).slice(1, -1);
  const centred = sub(x, mean(x, axes));
  const variance = mean(mul(centred, centred), axes);
  const deviation = x.graph.map(['sqrt', ['add', 'x0', epsilon]], [variance], 'deviation');
  const normal = div(centred, deviation);
  const scaled = gamma ? mul(normal, gamma) : normal;
  return beta ? add(scaled, beta) : scaled;
}

/** x / max(‖x‖₂, ε) over the channels. */
export function l2Normalise(x: Value, epsilon = 1e-12): Value {
  const squares = sum(mul(x, x), [x.shape.length - 1]);
  return x.graph.map(['div', 'x0', ['sqrt', ['max', 'x1', epsilon ** 2]]], [x, squares], 'l2-normalise');
}
