// How far a training is, without the numbers of its network: plain data that a checkpoint holds.

import type { CollapseState } from './collapse.ts';
import type { Position } from './feed.ts';
import type { Miner } from './settings.ts';

/** Figures of one step, computed before the weights moved. */
export interface Figures {
  /** Counted from 1. */
  step: number;
  /** Mean over the triplets mined, or the sum over the two kinds of pair. */
  loss: number;
  /** Triplets mined. */
  terms: number;
  /** Share of the triplets whose loss is above 0; of pairs, see batch-loss.ts. */
  active: number;
  /** Mean squared distance of two embeddings of the batch. */
  spread: number;
  /** Learning rate. */
  rate: number;
  /** Equal error rate on the validation identities after the step, where it was measured. */
  eer?: number;
}

export interface Progress {
  /** Steps done. */
  step: number;
  position: Position;
  history: Figures[];
  best?: { step: number; eer: number };
  collapse: CollapseState;
  /** After which step the optimiser started (anew), with what miner and part of the rate, and how often a collapse was countered. */
  origin: number;
  miner?: Miner;
  part: number;
  rescues: number;
}
