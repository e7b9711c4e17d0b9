// The Gram (style) matrix of activations: inner products of channels over cells (Gatys et al. 2016).

import type { Value } from '../graph/graph.ts';
import { concat } from './arithmetic.ts';
import { slice } from './shape.ts';

/** FᵀF for F `[batch, ...spatial, C]`: `[C, C]` for a batch of one, else `[batch, C, C]`; not divided by the cells. */
export function gram(x: Value): Value {
  const [batch, channels] = [x.shape[0], x.shape.at(-1)!];
  if (batch > 1) {
    const each = Array.from({ length: batch }, (_, n) =>
      x.graph.reshape(gram(slice(x, 0, n, n + 1)), [1, channels, channels]),
    );
    return concat(each, 0);
  }
  const ones = x.shape.slice(1, -1).map(() => 1);
  const zeros = ones.map(() => 0);
  const product = x.graph.kernel(
    {
      family: 'tap-correlate',
      kernelShape: ones,
      strides: ones,
      dilations: ones,
      padLow: zeros,
      inputDilations: ones,
      groups: 1,
      symmetric: true,
    },
    [x, x],
    [...ones, channels, channels],
    'gram',
  );
  return x.graph.reshape(product, [channels, channels]);
}
