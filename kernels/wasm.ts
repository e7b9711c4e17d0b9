// What a family hands to the wasm backend: WebAssembly text for one kernel call, generated for its exact shapes. Each
// text is the body of a module whose memory is imported; the backend assembles it, gives every call its addresses and
// runs its phases on all threads with a barrier after each.

import type { KernelCall } from './kernel.ts';

/** What the engine at hand can execute. */
export interface WasmTarget {
  /** `f32x4.relaxed_madd` is there (one fused instruction). */
  readonly relaxed: boolean;
  /** Pairs of 128-bit operations will be widened to 256 bits: larger register tiles pay. */
  readonly wide: boolean;
  /** Threads that programs will run on: the work may be divided for them, the sums may not. Default 1. */
  readonly threads?: number;
  /** Allow Winograd's convolution, faster and a little less exact. Default true. */
  readonly winograd?: boolean;
}

/**
 * WebAssembly text of a call. The module exports `run` with i32 parameters, in this order:
 *
 *     run(phase, thread, threads, output, input0 … inputN, table0 … tableM, scratch, workspace)
 *
 * All but the first three are byte addresses (of several calls that run as one, further outputs come before the inputs);
 * tensors are laid out as their layouts say (f32, margins included). A call
 * does share `thread` of `threads` of the phase; shares must not depend on anything but these two, and sums must not
 * depend on them at all. There may be more shares than threads: a thread does one after the other. The memory is shared; it is imported as "env" "memory". Buffers may be read up to 256 bytes
 * past their end. The whole output is written, its margin with zeros.
 */
export interface WasmRendering {
  /** Functions, globals and one exported `run`, without the surrounding `(module …)` and the memory import. */
  readonly text: string;
  /** Constant tables the backend places in memory once. */
  readonly tables?: readonly (Int32Array | Float32Array)[];
  /**
   * Bytes of working memory shared by all threads, 64-byte aligned. What phase 0 prepares once from constants is kept;
   * anything else lasts for the call alone.
   */
  readonly scratch?: number;
  /**
   * Bytes of working memory for each thread, a multiple of 64, of any content when a share begins: that of share t begins
   * at `workspace` + t times this (the backend gives each thread an address for which that is the thread's own).
   */
  readonly workspace?: number;
  /** Number of phases; default 1. */
  readonly phases?: number;
  /**
   * Phase 0 only prepares `scratch` from these inputs (packing weights): it is run once where all of them are
   * constants, and otherwise in every run.
   */
  readonly prepare?: readonly number[];
  /** Names what phase 0 makes of those inputs: calls with the same name and inputs may share it. */
  readonly form?: string;
}

/** `constants` tells which inputs never change, as far as that is known: what is prepared from them is free. */
export type RenderWasm = (
  call: KernelCall,
  target: WasmTarget,
  constants?: readonly boolean[],
) => WasmRendering;
