// Asks every step, in order, whether what it was given will work and what it will take: shapes, memory, time. Nothing is
// computed here; a plan is what `ndconv check` tests and `ndconv plan` prints.

import { totalmem } from 'node:os';
import { decideAuto } from '../backends/choose.ts';
import { forecastFor, type TargetOptions } from '../backends/forecast.ts';
import { NdconvError } from '../errors.ts';
import { listNames, nearestName } from './nearest.ts';
import type { Complaint } from './problems.ts';
import { splitReference } from './references.ts';
import type { Resolution, ResolvedStep } from './resolve.ts';
import type { Problem, StepPlan, ValuePlan } from './step.ts';

/** What a pipeline will take, by step. */
export interface PipelinePlan {
  /** By id; steps with problems are absent. */
  steps: Map<string, StepPlan>;
  /** Most bytes held at any time, and the step during which they are. */
  memory: { peak: number; during?: string };
  /** Sum of what the steps expect. */
  seconds: number;
}

/** Bytes that this process may still take. */
export function availableMemory(): number {
  const { availableMemory: available, constrainedMemory: constrained } = process as {
    availableMemory?: () => number;
    constrainedMemory?: () => number | undefined;
  };
  const limit = constrained?.() || Number.POSITIVE_INFINITY;
  return Math.min(available?.() ?? totalmem(), limit, totalmem());
}

/** Plans a resolved pipeline; what is wrong is added to its problems. */
export async function planPipeline(
  { pipeline, problems }: Resolution,
  available = availableMemory(),
  target: TargetOptions = {},
): Promise<PipelinePlan> {
  const plans = new Map<string, StepPlan>();
  const order: ResolvedStep[] = [];
  const there = `${formatBytes(available)} are available`;
  let memory: PipelinePlan['memory'] = { peak: 0 };
  const threads = target.threads ?? pipeline.threads;
  const forecast = await forecastFor(pipeline.backend, { ...target, ...(threads ? { threads } : {}) });
  for (const step of pipeline.steps) {
    if (!step.needs.every(id => plans.has(id))) continue;
    let faults = 0;
    const complain = (at: Problem['at'], complaint: Complaint): void => {
      faults++;
      problems.add([...step.place, ...(at.length > 0 ? ['with', ...at] : ['uses'])], complaint);
    };
    try {
      const plan: StepPlan = await step.step.check({
        params: structuredClone(step.params),
        planOf: reference => planOf(reference, plans),
        seed: step.seed,
        backend: pipeline.backend,
        forecast,
        problem: problem => complain(problem.at, explainProblem(problem, step)),
      });
      if (faults > 0) continue;
      plans.set(step.id, plan);
      order.push(step);
      memory = peakMemory(order, plans);
      const program = programMemory(step, plans);
      if (program > addressable && (await computesOnWasm(pipeline.backend))) {
        const limit = `the wasm backend can address ${formatBytes(addressable)}`;
        complain([], explainMemory(step, program, limit, order));
      } else if (memory.peak > available) complain([], explainMemory(step, memory.peak, there, order));
      else continue;
      // What needs its result would not fit either, and is not asked.
      plans.delete(step.id);
      order.pop();
    } catch (error) {
      if (isOutOfMemory(error)) complain([], explainMemory(step, undefined, there, [...order, step]));
      else if (error instanceof NdconvError && error.tag === 'MemoryError' && error.fields.needed)
        complain([], explainMemory(step, Number(error.fields.needed), error.message, [...order, step]));
      else if (error instanceof NdconvError) {
        const { at, message } = placeError(error, step);
        complain(at, { message });
      } else throw error;
    }
  }
  const seconds = [...plans.values()].reduce((sum, plan) => sum + (plan.seconds ?? 0), 0);
  return { steps: plans, memory, seconds };
}

function planOf(reference: string, plans: ReadonlyMap<string, StepPlan>): ValuePlan {
  const { id, output } = splitReference(reference);
  const plan = plans.get(id)?.outputs[output];
  if (!plan) throw new Error(`the check of step ${id} gave no plan of its output ${output}`);
  return plan;
}

