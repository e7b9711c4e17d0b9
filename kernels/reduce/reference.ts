// reduce as written in spec.ts, sums in double precision.

import { product } from '../../src/tensor/layout.ts';
import { broadcastIndex, coordinatesOf } from '../../src/tensor/packed.ts';
import type { Reference } from '../kernel.ts';
import { evaluate } from '../map/expr.ts';
import { fullShape, type Reduce } from './spec.ts';

export const reduce: Reference<Reduce> = (kernel, inputs, output, result) => {
  const full = fullShape(inputs.map(x => x.shape));
  const sums = new Float64Array(result.length).fill(kernel.kind === 'max' ? Number.NEGATIVE_INFINITY : 0);
  for (let i = 0; i < product(full); i++) {
    const at = coordinatesOf(i, full);
    const value = evaluate(
      kernel.expr,
      inputs.map(x => x.data[broadcastIndex(at, x.shape)]),
    );
    const o = broadcastIndex(at, output);
    sums[o] = kernel.kind === 'max' ? Math.max(sums[o], value) : sums[o] + value;
  }
  result.set(sums);
};
