// The kernels of a program as text, one for all calls that are equal, and from them what the program will take: nothing
// is assembled or allocated here.

import { keyOf } from '../../../kernels/kernel.ts';
import type { RenderWasm, WasmRendering, WasmTarget } from '../../../kernels/wasm.ts';
import { wasmRenderings } from '../../../kernels/wasm-table.ts';
import type { ProgramPlan } from '../backend.ts';
import { allocatedBytes, mapMemory } from './memory.ts';

/** Renderings by key, and the key of each call. */
export function renderCalls(
  plan: ProgramPlan,
  target: WasmTarget,
): { keys: string[]; renderings: Map<string, WasmRendering> } {
  const renderings = new Map<string, WasmRendering>();
  const keys = plan.calls.map(({ call, inputs }) => {
    const constants = inputs.map(i => plan.tensors[i].role === 'constant');
    const key = `${keyOf(call)} ${constants.map(Number).join('')}`;
    if (!renderings.has(key)) renderings.set(key, render(call, target, constants));
    return key;
  });
  return { keys, renderings };
}

const render: RenderWasm = (call, target, constants) =>
  wasmRenderings[call.kernel.family](call, target, constants);

/**
 * Bytes of WebAssembly memory that a program takes on a target: tensors, what kernels prepare from constants, tables and
 * working memory. Values of constants are not looked at. Throws MemoryError where that cannot be addressed.
 */
export function programBytes(plan: ProgramPlan, target: WasmTarget): number {
  const { keys, renderings } = renderCalls(plan, target);
  return allocatedBytes(mapMemory(plan, keys, renderings, target.threads ?? 1).bytes);
}
