// window as written in spec.ts.

import { coordinatesOf, indexOf } from '../../src/tensor/packed.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { Reference } from '../kernel.ts';
import type { Window } from './spec.ts';

export const window: Reference<Window> = (kernel, inputs, output, result) => {
  const [first, where] = inputs;
  const taps = tapIndices(kernel.kernelShape);
  if (kernel.kind === 'unpool') {
    for (let i = 0; i < first.data.length; i++) {
      const [n, ...at] = coordinatesOf(i, first.shape);
      const c = at.pop()!;
      if (where.data[i] < 0) continue;
      const tap = taps[where.data[i]];
      const x = at.map((p, a) => kernel.strides[a] * p + kernel.dilations[a] * tap[a] - kernel.padLow[a]);
      result[indexOf([n, ...x, c], output)] += first.data[i];
    }
    return;
  }
  for (let i = 0; i < result.length; i++) {
    const [n, ...at] = coordinatesOf(i, output);
    const c = at.pop()!;
    let best = Number.NEGATIVE_INFINITY;
    let index = -1;
    taps.forEach((tap, t) => {
      const x = at.map((p, a) => kernel.strides[a] * p + kernel.dilations[a] * tap[a] - kernel.padLow[a]);
      if (x.some((v, a) => v < 0 || v >= first.shape[a + 1])) return;
      const value = first.data[indexOf([n, ...x, c], first.shape)];
      if (index < 0 || value > best) [best, index] = [value, t];
    });
    if (kernel.kind === 'max') result[i] = best;
    else result[i] = kernel.positive && !(best > 0) ? -1 : index;
  }
};
