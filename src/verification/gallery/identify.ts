// Who somebody is: the nearest label of a gallery, or nobody where even that is too far (open-set identification). The
// threshold is one that was set, or found from the gallery itself: how near strangers come, seen by taking everybody out
// in turn.

import { type EmbeddedItem, type Embeddings, vectorOf } from '../../embeddings/embeddings.ts';
import { createRandom } from '../../random.ts';
import { contentOf } from '../pairs.ts';
import type { Gallery } from './gallery.ts';
import type { Candidate, Searcher } from './search.ts';

/** What came of one item. */
export interface Identification {
  item: EmbeddedItem;
  /** Nearest labels, nearest first. */
  candidates: Candidate[];
  /** The first candidate's label where it is near enough; undefined is unknown. */
  label?: string;
  /** Whether the gallery holds this very item (the same file and box): a hit then says nothing. */
  enrolled: boolean;
}

export interface IdentifyOptions {
  /** Labels that are listed. */
  candidates: number;
  /** Largest distance at which somebody is recognised; all are where absent. */
  threshold?: number;
  progress?: (done: number, all: number) => void;
  signal?: AbortSignal;
}

/** Milliseconds between two looks at Ctrl-C. */
const between = 100;

/** Runs `of` for all places up to `count`, seen by Ctrl-C; gives what there is where that came. */
async function eachPlace<T>(
  count: number,
  of: (i: number) => T,
  { progress, signal }: Pick<IdentifyOptions, 'progress' | 'signal'>,
): Promise<T[]> {
  const found: T[] = [];
  let last = Date.now();
  for (let i = 0; i < count && !signal?.aborted; i++) {
    found.push(of(i));
    if (Date.now() - last < between) continue;
    progress?.(i + 1, count);
    await new Promise(resolve => setImmediate(resolve));
    last = Date.now();
  }
  return found;
}

/** Identifies items in their order. */
export function identifyItems(
  gallery: Gallery,
  searcher: Searcher,
  probes: Embeddings,
  options: IdentifyOptions,
): Promise<Identification[]> {
  const { candidates: k, threshold = Number.POSITIVE_INFINITY } = options;
  const contents = new Set(gallery.embeddings.items.map(contentOf));
  contents.delete(undefined);
  return eachPlace(
    probes.items.length,
    i => {
      const item = probes.items[i];
      const candidates = searcher.nearest(vectorOf(probes, i), k);
      const [first] = candidates;
      return {
        item,
        candidates,
        ...(first && first.distance <= threshold ? { label: first.label } : {}),
        enrolled: contents.has(contentOf(item)),
      };
    },
    options,
  );
}

/** Items of a gallery that are looked at for a threshold; more are drawn from. */
const mostLookedAt = 2000;

/**
 * The threshold at which a share `rate` of strangers is taken for somebody: every item is compared with all other labels,
 * as if its own were not enrolled. A rate below one in the number of items cannot be seen: the threshold is then that of
 * the nearest of them. Undefined with a single label.
 */
export async function thresholdAtRate(
  { embeddings }: Gallery,
  searcher: Searcher,
  rate: number,
  options: Pick<IdentifyOptions, 'progress' | 'signal'> & { seed: number },
): Promise<number | undefined> {
  const { items } = embeddings;
  if (searcher.labels < 2) return undefined;
  const order = createRandom(options.seed, 'strangers').shuffle(items.map((_, i) => i));
  const places = order.slice(0, mostLookedAt);
  const nearest = await eachPlace(
    places.length,
    at => {
      const { label } = items[places[at]];
      const own = (item: number): boolean => items[item].label === label;
      return searcher.nearest(vectorOf(embeddings, places[at]), 1, own)[0].distance;
    },
    options,
  );
  options.signal?.throwIfAborted();
  nearest.sort((a, b) => a - b);
  // So many may be at most as far as the threshold: it lies between the last of them and the next.
  const accepted = Math.floor(rate * nearest.length);
  const next = nearest[Math.min(accepted, nearest.length - 1)];
  const last = accepted > 0 ? nearest[accepted - 1] : 0;
  return accepted >= nearest.length ? next : (last + next) / 2;
}
