// map for gpu.js: one thread per element; each input is read once, into a local.

import type { GpujsRendering } from '../gpujs-pass.ts';
import { broadcastIndex, kernelSource, outputOf } from '../gpujs-text.ts';
import type { KernelCall } from '../kernel.ts';
import { inputsIn } from './expr.ts';
import { renderExpr } from './gpujs-expr.ts';
import type { MapKernel } from './spec.ts';

/** Renders a map call. */
export function renderMap(call: KernelCall): GpujsRendering {
  const { expr } = call.kernel as MapKernel;
  const used = [...inputsIn(expr)].sort((a, b) => a - b);
  const source = kernelSource(
    used.map(i => `x${i}`),
    call.output,
    at => {
      const reads = used.map(i => `let v${i} = x${i}[${broadcastIndex(call.inputs[i], at)}];`);
      return [...reads, `y = ${renderExpr(expr, i => `v${i}`)};`].join('\n');
    },
  );
  return { passes: [{ source, arguments: used.map(input => ({ input })), output: outputOf(call.output) }] };
}
