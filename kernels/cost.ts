// What a kernel call costs before anything is measured: arithmetic counted as direct convolution, and memory traffic
// counted as every tensor once.

import { elementCount } from '../src/tensor/layout.ts';
import type { KernelCall } from './kernel.ts';
import { flopsOf as convolutionFlops } from './tap-conv/spec.ts';
import { flopsOf as correlationFlops } from './tap-correlate/spec.ts';

/** Multiplications and additions of a call; counted for the families that do most of the work. */
export function flopsOf({ kernel, inputs, output }: KernelCall): number {
  if (kernel.family === 'tap-conv') return convolutionFlops(kernel, inputs, output);
  if (kernel.family === 'tap-correlate') return correlationFlops(kernel, inputs, output);
  return 0;
}

/** Bytes of a call's inputs and output. */
export const bytesOf = ({ inputs, output }: KernelCall): number =>
  [...inputs, output].reduce((sum, layout) => sum + 4 * elementCount(layout), 0);
