// An approximate index of nearest neighbours (HNSW, Malkov and Yashunin 2016, by the library usearch) over the vectors of
// a gallery. A vector is known in it by a hash of its content, so that an index on disk fits whatever gallery holds the
// same vectors: those that are missing are added, those that are gone are removed, and the rest stays as it is. Where the
// library cannot be loaded (it brings binaries for Linux with glibc and for macOS) there is no index, and the search is exact.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import type { Index } from 'usearch';
import { type Embeddings, vectorOf } from '../../embeddings/embeddings.ts';
import { NdconvError } from '../../errors.ts';
import { reasonOf } from '../../formats/format.ts';

/** What an index can measure: the squared Euclidean distance, whose order is that of the distance itself, or the cosine. */
export type IndexMetric = 'squared-euclidean' | 'cosine';

/** Embeddings from which on an index is worth its making. */
export const indexedFrom = 10_000;

/** Neighbours of a vertex, and how many candidates are looked at on adding and on searching. */
const settings = { connectivity: 16, expansion_add: 128, expansion_search: 128 };

/** Vectors that are added between two looks at Ctrl-C. */
const chunk = 256;

/** An index over the vectors of embeddings. */
export interface NeighbourIndex {
  readonly metric: IndexMetric;
  /** Places of the `k` nearest items or fewer, nearest first; equal vectors count as one. */
  search(vector: Float32Array, k: number): number[];
  /** Writes it, to be opened again; the caller renames. */
  save(path: string): Promise<void>;
  /** Vectors added, and removed, since it was opened. */
  readonly added: number;
  readonly removed: number;
}

export interface IndexOptions {
  metric: IndexMetric;
  /** An index that was saved, of the same or other vectors. */
  path?: string;
  /** What the saved one was of, where that is known: what is gone since then is removed. */
  before?: Embeddings;
  note?: (message: string) => void;
  progress?: (fraction: number) => void;
  signal?: AbortSignal;
}

/** The first 64 bits of the SHA-256 of a vector. */
function keyOf(vector: Float32Array): bigint {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return createHash('sha256').update(bytes).digest().readBigUInt64LE();
}

const sha256Of = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/**
 * The library takes a damaged file for a good one and takes the process with it, so that a hash stands at the end, which
 * the library leaves unread. Errors: EmbeddingError where it is another.
 */
async function expectWhole(path: string): Promise<void> {
  const bytes = await readFile(path);
  const end = Math.max(0, bytes.length - 32);
  if (end === 0 || !sha256Of(bytes.subarray(0, end)).equals(bytes.subarray(end)))
    throw new NdconvError('EmbeddingError', 'it is damaged');
}

/** The first item of every distinct vector. */
function placesByKey(embeddings: Embeddings): Map<bigint, number> {
  const places = new Map<bigint, number>();
  for (let i = 0; i < embeddings.items.length; i++) {
    const key = keyOf(vectorOf(embeddings, i));
    if (!places.has(key)) places.set(key, i);
  }
  return places;
}

/** An index over embeddings; undefined where the library cannot be loaded, which is said. */
export async function openIndex(
  embeddings: Embeddings,
  options: IndexOptions,
): Promise<NeighbourIndex | undefined> {
  const { metric, path, before, note, progress, signal } = options;
  const library = await import('usearch').catch(error => {
    note?.(`the search is exact: the library of the approximate index cannot be loaded (${reasonOf(error)})`);
    return undefined;
  });
  if (!library) return undefined;
  const { size } = embeddings;
  const create = (): Index =>
    new library.Index({
      dimensions: size,
      metric: metric === 'cosine' ? library.MetricKind.Cos : library.MetricKind.L2sq,
      quantization: library.ScalarKind.F32,
      multi: false,
      ...settings,
    });
  const places = placesByKey(embeddings);
  const keys = BigUint64Array.from(places.keys());
  let index = create();
  let missing = keys;
  let removed = 0;
  if (path !== undefined && existsSync(path)) {
    try {
      await expectWhole(path);
      index.load(path);
      if (Number(index.dimensions()) !== size)
        throw new NdconvError('EmbeddingError', 'it is of vectors of another length');
      const gone = before ? [...placesByKey(before).keys()].filter(key => !places.has(key)) : [];
      if (gone.length > 0) removed = [index.remove(BigUint64Array.from(gone))].flat().length;
      const present = [index.contains(keys)].flat();
      missing = keys.filter((_, i) => !present[i]);
    } catch (error) {
      note?.(`the index ${path} is not used and made anew: ${reasonOf(error)}`);
      index = create();
      missing = keys;
    }
  }
  // What else is in it belongs to items that nobody told of: keys cannot be listed, only be passed over.
  let unknown = Number(index.size()) - (keys.length - missing.length);
  if (unknown > keys.length / 4) {
    index = create();
    missing = keys;
    unknown = 0;
  }
  for (let from = 0; from < missing.length; from += chunk) {
    signal?.throwIfAborted();
    const part = missing.slice(from, from + chunk);
    const vectors = new Float32Array(part.length * size);
    for (const [i, key] of part.entries()) vectors.set(vectorOf(embeddings, places.get(key)!), i * size);
    // One thread, so that the graph is the same every time.
    index.add(part, vectors, 1);
    progress?.((from + part.length) / missing.length);
    await new Promise(resolve => setImmediate(resolve));
  }
  return {
    metric,
    search(vector, k) {
      const found = index.search(vector, Math.min(k + unknown, Number(index.size())), 1);
      const known: number[] = [];
      for (const key of (found as { keys: BigUint64Array }).keys) {
        const place = places.get(key);
        if (place !== undefined && known.length < k) known.push(place);
      }
      return known;
    },
    async save(to) {
      index.save(to);
      await appendFile(to, sha256Of(await readFile(to)), { flush: true });
    },
    added: missing.length,
    removed,
  };
}
