// Random dimensions of Winograd's convolutions and correlations: taps and how they are cut, strides or input dilations,
// sizes, padding and margins.

import fc from 'fast-check';
import { LARGEST } from '../../kernels/tap-conv/winograd/transforms.ts';

/** A random dimension: taps and how they are cut, sizes and padding, a stride or, where there may be, an input dilation. */
export const dimension = (most: number, dilated: boolean) =>
  fc
    .record({
      k: fc.constantFrom(...[1, 2, 3, 3, 3, 4, 5, 7]),
      m: fc.integer({ min: 2, max: 6 }),
      cut: fc.boolean(),
      block: fc.integer({ min: 1, max: 3 }),
      low: fc.integer({ min: -1, max: 3 }),
      dilation: fc.constantFrom(1, 1, 1, 2, 3),
      parts: fc.constantFrom(1, 1, 2, 3),
      strided: fc.boolean(),
      input: fc.integer({ min: 1, max: most }),
      output: fc.integer({ min: 1, max: most }),
      margin: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
    })
    .map(d => {
      if (d.parts > 1 && d.k > d.parts) {
        const m = Math.min(d.m, LARGEST - Math.ceil(d.k / d.parts) + 1);
        const strides = d.strided || !dilated ? { stride: d.parts } : { stride: 1, inputDilation: d.parts };
        // Every part has outputs.
        const output = Math.max(d.output, d.parts);
        return { inputDilation: 1, ...d, ...strides, m, taps: d.k, dilation: 1, output };
      }
      const taps = d.k > d.m && d.cut ? d.m : d.k;
      const m = d.k === 1 ? 1 : Math.min(d.m, LARGEST - taps + 1);
      return { ...d, m, taps: taps < d.k ? m : taps, stride: 1, inputDilation: 1 };
    });
