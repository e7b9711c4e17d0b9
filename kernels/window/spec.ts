// window: the maximum over a sliding window, where it was, and its gradient, per channel.
//   max       Y[p][c] = max over taps t with s·p + δ·t − P inside X                       inputs: X
//   argmax    the row-major index t of the first tap that attains it, as a float          inputs: X
//             (−1 where the maximum is not above 0, if `positive`: a ReLU that is closed lets no gradient through)
//   unpool    dX[x][c] = Σ over (p, t) with s·p + δ·t − P = x and A[p][c] = t of dY[p][c]  inputs: dY, A
// Cells outside X never win. Every window must meet X (the operation's shape rule sees to it). Averages are not here:
// they are linear and separable, a `gather`.

import type { Taps } from '../../src/tensor/taps.ts';

/** `inputDilations` are all 1; `kernelShape` is the window. */
export interface Window extends Taps {
  readonly family: 'window';
  readonly kind: 'max' | 'argmax' | 'unpool';
  /** argmax alone. */
  readonly positive?: boolean;
}
