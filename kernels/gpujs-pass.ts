// What a family hands to the gpu.js backend: one or more passes, each a gpu.js kernel as a source string written for the
// exact shapes of the call, and the constant tables they read. gpu.js alone decides what a string becomes (WGSL, GLSL,
// WebAssembly, JavaScript); gpujs-text.ts says which subset of the language is safe in all of them.

import type { KernelCall } from './kernel.ts';

/** Array arguments of one kernel: WebGPU binds 8 storage buffers by default, one of them the result. */
export const MAX_ARGUMENTS = 7;

/** Where an argument of a pass comes from: an input of the call, a table, or the result of the pass before. */
export type PassArgument = { readonly input: number } | { readonly table: number } | 'previous';

/** One gpu.js kernel. Every argument is a flat array of f32. */
export interface GpujsPass {
  /** Source text, starting with `function`. */
  readonly source: string;
  readonly arguments: readonly PassArgument[];
  /** Output as gpu.js wants it: `[channels, cells]`, or `[elements]` where one of them is too small or too large. */
  readonly output: readonly number[];
}

/** The passes of a call; the last one's result is the laid-out output, its margin zero. */
export interface GpujsRendering {
  readonly passes: readonly GpujsPass[];
  /** Uploaded once; integers in them are exact floats below 2^24. */
  readonly tables?: readonly Float32Array[];
}

export type RenderGpujs = (call: KernelCall) => GpujsRendering;
