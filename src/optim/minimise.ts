// Minimises a recorded loss over the variables it declares: compiles one program and runs it step after step, with any
// of the optimisers. Works for an image, a sound, a volume or weights alike.

import type { Backend, CallTime } from '../backends/backend.ts';
import type { Forecast } from '../backends/forecast.ts';
import { NdconvError } from '../errors.ts';
import { differentiate } from '../graph/differentiate.ts';
import type { Value } from '../graph/graph.ts';
import { memoryOf, type ProgramRequest, planProgram } from '../graph/plan.ts';
import { Program } from '../graph/program.ts';
import { product } from '../tensor/layout.ts';
import { firstOrder, type Stepper } from './first-order.ts';
import { lbfgs } from './lbfgs.ts';
import type { Ending, LbfgsSettings, OptimiserSettings } from './settings.ts';

/** A loss (one element), the variables it is minimised over, and further scalars to follow. */
export interface Problem {
  loss: Value;
  /** By name as recorded with `graph.variable(name, …)`. */
  variables: Record<string, Value>;
  figures?: Record<string, Value>;
}

/** The state after step `iteration` (counted from 1); its figures were computed at the point before the step for
 *  first-order methods, and at the accepted point for L-BFGS. */
export interface Step {
  iteration: number;
  loss: number;
  figures: Record<string, number>;
  /** Reads a variable as it is now. */
  read(name: string): Promise<Float32Array>;
}

export interface Outcome {
  /** Values of the variables at the end. */
  values: Record<string, Float32Array>;
  losses: number[];
  iterations: number;
  reason: Ending;
  /** Seconds per kernel call where the backend measures. */
  times: CallTime[];
  /** Seconds the steps took, without compiling. */
  seconds: number;
}

interface Prepared {
  request: ProgramRequest;
  stepper?: Stepper;
}

function prepare(problem: Problem, settings: OptimiserSettings): Prepared {
  const { graph } = problem.loss;
  const variables = Object.values(problem.variables);
  const gradients = differentiate(problem.loss, variables);
  const outputs: Record<string, Value> = { loss: problem.loss, ...problem.figures };
  if (settings.name === 'lbfgs') {
    gradients.forEach((g, i) => {
      outputs[`gradient ${i}`] = g;
    });
    return { request: { outputs, updates: [] } };
  }
  const stepper = firstOrder(graph, settings, variables, gradients);
  return { request: { outputs, updates: stepper.updates }, stepper };
}

/** What minimising takes: bytes, kernel calls a step, and expected seconds of a run of its program. */
export interface MinimisePlan {
  permanent: number;
  peak: number;
  calls: number;
  /** Undefined where the backend's speed is not known. */
  seconds: number | undefined;
  /** How the heaviest calls will be computed, where that is known. */
  heaviest: string[];
}

/** Lines about the heaviest calls. */
const HEAVIEST = 3;

/**
 * What minimising will take, without running anything: bytes on the backend, and in `peak` what L-BFGS remembers on the
 * host too. Records nodes in the graph.
 */
export function planMinimise(
  problem: Problem,
  settings: OptimiserSettings,
  forecast: Forecast,
): MinimisePlan {
  const { plan } = planProgram(problem.loss.graph, prepare(problem, settings).request);
  const { permanent } = memoryOf(plan);
  const values = Object.values(problem.variables).reduce((sum, { shape }) => sum + product(shape), 0);
  // Two arrays a step remembered, six points of a line search with their gradients, and the direction in double precision.
  const host = settings.name === 'lbfgs' ? 4 * values * (2 * settings.history + 15) : 0;
  return {
    permanent,
    peak: forecast.bytes(plan) + host,
    calls: plan.calls.length,
    seconds: forecast.seconds(plan),
    heaviest: forecast.heaviest(plan, HEAVIEST),
  };
}

