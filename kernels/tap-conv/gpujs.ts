// tap-conv for gpu.js: one thread per output element; loops over the taps of every dimension and the channels of the
// group. Where the input's margin covers every tap no bound is checked.

import type { Layout } from '../../src/tensor/layout.ts';
import { reach } from '../../src/tensor/taps.ts';
import type { GpujsRendering } from '../gpujs-pass.ts';
import { elementIndex, guard, kernelSource, literal, outputOf, sumOver } from '../gpujs-text.ts';
import type { KernelCall } from '../kernel.ts';
import type { TapConv } from './spec.ts';

/** Renders a convolution. */
export function renderTapConv(call: KernelCall): GpujsRendering {
  const kernel = call.kernel as TapConv;
  const [x, w, b] = call.inputs;
  const groupIn = x.shape.at(-1)! / kernel.groups;
  const groupOut = call.output.shape.at(-1)! / kernel.groups;
  const source = kernelSource(kernel.bias ? ['x', 'w', 'b'] : ['x', 'w'], call.output, at => {
    const k = at.at(-1)!;
    const spatial = at.slice(1, -1);
    const group = divide('g', k, groupOut, kernel.groups);
    // Taps outside, channels inside: a tap that reads outside the input is left out as a whole.
    const sum = sumOver('sum', kernel.kernelShape, 't', (total, taps) => {
      const stored = taps.map((t, a) => (kernel.flip ? minus(kernel.kernelShape[a] - 1, t) : t));
      return sourceCells(kernel, x, call.output, spatial, taps, source =>
        sumOver(total, [groupIn], 'c', (part, [c]) => {
          const channel = kernel.groups === 1 ? c : `(${group.at} * ${groupIn} + ${c})`;
          const within = kernel.groups === 1 ? k : `(${k} - ${group.at} * ${groupOut})`;
          const weight = kernel.transpose ? [...stored, within, channel] : [...stored, c, k];
          return `${part} = ${part} + w[${elementIndex(w, weight)}] * x[${elementIndex(x, [at[0], ...source, channel])}];`;
        }),
      );
    });
    const first = kernel.bias ? `b[${elementIndex(b, [k])}]` : '0';
    const activate = kernel.activation === 'relu' ? 'y = Math.max(y, 0);' : '';
    return `${group.text}\nlet sum = 0;\n${sum}\ny = sum + ${first};\n${activate}`;
  });
  return {
    passes: [
      {
        source,
        arguments: call.inputs.slice(0, kernel.bias ? 3 : 2).map((_, input) => ({ input })),
        output: outputOf(call.output),
      },
    ],
  };
}

const minus = (n: number, t: string): string => (t === '0' ? String(n) : `(${n} - ${t})`);

// floor(k / size) for k below size·count.
function divide(name: string, k: string, size: number, count: number): { text: string; at: string } {
  if (count === 1) return { text: '', at: '0' };
  if (size === 1) return { text: '', at: k };
  return { text: `let ${name} = Math.floor((${k} + 0.5) / ${size});`, at: name };
}

// The cells that the taps read, with the conditions under which they hold a value.
function sourceCells(
  kernel: TapConv,
  x: Layout,
  output: Layout,
  spatial: readonly string[],
  taps: readonly string[],
  read: (source: string[]) => string,
): string {
  const need = reach(kernel, x.shape.slice(1, -1), output.shape.slice(1, -1));
  const lines: string[] = [];
  const conditions: string[] = [];
  const source = spatial.map((p, a) => {
    const u = kernel.inputDilations[a];
    const size = x.shape[a + 1];
    const [low, high] = x.margin[a + 1];
    const q = `${kernel.strides[a]} * ${p} + ${kernel.dilations[a]} * ${taps[a]} - ${literal(kernel.padLow[a])}`;
    lines.push(`let q${a} = ${q};`);
    if (u > 1) {
      lines.push(`let r${a} = Math.floor((q${a} + 0.5) / ${u});`);
      conditions.push(`r${a} * ${u} === q${a}`);
    }
    const at = u > 1 ? `r${a}` : `q${a}`;
    if (need[a][0] > low) conditions.push(`${at} >= 0`);
    if (need[a][1] > high) conditions.push(`${at} < ${size}`);
    return at;
  });
  return `${lines.join('\n')}\n${guard(conditions, read(source))}`;
}
