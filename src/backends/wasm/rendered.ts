// The kernels of a program as text, one for all passes that are equal, and from them what the program will take: nothing
// is assembled or allocated here.

import { keyOf } from '../../../kernels/kernel.ts';
import type { RenderWasm, WasmRendering, WasmTarget } from '../../../kernels/wasm.ts';
import { wasmRenderings } from '../../../kernels/wasm-table.ts';
import type { ProgramPlan } from '../backend.ts';
import { allocatedBytes, mapMemory } from './memory.ts';
import { type Pass, passesOf } from './passes.ts';

/** The passes of a plan, renderings by key, and the key of each pass. */
export function renderPasses(
  plan: ProgramPlan,
  target: WasmTarget,
): { passes: Pass[]; keys: string[]; renderings: Map<string, WasmRendering> } {
  const renderings = new Map<string, WasmRendering>();
  const passes = passesOf(plan);
  const keys = passes.map(({ calls, inputs, rendering, key: more }) => {
    const constants = inputs.map(i => plan.tensors[i].role === 'constant');
    const key = `${calls.map(({ call }) => keyOf(call)).join()} ${more} ${constants.map(Number).join('')}`;
    if (!renderings.has(key))
      renderings.set(key, rendering?.(target) ?? render(calls[0].call, target, constants));
    return key;
  });
  return { passes, keys, renderings };
}

const render: RenderWasm = (call, target, constants) =>
  wasmRenderings[call.kernel.family](call, target, constants);

/**
 * Bytes of WebAssembly memory that a program takes on a target: tensors, what kernels prepare from constants, tables and
 * working memory. Values of constants are not looked at. Throws MemoryError where that cannot be addressed.
 */
export function programBytes(plan: ProgramPlan, target: WasmTarget): number {
  const { passes, keys, renderings } = renderPasses(plan, target);
  return allocatedBytes(mapMemory(plan, passes, keys, renderings, target.threads ?? 1).bytes);
}
