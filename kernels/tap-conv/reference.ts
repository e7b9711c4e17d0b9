// tap-conv as written in spec.ts, cell by cell with coordinates, sums in double precision.

import { coordinatesOf, indexOf } from '../../src/tensor/packed.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { Reference } from '../kernel.ts';
import type { TapConv } from './spec.ts';

export const tapConv: Reference<TapConv> = (kernel, inputs, output, result) => {
  const [x, w, b] = inputs;
  const outChannels = output.at(-1)!;
  const inChannels = x.shape.at(-1)!;
  const [inGroup, outGroup] = [inChannels / kernel.groups, outChannels / kernel.groups];
  const taps = tapIndices(kernel.kernelShape);
  const [depth, width] = w.shape.slice(-2);
  const cells = output.slice(0, -1);
  const sums = new Float64Array(outChannels);

  for (let i = 0; i < result.length / outChannels; i++) {
    const [n, ...p] = coordinatesOf(i, cells);
    for (let k = 0; k < outChannels; k++) sums[k] = kernel.bias ? b.data[k] : 0;
    taps.forEach((tap, t) => {
      const q = p.map((v, a) => kernel.strides[a] * v + kernel.dilations[a] * tap[a] - kernel.padLow[a]);
      if (q.some((v, a) => v % kernel.inputDilations[a] !== 0)) return;
      const source = q.map((v, a) => v / kernel.inputDilations[a]);
      if (source.some((v, a) => v < 0 || v >= x.shape[a + 1])) return;
      const stored = kernel.flip ? taps.length - 1 - t : t;
      const cell = indexOf([n, ...source], x.shape.slice(0, -1)) * inChannels;
      for (let k = 0; k < outChannels; k++) {
        const first = Math.floor(k / outGroup) * inGroup;
        for (let c = 0; c < inGroup; c++) {
          const weight = kernel.transpose
            ? w.data[(stored * depth + (k % outGroup)) * width + first + c]
            : w.data[(stored * depth + c) * width + k];
          sums[k] += weight * x.data[cell + first + c];
        }
      }
    });
    for (let k = 0; k < outChannels; k++)
      result[i * outChannels + k] = kernel.activation === 'relu' ? Math.max(0, sums[k]) : sums[k];
  }
};