/** Whether a key or its value is meant follows from the value: a text is a choice, anything else belongs to the key. */
function explainProblem({ at, message, candidates }: Problem, step: ResolvedStep): Complaint {
  if (!candidates) return { message };
  const value = at.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)?.[key], step.written);
  const word = typeof value === 'string' ? value : String(at[at.length - 1]);
  const near = nearestName(word, candidates);
  return {
    message,
    part: typeof value === 'string' ? 'value' : 'key',
    expected: candidates.length > 0 ? `one of ${listNames(candidates, 30)}` : undefined,
    remedy: near ? `did you mean "${near}"?` : undefined,
  };
}

/** The key that an error of a file belongs to; the message names the file as the pipeline does. */
function placeError(error: NdconvError, step: ResolvedStep): { at: Problem['at']; message: string } {
  const file = step.paths.find(
    ({ resolved, written }) => error.fields.path === resolved || error.fields.path === written,
  );
  const mentioned =
    file ?? step.paths.find(({ resolved, mode }) => mode === 'read' && error.message.includes(resolved));
  const message = step.paths
    .filter(({ mode }) => mode === 'read')
    .reduce((text, { resolved, written }) => text.replaceAll(resolved, written), error.message);
  return { at: mentioned ? [...mentioned.at] : [], message };
}

const bytesOf = (plan: ValuePlan): number => (plan.shape ? plan.shape.reduce((a, b) => a * b, 4) : 0);

/** Bytes that a program of WebAssembly can address. */
const addressable = 2 ** 32;

/** What a step that evaluates a network needs on the backend; the memory of others is the process's own. */
function programMemory(step: ResolvedStep, plans: ReadonlyMap<string, StepPlan>): number {
  const hasNetwork = step.needs.some(id =>
    Object.values(plans.get(id)?.outputs ?? {}).some(({ kind }) => kind === 'network'),
  );
  return hasNetwork ? (plans.get(step.id)?.memory ?? 0) : 0;
}

const computesOnWasm = async (backend: string): Promise<boolean> =>
  backend === 'wasm' || (backend === 'auto' && (await decideAuto()).name === 'wasm');

/** Results are held from the step that makes them to the last that uses them. */
function peakMemory(
  order: readonly ResolvedStep[],
  plans: ReadonlyMap<string, StepPlan>,
): PipelinePlan['memory'] {
  const lastUse = lastUses(order);
  const held = new Map<string, number>();
  let peak = 0;
  let during: string | undefined;
  for (const [i, { id }] of order.entries()) {
    const plan = plans.get(id)!;
    const made = Object.values(plan.outputs).reduce((sum, value) => sum + bytesOf(value), 0);
    const others = [...held.values()].reduce((a, b) => a + b, 0);
    const total = others + Math.max(plan.memory ?? 0, made);
    if (total > peak) [peak, during] = [total, id];
    held.set(id, made);
    for (const other of [...held.keys()]) if ((lastUse.get(other) ?? -1) <= i) held.delete(other);
  }
  return { peak, during };
}

/** Index of the last step that needs each result. */
export function lastUses(order: readonly Pick<ResolvedStep, 'id' | 'needs'>[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const [i, { needs }] of order.entries()) for (const id of needs) last.set(id, i);
  return last;
}

/** Whether the engine refused to make an array because of its size. */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof RangeError &&
  /allocation failed|invalid (typed )?array (buffer )?length/i.test(error.message);

function explainMemory(
  step: ResolvedStep,
  needed: number | undefined,
  limit: string,
  order: readonly ResolvedStep[],
): Complaint {
  const feeding = new Set([step.id]);
  for (const one of [...order].reverse())
    if (feeding.has(one.id)) for (const id of one.needs) feeding.add(id);
  const lower = order
    .filter(({ id }) => feeding.has(id))
    .flatMap(({ id, costly, written }) =>
      costly.map(path => {
        const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], written);
        return `${path.join('.')} of ${id} (now ${JSON.stringify(value)})`;
      }),
    );
  return {
    message: `the step ${step.id} (${step.step.name}) needs ${needed === undefined ? 'more memory than one array can have' : `${formatBytes(needed)} of memory`}; ${limit}`,
    remedy: lower.length > 0 ? `lower ${lower.join(' or ')}` : 'give it smaller inputs',
  };
}

/** `3.2 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
