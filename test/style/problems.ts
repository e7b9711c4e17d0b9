// Small style-transfer problems of any rank for the tests here: a smooth content, a foam as style.

import { randomFilters } from '../../src/networks/random-filters.ts';
import { OPTIMISERS } from '../../src/optim/settings.ts';
import { createRandom } from '../../src/random.ts';
import { foam } from '../../src/signal/foam.ts';
import type { Grid, StyleProblem } from '../../src/style/problem.ts';

/** A smooth wave through all dimensions. */
export function waves(rank: number, size: number): Grid {
  const shape = [...new Array<number>(rank).fill(size), 1];
  const data = Float32Array.from({ length: size ** rank }, (_, i) => {
    let [value, rest] = [0.5, i];
    for (let a = 0; a < rank; a++) {
      value += (0.3 / rank) * Math.sin((2 * Math.PI * (a + 1) * (rest % size)) / size);
      rest = Math.floor(rest / size);
    }
    return value;
  });
  return { shape, data };
}

/** Independent noise. */
export function noise(rank: number, size: number, seed: number): Grid {
  const random = createRandom(seed);
  const shape = [...new Array<number>(rank).fill(size), 1];
  return { shape, data: Float32Array.from({ length: size ** rank }, () => 0.5 + 0.2 * random.normal()) };
}

export function problemOf(rank: number, size: number, changes: Partial<StyleProblem> = {}): StyleProblem {
  const content = waves(rank, size);
  return {
    network: randomFilters({
      rank,
      channels: 1,
      kernels: rank < 4 ? [3, 5] : [3],
      filters: 6,
      blocks: 2,
      seed: 3,
    }),
    content: { grid: content, layers: { relu2: 1 } },
    styles: [{ grid: foam(rank, size, 5, 1), layers: { relu1: 1, relu2: 1 }, weight: 1 }],
    contentWeight: 0.01,
    styleWeight: 1,
    totalVariation: 0,
    losses: 'relative',
    start: content,
    optimiser: OPTIMISERS.lbfgs,
    iterations: 60,
    ...changes,
  };
}
