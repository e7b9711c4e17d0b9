// window for gpu.js: one thread per output element. The gradient gathers: it asks every tap whether the window it could
// have won has named it.

import { product } from '../../src/tensor/layout.ts';
import type { GpujsRendering } from '../gpujs-pass.ts';
import { elementIndex, guard, kernelSource, literal, loop, outputOf } from '../gpujs-text.ts';
import type { KernelCall } from '../kernel.ts';
import type { Window } from './spec.ts';

/** Renders a window call. */
export function renderWindow(call: KernelCall): GpujsRendering {
  const kernel = call.kernel as Window;
  const source = kernel.kind === 'unpool' ? unpool(kernel, call) : best(kernel, call);
  return {
    passes: [
      { source, arguments: call.inputs.map((_, input) => ({ input })), output: outputOf(call.output) },
    ],
  };
}

const tapLoops = (kernel: Window, body: (taps: string[], index: string) => string): string => {
  const { kernelShape } = kernel;
  const nest = (a: number, taps: string[]): string =>
    a === kernelShape.length
      ? body(taps, taps.map((t, d) => `${t} * ${product(kernelShape.slice(d + 1))}`).join(' + ') || '0')
      : loop(`t${a}`, kernelShape[a], t => nest(a + 1, [...taps, t]));
  return nest(0, []);
};

function best(kernel: Window, call: KernelCall): string {
  const [x] = call.inputs;
  return kernelSource(['x'], call.output, at => {
    const body = tapLoops(kernel, (taps, index) => {
      const lines: string[] = [];
      const conditions: string[] = [];
      at.slice(1, -1).forEach((p, a) => {
        lines.push(
          `let q${a} = ${kernel.strides[a]} * ${p} + ${kernel.dilations[a]} * ${taps[a]} - ${literal(kernel.padLow[a])};`,
        );
        conditions.push(`q${a} >= 0`, `q${a} < ${x.shape[a + 1]}`);
      });
      const source = [at[0], ...taps.map((_, a) => `q${a}`), at.at(-1)!];
      const read = `let v = x[${elementIndex(x, source)}];\nif (won < 0 || v > top) {\ntop = v;\nwon = ${index};\n}`;
      return `${lines.join('\n')}\n${guard(conditions, read)}`;
    });
    const closed = kernel.positive ? '\nif (top <= 0) {\ny = 0 - 1;\n}' : '';
    return `let top = 0;\nlet won = 0 - 1;\n${body}\ny = ${kernel.kind === 'max' ? 'top' : 'won'};${closed}`;
  });
}

function unpool(kernel: Window, call: KernelCall): string {
  const [dy, where] = call.inputs;
  return kernelSource(['dy', 'won'], call.output, at =>
    tapLoops(kernel, (taps, index) => {
      const lines: string[] = [];
      const conditions: string[] = [];
      at.slice(1, -1).forEach((x, a) => {
        const s = kernel.strides[a];
        lines.push(`let q${a} = ${x} + ${literal(kernel.padLow[a])} - ${kernel.dilations[a]} * ${taps[a]};`);
        lines.push(`let p${a} = ${s === 1 ? `q${a}` : `Math.floor((q${a} + 0.5) / ${s})`};`);
        conditions.push(`q${a} >= 0`, `p${a} < ${dy.shape[a + 1]}`);
        if (s > 1) conditions.push(`p${a} * ${s} === q${a}`);
      });
      const source = [at[0], ...taps.map((_, a) => `p${a}`), at.at(-1)!];
      const named = `let t = won[${elementIndex(where, source)}];`;
      const add = `if (t === ${index}) {\ny = y + dy[${elementIndex(dy, source)}];\n}`;
      return `${lines.join('\n')}\n${guard(conditions, `${named}\n${add}`)}`;
    }),
  );
}
