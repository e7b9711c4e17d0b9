// The dense layer: a convolution without spatial dimensions.

import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { convolution } from './convolution.ts';

/** X `[batch, C]` times W `[C, K]` plus b `[K]`. */
export function dense(x: Value, weights: Value, bias?: Value): Value {
  if (x.shape.length !== 2 || x.shape[1] !== weights.shape[0])
    throw new NdconvError('ShapeError', `dense: input [${x.shape}] does not fit weights [${weights.shape}]`);
  return convolution(x, weights, bias);
}
