// A graph and its program in words, for NDCONV_DEBUG (see src/debug.ts).

import type { CallTime, ProgramPlan } from '../backends/backend.ts';
import type { Graph } from './graph.ts';

/** `convolution: tap-conv [1,8,8,3] [3,3,3,16] → [1,8,8,16]`, a line a call. */
export const describeCalls = ({ calls }: ProgramPlan): string[] =>
  calls.map(
    ({ label, call: { kernel, inputs, output } }) =>
      `  ${label}: ${kernel.family} ${inputs.map(({ shape }) => `[${shape}]`).join(' ')} → [${output.shape}]`,
  );

/** `%4 = tap-conv(%0, %2) [1,8,8,16]  convolution`, a line a node. */
export const describeGraph = ({ nodes }: Graph): string[] =>
  nodes.map(
    ({ id, kind, kernel, inputs, shape, label }) =>
      `  %${id} = ${kernel?.family ?? kind}(${inputs.map(i => `%${i}`).join(', ')}) [${shape}]  ${label}`,
  );

/** Seconds and rates, those of equal labels together, the longest first. */
export function describeTimes(times: readonly CallTime[], runs: number): string[] {
  const sums = new Map<string, { seconds: number; flops: number; calls: number }>();
  for (const { label, seconds, flops } of times) {
    const sum = sums.get(label) ?? { seconds: 0, flops: 0, calls: 0 };
    sums.set(label, { seconds: sum.seconds + seconds, flops: sum.flops + flops, calls: sum.calls + 1 });
  }
  const total = times.reduce((sum, { seconds }) => sum + seconds, 0) || 1;
  return [...sums]
    .sort(([, a], [, b]) => b.seconds - a.seconds)
    .map(([label, { seconds, flops, calls }]) => {
      const rate = flops > 0 && seconds > 0 ? `, ${((flops * runs) / seconds / 1e9).toFixed(1)} GFLOP/s` : '';
      const share = `${((100 * seconds) / total).toFixed(1).padStart(5)} %`;
      return `  ${share}  ${((1000 * seconds) / runs).toFixed(3)} ms${rate}  ${calls > 1 ? `${calls} × ` : ''}${label}`;
    });
}
