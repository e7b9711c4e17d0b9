// Losses: each gives one number, shape [1].

import type { Expr } from '../../kernels/map/expr.ts';
import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { product, sameShape } from '../tensor/layout.ts';
import { add } from './arithmetic.ts';
import { slice } from './shape.ts';
import { logSoftmax } from './softmax.ts';

function total(expr: Expr, inputs: readonly Value[], label: string): Value {
  const [x] = inputs;
  for (const v of inputs)
    if (!sameShape(v.shape, x.shape))
      throw new NdconvError('ShapeError', `${label}: shapes [${x.shape}] and [${v.shape}] differ`);
  const sum =
    product(x.shape) === 1
      ? x.graph.map(expr, inputs, label)
      : x.graph.reduce(
          'sum',
          expr,
          inputs,
          x.shape.map(() => 1),
          label,
        );
  return x.graph.reshape(sum, [1]);
}

const difference: Expr = ['sub', 'x0', 'x1'];

/** ½‖a − c‖². */
export const contentLoss = (a: Value, c: Value): Value =>
  total(['mul', 0.5, ['mul', difference, difference]], [a, c], 'content loss');

/** ‖G_S − G_G‖²_F / (2·cells·channels)² for Gram matrices `[C, C]` over the given number of cells (Gatys et al. 2016). */
export const styleLoss = (a: Value, b: Value, cells: number, channels: number): Value =>
  total(['mul', 1 / (2 * cells * channels) ** 2, ['mul', difference, difference]], [a, b], 'style loss');

/** Mean of (a − b)². */
export const meanSquaredError = (a: Value, b: Value): Value =>
  total(['mul', 1 / product(a.shape), ['mul', difference, difference]], [a, b], 'mean squared error');

/** Σ over spatial dimensions of the squared differences between neighbours along it; any rank. */
export function totalVariation(x: Value): Value {
  const parts = x.shape.slice(1, -1).flatMap((n, i) => {
    if (n < 2) return [];
    return [
      total(
        ['mul', difference, difference],
        [slice(x, i + 1, 1, n), slice(x, i + 1, 0, n - 1)],
        'total variation',
      ),
    ];
  });
  return parts.length > 0 ? parts.reduce(add) : x.graph.constant([1], new Float32Array(1), 'zero');
}

/** Mean over the batch of −Σ target·log softmax(logits); targets are probabilities, one row a sample. */
export const crossEntropy = (logits: Value, targets: Value): Value =>
  total(
    ['mul', -1 / product(logits.shape.slice(0, -1)), ['mul', 'x0', 'x1']],
    [logSoftmax(logits), targets],
    'cross-entropy',
  );

/** Mean of −t·log σ(x) − (1 − t)·log(1 − σ(x)), written so that it does not overflow. */
export const binaryCrossEntropy = (logits: Value, targets: Value): Value =>
  total(
    [
      'mul',
      1 / product(logits.shape),
      [
        'add',
        ['sub', ['max', 'x0', 0], ['mul', 'x0', 'x1']],
        ['log', ['add', 1, ['exp', ['neg', ['abs', 'x0']]]]],
      ],
    ],
    [logits, targets],
    'binary cross-entropy',
  );

/** Squared distance of rows: `[batch, C]` twice to `[batch, 1]`. */
export function squaredDistance(a: Value, b: Value): Value {
  const shape = a.shape.map((n, i) => (i === a.shape.length - 1 ? 1 : n));
  return a.graph.reduce('sum', ['mul', difference, difference], [a, b], shape, 'squared distance');
}

/** Σ over the batch of max(‖A − P‖² − ‖A − N‖² + margin, 0) (FaceNet, Schroff et al. 2015). */
export function triplet(anchor: Value, positive: Value, negative: Value, margin: number): Value {
  if (!(margin > 0))
    throw new NdconvError('ShapeError', `triplet: the margin must be positive, it is ${margin}`);
  const [p, n] = [squaredDistance(anchor, positive), squaredDistance(anchor, negative)];
  return total(['max', ['add', difference, margin], 0], [p, n], 'triplet');
}
