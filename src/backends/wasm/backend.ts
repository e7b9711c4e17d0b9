// The wasm backend: every kernel as WebAssembly generated for its exact shapes, over one shared memory.

import { keyOf } from '../../../kernels/kernel.ts';
import type { WasmRendering } from '../../../kernels/wasm.ts';
import { wasmRenderings } from '../../../kernels/wasm-table.ts';
import { NdconvError } from '../../errors.ts';
import { elementCount, pack, spread } from '../../tensor/layout.ts';
import type { Backend, BackendOptions, CallTime, Executable, ProgramPlan } from '../backend.ts';
import { assemble, detectTarget } from './assemble.ts';

const PAGE = 65536;
const LIMIT = 65536 * PAGE;
/** Bytes after the last tensor that kernels may read. */
const SLACK = 256;

/** WebAssembly SIMD on this processor. Throws BackendError for options it cannot honour. */
export async function createWasmBackend(options: BackendOptions = {}): Promise<Backend> {
  const target = await detectTarget(options.wide ?? false);
  return {
    name: 'wasm',
    description: `WebAssembly SIMD, ${target.relaxed ? 'fused multiply-add' : 'separate multiply and add'}${target.wide ? ', wide vectors' : ''}`,
    compile: plan => WasmExecutable.create(plan, target, options.measure ?? false),
    close: async () => {},
  };
}

type Run = (phase: number, thread: number, threads: number, ...addresses: number[]) => void;

interface CompiledCall {
  run: Run;
  addresses: number[];
  /** First phase of every run: 1 where phase 0 was done once for constants. */
  firstPhase: number;
  phases: number;
  label: string;
  seconds: number;
}

class WasmExecutable implements Executable {
  private readonly plan: ProgramPlan;
  private readonly memory: Float32Array;
  private readonly calls: CompiledCall[];
  private readonly measure: boolean;

  private constructor(plan: ProgramPlan, memory: Float32Array, calls: CompiledCall[], measure: boolean) {
    this.plan = plan;
    this.memory = memory;
    this.calls = calls;
    this.measure = measure;
  }

  static async create(
    plan: ProgramPlan,
    target: Awaited<ReturnType<typeof detectTarget>>,
    measure: boolean,
  ): Promise<WasmExecutable> {
    const renderings = new Map<string, WasmRendering>();
    const keys = plan.calls.map(({ call }) => {
      const key = keyOf(call);
      if (!renderings.has(key)) renderings.set(key, wasmRenderings[call.kernel.family](call, target));
      return key;
    });
    // Behind the tensors: the tables of each kernel once, and scratch for each call.
    let bytes = plan.bytes + SLACK;
    const reserve = (size: number) => {
      const at = Math.ceil(bytes / 64) * 64;
      bytes = at + size;
      return at;
    };
    const tables = new Map(
      [...renderings].map(([key, r]) => [key, (r.tables ?? []).map(t => reserve(t.byteLength + 16))]),
    );
    const scratch = keys.map(key => reserve((renderings.get(key)!.scratch ?? 0) + SLACK));
    if (bytes > LIMIT)
      throw new NdconvError(
        'MemoryError',
        `the program needs ${(bytes / 2 ** 30).toFixed(1)} GiB, WebAssembly holds 4 GiB: lower the size of the input or the number of filters`,
        { needed: bytes, limit: LIMIT },
      );
    const shared = new WebAssembly.Memory({
      initial: Math.ceil(bytes / PAGE) + 1,
      maximum: 65536,
      shared: true,
    });
    const memory = new Float32Array(shared.buffer);

    const modules = new Map<string, Run>();
    for (const [key, rendering] of renderings) {
      const { instance } = await WebAssembly.instantiate(await assemble(rendering.text), {
        env: { memory: shared },
      });
      modules.set(key, instance.exports.run as Run);
      rendering.tables?.forEach((table, i) => {
        const Kind = table instanceof Int32Array ? Int32Array : Float32Array;
        new Kind(shared.buffer, tables.get(key)![i], table.length).set(table);
      });
    }
    for (const tensor of plan.tensors)
      if (tensor.data)
        spread(
          tensor.layout,
          tensor.data,
          memory.subarray(tensor.offset / 4, tensor.offset / 4 + elementCount(tensor.layout)),
        );

    const calls = plan.calls.map(({ inputs, output, label }, c): CompiledCall => {
      const rendering = renderings.get(keys[c])!;
      const addresses = [
        plan.tensors[output].offset,
        ...inputs.map(i => plan.tensors[i].offset),
        ...tables.get(keys[c])!,
        scratch[c],
      ];
      const run = modules.get(keys[c])!;
      const constant = rendering.prepare?.every(i => plan.tensors[inputs[i]].role === 'constant') ?? false;
      if (constant) run(0, 0, 1, ...addresses);
      return {
        run,
        addresses,
        firstPhase: constant ? 1 : 0,
        phases: rendering.phases ?? 1,
        label,
        seconds: 0,
      };
    });
    return new WasmExecutable(plan, memory, calls, measure);
  }

  async write(tensor: number, data: Float32Array): Promise<void> {
    spread(this.plan.tensors[tensor].layout, data, this.bytesOf(tensor));
  }

  async run(): Promise<void> {
    for (const call of this.calls) {
      const started = this.measure ? performance.now() : 0;
      for (let phase = call.firstPhase; phase < call.phases; phase++)
        call.run(phase, 0, 1, ...call.addresses);
      if (this.measure) call.seconds += (performance.now() - started) / 1000;
    }
    for (const { variable, value, inPlace } of this.plan.updates)
      if (!inPlace)
        spread(
          this.plan.tensors[variable].layout,
          pack(this.plan.tensors[value].layout, this.bytesOf(value)),
          this.bytesOf(variable),
        );
  }

  async read(tensor: number): Promise<Float32Array> {
    return pack(this.plan.tensors[tensor].layout, this.bytesOf(tensor)).slice();
  }

  times(): CallTime[] {
    return this.measure ? this.calls.map(({ label, seconds }) => ({ label, seconds, flops: 0 })) : [];
  }

  async dispose(): Promise<void> {}

  private bytesOf(tensor: number): Float32Array {
    const { offset, layout } = this.plan.tensors[tensor];
    return this.memory.subarray(offset / 4, offset / 4 + elementCount(layout));
  }
}
