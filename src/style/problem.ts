// What a style transfer is given and what it says of itself: plain data for any rank.

import type { Network } from '../networks/network.ts';
import type { OptimiserSettings } from '../optim/settings.ts';

/** A grid of values `[...spatial, channels]` in the network's range. */
export interface Grid {
  shape: readonly number[];
  data: Float32Array;
}

/** Weights by layer name (λ_l for styles). */
export type LayerWeights = Readonly<Record<string, number>>;

/** Arrays by layer name. */
export type Arrays = ReadonlyMap<string, Grid>;

export interface StyleProblem {
  network: Network;
  content: { grid: Grid; layers: LayerWeights };
  styles: { grid: Grid; layers: LayerWeights; weight: number }[];
  /** α, β and τ. A weight of 0 leaves its loss out of the sum. */
  contentWeight: number;
  styleWeight: number;
  totalVariation: number;
  /** Whether losses count in relation to the content's (see transfer.ts) or as they are. */
  losses: 'relative' | 'plain';
  start: Grid;
  optimiser: OptimiserSettings;
  iterations: number;
  /**
   * The nearest grid that is one of something: not every grid is the spectrogram of a sound. Where given, the steps are
   * done in rounds, and each goes on from what the one before settled to; `last` is true at the end.
   */
  settle?: { rounds: number; of(grid: Grid, last: boolean): Promise<Grid> };
}

/** The losses before their weights, relative or plain. */
export interface StyleLosses {
  content: number;
  style: number;
  tv: number;
}

/** Losses after a step (0: before the first); `total` is their weighted sum. */
export interface StyleFigures extends StyleLosses {
  iteration: number;
  total: number;
}
