// A gallery: embeddings of those who are known, by label. Enrolling adds items, and what was enrolled of the same content
// before gives way; removing takes whole labels out. Nothing here is recomputed for the others.

import {
  type EmbeddedItem,
  type Embeddings,
  expectSameEmbedder,
  selectEmbeddings,
  vectorOf,
} from '../../embeddings/embeddings.ts';
import { NdconvError } from '../../errors.ts';
import { expectFinite } from '../distances.ts';
import { contentOf, groupByLabel } from '../pairs.ts';
import type { NeighbourIndex } from './neighbour-index.ts';

/** Those who are known. */
export interface Gallery {
  readonly embeddings: Embeddings;
  /** Where there are many: an index over the embeddings that is at hand already. */
  readonly index?: NeighbourIndex;
}

/** What becomes of earlier items when others are enrolled: stay, go where their label is enrolled anew, or go. */
export const earlierChoices = ['keep', 'replace', 'drop'] as const;
export type EarlierChoice = (typeof earlierChoices)[number];

/** Where an item came from: its content where that is known, else its file and box. */
const originOf = (item: EmbeddedItem): string => contentOf(item) ?? `${item.path} ${(item.box ?? []).join()}`;

/** Embeddings of two lists by one embedder, the second after the first. */
function join(a: Embeddings, b: Embeddings): Embeddings {
  const vectors = new Float32Array(a.vectors.length + b.vectors.length);
  vectors.set(a.vectors);
  vectors.set(b.vectors, a.vectors.length);
  return { ...b, items: [...a.items, ...b.items], vectors };
}

/**
 * Enrols items beside earlier ones. Of one content (file and box) the last stays. Errors: EmbeddingError where the two
 * were made by different networks or a vector is not finite.
 */
export function enrolItems(
  earlier: Embeddings | undefined,
  added: Embeddings,
  choice: EarlierChoice = 'keep',
): { embeddings: Embeddings; added: number; replaced: number; dropped: number } {
  expectFinite(added);
  const last = new Map(added.items.map((item, i) => [originOf(item), i]));
  const fresh = selectEmbeddings(added, [...last.values()]);
  const count = earlier?.items.length ?? 0;
  if (!earlier || choice === 'drop')
    return { embeddings: fresh, added: fresh.items.length, replaced: 0, dropped: count };
  expectSameEmbedder(earlier.embedder, fresh.embedder);
  const labels = new Set(fresh.items.map(({ label }) => label));
  const places = earlier.items.map((_, i) => i);
  const others = places.filter(i => !last.has(originOf(earlier.items[i])));
  const kept = choice === 'keep' ? others : others.filter(i => !labels.has(earlier.items[i].label));
  const replaced = count - others.length;
  return {
    embeddings: join(selectEmbeddings(earlier, kept), fresh),
    added: fresh.items.length - replaced,
    replaced,
    dropped: others.length - kept.length,
  };
}

/** Without some labels. Errors: EmbeddingError naming a label that is not enrolled, or where nobody would be left. */
export function removeLabels(embeddings: Embeddings, labels: readonly string[]): Embeddings {
  const { items } = embeddings;
  const known = new Set(items.map(({ label }) => label));
  const absent = labels.find(label => !known.has(label));
  if (absent !== undefined)
    throw new NdconvError(
      'EmbeddingError',
      `${absent} is not enrolled, so cannot be removed; enrolled are ${listLabels(known)}`,
      { label: absent },
    );
  const gone = new Set(labels);
  const kept = items.flatMap(({ label }, i) => (gone.has(label) ? [] : [i]));
  if (kept.length === 0)
    throw new NdconvError(
      'EmbeddingError',
      `removing ${listLabels(gone)} would leave nobody in the gallery; delete its file instead`,
    );
  return selectEmbeddings(embeddings, kept);
}

const listLabels = (labels: ReadonlySet<string>, most = 12): string =>
  [...labels].slice(0, most).join(', ') + (labels.size > most ? ` and ${labels.size - most} more` : '');

/** One vector a label, the mean of its items; the item is the label's first. `unit`: of items brought to length 1. */
export function meanOfLabels(embeddings: Embeddings, unit: boolean): Embeddings {
  const { items, size } = embeddings;
  const groups = [...groupByLabel(items).values()];
  const vectors = new Float32Array(groups.length * size);
  for (const [at, group] of groups.entries()) {
    const sum = new Float64Array(size);
    for (const i of group) {
      const vector = vectorOf(embeddings, i);
      const length = unit ? Math.hypot(...vector) || 1 : 1;
      for (let k = 0; k < size; k++) sum[k] += vector[k] / length / group.length;
    }
    vectors.set(sum, at * size);
  }
  return { ...embeddings, items: groups.map(([first]) => items[first]), vectors };
}
