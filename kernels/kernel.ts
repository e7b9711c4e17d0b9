// The kernel families: everything ndconv computes is a sequence of calls of these six. A kernel is plain data; with
// the layouts of its inputs and its output it is completely determined, and `keyOf` names its compiled form.
// Contract of every family on every backend: the whole output is written, and its margin is zero; the margins of
// inputs are zero; buffers may be read up to 256 bytes past their end, never written there.

import type { Layout } from '../src/tensor/layout.ts';
import type { Packed } from '../src/tensor/packed.ts';
import type { Gather } from './gather/spec.ts';
import type { MapKernel } from './map/spec.ts';
import type { Reduce } from './reduce/spec.ts';
import type { TapConv } from './tap-conv/spec.ts';
import type { TapCorrelate } from './tap-correlate/spec.ts';
import type { Window } from './window/spec.ts';

export type Kernel = TapConv | TapCorrelate | Window | MapKernel | Reduce | Gather;
export type Family = Kernel['family'];

/** A kernel with the layouts it runs on: all that is needed to compile it. */
export interface KernelCall {
  readonly kernel: Kernel;
  readonly inputs: readonly Layout[];
  readonly output: Layout;
}

/** Names the compiled form: calls with the same key share code. */
export const keyOf = (call: KernelCall): string =>
  JSON.stringify(
    [call.kernel, call.inputs.map(l => [l.shape, l.margin]), call.output.shape, call.output.margin],
    (_, v) => (ArrayBuffer.isView(v) ? [v.constructor.name, hash(v)] : v),
  );

// FNV-1a over the bytes of a table, with its length.
function hash(view: ArrayBufferView): string {
  let h = 0x811c9dc5;
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193);
  let g = 0x9747b28c;
  for (const byte of bytes) g = Math.imul(g ^ byte, 0x5bd1e995) ^ (g >>> 13);
  return `${bytes.length}:${(h >>> 0).toString(16)}${(g >>> 0).toString(16)}`;
}

/** What a family computes, plainly: fills `result` (zeros at the start) for an output of shape `output`. */
export type Reference<K extends Kernel> = (
  kernel: K,
  inputs: readonly Packed[],
  output: readonly number[],
  result: Float32Array,
) => void;
