// tap-correlate for gpu.js: one thread per tap, pair of channels and chunk of cells, then the sum over the chunks.

import { reach } from '../../src/tensor/taps.ts';
import { chunkedSum } from '../gpujs-chunks.ts';
import type { GpujsRendering } from '../gpujs-pass.ts';
import { elementIndex, guard, literal } from '../gpujs-text.ts';
import type { KernelCall } from '../kernel.ts';
import type { TapCorrelate } from './spec.ts';

/** Renders a correlation. */
export function renderTapCorrelate(call: KernelCall): GpujsRendering {
  const kernel = call.kernel as TapCorrelate;
  const [a, b] = call.inputs;
  const [rows, columns] = call.output.shape.slice(-2);
  const perGroup = columns / kernel.groups;
  const need = reach(kernel, a.shape.slice(1, -1), b.shape.slice(1, -1));
  return {
    passes: chunkedSum({
      kind: 'sum',
      output: call.output,
      over: b.shape.slice(0, -1),
      parameters: ['a', 'b'],
      arguments: [{ input: 0 }, { input: 1 }],
      term: (at, [n, ...cell], add) => {
        const taps = at.slice(0, -2);
        const [i, j] = at.slice(-2);
        const lines: string[] = [];
        const conditions: string[] = [];
        const source = cell.map((p, d) => {
          const q = `${kernel.strides[d]} * ${p} + ${kernel.dilations[d]} * ${taps[d]} - ${literal(kernel.padLow[d])}`;
          lines.push(`let q${d} = ${q};`);
          if (need[d][0] > a.margin[d + 1][0]) conditions.push(`q${d} >= 0`);
          if (need[d][1] > a.margin[d + 1][1]) conditions.push(`q${d} < ${a.shape[d + 1]}`);
          return `q${d}`;
        });
        const group = perGroup === 1 ? j : `Math.floor((${j} + 0.5) / ${perGroup})`;
        const channel = kernel.groups === 1 ? i : `(${group} * ${rows} + ${i})`;
        const value = `a[${elementIndex(a, [n, ...source, channel])}] * b[${elementIndex(b, [n, ...cell, j])}]`;
        return `${lines.join('\n')}\n${guard(conditions, add(value))}`;
      },
    }),
  };
}
