// Into how many shares the phases of a pass are cut: enough that no thread waits long for the last one, few enough
// that taking them costs nothing beside the work.

import { flopsOf } from '../../../kernels/cost.ts';
import { elementCount } from '../../tensor/layout.ts';
import type { PlannedCall } from '../backend.ts';
import { MOST_SHARES } from './steps.ts';

/** Nanoseconds of work that are worth a share of their own. */
const SHARE = 30_000;
/** Shares for each thread. */
const EACH = 4;
/** What a thread does in a nanosecond, roughly: multiplications and additions, and elements moved. */
const RATE = { flops: 100, elements: 2 };

/** Shares of every phase of calls that run as one; 1 where they are not worth dividing. */
export function sharesOf(calls: readonly PlannedCall[], threads: number): number {
  const nanoseconds = calls.reduce((sum, { call }) => {
    const elements = [...call.inputs, call.output].reduce((n, layout) => n + elementCount(layout), 0);
    return sum + flopsOf(call) / RATE.flops + elements / RATE.elements;
  }, 0);
  return Math.max(1, Math.min(MOST_SHARES, EACH * threads, Math.ceil(nanoseconds / SHARE)));
}
