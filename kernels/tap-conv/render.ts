// Which rendering of tap-conv the wasm backend takes: Winograd's where it is allowed, possible and pays, else the direct
// one.

import type { KernelCall } from '../kernel.ts';
import type { WasmRendering, WasmTarget } from '../wasm.ts';
import type { TapConv } from './spec.ts';
import { renderTapConv as renderDirect } from './wasm.ts';
import { methodOf } from './winograd/cuts.ts';
import { chooseWinograd, directTime, type PricedChoice } from './winograd/plan.ts';
import { renderWinograd } from './winograd/wasm.ts';

export function renderTapConv(
  call: KernelCall,
  target: WasmTarget,
  constants?: readonly boolean[],
): WasmRendering {
  const choice = winogradFor(call, target, constants);
  return choice ? renderWinograd(call, target, choice) : renderDirect(call, target);
}

/** How a call is computed, for people, and the seconds it is expected to take on this many threads. */
export function explainTapConv(
  call: KernelCall,
  target: WasmTarget,
  constants?: readonly boolean[],
): { method: string; seconds: number } {
  const choice = winogradFor(call, target, constants);
  if (!choice) return { method: 'direct', seconds: directTime(call, target) / (target.threads ?? 1) / 1e9 };
  return { method: methodOf(call.kernel as TapConv, choice), seconds: choice.time / 1e9 };
}

const winogradFor = (
  call: KernelCall,
  target: WasmTarget,
  constants?: readonly boolean[],
): PricedChoice | undefined =>
  target.winograd === false ? undefined : chooseWinograd(call, target, constants?.[1]);
