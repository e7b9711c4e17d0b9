// Which rendering of tap-correlate the wasm backend takes: Winograd's where it is allowed, possible and pays, else the
// direct one.

import type { KernelCall } from '../kernel.ts';
import { methodOf } from '../tap-conv/winograd/cuts.ts';
import type { WasmRendering, WasmTarget } from '../wasm.ts';
import type { TapCorrelate } from './spec.ts';
import { renderTapCorrelate as renderDirect } from './wasm.ts';
import { chooseWinograd, directTime, type PricedCorrelation } from './winograd/plan.ts';
import { renderWinograd } from './winograd/wasm.ts';

export function renderTapCorrelate(call: KernelCall, target: WasmTarget): WasmRendering {
  const choice = winogradFor(call, target);
  return choice ? renderWinograd(call, target, choice) : renderDirect(call, target);
}

/** How a call is computed, for people, and the seconds it is expected to take on this many threads. */
export function explainTapCorrelate(
  call: KernelCall,
  target: WasmTarget,
): { method: string; seconds: number } {
  const choice = winogradFor(call, target);
  if (!choice) return { method: 'direct', seconds: directTime(call, target) / 1e9 };
  return { method: methodOf(call.kernel as TapCorrelate, choice), seconds: choice.time / 1e9 };
}

const winogradFor = (call: KernelCall, target: WasmTarget): PricedCorrelation | undefined =>
  target.winograd === false ? undefined : chooseWinograd(call, target);
