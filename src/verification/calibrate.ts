// Calibrating: from the distances of pairs whose truth is known to a threshold and to probabilities.

import type { Embeddings } from '../embeddings/embeddings.ts';
import { NdconvError } from '../errors.ts';
import type { Comparison } from './comparison.ts';
import {
  bestAccuracy,
  equalErrorRate,
  isMeasurable,
  type RateAt,
  type Roc,
  rankPairs,
  rocOf,
  validationAt,
} from './metrics.ts';
import type { Pairs } from './pairs.ts';
import { fitIsotonic, fitPlatt, type ProbabilityCurve } from './probability.ts';
import { type ThresholdRule, type Verifier, verifierDistances } from './verifier.ts';

export const probabilityNames = ['platt', 'isotonic', 'none'] as const;

/** What a calibration is to give. */
export interface CalibrationChoice {
  threshold: Exclude<ThresholdRule, { at: 'given' }>;
  probability: (typeof probabilityNames)[number];
  /** Share of same pairs that probabilities are to hold for. */
  prior: number;
}

/** The threshold of a rule, with the rate it stands for. Errors: EmbeddingError where pairs are too few for the wished FAR. */
export function thresholdFor(roc: Roc, rule: CalibrationChoice['threshold']): RateAt {
  switch (rule.at) {
    case 'equal-error-rate':
      return equalErrorRate(roc);
    case 'best-accuracy':
      return bestAccuracy(roc);
    case 'far':
      if (!isMeasurable(roc, rule.far))
        throw new NdconvError(
          'EmbeddingError',
          `a false accept rate of ${rule.far} cannot be seen with ${roc.different} different pairs; it takes at least ${Math.ceil(1 / rule.far)}: give more samples or a higher rate`,
          { far: rule.far, different: roc.different },
        );
      return validationAt(roc, rule.far);
  }
}

const curveOf = (
  distances: Float64Array,
  same: ArrayLike<number>,
  { probability, prior }: CalibrationChoice,
): ProbabilityCurve | undefined =>
  probability === 'none'
    ? undefined
    : probability === 'platt'
      ? fitPlatt(distances, same, prior)
      : fitIsotonic(distances, same, prior);

/**
 * A verifier by its comparison and the distances it gives pairs of some embeddings. `heldOut` says that it did not learn
 * from them.
 */
export function verifierFrom(
  comparison: Comparison,
  embeddings: Embeddings,
  { same, distances }: { same: Uint8Array; distances: Float64Array },
  choice: CalibrationChoice,
  heldOut: boolean,
): Verifier {
  const roc = rocOf(rankPairs(distances, same));
  const probability = curveOf(distances, same, choice);
  const distinct = (key: 'identity' | 'label') => new Set(embeddings.items.map(item => item[key])).size;
  return {
    comparison,
    embedder: embeddings.embedder,
    threshold: thresholdFor(roc, choice.threshold).threshold,
    rule: choice.threshold,
    ...(probability ? { probability } : {}),
    calibration: {
      items: embeddings.items.length,
      identities: distinct('identity'),
      labels: distinct('label'),
      samePairs: roc.same,
      differentPairs: roc.different,
      prior: choice.prior,
      equalErrorRate: equalErrorRate(roc).rate,
      heldOut,
    },
  };
}

/** A verifier with another threshold and other probabilities, by pairs of embeddings. */
export const calibrate = (
  verifier: Pick<Verifier, 'comparison' | 'embedder'>,
  embeddings: Embeddings,
  pairs: Pairs,
  choice: CalibrationChoice,
): Verifier => {
  const distances = verifierDistances(
    { ...verifier, threshold: 0, rule: choice.threshold },
    embeddings,
    pairs,
  );
  return verifierFrom(verifier.comparison, embeddings, { same: pairs.same, distances }, choice, true);
};
