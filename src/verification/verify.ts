// Verifying pairs: what a verifier says of each, and what weighed most.

import { type Embeddings, vectorOf } from '../embeddings/embeddings.ts';
import { comparerOf } from './comparison.ts';
import { squaredEuclidean } from './distances.ts';
import type { Pairs } from './pairs.ts';
import { expectComparable, isSame, probabilityOfSame, type Verifier } from './verifier.ts';

/** What is said of one pair. */
export interface Verdict {
  /** Places of the two items. */
  places: readonly [number, number];
  first: string;
  second: string;
  /** By the verifier; of a learned one −Σ w·u − b. */
  distance: number;
  /** ‖f(x) − f(y)‖², whatever the verifier. */
  squaredDistance: number;
  /** Of being the same; absent where the verifier is not calibrated. */
  probability?: number;
  same: boolean;
  /** The components (from 1) that weighed most: as `Comparer.parts`, largest first. */
  parts: { component: number; part: number }[];
}

/** What a verifier says of pairs, with `most` components each. Errors: as `expectComparable`. */
export function verifyPairs(
  verifier: Verifier,
  embeddings: Embeddings,
  pairs: Pairs,
  most: number,
): Verdict[] {
  expectComparable(verifier, embeddings);
  const comparer = comparerOf(verifier.comparison);
  const prepared = embeddings.items.map((_, i) => comparer.prepare(vectorOf(embeddings, i)));
  return Array.from(pairs.first, (a, i) => {
    const b = pairs.second[i];
    const distance = comparer.distance(prepared[a], prepared[b]);
    const probability = probabilityOfSame(verifier, distance);
    const parts =
      most === 0
        ? []
        : Array.from(comparer.parts(prepared[a], prepared[b]), (part, k) => ({ component: k + 1, part }));
    parts.sort((x, y) => Math.abs(y.part) - Math.abs(x.part));
    return {
      places: [a, b],
      first: embeddings.items[a].name,
      second: embeddings.items[b].name,
      distance,
      squaredDistance: squaredEuclidean(vectorOf(embeddings, a), vectorOf(embeddings, b)),
      ...(probability === undefined ? {} : { probability }),
      same: isSame(verifier, distance),
      parts: parts.slice(0, most),
    };
  });
}
