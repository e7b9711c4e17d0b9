// How two embeddings are compared: by a plain distance, or by a learned unit over their components,
// ŷ = σ(Σ_k w_k·u_k + b) with u_k = |x_k − y_k|, (x_k − y_k)² or the χ² form (x_k − y_k)² / (|x_k| + |y_k|), in which the
// absolute values stand because components may be negative (0 where both are 0; for positive ones it is the usual form).
// The distance of a learned unit is −Σ_k w_k·u_k − b: smaller is more alike, and σ of its negative is ŷ.

import { type Embeddings, vectorOf } from '../embeddings/embeddings.ts';
import { type Adaptation, adapt } from './adaptation.ts';
import { type DistanceName, distances } from './distances.ts';
import type { Pairs } from './pairs.ts';

export const unitNames = ['absolute', 'squared', 'chi-square'] as const;
export type UnitName = (typeof unitNames)[number];

/** u_k of two components. */
export const units: Record<UnitName, (x: number, y: number) => number> = {
  absolute: (x, y) => Math.abs(x - y),
  squared: (x, y) => (x - y) ** 2,
  'chi-square': (x, y) => (x === y ? 0 : (x - y) ** 2 / (Math.abs(x) + Math.abs(y))),
};

export interface PlainComparison {
  readonly kind: 'distance';
  readonly distance: DistanceName;
}

export interface LearnedComparison {
  readonly kind: 'learned';
  readonly unit: UnitName;
  readonly adaptation?: Adaptation;
  /** w_k. */
  readonly weights: readonly number[];
  readonly bias: number;
  /** Mean of u_k over the pairs it learned from, same and different ones alike: what a component adds is told from it. */
  readonly typical: readonly number[];
}

export type Comparison = PlainComparison | LearnedComparison;

/** A comparison ready for use: vectors are prepared once, and compared as often as wished. */
export interface Comparer {
  /** What is compared of a vector. */
  prepare(vector: ArrayLike<number>): ArrayLike<number>;
  /** Distance of two prepared vectors. */
  distance(a: ArrayLike<number>, b: ArrayLike<number>): number;
  /**
   * What each component adds, of two prepared vectors: of a plain distance its share of the (squared) distance, 0 to 1; of a
   * learned unit −w_k·(u_k − typical u_k): positive speaks for different, negative for the same.
   */
  parts(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array;
}

export const comparerOf = (comparison: Comparison): Comparer =>
  comparison.kind === 'distance' ? plainComparer(comparison) : learnedComparer(comparison);

function plainComparer({ distance }: PlainComparison): Comparer {
  const isCosine = distance === 'cosine';
  return {
    prepare: vector => vector,
    distance: distances[distance],
    parts: (a, b) => {
      // For the cosine distance, half the squared distance of the vectors at length 1.
      const [la, lb] = isCosine ? [lengthOf(a), lengthOf(b)] : [1, 1];
      const parts = Float64Array.from(a, (x, k) => (x / la - b[k] / lb) ** 2);
      const total = parts.reduce((sum, part) => sum + part, 0);
      return total > 0 ? parts.map(part => part / total) : parts;
    },
  };
}

const lengthOf = (v: ArrayLike<number>): number =>
  Math.sqrt(distances['squared-euclidean'](v, new Float64Array(v.length))) || 1;

function learnedComparer({ unit, adaptation, weights, bias, typical }: LearnedComparison): Comparer {
  const u = units[unit];
  return {
    prepare: vector => (adaptation ? adapt(adaptation, vector) : vector),
    distance: (a, b) => {
      let sum = bias;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * u(a[k], b[k]);
      return -sum;
    },
    parts: (a, b) => Float64Array.from(weights, (w, k) => -w * (u(a[k], b[k]) - typical[k])),
  };
}

/** Distances of pairs, in their order. */
export function comparisonDistances(
  comparison: Comparison,
  embeddings: Embeddings,
  { first, second }: Pairs,
): Float64Array {
  const { prepare, distance } = comparerOf(comparison);
  const prepared = embeddings.items.map((_, i) => prepare(vectorOf(embeddings, i)));
  return Float64Array.from(first, (a, i) => distance(prepared[a], prepared[second[i]]));
}

/** A comparison in words. */
export const describeComparison = (comparison: Comparison): string =>
  comparison.kind === 'distance'
    ? comparison.distance
    : `learned ${comparison.unit} unit${comparison.adaptation ? ` on ${comparison.adaptation.matrix ? 'whitened' : 'centred'} embeddings` : ''}`;
