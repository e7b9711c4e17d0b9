import type { KernelCall } from '../../kernel.ts';
import type { WasmTarget } from '../../wasm.ts';
import type { Choice } from './geometry.ts';
/** Not chosen yet. */
export function chooseWinograd(_call: KernelCall, _target: WasmTarget): Choice | undefined {
  return undefined;
}
