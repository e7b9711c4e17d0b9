// How far apart two embeddings are: squared Euclidean distance ‖f(x) − f(y)‖² (FaceNet, Schroff et al. 2015), its root, or
// one minus the cosine of their angle. Sums in double precision.

import type { Embeddings } from '../embeddings/embeddings.ts';
import { vectorOf } from '../embeddings/embeddings.ts';
import { NdconvError } from '../errors.ts';
import type { Pairs } from './pairs.ts';

export const distanceNames = ['squared-euclidean', 'euclidean', 'cosine'] as const;
export type DistanceName = (typeof distanceNames)[number];

/** ‖a − b‖². */
export function squaredEuclidean(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] - b[k]) ** 2;
  return sum;
}

/** 1 − a·b / (‖a‖‖b‖), 0 to 2; 1 where one of them is zero, which has no direction. */
export function cosineDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let k = 0; k < a.length; k++) {
    dot += a[k] * b[k];
    aa += a[k] * a[k];
    bb += b[k] * b[k];
  }
  return aa > 0 && bb > 0 ? Math.max(0, 1 - dot / Math.sqrt(aa * bb)) : 1;
}

export const distances: Record<DistanceName, (a: ArrayLike<number>, b: ArrayLike<number>) => number> = {
  'squared-euclidean': squaredEuclidean,
  euclidean: (a, b) => Math.sqrt(squaredEuclidean(a, b)),
  cosine: cosineDistance,
};

/** Distances of pairs, in their order. */
export function pairDistances(embeddings: Embeddings, pairs: Pairs, name: DistanceName): Float64Array {
  const measure = distances[name];
  return Float64Array.from(pairs.first, (a, i) =>
    measure(vectorOf(embeddings, a), vectorOf(embeddings, pairs.second[i])),
  );
}

/**
 * Squared distances of all vectors to each other, `[n, n]`, from vectors `[n, size]`. Symmetric, zero on the diagonal.
 */
export function squaredDistanceMatrix(vectors: ArrayLike<number>, size: number): Float64Array {
  const n = vectors.length / size;
  const matrix = new Float64Array(n * n);
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += (vectors[a * size + k] - vectors[b * size + k]) ** 2;
      matrix[a * n + b] = matrix[b * n + a] = sum;
    }
  return matrix;
}

/** Errors: EmbeddingError naming the first item whose vector holds a number that is not finite, or another length. */
export function expectFinite({ items, vectors, size }: Embeddings): void {
  if (vectors.length !== items.length * size)
    throw new NdconvError(
      'EmbeddingError',
      `there are ${vectors.length} numbers for ${items.length} items of ${size} components; embed the items again`,
    );
  for (let i = 0; i < vectors.length; i++) {
    if (Number.isFinite(vectors[i])) continue;
    const [item, component] = [Math.floor(i / size), i % size];
    const bad = new Set<number>();
    for (let j = i; j < vectors.length; j++) if (!Number.isFinite(vectors[j])) bad.add(Math.floor(j / size));
    const others = bad.size > 1 ? ` (and in ${bad.size - 1} more items)` : '';
    throw new NdconvError(
      'EmbeddingError',
      `component ${component + 1} of the embedding of ${items[item].name} is ${vectors[i]}${others}: it cannot be compared; leave the item out, or look at its file and the network's weights`,
      { item: items[item].name, component },
    );
  }
}
