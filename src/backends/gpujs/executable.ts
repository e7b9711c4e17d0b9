// A program on gpu.js: kernels created once and shared by calls of the same key; values held as handles from the call
// that makes them to the last that reads them. Memory planned for one flat space does not apply: a buffer is a value.

import type { GPU, IKernelRunShortcut } from 'gpu.js';
import { flopsOf } from '../../../kernels/cost.ts';
import { renderGpujs } from '../../../kernels/gpujs.ts';
import { type GpujsPass, type GpujsRendering, MAX_ARGUMENTS } from '../../../kernels/gpujs-pass.ts';
import { type KernelCall, keyOf } from '../../../kernels/kernel.ts';
import { debug } from '../../debug.ts';
import { NdconvError } from '../../errors.ts';
import { elementCount, pack, product, sameLayout, spread } from '../../tensor/layout.ts';
import type { CallTime, Executable, PlannedTensor, ProgramPlan } from '../backend.ts';
import type { GpujsMode, Handle, Memory } from './memory.ts';

interface CompiledCall {
  readonly rendering: GpujsRendering;
  readonly kernels: readonly IKernelRunShortcut[];
  readonly tables: readonly Handle[];
}

/** One compiled program. */
export class GpujsExecutable implements Executable {
  private readonly plan: ProgramPlan;
  private readonly gpu: GPU;
  private readonly mode: GpujsMode;
  private readonly memory: Memory;
  private readonly measure: boolean;
  private readonly compiled = new Map<string, CompiledCall>();
  private readonly calls: readonly CompiledCall[];
  /** Copies between layouts, for updates whose value has other margins than the variable. */
  private readonly relayouts: readonly (KernelCall | undefined)[];
  /** By owning tensor; undefined while a tensor holds no value. */
  private readonly values: (Handle | undefined)[];
  /** Owners whose values are no longer needed after each call. */
  private readonly dying: readonly number[][];
  private readonly seconds: number[];
  /** The run before: the queue never holds more than two, so that memory in flight stays bounded. */
  private pending: Promise<void> = Promise.resolve();

  constructor(plan: ProgramPlan, gpu: GPU, mode: GpujsMode, memory: Memory, measure: boolean) {
    this.plan = plan;
    this.gpu = gpu;
    this.mode = mode;
    this.memory = memory;
    this.measure = measure;
    this.seconds = plan.calls.map(() => 0);
    this.calls = plan.calls.map(({ call }) => this.compileCall(call));
    this.relayouts = plan.updates.map(u => relayoutOf(plan.tensors[u.value], plan.tensors[u.variable]));
    this.dying = this.findDying();
    this.values = plan.tensors.map(t =>
      t.aliasOf === undefined && isState(t)
        ? memory.upload(spread(t.layout, t.data ?? new Float32Array(product(t.layout.shape))))
        : undefined,
    );
  }

  async write(tensor: number, data: Float32Array): Promise<void> {
    const owner = this.owner(tensor);
    this.put(owner, this.memory.upload(spread(this.plan.tensors[tensor].layout, data)));
  }

  async run(): Promise<void> {
    await this.pending;
    const { calls, updates } = this.plan;
    for (const [t, call] of calls.entries()) {
      const start = performance.now();
      const inputs = call.inputs.map(i => this.values[this.owner(i)]!);
      this.put(call.output, await this.execute(this.calls[t], call.call, inputs, call.label));
      if (this.measure) {
        await this.memory.finish();
        this.seconds[t] += (performance.now() - start) / 1000;
      }
      for (const i of this.dying[t]) this.put(i, undefined);
    }
    const next: Handle[] = [];
    for (const [i, u] of updates.entries()) {
      const value = this.values[this.owner(u.value)]!;
      const relayout = this.relayouts[i];
      next.push(
        relayout
          ? await this.execute(this.compileCall(relayout), relayout, [value], 'update')
          : this.memory.share(value),
      );
    }
    updates.forEach((u, i) => this.put(this.owner(u.variable), next[i]));
    this.pending = this.memory.finish();
    // Thrown where it is awaited; without a next run nobody does.
    this.pending.catch(() => {});
  }

  async read(tensor: number): Promise<Float32Array> {
    const { layout, label } = this.plan.tensors[tensor];
    const handle = this.values[this.owner(tensor)];
    if (handle === undefined)
      throw new NdconvError('BackendError', `gpujs:${this.mode}: '${label}' is read before the first run`);
    return pack(layout, await this.memory.download(handle, elementCount(layout)));
  }

  times(): CallTime[] {
    if (!this.measure) return [];
    return this.plan.calls.map(({ call, label }, t) => ({
      label,
      seconds: this.seconds[t],
      flops: flopsOf(call),
    }));
  }

