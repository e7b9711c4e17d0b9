// A verifier: how two embeddings of one network are compared, below which distance they are the same, and how probable
// that is. A plain distance is one too. It knows which network it was calibrated for and refuses the embeddings of others.

import { type Embedder, type Embeddings, expectSameEmbedder } from '../embeddings/embeddings.ts';
import { type Comparison, comparisonDistances, describeComparison } from './comparison.ts';
import type { DistanceName } from './distances.ts';
import { expectFinite } from './distances.ts';
import type { Pairs } from './pairs.ts';
import { type ProbabilityCurve, probabilityAt } from './probability.ts';

/** How a threshold was found. */
export type ThresholdRule =
  | { readonly at: 'equal-error-rate' }
  | { readonly at: 'best-accuracy' }
  /** The largest with at most this share of different pairs accepted. */
  | { readonly at: 'far'; readonly far: number }
  /** Set by hand, or the published one of a network. */
  | { readonly at: 'given'; readonly why: string };

/** What it was calibrated on. */
export interface CalibrationFacts {
  readonly items: number;
  readonly identities: number;
  readonly labels: number;
  readonly samePairs: number;
  readonly differentPairs: number;
  /** Share of same pairs that probabilities hold for. */
  readonly prior: number;
  readonly equalErrorRate: number;
  /** True where the distances are of pairs that the verifier had not learned from. */
  readonly heldOut: boolean;
}

export interface Verifier {
  readonly comparison: Comparison;
  /** The network whose embeddings it compares; absent where it was calibrated on none. */
  readonly embedder?: Embedder;
  /** Same where the distance is at most this. */
  readonly threshold: number;
  readonly rule: ThresholdRule;
  /** Absent where it was calibrated on nothing: a probability would be made up. */
  readonly probability?: ProbabilityCurve;
  readonly calibration?: CalibrationFacts;
}

/**
 * dlib's thresholds for its face recognition network, 0.6 in Euclidean distance (King, High quality face recognition with
 * deep metric learning, 2017): for aligned photos, and for no other network.
 */
export const publishedThresholds: Partial<Record<DistanceName, number>> = {
  euclidean: 0.6,
  'squared-euclidean': 0.36,
};

/** A plain distance with a threshold set by hand; it says nothing of probability. */
export const givenVerifier = (distance: DistanceName, threshold: number, why: string): Verifier => ({
  comparison: { kind: 'distance', distance },
  threshold,
  rule: { at: 'given', why },
});

/** Errors: EmbeddingError where embeddings hold NaN, are of another network than the verifier's, or of another size. */
export function expectComparable(verifier: Verifier, embeddings: Embeddings): void {
  if (verifier.embedder) expectSameEmbedder(verifier.embedder, embeddings.embedder);
  expectFinite(embeddings);
}

/** Distances of pairs, in their order. Errors: as `expectComparable`. */
export function verifierDistances(verifier: Verifier, embeddings: Embeddings, pairs: Pairs): Float64Array {
  expectComparable(verifier, embeddings);
  return comparisonDistances(verifier.comparison, embeddings, pairs);
}

/** Whether a distance says that they are the same. */
export const isSame = ({ threshold }: Verifier, distance: number): boolean => distance <= threshold;

/** The probability of being the same; undefined where the verifier is not calibrated. */
export const probabilityOfSame = ({ probability }: Verifier, distance: number): number | undefined =>
  probability && probabilityAt(probability, distance);

/** A threshold rule in words. */
export function describeRule(rule: ThresholdRule): string {
  switch (rule.at) {
    case 'equal-error-rate':
      return 'equal error rate';
    case 'best-accuracy':
      return 'best accuracy';
    case 'far':
      return `false accept rate of at most ${rule.far}`;
    case 'given':
      return rule.why;
  }
}

/** A verifier in one line. */
export const describeVerifier = (verifier: Verifier): string =>
  `${describeComparison(verifier.comparison)}, same up to ${Number(verifier.threshold.toPrecision(4))} (${describeRule(verifier.rule)})`;
