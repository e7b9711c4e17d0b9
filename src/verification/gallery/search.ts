// Who in a gallery is nearest: the distance of somebody to a label is that to its nearest item (by item: the best photo
// counts), or to the mean of its items (by mean: one odd photo counts little, and one good one too). Exact, or over the
// candidates of an index that are then measured exactly.

import { type Embeddings, vectorOf } from '../../embeddings/embeddings.ts';
import { type DistanceName, distances } from '../distances.ts';
import { type Gallery, meanOfLabels } from './gallery.ts';
import { type IndexOptions, indexedFrom, openIndex } from './neighbour-index.ts';

/** Somebody who may be meant. */
export interface Candidate {
  label: string;
  /** Place in the gallery of the item that is nearest (by item) or the label's first (by mean). */
  item: number;
  distance: number;
}

export const searchWays = ['item', 'mean'] as const;
export type SearchWay = (typeof searchWays)[number];

/** How two vectors are measured. */
export interface Measure {
  /** The order in which an index looks for candidates: that of the distance, or one near to it. */
  name: DistanceName;
  /** Distance of two vectors; that of the name where absent. */
  distance?: (a: Float32Array, b: Float32Array) => number;
}

export interface SearchOptions extends Omit<IndexOptions, 'metric'> {
  by?: SearchWay;
  /** Embeddings from which on an index is used; 10,000 where absent. */
  indexed?: number;
}

/** Finds labels. */
export interface Searcher {
  readonly way: 'exact' | 'approximate';
  /** Labels in the gallery. */
  readonly labels: number;
  /** The `k` nearest labels, each once, nearest first; items that `skip` says are passed over. */
  nearest(vector: Float32Array, k: number, skip?: (item: number) => boolean): Candidate[];
}

/** Opens a gallery for searching. */
export async function openSearcher(
  gallery: Gallery,
  measure: Measure,
  options: SearchOptions = {},
): Promise<Searcher> {
  const { by = 'item', indexed = indexedFrom, ...indexOptions } = options;
  const { embeddings } = gallery;
  const { name } = measure;
  const metric = name === 'cosine' ? 'cosine' : 'squared-euclidean';
  const distance = measure.distance ?? distances[name];
  const searched = by === 'mean' ? meanOfLabels(embeddings, name === 'cosine') : embeddings;
  const labels = new Set(embeddings.items.map(({ label }) => label)).size;
  const firsts = new Map<string, number>();
  if (by === 'mean')
    for (const [i, { label }] of embeddings.items.entries()) if (!firsts.has(label)) firsts.set(label, i);
  const itemAt = (place: number): number =>
    by === 'mean' ? firsts.get(searched.items[place].label)! : place;
  const count = searched.items.length;
  const ready = by === 'item' && gallery.index?.metric === metric ? gallery.index : undefined;
  const index =
    count < indexed ? undefined : (ready ?? (await openIndex(searched, { metric, ...indexOptions })));

  const measured = (
    places: Iterable<number>,
    vector: Float32Array,
    k: number,
    skip?: (item: number) => boolean,
  ) => {
    const best = new Map<string, Candidate>();
    for (const place of places) {
      const item = itemAt(place);
      if (skip?.(item)) continue;
      const { label } = searched.items[place];
      const own = distance(vectorOf(searched, place), vector);
      const before = best.get(label);
      if (!before) best.set(label, { label, item, distance: own });
      else if (own < before.distance) Object.assign(before, { item, distance: own });
    }
    return [...best.values()].sort((a, b) => a.distance - b.distance || a.item - b.item).slice(0, k);
  };
  return {
    way: index ? 'approximate' : 'exact',
    labels,
    nearest(vector, k, skip) {
      if (!index) return measured(everyPlace(searched), vector, k, skip);
      // Several of the nearest may be of one label: look further until there are enough labels.
      for (let wanted = Math.min(count, 4 * k + 32); ; wanted = Math.min(count, 4 * wanted)) {
        const found = measured(index.search(vector, wanted), vector, k, skip);
        if (found.length >= Math.min(k, labels) || wanted === count) return found;
      }
    },
  };
}

const everyPlace = ({ items }: Embeddings): Iterable<number> => items.keys();
