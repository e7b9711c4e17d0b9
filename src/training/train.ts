// Trains an embedding: batches of P identities × K samples through a network, a loss over their pairs or triplets, step after
// step, validated now and then on identities that are not trained on. The best network by equal error rate is kept; a
// collapse is noticed and, where allowed, countered; a run taken up from a checkpoint goes on bit for bit.

import type { Backend, CallTime } from '../backends/backend.ts';
import type { Dataset } from '../datasets/dataset.ts';
import { NdconvError } from '../errors.ts';
import type { Network } from '../networks/network.ts';
import { withWeights } from '../networks/trainable.ts';
import { beginning, type Checkpoint } from './checkpoint.ts';
import { lossOfEqual, watch, watching } from './collapse.ts';
import { batchEmbedder } from './embed-batches.ts';
import { createFeed } from './feed.ts';
import type { Figures, Progress } from './progress.ts';
import { advance, asStart, readKept, readState, start, type Values } from './running.ts';
import type { TrainingSettings } from './settings.ts';
import { type PairUnit, readValidation, validate } from './validation.ts';

/** What is trained on, and validated on where there is something. */
export interface TrainingData {
  train: Dataset;
  validation?: Dataset;
  /** Shape of every field, `[...spatial, channels]`. */
  shape: readonly number[];
}

/** What a training tells and asks of its caller. */
export interface TrainingHooks {
  /** After every step; false ends training. */
  onStep(figures: Figures): Promise<boolean> | boolean;
  /** Something worth knowing: a collapse and what is done about it. */
  note(message: string): void;
  /** Writes a checkpoint every so many steps. */
  checkpoints?: { every: number; write(checkpoint: Checkpoint): Promise<void> };
  /** Where to go on. */
  resume?: Checkpoint;
}

/** What came of a training. */
export interface Trained {
  /** The best network by validation, or the last without one. */
  network: Network;
  /** `pairs`: the unit trained with it. */
  unit?: PairUnit;
  history: Figures[];
  /** The step of the network kept, and its equal error rate. */
  best?: { step: number; eer: number };
  /** Seconds per kernel call where the backend measures. */
  times: CallTime[];
}

/** Fields embedded at a time. */
const VALIDATION_BATCH = 32;
/** How often a collapse is countered, and to what part the rate is lowered each time. */
const RESCUES = 3;
const LOWER = 0.3;

/**
 * Trains for the steps asked for. Errors: RunError where the loss is no number, or training collapsed and may not go on;
 * ShapeError, NetworkError where data, network and settings do not fit.
 */
export async function trainEmbedding(
  network: Network,
  { train, validation, shape }: TrainingData,
  settings: TrainingSettings,
  backend: Backend,
  { onStep, note, checkpoints, resume }: TrainingHooks,
): Promise<Trained> {
  const set = validation && (await readValidation(validation));
  const progress: Progress = structuredClone(resume?.progress ?? beginning());
  let best: Values | undefined = resume?.best;
  let running = await start(network, shape, settings, progress, backend, resume?.state);
  const embedder = set && (await batchEmbedder(network, shape, VALIDATION_BATCH, backend));
  const feed = createFeed(train, { ...settings, shape, from: progress.position });
  try {
    while (progress.step < settings.steps) {
      const batch = await feed.next();
      progress.step++;
      progress.position = batch.after;
      const figures = await advance(running, progress, batch);
      progress.history.push(figures);
      const { step } = progress;
      if (watch(progress.collapse, figures, settings) && counter(progress, settings, figures, best, note)) {
        const from = best && asStart(running, best);
        await running.program.dispose();
        running = await start(network, shape, settings, progress, backend, from);
      }
      if (embedder && (step % settings.validateEvery === 0 || step === settings.steps)) {
        const now = await readKept(running);
        await embedder.write(now);
        figures.eer = await validate(set, embedder, unitOf(now));
        if (!progress.best || figures.eer <= progress.best.eer) {
          progress.best = { step, eer: figures.eer };
          best = now;
        }
      }
      if (checkpoints && (step % checkpoints.every === 0 || step === settings.steps))
        await checkpoints.write({ progress, state: await readState(running), best });
      if (!(await onStep(figures))) break;
    }
    const values = best ?? (await readKept(running));
    return {
      network: withWeights(network, values),
      unit: unitOf(values),
      history: progress.history,
      best: progress.best,
      times: running.program.times(),
    };
  } finally {
    await embedder?.dispose();
    await running.program.dispose();
  }
}

function unitOf(values: Values): PairUnit | undefined {
  const weights = values.get('unit.weights');
  return weights && { weights, bias: values.get('unit.bias')![0] };
}

/**
 * Says that training collapsed. Gives true where it is to start anew from the best network so far, with another miner and
 * rate, which are then set in `progress`. Errors: RunError where it may not go on.
 */
function counter(
  progress: Progress,
  { onCollapse, miner, loss: name, ...settings }: TrainingSettings,
  { step, loss, spread }: Figures,
  best: Values | undefined,
  note: TrainingHooks['note'],
): boolean {
  const equal = lossOfEqual({ loss: name, margin: settings.margin });
  const what = `training collapsed: in step ${step} all embeddings are the same (mean squared distance ${spread.toExponential(1)}, loss ${loss.toPrecision(3)}, where equal embeddings have ${equal.toPrecision(3)})`;
  const used = progress.miner ?? miner;
  const remedy =
    name === 'triplet' && used !== 'semi-hard'
      ? 'use miner: semi-hard, or a lower rate'
      : 'use a lower rate, or another network or start';
  if (onCollapse === 'report') {
    note(`${what}; ${remedy}`);
    return false;
  }
  if (onCollapse === 'stop' || progress.rescues === RESCUES) {
    const again = progress.rescues > 0 ? ` after it was countered ${progress.rescues} times` : '';
    const allowed = onCollapse === 'stop' ? ', or allow onCollapse: counter' : '';
    throw new NdconvError('RunError', `${what}${again}; ${remedy}${allowed}`, { step, loss, spread });
  }
  progress.rescues++;
  progress.part *= LOWER;
  progress.origin = step;
  progress.collapse = watching();
  const mined = name === 'triplet' && used !== 'semi-hard';
  if (mined) progress.miner = 'semi-hard';
  const from = best ? `the best network so far (step ${progress.best!.step})` : 'the start';
  note(
    `${what}; goes on from ${from} with ${mined ? 'miner semi-hard and ' : ''}rate ${(settings.optimiser.rate * progress.part).toPrecision(2)}`,
  );
  return true;
}
