// The protocol of LFW, by identity: identities are dealt out to folds; for each fold the threshold of the best accuracy is
// taken from the pairs that do not touch it, and the accuracy is measured on the pairs within it. Pairs across folds are
// neither, or somebody would be in both. Source: Huang et al., Labeled Faces in the Wild (2007).

import { hasBothKinds, identityFolds, splitPairs } from './identity-folds.ts';
import { bestAccuracy, rankPairs, ratesAt, rocOf } from './metrics.ts';
import { type Pairs, selectPairs } from './pairs.ts';

export interface FoldAccuracy {
  /** Balanced accuracy and threshold of each fold; folds without same or different pairs are left out. */
  accuracies: number[];
  thresholds: number[];
  /** Mean, and its standard error over the folds. */
  mean: number;
  error: number;
  /** Pairs within folds: those that were measured. */
  pairs: number;
}

/** Accuracy by folds. Errors: EmbeddingError where there are fewer than four identities. */
export function foldAccuracy(
  items: readonly { identity: string }[],
  pairs: Pairs,
  distances: Float64Array,
  { folds: wanted, seed }: { folds: number; seed: number },
): FoldAccuracy {
  const folds = identityFolds(items, wanted, seed);
  const [accuracies, thresholds]: number[][] = [[], []];
  let measured = 0;
  const rocAmong = (places: readonly number[]) =>
    rocOf(
      rankPairs(
        Float64Array.from(places, i => distances[i]),
        selectPairs(pairs, places).same,
      ),
    );
  for (let fold = 0; fold < folds.count; fold++) {
    const { within, without } = splitPairs(pairs, folds, fold);
    if (![within, without].every(places => hasBothKinds(selectPairs(pairs, places)))) continue;
    const { threshold } = bestAccuracy(rocAmong(without));
    thresholds.push(threshold);
    accuracies.push(ratesAt(rocAmong(within), threshold).accuracy);
    measured += within.length;
  }
  const n = accuracies.length;
  const mean = accuracies.reduce((sum, a) => sum + a, 0) / n;
  const variance = accuracies.reduce((sum, a) => sum + (a - mean) ** 2, 0) / (n - 1);
  return { accuracies, thresholds, mean, error: Math.sqrt(variance / n), pairs: measured };
}
