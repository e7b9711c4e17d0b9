// Embeds the items of a dataset: those whose vectors are known already keep them, the others are read, fitted to the
// network and computed in batches of one shape. What cannot be read or gives no vector is left out and named.

import type { Backend } from '../backends/backend.ts';
import { type Dataset, leaveOutOf } from '../datasets/dataset.ts';
import type { Item } from '../datasets/list.ts';
import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { reasonOf } from '../formats/format.ts';
import { Graph } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { instantiate } from '../networks/network.ts';
import { operations } from '../ops/index.ts';
import { product } from '../tensor/layout.ts';
import { type EmbeddingNetwork, embedderOf, fitField } from './embedder.ts';
import { type EmbeddedItem, type Embeddings, vectorOf } from './embeddings.ts';
import { hashItem } from './hash.ts';

/** Values of inputs that one batch holds at most, and its most items: more makes nothing faster. */
const batchValues = 2 ** 19;
const mostInBatch = 64;

/** Programs for other shapes that are kept. */
const mostPrograms = 4;

export interface EmbedOptions {
  /** Embeddings computed before; those by the same embedder are taken over by file hash and box. */
  known?: Embeddings;
  /** Told after every batch; `sofar` gives what there is (items in the dataset's order, and then what is known of others). */
  onProgress?: (done: number, total: number, sofar: () => Embeddings) => void | Promise<void>;
  /** Aborted: the batch in hand is finished, and what there is returned. */
  signal?: AbortSignal;
}

/** What came of it. */
export interface Embedded {
  embeddings: Embeddings;
  /** What is worth keeping: the embeddings, and where it was aborted what is known of items not reached. */
  kept: Embeddings;
  /** Vectors that were taken over, and that were computed now. */
  reused: number;
  computed: number;
}

const keyOf = ({ sha256, box = [] }: EmbeddedItem): string | undefined =>
  sha256 === undefined ? undefined : `${sha256} ${box.join()}`;

/** What is kept of an item, with the hash of its file, which many items may share. */
async function identify(
  { path, name, label, identity, part, sha256, box, score }: EmbeddedItem,
  hashes: Map<string, Promise<string | undefined>>,
): Promise<EmbeddedItem> {
  if (sha256 === undefined && !hashes.has(path)) hashes.set(path, hashItem(path));
  const hash = sha256 ?? (await hashes.get(path));
  return {
    path,
    name,
    label,
    identity,
    ...(part ? { part } : {}),
    ...(hash === undefined ? {} : { sha256: hash }),
    ...(box ? { box } : {}),
    ...(score === undefined ? {} : { score }),
  };
}

/** Embeddings of every item that can be read, in the dataset's order. A backend that is a function is made when it is needed. */
export async function embedDataset(
  dataset: Dataset,
  embedding: EmbeddingNetwork,
  backend: Backend | (() => Promise<Backend>),
  options: EmbedOptions = {},
): Promise<Embedded> {
  const { known, onProgress, signal } = options;
  const embedder = embedderOf(embedding, dataset.preparation);
  const leaveOut = leaveOutOf(dataset.options);
  const before = new Map<string, Float32Array>();
  const usable = known?.embedder.sha256 === embedder.sha256 ? known : undefined;
  for (const [i, item] of usable?.items.entries() ?? []) {
    const key = keyOf(item);
    if (usable && key !== undefined) before.set(key, vectorOf(usable, i));
  }
  const found = new Map<Item, { item: EmbeddedItem; vector: Float32Array }>();
  const hashes = new Map<string, Promise<string | undefined>>();
  const runner = new Batches(embedding, backend);
  let waiting: { item: EmbeddedItem; origin: Item; field: Field }[] = [];
  let [reused, computed, done] = [0, 0, 0];

  const gather = (withOthers: boolean): Embeddings => {
    const rows = dataset.items.map(item => found.get(item)).filter(row => row !== undefined);
    if (withOthers && usable) {
      const have = new Set(rows.map(({ item }) => keyOf(item)));
      for (const [i, item] of usable.items.entries())
        if (!have.has(keyOf(item))) rows.push({ item, vector: vectorOf(usable, i) });
    }
    const size = rows[0]?.vector.length ?? 0;
    const vectors = new Float32Array(rows.length * size);
    for (const [at, { vector }] of rows.entries()) vectors.set(vector, at * size);
    return { embedder, size, items: rows.map(({ item }) => item), vectors };
  };
  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const vectors = await runner.run(batch.map(({ field }) => field));
    for (const [i, { item, origin }] of batch.entries()) {
      const fault = faultOf(vectors[i], embedding.normalise);
      if (fault) leaveOut(item.name, fault);
      else found.set(origin, { item, vector: vectors[i] });
    }
    computed += batch.length;
  };

  try {
    for (const origin of dataset.items) {
      if (signal?.aborted) break;
      done++;
      const item = await identify(origin, hashes);
      const key = keyOf(item);
      const vector = key === undefined ? undefined : before.get(key);
      if (vector) {
        found.set(origin, { item, vector });
        reused++;
      } else {
        const field = await fittedItem(dataset, origin, embedding, leaveOut);
        if (!field) continue;
        if (waiting[0] && waiting[0].field.shape.join() !== field.shape.join()) await flush();
        waiting.push({ item, origin, field });
        if (waiting.length < batchSize(field.shape)) continue;
        await flush();
      }
      await onProgress?.(done, dataset.items.length, () => gather(true));
    }
    await flush();
    await onProgress?.(done, dataset.items.length, () => gather(true));
  } finally {
    await runner.close();
  }
  const embeddings = gather(false);
  return { embeddings, kept: signal?.aborted ? gather(true) : embeddings, reused, computed };
}