  async dispose(): Promise<void> {
    this.values.forEach((_, i) => this.put(i, undefined));
    for (const { kernels, tables } of this.compiled.values()) {
      for (const table of tables) this.memory.release(table);
      for (const kernel of kernels) kernel.destroy();
    }
    this.compiled.clear();
  }

  private owner(tensor: number): number {
    return this.plan.tensors[tensor].aliasOf ?? tensor;
  }

  private put(owner: number, handle: Handle | undefined): void {
    const old = this.values[owner];
    this.values[owner] = handle;
    if (old !== undefined) this.memory.release(old);
  }

  private findDying(): number[][] {
    const { calls, tensors, updates } = this.plan;
    const kept = new Set(
      tensors.flatMap((t, i) => (t.role === 'output' || isState(t) ? [this.owner(i)] : [])),
    );
    for (const u of updates) kept.add(this.owner(u.value));
    const last = new Map<number, number>();
    for (const [t, call] of calls.entries())
      for (const i of [...call.inputs, call.output]) last.set(this.owner(i), t);
    const dying: number[][] = calls.map(() => []);
    for (const [owner, t] of last) if (!kept.has(owner)) dying[t].push(owner);
    return dying;
  }

  private compileCall(call: KernelCall): CompiledCall {
    const key = keyOf(call);
    const known = this.compiled.get(key);
    if (known) return known;
    const rendering = renderGpujs(call);
    debug(4, () => rendering.passes.map(({ source }) => source));
    const kernels = rendering.passes.map(pass => this.createKernel(pass));
    const tables = (rendering.tables ?? []).map(t => this.memory.upload(t));
    const compiled = { rendering, kernels, tables };
    this.compiled.set(key, compiled);
    return compiled;
  }

  private createKernel(pass: GpujsPass): IKernelRunShortcut {
    if (pass.arguments.length > MAX_ARGUMENTS)
      throw new Error(`a pass of ${pass.arguments.length} arguments, ${MAX_ARGUMENTS} are possible`);
    return this.gpu.createKernel(pass.source, {
      output: [...pass.output],
      pipeline: true,
      immutable: true,
      precision: 'single',
      loopMaxIterations: 1000,
    } as object);
  }

  private async execute(
    { rendering, kernels, tables }: CompiledCall,
    call: KernelCall,
    inputs: readonly Handle[],
    label: string,
  ): Promise<Handle> {
    let previous: Handle | undefined;
    for (const [p, pass] of rendering.passes.entries()) {
      const handles = pass.arguments.map(a =>
        a === 'previous' ? previous : 'input' in a ? inputs[a.input] : tables[a.table],
      );
      const result = await this.invoke(kernels[p], handles, call, label);
      if (previous !== undefined) this.memory.release(previous);
      previous = this.memory.adopt(result, product(pass.output));
    }
    return previous!;
  }

  private async invoke(
    kernel: IKernelRunShortcut,
    handles: readonly Handle[],
    call: KernelCall,
    label: string,
  ): Promise<unknown> {
    try {
      const result = await kernel(...(handles.map(h => this.memory.argument(h)) as never[]));
      const ran = (
        kernel as unknown as { kernel: { constructor: { mode: string }; fallbackReason?: string } }
      ).kernel;
      if (ran.constructor.mode !== this.mode)
        throw new Error(
          `gpu.js ran it in mode ${ran.constructor.mode}: ${ran.fallbackReason ?? 'no reason given'}`,
        );
      return result;
    } catch (error) {
      const shapes = call.inputs.map(l => `[${l.shape}]`).join(', ');
      throw new NdconvError(
        'BackendError',
        `gpujs:${this.mode}: '${label}' (${call.kernel.family} of ${shapes} to [${call.output.shape}]) failed: ${(error as Error).message}`,
        { label, family: call.kernel.family, mode: this.mode },
        error,
      );
    }
  }
}

const isState = (t: PlannedTensor): boolean =>
  t.role === 'constant' || t.role === 'input' || t.role === 'variable';

// A copy of a value in the layout of the variable that takes it, where the two differ.
function relayoutOf(value: PlannedTensor, variable: PlannedTensor): KernelCall | undefined {
  const from = { shape: variable.layout.shape, margin: value.layout.margin };
  if (sameLayout(from, variable.layout)) return undefined;
  const permutation = from.shape.map((_, a) => a);
  return {
    kernel: { family: 'gather', concatAxis: 0, permutation, maps: permutation.map(() => null) },
    inputs: [from],
    output: variable.layout,
  };
}
