// reduce for gpu.js: sums (or maxima) in chunks, then over the chunks.

import { chunkedSum } from '../gpujs-chunks.ts';
import type { GpujsRendering } from '../gpujs-pass.ts';
import { broadcastIndex } from '../gpujs-text.ts';
import type { KernelCall } from '../kernel.ts';
import { inputsIn } from '../map/expr.ts';
import { renderExpr } from '../map/gpujs-expr.ts';
import { fullShape, type Reduce } from './spec.ts';

/** Renders a reduction. */
export function renderReduce(call: KernelCall): GpujsRendering {
  const { expr, kind } = call.kernel as Reduce;
  const used = [...inputsIn(expr)].sort((a, b) => a - b);
  const full = fullShape(call.inputs.map(l => l.shape));
  const reduced = full.flatMap((n, a) => (n > 1 && call.output.shape[a] === 1 ? [a] : []));
  return {
    passes: chunkedSum({
      kind,
      output: call.output,
      over: reduced.map(a => full[a]),
      parameters: used.map(i => `x${i}`),
      arguments: used.map(input => ({ input })),
      term: (at, over, add) => {
        const position = at.map((p, a) => (reduced.includes(a) ? over[reduced.indexOf(a)] : p));
        const reads = used.map(i => `let v${i} = x${i}[${broadcastIndex(call.inputs[i], position)}];`);
        return [...reads, add(renderExpr(expr, i => `v${i}`))].join('\n');
      },
    }),
  };
}
