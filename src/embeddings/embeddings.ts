// Embeddings: what a network makes of many items, one vector each, and where each came from. Verifying, identifying and
// evaluating know nothing else, so that faces, voices, heartbeats and scan regions are compared by the same code.

import type { Item } from '../datasets/list.ts';
import { NdconvError } from '../errors.ts';

/** One embedded item. */
export interface EmbeddedItem extends Item {
  /** SHA-256 of the file's bytes in hexadecimal. */
  readonly sha256?: string;
  /** Where in the file: `[x, y, width, height]` in pixels for a face, `[from, to]` in seconds for a part of a signal. */
  readonly box?: readonly number[];
  /** How sure the detector was, 0 to 1. */
  readonly score?: number;
}

/** What embeddings were made with. Only embeddings of the same one can be compared. */
export interface Embedder {
  /** Name of the network. */
  readonly name: string;
  /** SHA-256 in hexadecimal of the network's layers and weights, the layer read and the preparation of its inputs. */
  readonly sha256: string;
}

/** Vectors of items by one network. */
export interface Embeddings {
  readonly embedder: Embedder;
  /** Components of a vector. */
  readonly size: number;
  readonly items: readonly EmbeddedItem[];
  /** `[items, size]`, row-major. */
  readonly vectors: Float32Array;
}

/** The vector of item `i`; shares memory. */
export const vectorOf = ({ vectors, size }: Embeddings, i: number): Float32Array =>
  vectors.subarray(i * size, (i + 1) * size);

/** Those of some items, in the order given. */
export function selectEmbeddings(embeddings: Embeddings, indices: readonly number[]): Embeddings {
  const { size, items } = embeddings;
  const vectors = new Float32Array(indices.length * size);
  for (const [at, i] of indices.entries()) vectors.set(vectorOf(embeddings, i), at * size);
  return { ...embeddings, items: indices.map(i => items[i]), vectors };
}

/** Errors: EmbeddingError where two were made by different networks, whose distances mean nothing. */
export function expectSameEmbedder(a: Embedder, b: Embedder): void {
  if (a.sha256 === b.sha256) return;
  const which =
    a.name === b.name
      ? `both by ${a.name}, but with other weights, layers or preparation`
      : `by ${a.name} and by ${b.name}`;
  throw new NdconvError(
    'EmbeddingError',
    `the embeddings were made ${which}: their distances mean nothing; embed both with the same network`,
    { embedders: [a, b] },
  );
}
