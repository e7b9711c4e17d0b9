// A program compiled for the wasm backend: modules shared between equal calls, constants and tables in place, and the
// runs.

import { flopsOf } from '../../../kernels/cost.ts';
import type { WasmRendering, WasmTarget } from '../../../kernels/wasm.ts';
import { debug } from '../../debug.ts';
import { elementCount, hasMargin, pack, sameLayout, spread } from '../../tensor/layout.ts';
import type { CallTime, Executable, PlannedTensor, ProgramPlan } from '../backend.ts';
import { assemble } from './assemble.ts';
import { allocate, type MemoryMap, mapMemory, sizeOf } from './memory.ts';
import type { Pass } from './passes.ts';
import { renderPasses } from './rendered.ts';
import { sharesOf } from './shares.ts';
import { instantiate, type Run, runPhase, type Step, type Steps } from './steps.ts';
import type { Team } from './team.ts';

/** Compiles a plan for a team of threads. */
export async function compile(
  plan: ProgramPlan,
  target: WasmTarget,
  team: Team,
  measure: boolean,
): Promise<Executable> {
  const { passes, keys, renderings } = renderPasses(plan, target);
  debug(4, () => [...renderings.values()].map(({ text }) => text));
  const map = mapMemory(plan, passes, keys, renderings, team.threads);
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
  const steps = passes.map(({ calls, inputs, outputs }, c): Step => {
    const { phases = 1, workspace = 0 } = renderings.get(keys[c])!;
    const addresses = [...outputs, ...inputs].map(i => map.tensors[i]);
    return {
      module: order.get(keys[c])!,
      addresses: [...addresses, ...map.tables.get(keys[c])!, map.scratch[c]],
      workspace: { at: map.workspace[c], bytes: workspace },
      firstPhase: map.prepared[c] ? 1 : 0,
      phases,
      shares: sharesOf(calls, team.threads),
    };
  });
  const program = { memory, modules, steps };
  const runs = instantiate(program);
  prepareConstants(plan, passes, keys, renderings, map, program, runs);
  for (const [i, tensor] of plan.tensors.entries())
    if (tensor.data && map.tensors[i] >= 0)
      spread(tensor.layout, tensor.data, view(memory, tensor, map.tensors[i]));
  return new WasmExecutable(plan, passes, map.tensors, program, runs, team, measure);
}

// Runs phase 0 of the calls that prepare from constants, once for each place it fills.
function prepareConstants(
  plan: ProgramPlan,
  passes: readonly Pass[],
  keys: readonly string[],
  renderings: ReadonlyMap<string, WasmRendering>,
  map: MemoryMap,
  { memory, steps }: Steps,
  runs: readonly Run[],
): void {
  const place = (i: number, at: number) => {
    const { layout, data } = plan.tensors[i];
    spread(layout, data!, view(memory, plan.tensors[i], at));
  };
  const filled = new Set<number>();
  passes.forEach(({ inputs }, c) => {
    if (!map.prepared[c] || filled.has(map.scratch[c])) return;
    filled.add(map.scratch[c]);
    const { prepare = [] } = renderings.get(keys[c])!;
    const addresses = [...steps[c].addresses];
    let at = map.staging;
    for (const i of new Set(prepare.map(p => inputs[p]))) {
      const kept = map.tensors[i] >= 0;
      place(i, kept ? map.tensors[i] : at);
      if (kept) continue;
      inputs.forEach((input, position) => {
        if (input === i) addresses[1 + position] = at;
      });
      at += sizeOf(plan, i);
    }
    runPhase({ ...steps[c], addresses }, runs, 0);
  });
}

const view = (memory: WebAssembly.Memory, { layout }: PlannedTensor, at: number): Float32Array =>
  new Float32Array(memory.buffer, at, elementCount(layout));

class WasmExecutable implements Executable {
  private readonly plan: ProgramPlan;
  private readonly passes: readonly Pass[];
  private readonly places: readonly number[];
  private readonly program: Steps;
  private readonly runs: readonly Run[];
  private readonly team: Team;
  private readonly number: number;
  private readonly seconds: Float64Array | undefined;

  constructor(
    plan: ProgramPlan,
    passes: readonly Pass[],
    places: readonly number[],
    program: Steps,
    runs: readonly Run[],
    team: Team,
    measure: boolean,
  ) {
    this.plan = plan;
    this.passes = passes;
    this.places = places;
    this.program = program;
    this.team = team;
    this.runs = runs;
    this.number = team.load(program);
    this.seconds = measure ? new Float64Array(passes.length) : undefined;
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
    const { layout, data } = this.plan.tensors[tensor];
    // Constants that were only prepared from are not in the memory any more.
    if (this.places[tensor] < 0) return Float32Array.from(data!);
    return pack(layout, this.valuesOf(tensor));
  }

  times(): CallTime[] {
    const { seconds } = this;
    if (!seconds) return [];
    return this.passes.map(({ calls }, i) => ({
      label: [...new Set(calls.map(c => c.label))].join(' + '),
      seconds: seconds[i],
      flops: calls.reduce((sum, { call }) => sum + flopsOf(call), 0),
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
    return view(this.program.memory, this.plan.tensors[tensor], this.places[tensor]);
  }
}
