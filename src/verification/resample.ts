// Confidence intervals by resampling identities: whoever is in the data is a sample of all people (patients, voices), and
// the pairs of one person say nearly the same, so that identities are drawn with replacement and not pairs. A pair counts
// as often as both its identities were drawn (once for each draw where they are one), which weighs ranked pairs instead
// of ranking them again. Source: Bolle, Ratha & Pankanti, Error analysis of pattern recognition systems: the subsets
// bootstrap (2004).

import { createRandom } from '../random.ts';
import type { Pairs } from './pairs.ts';

/** How often each identity is drawn: `resamples` times as many draws as there are identities. */
export function drawIdentities(identities: number, resamples: number, seed: number): Uint16Array[] {
  const random = createRandom(seed, 'resample identities');
  return Array.from({ length: resamples }, () => {
    const counts = new Uint16Array(identities);
    for (let i = 0; i < identities; i++) counts[random.integer(identities)]++;
    return counts;
  });
}

/** Identities of the items of pairs, as numbers from 0. */
export interface PairIdentities {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  readonly count: number;
}

/** Identities of pairs, in the order of `order` (that of a ranking). */
export function identitiesOf(
  items: readonly { identity: string }[],
  { first, second }: Pairs,
  order: ArrayLike<number>,
): PairIdentities {
  const numbers = new Map<string, number>();
  for (const { identity } of items) if (!numbers.has(identity)) numbers.set(identity, numbers.size);
  const of = Uint32Array.from(items, ({ identity }) => numbers.get(identity)!);
  return {
    first: Uint32Array.from(order, i => of[first[i]]),
    second: Uint32Array.from(order, i => of[second[i]]),
    count: numbers.size,
  };
}

/** Weights of pairs where identities were drawn so often, into `weights`. */
export function weighPairs(
  { first, second }: PairIdentities,
  counts: Uint16Array,
  weights: Float64Array,
): void {
  for (let i = 0; i < weights.length; i++) {
    const [a, b] = [first[i], second[i]];
    weights[i] = a === b ? counts[a] : counts[a] * counts[b];
  }
}

/** A value and the middle 95 % of what resampling gave; NaN where it gave nothing. */
export interface Interval {
  value: number;
  low: number;
  high: number;
}

/** The interval of resampled values (percentiles, between neighbours); those that are NaN are left out. */
export function intervalOf(value: number, resampled: ArrayLike<number>): Interval {
  const sorted = Float64Array.from(resampled)
    .filter(x => !Number.isNaN(x))
    .sort();
  const at = (share: number): number => {
    if (sorted.length === 0) return Number.NaN;
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(sorted.length - 1, below + 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  };
  return { value, low: at(0.025), high: at(0.975) };
}
