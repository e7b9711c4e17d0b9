// gather as table-driven copies and weighted sums, in one of four forms: transposed matrices; rows of copies, where
// every output element has at most one source with weight 1; rows of weighted sums, where the innermost two dimensions
// stay in place; and a list of terms per position for the rest. Terms are summed in a fixed order.

import { channelsOf } from '../../src/tensor/layout.ts';
import type { KernelCall } from '../kernel.ts';
import type { WasmRendering } from '../wasm.ts';
import { type Gather, isSelection } from './spec.ts';
import { termsOf } from './terms.ts';
import { renderCopies } from './wasm-copies.ts';
import { renderSums } from './wasm-sums.ts';
import { renderTerms } from './wasm-terms.ts';
import { renderTranspose, transposes } from './wasm-transpose.ts';

export function renderGather(call: KernelCall): WasmRendering {
  const kernel = call.kernel as Gather;
  const rank = call.output.shape.length;
  if (transposes(call)) return renderTranspose(call);
  if (kernel.maps.every(isSelection)) return renderCopies(call);
  const several = call.inputs.length > 1;
  const stays = (a: number) => kernel.permutation[a] === a && !(several && kernel.concatAxis === a);
  const channelsStay = kernel.maps[rank - 1] === null && stays(rank - 1);
  if (channelsStay && rank > 1 && stays(rank - 2)) return renderSums(call);
  return channelsStay
    ? renderTerms(call, channelsOf(call.output), termsOf(call, rank - 1))
    : renderTerms(call, 1, termsOf(call, rank));
}
