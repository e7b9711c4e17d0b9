// Which rendering of tap-conv the wasm backend takes: Winograd's where it is allowed, possible and pays, else the direct
// one.

import type { KernelCall } from '../kernel.ts';
import type { WasmRendering, WasmTarget } from '../wasm.ts';
import { renderTapConv as renderDirect } from './wasm.ts';
import { chooseWinograd } from './winograd/plan.ts';
import { renderWinograd } from './winograd/wasm.ts';

export function renderTapConv(
  call: KernelCall,
  target: WasmTarget,
  constants?: readonly boolean[],
): WasmRendering {
  const choice = target.winograd === false ? undefined : chooseWinograd(call, target, constants?.[1]);
  return choice ? renderWinograd(call, target, choice) : renderDirect(call, target);
}
