// Detects collapse: the network gives the same embedding for everything (f = 0 is the trivial solution of a triplet loss).
// Then embeddings lie much closer together than the margin and the loss stays where equal embeddings have it: the margin,
// for a triplet (Hermans, Beyer & Leibe 2017). Either alone is harmless; both for many steps on end are not.

import type { TrainingSettings } from './settings.ts';

/** Steps on end that make a collapse. */
const PATIENCE = 25;
/** Mean squared distance, as a part of the scale, below which embeddings count as the same. */
const SPREAD = 0.05;
/** How close the loss is to that of equal embeddings, as a part of it. */
const CLOSENESS = 0.1;

/** What is followed; kept in checkpoints. */
export interface CollapseState {
  /** Steps on end that looked collapsed. */
  steps: number;
  /** Mean squared distance in the first step: the scale where there is no margin. */
  start: number;
}

/** Loss of a triplet, or of the two kinds of pair, where all embeddings are the same. */
export const lossOfEqual = ({ loss, margin }: Pick<TrainingSettings, 'loss' | 'margin'>): number =>
  loss === 'pairs' ? 2 * Math.LN2 : margin;

/**
 * Takes in a step: its loss per triplet (or of both kinds of pair together) and mean squared distance. Gives true in
 * the step that completes a collapse.
 */
export function watch(
  state: CollapseState,
  { loss, spread }: { loss: number; spread: number },
  settings: Pick<TrainingSettings, 'loss' | 'margin'>,
): boolean {
  if (state.start < 0) state.start = spread;
  const scale = settings.loss === 'pairs' ? state.start : settings.margin;
  const stuck = lossOfEqual(settings);
  const collapsed = spread <= SPREAD * scale && Math.abs(loss / stuck - 1) <= CLOSENESS;
  state.steps = collapsed ? state.steps + 1 : 0;
  return state.steps === PATIENCE;
}

/** A state before any step. */
export const watching = (): CollapseState => ({ steps: 0, start: -1 });
