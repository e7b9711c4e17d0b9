// Folds by identity: nobody is in two of them, so that what is measured on a fold was not learned from the others. A pair
// across folds belongs to none.

import { NdconvError } from '../errors.ts';
import { createRandom } from '../random.ts';
import type { Pairs } from './pairs.ts';

/** Folds of items, by identity. */
export interface IdentityFolds {
  /** Fold of every item, from 0. */
  readonly foldOf: Uint32Array;
  readonly count: number;
}

/**
 * Deals identities out to folds of equal numbers, by seed. There are at most as many folds as hold two identities each, so that
 * a fold has different pairs. Errors: EmbeddingError where there are fewer than four identities.
 */
export function identityFolds(
  items: readonly { identity: string }[],
  wanted: number,
  seed: number,
): IdentityFolds {
  const identities = [...new Set(items.map(({ identity }) => identity))].sort();
  const count = Math.min(wanted, Math.floor(identities.length / 2));
  if (count < 2)
    throw new NdconvError(
      'EmbeddingError',
      `there are ${identities.length} identities: two folds of two each need four, or what is measured is what was learned`,
      { identities: identities.length },
    );
  createRandom(seed, 'identity folds').shuffle(identities);
  const place = new Map(identities.map((identity, i) => [identity, i % count]));
  return { foldOf: Uint32Array.from(items, ({ identity }) => place.get(identity)!), count };
}

/** Places of the pairs within a fold, and of those that do not touch it. */
export function splitPairs(
  { first, second }: Pairs,
  { foldOf }: IdentityFolds,
  fold: number,
): { within: number[]; without: number[] } {
  const within: number[] = [];
  const without: number[] = [];
  for (let i = 0; i < first.length; i++) {
    const [a, b] = [foldOf[first[i]] === fold, foldOf[second[i]] === fold];
    if (a && b) within.push(i);
    else if (!a && !b) without.push(i);
  }
  return { within, without };
}

/** Whether pairs are of both kinds. */
export const hasBothKinds = ({ same }: Pairs): boolean => same.includes(1) && same.includes(0);
