// A program compiled for the wasm backend: modules shared between equal calls, constants and tables in place, and the
// runs.

import { flopsOf } from '../../../kernels/cost.ts';
import { keyOf } from '../../../kernels/kernel.ts';
import type { RenderWasm, WasmRendering, WasmTarget } from '../../../kernels/wasm.ts';
import { wasmRenderings } from '../../../kernels/wasm-table.ts';
import { elementCount, hasMargin, pack, sameLayout, spread } from '../../tensor/layout.ts';
import type { CallTime, Executable, PlannedTensor, ProgramPlan } from '../backend.ts';
import { assemble } from './assemble.ts';
import { allocate, mapMemory } from './memory.ts';
import { instantiate, type Run, type Step, type Steps } from './steps.ts';
import type { Team } from './team.ts';

/** Compiles a plan for a team of threads. */
export async function compile(
  plan: ProgramPlan,
  target: WasmTarget,
  team: Team,
  measure: boolean,
): Promise<Executable> {
  const renderings = new Map<string, WasmRendering>();
  const keys = plan.calls.map(({ call, inputs }) => {
    const constants = inputs.map(i => plan.tensors[i].role === 'constant');
    const key = `${keyOf(call)} ${constants.map(Number).join('')}`;
    if (!renderings.has(key)) renderings.set(key, render(call, target, constants));
    return key;
  });
  const map = mapMemory(plan, keys, renderings, team.threads);
  const order = new Map([...renderings.keys()].map((key, i) => [key, i]));
  const modules: WebAssembly.Module[] = [];
  for (const { text } of renderings.values()) modules.push(await WebAssembly.compile(await assemble(text)));

  const memory = allocate(map.bytes);
  for (const [key, { tables = [] }] of renderings)
    tables.forEach((table, i) => {
      const at = map.tables.get(key)![i];
      if (table instanceof Int32Array) new Int32Array(memory.buffer, at, table.length).set(table);
      else new Float32Array(memory.buffer, at, table.length).set(table);
    });
  for (const tensor of plan.tensors)
    if (tensor.data) spread(tensor.layout, tensor.data, view(memory, tensor));

  const steps = plan.calls.map(({ inputs, output }, c): Step => {
    const { prepare, phases = 1 } = renderings.get(keys[c])!;
    const constant = prepare?.every(i => plan.tensors[inputs[i]].role === 'constant') ?? false;
    const addresses = [output, ...inputs].map(i => plan.tensors[i].offset);
    return {
      module: order.get(keys[c])!,
      addresses: [...addresses, ...map.tables.get(keys[c])!, map.scratch[c], map.workspace],
      firstPhase: constant ? 1 : 0,
      phases,
    };
  });
  return new WasmExecutable(plan, { memory, modules, steps }, team, measure);
}

const render: RenderWasm = (call, target, constants) =>
  wasmRenderings[call.kernel.family](call, target, constants);

const view = (memory: WebAssembly.Memory, { offset, layout }: PlannedTensor): Float32Array =>
  new Float32Array(memory.buffer, offset, elementCount(layout));

class WasmExecutable implements Executable {
  private readonly plan: ProgramPlan;
  private readonly program: Steps;
  private readonly runs: readonly Run[];
  private readonly team: Team;
  private readonly number: number;
  private readonly seconds: Float64Array | undefined;

  constructor(plan: ProgramPlan, program: Steps, team: Team, measure: boolean) {
    this.plan = plan;
    this.program = program;
    this.team = team;
    this.runs = instantiate(program);
    for (const { module, addresses, firstPhase } of program.steps)
      if (firstPhase === 1) this.runs[module](0, 0, 1, ...addresses);
    this.number = team.load(program);
    this.seconds = measure ? new Float64Array(plan.calls.length) : undefined;
  }

  async write(tensor: number, data: Float32Array): Promise<void> {
    spread(this.plan.tensors[tensor].layout, data, this.valuesOf(tensor));
  }

  async run(): Promise<void> {
    let last = performance.now();
    const record = (step: number) => {
      const now = performance.now();
      this.seconds![step] += (now - last) / 1000;
      last = now;
    };
    this.team.run(this.number, this.program, this.runs, this.seconds && record);
    for (const update of this.plan.updates) if (!update.inPlace) this.copy(update.value, update.variable);
  }

  async read(tensor: number): Promise<Float32Array> {
    return pack(this.plan.tensors[tensor].layout, this.valuesOf(tensor));
  }

  times(): CallTime[] {
    const { seconds } = this;
    if (!seconds) return [];
    return this.plan.calls.map(({ label, call }, i) => ({
      label,
      seconds: seconds[i],
      flops: flopsOf(call),
    }));
  }

  async dispose(): Promise<void> {
    this.team.unload(this.number);
  }

  private copy(from: number, to: number): void {
    const [source, target] = [from, to].map(i => this.plan.tensors[i].layout);
    const flat = !hasMargin(source) && !hasMargin(target);
    if (flat || sameLayout(source, target)) this.valuesOf(to).set(this.valuesOf(from));
    else spread(target, pack(source, this.valuesOf(from)), this.valuesOf(to));
  }

  private valuesOf(tensor: number): Float32Array {
    return view(this.program.memory, this.plan.tensors[tensor]);
  }
}
