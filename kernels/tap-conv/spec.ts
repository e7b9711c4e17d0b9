// tap-conv: the N-dimensional convolution. With the algebra of src/tensor/taps.ts,
//     Y[n][p][k] = act( B[k] + Σ_t Σ_{c in group(k)} w(t, c, k) · X̂[n][s·p + δ·t − P][c] )
// Inputs: X `[batch, ...spatial, C]`, W, and B `[K]` when `bias`. Output: Y `[batch, ...spatial, K]`, any spatial size
// (reads outside X give zero). W is stored `[...kernelShape, C/groups, K]`; with `transpose` it is the W of a
// convolution from K to C channels, stored `[...kernelShape, K/groups, C]`; with `flip` taps are read mirrored in every
// dimension. An input gradient is a tap-conv with both flags toggled and `gradientTaps`. Dense layers and 1×1 are the
// case of no (or one) tap offset. Source: Dumoulin & Visin 2016 for the arithmetic.

import type { Layout, Margin } from '../../src/tensor/layout.ts';
import { reach, type Taps } from '../../src/tensor/taps.ts';

export interface TapConv extends Taps {
  readonly family: 'tap-conv';
  readonly groups: number;
  readonly flip: boolean;
  readonly transpose: boolean;
  readonly bias: boolean;
  /** Applied to the sum: `max(0, ·)` or nothing. */
  readonly activation: 'none' | 'relu';
}

/** Margin needed on each input. */
export function marginsOf(
  kernel: TapConv,
  inputs: readonly (readonly number[])[],
  output: readonly number[],
): Margin[][] {
  return inputs.map((shape, i) =>
    i === 0
      ? [[0, 0] as const, ...reach(kernel, shape.slice(1, -1), output.slice(1, -1))]
      : shape.slice(0, -1).map(() => [0, 0] as const),
  );
}

/** Multiplications and additions, counted as direct convolution. */
export const flopsOf = (kernel: TapConv, inputs: readonly Layout[], output: Layout): number =>
  (2 *
    output.shape.reduce((a, b) => a * b, 1) *
    kernel.kernelShape.reduce((a, b) => a * b, 1) *
    inputs[0].shape[inputs[0].shape.length - 1]) /
  kernel.groups /
  kernel.inputDilations.reduce((a, b) => a * b, 1);
