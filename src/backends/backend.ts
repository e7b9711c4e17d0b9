// The interface between a planned program and whatever executes it. A backend knows tensors (as layouts) and kernels,
// nothing of graphs, operations or tasks.

import type { KernelCall } from '../../kernels/kernel.ts';
import type { Layout } from '../tensor/layout.ts';

/**
 * What a tensor is for: `constant` (data given once), `input` (written between runs), `variable` (state: keeps its
 * value between runs), `temporary` (valid only while a run needs it), `output` (readable after a run).
 */
export type Role = 'constant' | 'input' | 'variable' | 'temporary' | 'output';

/** One tensor of a program. */
export interface PlannedTensor {
  readonly layout: Layout;
  readonly role: Role;
  /** Byte offset in the program's one memory, a multiple of 64; tensors whose lives do not overlap share space. */
  readonly offset: number;
  /** Values of a constant, or first values of a variable: packed (no margins). */
  readonly data?: Float32Array;
  /** Reads the same bytes under another shape (neither has a margin): index of the tensor that owns them. */
  readonly aliasOf?: number;
  readonly label: string;
}

/** One kernel call of a program; `inputs` and `output` index the plan's tensors. */
export interface PlannedCall {
  readonly call: KernelCall;
  readonly inputs: readonly number[];
  readonly output: number;
  readonly label: string;
}

/** A program ready to be compiled: calls in order over a planned memory. */
export interface ProgramPlan {
  readonly tensors: readonly PlannedTensor[];
  readonly calls: readonly PlannedCall[];
  /**
   * After the last call the variable takes the value's content. `inPlace`: the value was planned into the variable's own
   * bytes, so a backend with one flat memory has nothing to do.
   */
  readonly updates: readonly { variable: number; value: number; inPlace: boolean }[];
  /** Bytes of the one memory, all tensors and margins included. */
  readonly bytes: number;
}

/** Seconds spent per call since the program was compiled. */
export interface CallTime {
  readonly label: string;
  readonly seconds: number;
  readonly flops: number;
}

/** A compiled program: its state stays on the backend between runs. */
export interface Executable {
  /** Writes an input or a variable: packed values, row-major, no margins. */
  write(tensor: number, data: Float32Array): Promise<void>;
  /** Executes every call once, then the updates. Allocates nothing that lasts. */
  run(): Promise<void>;
  /** Reads an output, variable, input or constant: packed values. */
  read(tensor: number): Promise<Float32Array>;
  /** Time per call, summed over runs; empty unless the backend was asked to measure. */
  times(): CallTime[];
  dispose(): Promise<void>;
}

/** Executes programs. */
export interface Backend {
  /** 'reference', 'wasm', 'gpujs:webgpu' … */
  readonly name: string;
  /** One line for people: adapter, vector width, threads. */
  readonly description: string;
  compile(plan: ProgramPlan): Promise<Executable>;
  /** Ends threads and frees devices. */
  close(): Promise<void>;
}

/** How a backend is made; each honours what applies to it and refuses the rest. */
export interface BackendOptions {
  /** Number of threads (wasm); default: the processor's cores. */
  threads?: number;
  /** Allow V8's widening of vectors (wasm); set by the command line after its self-check. */
  wide?: boolean;
  /** Allow Winograd's convolution (wasm): faster, and exact to about 1e-5 of the largest value. Default true. */
  winograd?: boolean;
  /** Measure time per call. */
  measure?: boolean;
}