async function fittedItem(
  dataset: Dataset,
  item: Item,
  { network }: EmbeddingNetwork,
  leaveOut: (name: string, reason: string) => void,
): Promise<Field | undefined> {
  const field = await dataset.read(item);
  if (!field) return undefined;
  try {
    return fitField(network, field);
  } catch (error) {
    if (!(error instanceof NdconvError)) throw error;
    leaveOut(item.name, reasonOf(error).replace(`${field.source}: `, ''));
    return undefined;
  }
}

/** Brings a vector to length 1 where wished; says what is wrong with it. */
function faultOf(vector: Float32Array, normalise: boolean): string | undefined {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (!Number.isFinite(squares))
    return 'its embedding is not finite (NaN or infinite); look at its values and at the weights of the network';
  if (!normalise) return undefined;
  if (squares === 0) return 'its embedding is all zeros, which has no direction to normalise';
  const scale = 1 / Math.sqrt(squares);
  for (const [i, value] of vector.entries()) vector[i] = value * scale;
  return undefined;
}

/** Items of a shape that are computed at once. */
export const batchSize = (shape: readonly number[]): number =>
  Math.max(1, Math.min(mostInBatch, Math.floor(batchValues / product(shape))));

/** Embeddings of single fields, in their order; each is fitted to the network. */
export async function embedFields(
  fields: readonly Field[],
  embedding: EmbeddingNetwork,
  backend: Backend,
): Promise<Float32Array[]> {
  const runner = new Batches(embedding, backend);
  try {
    const vectors: Float32Array[] = [];
    for (const field of fields) {
      const [vector] = await runner.run([fitField(embedding.network, field)]);
      const fault = faultOf(vector, embedding.normalise);
      if (fault)
        throw new NdconvError('EmbeddingError', `${field.source}: ${fault}`, { source: field.source });
      vectors.push(vector);
    }
    return vectors;
  } finally {
    await runner.close();
  }
}

/** Records what is read of the network for a batch of a shape. */
export function recordEmbedding({ network, layer, mirror }: EmbeddingNetwork, shape: readonly number[]) {
  const graph = new Graph();
  const x = graph.input('x', shape);
  // Mirror images are further samples of the batch, so that weights are there once.
  const all = mirror === undefined ? x : operations.concat([x, operations.flip(x, mirror + 1)], 0);
  const both = instantiate(network, all, [layer]).get(layer)!;
  const [count] = shape;
  const half = (from: number) => operations.slice(both, 0, from, from + count);
  const value = mirror === undefined ? both : operations.add(half(0), half(count));
  const outputs = { y: value.shape.length > 2 ? operations.globalAveragePool(value) : value };
  return { graph, outputs };
}

/** Programs by shape, the last used kept. */
class Batches {
  private readonly programs = new Map<string, Program>();
  private readonly embedding: EmbeddingNetwork;
  private readonly backend: Backend | (() => Promise<Backend>);

  constructor(embedding: EmbeddingNetwork, backend: Backend | (() => Promise<Backend>)) {
    this.embedding = embedding;
    this.backend = backend;
  }

  /** Vectors of fitted fields of one shape. */
  async run(fields: readonly Field[]): Promise<Float32Array[]> {
    const [{ shape }] = fields;
    const cells = product(shape);
    const program = await this.programFor([fields.length, ...shape]);
    const data = new Float32Array(fields.length * cells);
    for (const [i, field] of fields.entries()) data.set(field.data, i * cells);
    await program.write('x', data);
    await program.run();
    const found = await program.read('y');
    const size = found.length / fields.length;
    return fields.map((_, i) => found.slice(i * size, (i + 1) * size));
  }

  private async programFor(shape: readonly number[]): Promise<Program> {
    const key = shape.join();
    let program = this.programs.get(key);
    this.programs.delete(key);
    if (!program) {
      for (const [other, old] of this.programs)
        if (this.programs.size >= mostPrograms) {
          this.programs.delete(other);
          await old.dispose();
        }
      const { graph, outputs } = recordEmbedding(this.embedding, shape);
      const backend = typeof this.backend === 'function' ? await this.backend() : this.backend;
      program = await Program.compile(graph, { outputs }, backend);
    }
    this.programs.set(key, program);
    return program;
  }

  async close(): Promise<void> {
    for (const program of this.programs.values()) await program.dispose();
    this.programs.clear();
  }
}
