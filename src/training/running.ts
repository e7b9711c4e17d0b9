// The compiled program of a training with its state on the backend: started, advanced step by step, read.

import type { Backend } from '../backends/backend.ts';
import { NdconvError } from '../errors.ts';
import { Program } from '../graph/program.ts';
import type { Network } from '../networks/network.ts';
import { createRandom } from '../random.ts';
import type { FedBatch } from './feed.ts';
import { labelInputs } from './labels.ts';
import { recordStep, type TrainingStep } from './program.ts';
import type { Figures, Progress } from './progress.ts';
import { averagingAt, rateAt, type TrainingSettings } from './settings.ts';

/** Values by name. */
export type Values = ReadonlyMap<string, Float32Array>;

export interface Running {
  readonly step: TrainingStep;
  readonly program: Program;
  /** With the miner in use. */
  readonly settings: TrainingSettings;
}

/** Compiles the step and, where there are any, writes values into its state. */
export async function start(
  network: Network,
  shape: readonly number[],
  given: TrainingSettings,
  { miner = given.miner }: Pick<Progress, 'miner'>,
  backend: Backend,
  state?: Values,
): Promise<Running> {
  const settings = { ...given, miner };
  const step = recordStep(network, shape, settings);
  const program = await Program.compile(step.graph, step.request, backend);
  for (const [name, values] of state ?? []) await program.write(name, values);
  return { step, program, settings };
}

/** Weights, and their averages, as they are to be written into a fresh start. */
export const asStart = ({ step }: Running, kept: Values): Values =>
  new Map(
    [...kept].flatMap(([name, values]) => [...new Set([name, step.keptAs(name)])].map(n => [n, values])),
  );

/** One step; `progress.step` is its number. Errors: RunError where the loss is no number. */
export async function advance(
  { step, program, settings }: Running,
  { step: number, origin, part }: Progress,
  { x, classes }: FedBatch,
): Promise<Figures> {
  const places = settings.identities * settings.samples;
  const rate = part * rateAt(settings.schedule, number, settings.steps);
  const inputs = {
    x,
    ...labelInputs(classes, places, settings, createRandom(settings.seed, `negatives ${number}`)),
    ...step.stepper.inputs(number - origin, rate),
    ...step.renewal(averagingAt(settings.average, number - origin)),
  };
  for (const [name, values] of Object.entries(inputs)) await program.write(name, values);
  await program.run();
  const [loss, terms, active, spread, pairs] = [
    await program.readScalar('loss'),
    await program.readScalar('terms'),
    await program.readScalar('active'),
    await program.readScalar('spread'),
    await program.readScalar('pairs'),
  ];
  if (!Number.isFinite(loss) || !Number.isFinite(spread))
    throw new NdconvError(
      'RunError',
      `training: the loss became ${loss} in step ${number}: lower the learning rate (now ${settings.optimiser.rate}), or look for values in the data that are no numbers`,
      { step: number, loss },
    );
  // Of triplets per triplet, and the share of them; of pairs the loss is a mean already.
  const count = settings.loss === 'triplet' ? Math.max(1, terms) : 1;
  return {
    step: number,
    loss: loss / count,
    terms,
    active: active / count,
    spread: spread / Math.max(pairs, Number.MIN_VALUE),
    rate: rate * settings.optimiser.rate,
  };
}

async function readAll({ program }: Running, names: readonly string[], from: (name: string) => string) {
  const values = new Map<string, Float32Array>();
  for (const name of names) values.set(name, Float32Array.from(await program.read(from(name))));
  return values;
}

/** The weights that are validated and kept, by their own names. */
export const readKept = (running: Running): Promise<Map<string, Float32Array>> =>
  readAll(running, running.step.weights, running.step.keptAs);

/** Everything that a checkpoint holds. */
export const readState = (running: Running): Promise<Map<string, Float32Array>> =>
  readAll(running, running.step.state, name => name);
