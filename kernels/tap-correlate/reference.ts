// tap-correlate as written in spec.ts, sums in double precision.

import { coordinatesOf, indexOf } from '../../src/tensor/packed.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { Reference } from '../kernel.ts';
import type { TapCorrelate } from './spec.ts';

export const tapCorrelate: Reference<TapCorrelate> = (kernel, [a, b], output, result) => {
  const [rows, columns] = output.slice(-2);
  const channels = a.shape.at(-1)!;
  const perGroup = columns / kernel.groups;
  const cells = b.shape.slice(0, -1);
  tapIndices(kernel.kernelShape).forEach((tap, t) => {
    const sums = new Float64Array(rows * columns);
    for (let cell = 0; cell < b.data.length / columns; cell++) {
      const [n, ...p] = coordinatesOf(cell, cells);
      const source = p.map((v, d) => kernel.strides[d] * v + kernel.dilations[d] * tap[d] - kernel.padLow[d]);
      if (source.some((v, d) => v < 0 || v >= a.shape[d + 1])) continue;
      const from = indexOf([n, ...source], a.shape.slice(0, -1)) * channels;
      for (let j = 0; j < columns; j++) {
        const group = Math.floor(j / perGroup);
        for (let i = 0; i < rows; i++)
          sums[i * columns + j] += a.data[from + group * rows + i] * b.data[cell * columns + j];
      }
    }
    result.set(sums, t * rows * columns);
  });
};
