// reduce: the sum or the maximum of an elementwise expression over every dimension where the output has size 1.
// Inputs broadcast against each other as in `map` to the full shape (the larger size in each dimension); the output has
// that shape with 1 in the dimensions summed over. It is the transpose of broadcasting. Long sums run in fixed blocks,
// so that the result does not depend on the number of threads.

import type { Expr } from '../map/expr.ts';

export interface Reduce {
  readonly family: 'reduce';
  readonly kind: 'sum' | 'max';
  readonly expr: Expr;
}

/** Shape that inputs broadcast to. */
export const fullShape = (shapes: readonly (readonly number[])[]): number[] =>
  shapes[0].map((_, a) => shapes.reduce((n, s) => (s[a] === 1 ? n : s[a]), 1));
