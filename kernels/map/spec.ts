// map: one elementwise expression over up to six inputs with broadcasting. Every input has the output's rank, and in each
// dimension the output's size or 1 (the output may be larger than all of them: a broadcast). Y[i] = expr(x0[i], x1[i], …).

import type { Expr } from './expr.ts';

export interface MapKernel {
  readonly family: 'map';
  readonly expr: Expr;
}

/** More inputs than this are not fused into one kernel (WebGPU binds 8 buffers). */
export const MAX_INPUTS = 6;
