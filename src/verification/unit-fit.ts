// Fits the weights of a unit over the components of pairs, for several strengths of regularisation at once.

import { type Embeddings, vectorOf } from '../embeddings/embeddings.ts';
import { type Adaptation, adapt } from './adaptation.ts';
import { type LearnedComparison, type UnitName, units } from './comparison.ts';
import { fitLogistic, type LogisticModel } from './logistic.ts';
import type { Pairs } from './pairs.ts';
import { priorWeights } from './probability.ts';

/** u_k of pairs, `[pairs, size]`. */
function featuresOf(
  prepared: readonly ArrayLike<number>[],
  { first, second }: Pairs,
  unit: UnitName,
): Float64Array {
  const size = prepared[0].length;
  const u = units[unit];
  const features = new Float64Array(first.length * size);
  for (let i = 0, at = 0; i < first.length; i++) {
    const [a, b] = [prepared[first[i]], prepared[second[i]]];
    for (let k = 0; k < size; k++, at++) features[at] = u(a[k], b[k]);
  }
  return features;
}

/** Brings features to mean 0 and deviation 1 by weight, in place; a constant one has deviation 1. Returns both. */
function standardise(features: Float64Array, size: number, weights: Float64Array) {
  const [mean, deviation] = [new Float64Array(size), new Float64Array(size)];
  const each = (visit: (at: number, k: number, weight: number) => void): void => {
    for (let i = 0, at = 0; i < weights.length; i++)
      for (let k = 0; k < size; k++, at++) visit(at, k, weights[i]);
  };
  each((at, k, weight) => (mean[k] += weight * features[at]));
  each((at, k, weight) => (deviation[k] += weight * (features[at] - mean[k]) ** 2));
  for (let k = 0; k < size; k++) deviation[k] = Math.sqrt(deviation[k]) || 1;
  each((at, k) => (features[at] = (features[at] - mean[k]) / deviation[k]));
  return { mean, deviation };
}

export interface UnitChoice {
  unit: UnitName;
  adaptation?: Adaptation;
  /** λ of fitLogistic on standardised features, strongest first: each fit starts from the one before. */
  strengths: readonly number[];
  /** False is quicker, and right to some six digits. */
  exact: boolean;
}

/** A unit for each strength, same and different pairs weighing alike in all. */
export function fitUnits(
  embeddings: Embeddings,
  pairs: Pairs,
  { unit, adaptation, strengths, exact }: UnitChoice,
): LearnedComparison[] {
  const { size } = embeddings;
  const prepared = embeddings.items.map((_, i) => {
    const vector = vectorOf(embeddings, i);
    return adaptation ? adapt(adaptation, vector) : vector;
  });
  const features = featuresOf(prepared, pairs, unit);
  const weights = priorWeights(pairs.same, 0.5);
  const { mean, deviation } = standardise(features, size, weights);
  let start: LogisticModel | undefined;
  return strengths.map(strength => {
    start = fitLogistic({ features, size, targets: pairs.same, weights }, strength, { start, exact });
    const own = Array.from(start.weights, (w, k) => w / deviation[k]);
    return {
      kind: 'learned',
      unit,
      ...(adaptation ? { adaptation } : {}),
      weights: own,
      bias: start.bias - own.reduce((sum, w, k) => sum + w * mean[k], 0),
      typical: Array.from(mean),
    };
  });
}
