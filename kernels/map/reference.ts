// map as written in spec.ts, in double precision.

import { broadcastIndex, coordinatesOf } from '../../src/tensor/packed.ts';
import type { Reference } from '../kernel.ts';
import { evaluate } from './expr.ts';
import type { MapKernel } from './spec.ts';

export const map: Reference<MapKernel> = (kernel, inputs, output, result) => {
  for (let i = 0; i < result.length; i++) {
    const at = coordinatesOf(i, output);
    result[i] = evaluate(
      kernel.expr,
      inputs.map(x => x.data[broadcastIndex(at, x.shape)]),
    );
  }
};