/** Runs up to `iterations` steps; `onStep` may return false to stop after the step in hand. */
export async function minimise(
  problem: Problem,
  settings: OptimiserSettings,
  iterations: number,
  backend: Backend,
  onStep: (step: Step) => Promise<boolean | undefined> | boolean | undefined,
): Promise<Outcome> {
  const { request, stepper } = prepare(problem, settings);
  const program = await Program.compile(problem.loss.graph, request, backend);
  try {
    const started = performance.now();
    const outcome = stepper
      ? await runFirstOrder(program, problem, settings, stepper, iterations, onStep)
      : await runLbfgs(program, problem, settings as LbfgsSettings, iterations, onStep);
    return { ...outcome, times: program.times(), seconds: (performance.now() - started) / 1000 };
  } finally {
    await program.dispose();
  }
}

type OnStep = Parameters<typeof minimise>[4];
type Run = Promise<Omit<Outcome, 'times' | 'seconds'>>;

const readFigures = async (program: Program, problem: Problem): Promise<Record<string, number>> => {
  const figures: Record<string, number> = {};
  for (const name of Object.keys(problem.figures ?? {})) figures[name] = await program.readScalar(name);
  return figures;
};

async function runFirstOrder(
  program: Program,
  problem: Problem,
  settings: OptimiserSettings,
  stepper: Stepper,
  iterations: number,
  onStep: OnStep,
): Run {
  const losses: number[] = [];
  let reason: Ending = 'iterations';
  for (let iteration = 1; iteration <= iterations; iteration++) {
    for (const [name, data] of Object.entries(stepper.inputs(iteration))) await program.write(name, data);
    await program.run();
    const loss = await program.readScalar('loss');
    if (!Number.isFinite(loss))
      throw new NdconvError(
        'RunError',
        `the loss became ${loss} in step ${iteration} with ${settings.name}: lower the learning rate (now ${'rate' in settings ? settings.rate : '–'}) or use lbfgs`,
        { iteration, loss },
      );
    losses.push(loss);
    const figures = await readFigures(program, problem);
    if ((await onStep({ iteration, loss, figures, read: name => program.read(name) })) === false) {
      reason = 'stopped';
      break;
    }
  }
  return { values: await readAll(program, problem), losses, iterations: losses.length, reason };
}

async function runLbfgs(
  program: Program,
  problem: Problem,
  { history }: LbfgsSettings,
  iterations: number,
  onStep: OnStep,
): Run {
  const names = Object.keys(problem.variables);
  const starts = await Promise.all(names.map(n => program.read(n)));
  const ends: number[] = [];
  starts.reduce((sum, s, i) => (ends[i] = sum + s.length), 0);
  const slice = (x: Float32Array, i: number) => x.subarray(i === 0 ? 0 : ends[i - 1], ends[i]);
  const start = new Float32Array(ends.at(-1)!);
  starts.forEach((s, i) => slice(start, i).set(s));

  const evaluate = async (x: Float32Array) => {
    for (const [i, name] of names.entries()) await program.write(name, slice(x, i));
    await program.run();
    const gradient = new Float32Array(x.length);
    for (const i of names.keys()) slice(gradient, i).set(await program.read(`gradient ${i}`));
    return {
      value: await program.readScalar('loss'),
      gradient,
      aside: await readFigures(program, problem),
    };
  };
  const losses: number[] = [];
  const { x, reason } = await lbfgs(
    evaluate,
    start,
    { iterations, history },
    async ({ iteration, value, x, aside }) => {
      losses.push(value);
      const read = async (name: string) => Float32Array.from(slice(x, names.indexOf(name)));
      return (await onStep({ iteration, loss: value, figures: aside, read })) !== false;
    },
  );
  const values = Object.fromEntries(names.map((name, i) => [name, Float32Array.from(slice(x, i))]));
  return { values, losses, iterations: losses.length, reason };
}

async function readAll(program: Program, problem: Problem): Promise<Record<string, Float32Array>> {
  const values: Record<string, Float32Array> = {};
  for (const name of Object.keys(problem.variables)) values[name] = await program.read(name);
  return values;
}
