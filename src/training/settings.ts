// What a training is told: loss, batches, miner, optimiser, schedule, and what is done about a collapse. Plain data that a
// pipeline can hold.

import type { AdamSettings, SgdSettings } from '../optim/settings.ts';

/** Which triplets of a batch count; see miners.ts. */
export const miners = ['semi-hard', 'batch-hard', 'batch-all', 'hard', 'random'] as const;
export type Miner = (typeof miners)[number];

/** What is minimised; see batch-loss.ts. */
export const losses = ['triplet', 'contrastive', 'pairs'] as const;
export type LossName = (typeof losses)[number];

/** How the rate changes over the steps: not at all, down to 0 along half a cosine, or to a tenth after each third. */
export const schedules = ['constant', 'cosine', 'step'] as const;
export type Schedule = (typeof schedules)[number];

/** What is done where all embeddings become the same. */
export const collapseActions = ['stop', 'counter', 'report'] as const;
export type CollapseAction = (typeof collapseActions)[number];

/** Settings of a training. */
export interface TrainingSettings {
  loss: LossName;
  /** Margin on squared distances: triplet and contrastive. */
  margin: number;
  /** Triplet alone. */
  miner: Miner;
  /** P identities × K samples a batch. */
  identities: number;
  samples: number;
  steps: number;
  /** Layers whose weights stay as they are. */
  freeze: readonly string[];
  optimiser: SgdSettings | AdamSettings;
  schedule: Schedule;
  /** Decay of the moving average of the weights, which is what is validated and kept; 0 keeps the weights themselves. */
  average: number;
  /** Steps from one validation to the next. */
  validateEvery: number;
  onCollapse: CollapseAction;
  seed: number;
}

/** Steps over which the rate rises to its full height. */
const WARM_UP = 20;

/** Part of the rate in step `t`, counted from 1. */
export function rateAt(schedule: Schedule, t: number, steps: number): number {
  const rise = Math.min(1, t / WARM_UP);
  const done = (t - 1) / steps;
  if (schedule === 'cosine') return (rise * (1 + Math.cos(Math.PI * done))) / 2;
  return schedule === 'step' ? rise * 0.1 ** Math.floor(3 * done) : rise;
}

/** Part of the old average that stays in step `t`, counted from 1: less at first, so that the start is soon forgotten. */
export const averagingAt = (average: number, t: number): number => Math.min(average, t / (t + 9));
