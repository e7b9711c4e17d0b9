// What is done to embeddings before a learned verifier compares their components: the mean of the embeddings it learned
// from is taken away, directions in which samples of one label differ are weakened, and the length becomes 1. Embeddings
// of pictures that are framed or lit unlike those the network was trained on share a large common part and vary within a
// label in ways that say nothing; both go. Source: within-class covariance normalisation (Hatch et al. 2006), here with
// the covariance shrunk towards a multiple of the identity so that few samples suffice.

import type { Embeddings } from '../embeddings/embeddings.ts';
import { symmetricEigen } from './eigen.ts';
import { groupByLabel } from './pairs.ts';

/** x ↦ M(x − mean), brought to length 1; without a matrix M is the identity. */
export interface Adaptation {
  readonly mean: readonly number[];
  /** `[size, size]`, row-major, symmetric: component k of the result is mostly component k of the embedding. */
  readonly matrix?: readonly number[];
}

/** What to adapt: nothing; the mean and length; or also the covariance within labels, with a share of identity added. */
export type AdaptationChoice = { kind: 'none' } | { kind: 'centre' } | { kind: 'whiten'; shrinkage: number };

/** Largest size whose covariance is decomposed in reasonable time. */
export const mostWhitened = 512;

/** Numbers that single precision holds are shorter in a file, and enough. */
const single = (values: Float64Array): number[] => Array.from(values, Math.fround);

/** What adaptations are made of: one analysis of some embeddings serves all of them. */
export interface Spread {
  readonly size: number;
  readonly mean: Float64Array;
  /** Eigenvalues and eigenvectors (rows) of the covariance within labels; absent where no two of a label differ. */
  readonly within?: { values: Float64Array; vectors: Float64Array; trace: number };
}

/** Analyses embeddings; the covariance too where `whole`. */
export function spreadOf(embeddings: Embeddings, whole: boolean): Spread {
  const { size, items } = embeddings;
  const mean = meanOf(embeddings, [...items.keys()]);
  if (!whole) return { size, mean };
  const covariance = covarianceWithin(embeddings);
  let trace = 0;
  for (let k = 0; k < size; k++) trace += covariance[k * size + k];
  return trace > 0 ? { size, mean, within: { ...symmetricEigen(covariance, size), trace } } : { size, mean };
}

/** The adaptation of a choice; undefined for `none`. */
export function adaptationOf(
  { size, mean, within }: Spread,
  choice: AdaptationChoice,
): Adaptation | undefined {
  if (choice.kind === 'none') return undefined;
  if (choice.kind === 'centre' || !within) return { mean: single(mean) };
  const { values, vectors, trace } = within;
  const matrix = new Float64Array(size * size);
  for (let e = 0; e < size; e++) {
    const gain = 1 / Math.sqrt(Math.max(0, values[e]) + (choice.shrinkage * trace) / size);
    for (let i = 0; i < size; i++) {
      const scaled = gain * vectors[e * size + i];
      for (let j = 0; j < size; j++) matrix[i * size + j] += scaled * vectors[e * size + j];
    }
  }
  return { mean: single(mean), matrix: single(matrix) };
}

function meanOf({ vectors, size }: Embeddings, places: readonly number[]): Float64Array {
  const mean = new Float64Array(size);
  for (const i of places) for (let k = 0; k < size; k++) mean[k] += vectors[i * size + k] / places.length;
  return mean;
}

/** Mean over labels of two samples or more of their covariance, `[size, size]`. */
function covarianceWithin(embeddings: Embeddings): Float64Array {
  const { vectors, size, items } = embeddings;
  const sum = new Float64Array(size * size);
  const groups = [...groupByLabel(items).values()].filter(({ length }) => length > 1);
  for (const group of groups) {
    const mean = meanOf(embeddings, group);
    const weight = 1 / ((group.length - 1) * groups.length);
    for (const i of group)
      for (let p = 0; p < size; p++) {
        const x = weight * (vectors[i * size + p] - mean[p]);
        for (let q = 0; q <= p; q++) sum[p * size + q] += x * (vectors[i * size + q] - mean[q]);
      }
  }
  for (let p = 0; p < size; p++) for (let q = 0; q < p; q++) sum[q * size + p] = sum[p * size + q];
  return sum;
}

/** The adapted vector of length 1; a vector equal to the mean stays zero. */
export function adapt({ mean, matrix }: Adaptation, vector: ArrayLike<number>): Float64Array {
  const size = mean.length;
  let result = Float64Array.from(mean, (m, k) => vector[k] - m);
  if (matrix) {
    const centred = result;
    result = new Float64Array(size);
    for (let p = 0; p < size; p++) {
      let sum = 0;
      for (let q = 0; q < size; q++) sum += matrix[p * size + q] * centred[q];
      result[p] = sum;
    }
  }
  let length = 0;
  for (const x of result) length += x * x;
  if (length > 0) for (let k = 0; k < size; k++) result[k] /= Math.sqrt(length);
  return result;
}
