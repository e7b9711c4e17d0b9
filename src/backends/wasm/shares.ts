// Into how many shares the phases of a kernel call are cut: enough that no thread waits long for the last one, few enough
// that taking them costs nothing beside the work.

import { flopsOf } from '../../../kernels/cost.ts';
import type { KernelCall } from '../../../kernels/kernel.ts';
import { elementCount } from '../../tensor/layout.ts';
import { MOST_SHARES } from './steps.ts';

/** Nanoseconds of work that are worth a share of their own. */
const SHARE = 30_000;
/** Shares for each thread. */
const EACH = 4;
/** What a thread does in a nanosecond, roughly: multiplications and additions, and elements moved. */
const RATE = { flops: 100, elements: 2 };

/** Shares of every phase of a call; 1 where it is not worth dividing. */
export function sharesOf(call: KernelCall, threads: number): number {
  const elements = [...call.inputs, call.output].reduce((sum, layout) => sum + elementCount(layout), 0);
  const nanoseconds = flopsOf(call) / RATE.flops + elements / RATE.elements;
  return Math.max(1, Math.min(MOST_SHARES, EACH * threads, Math.ceil(nanoseconds / SHARE)));
}
