// What a program will take, before it runs: an estimate for `ndconv plan`, right within a factor of two or so on the
// machines it was fitted to. The bench measures; nothing is chosen by these numbers.

import { bytesOf, flopsOf } from '../../kernels/cost.ts';
import type { ProgramPlan } from './backend.ts';

/** Work of one run of a program. */
export interface Work {
  /** Arithmetic of convolutions and correlations, counted as direct convolution. */
  flops: number;
  /** Bytes read and written by the other calls. */
  bytes: number;
}

/** Adds up the calls of a program. */
export function workOf({ calls }: ProgramPlan): Work {
  const work = { flops: 0, bytes: 0 };
  for (const { call } of calls) {
    const flops = flopsOf(call);
    if (flops > 0) work.flops += flops;
    else work.bytes += bytesOf(call);
  }
  return work;
}

/** Flops and bytes a second, both on the whole machine; fitted to two cores of a server processor for wasm. */
const rates: Readonly<Record<string, { flops: number; bytes: number }>> = {
  wasm: { flops: 120e9, bytes: 8e9 },
  reference: { flops: 50e6, bytes: 100e6 },
  'gpujs:webasm': { flops: 1.5e9, bytes: 1e9 },
  'gpujs:cpu': { flops: 1e9, bytes: 0.5e9 },
};

/** Seconds that one run may take; undefined for a backend whose speed is not known beforehand (a GPU). */
export function expectedSeconds({ flops, bytes }: Work, backend: string): number | undefined {
  const rate = rates[backend === 'auto' ? 'wasm' : backend];
  return rate && flops / rate.flops + bytes / rate.bytes;
}
