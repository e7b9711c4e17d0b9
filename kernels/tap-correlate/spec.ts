// tap-correlate: sums of products of two activations over cells and batch,
//     R[t][i][j] = Σ_n Σ_p A[n][s·p + δ·t − P][g(j)·I + i] · B[n][p][j]
// with `p` over B's cells, I = (channels of A) / groups and g(j) the group of j. Inputs: A `[batch, ...spatial, groups·I]`,
// B `[batch, ...spatial, J]`; output `[...kernelShape, I, J]`. It is the filter gradient of a convolution, the weight
// gradient of a dense layer, and, with one tap and A = B (`symmetric`), the Gram matrix (Gatys et al. 2016).

import type { Layout, Margin } from '../../src/tensor/layout.ts';
import { reach, type Taps } from '../../src/tensor/taps.ts';

/** `inputDilations` are all 1. */
export interface TapCorrelate extends Taps {
  readonly family: 'tap-correlate';
  readonly groups: number;
  /** A and B are the same tensor and there is one tap: the result is symmetric. */
  readonly symmetric: boolean;
}

export function marginsOf(kernel: TapCorrelate, inputs: readonly (readonly number[])[]): Margin[][] {
  const [a, b] = inputs;
  return [
    [[0, 0], ...reach(kernel, a.slice(1, -1), b.slice(1, -1))],
    b.slice(0, -1).map(() => [0, 0] as const),
  ];
}

export const flopsOf = (_: TapCorrelate, inputs: readonly Layout[], output: Layout): number =>
  2 * output.shape.reduce((a, b) => a * b, 1) * inputs[1].shape.slice(0, -1).reduce((a, b) => a * b, 1);
