// Random dimensions of Winograd's convolutions and correlations: taps and how they are cut, sizes, padding and margins.

import fc from 'fast-check';
import { LARGEST } from '../../kernels/tap-conv/winograd/transforms.ts';

/** A random dimension: taps and how they are cut, sizes and padding. */
export const dimension = (most: number) =>
  fc
    .record({
      k: fc.constantFrom(...[1, 2, 3, 3, 3, 4, 5, 7]),
      m: fc.integer({ min: 2, max: 6 }),
      cut: fc.boolean(),
      block: fc.integer({ min: 1, max: 3 }),
      low: fc.integer({ min: -1, max: 3 }),
      dilation: fc.constantFrom(1, 1, 1, 2, 3),
      input: fc.integer({ min: 1, max: most }),
      output: fc.integer({ min: 1, max: most }),
      margin: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
    })
    .map(d => {
      const taps = d.k > d.m && d.cut ? d.m : d.k;
      const m = d.k === 1 ? 1 : Math.min(d.m, LARGEST - taps + 1);
      return { ...d, m, taps: taps < d.k ? m : taps };
    });
