// Which items are compared with which, and whether the two are the same: by label, so that nothing else decides what is to
// be told apart. All pairs, as many different ones as same ones, or pairs that somebody lists by name.

import { NdconvError } from '../errors.ts';
import { createRandom } from '../random.ts';

/** Pairs of items, by their place among the items: pair `i` is of `first[i]` and `second[i]`. */
export interface Pairs {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  /** 1 where both have one label, else 0. */
  readonly same: Uint8Array;
}

/** What pairs need to know of an item. */
export interface Paired {
  readonly name: string;
  readonly label: string;
  readonly sha256?: string;
  readonly box?: readonly number[];
}

/** Most pairs that are made of all: of more items, different ones are drawn. */
export const mostPairs = 2_000_000;

/** Pairs of a list of places. */
export function pairsOf(items: readonly Paired[], places: readonly (readonly [number, number])[]): Pairs {
  return {
    first: Uint32Array.from(places, ([a]) => a),
    second: Uint32Array.from(places, ([, b]) => b),
    same: Uint8Array.from(places, ([a, b]) => (items[a].label === items[b].label ? 1 : 0)),
  };
}

/** Some of the pairs, in the order given. */
export const selectPairs = ({ first, second, same }: Pairs, places: ArrayLike<number>): Pairs => ({
  first: Uint32Array.from(places, i => first[i]),
  second: Uint32Array.from(places, i => second[i]),
  same: Uint8Array.from(places, i => same[i]),
});

/** Places of items by label, in order of appearance. */
export function groupByLabel(items: readonly { label: string }[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const [i, { label }] of items.entries()) {
    const group = groups.get(label);
    if (group) group.push(i);
    else groups.set(label, [i]);
  }
  return groups;
}

/** What an item was made of, where that is known: two of one content are no pair that says anything. */
export const contentOf = ({ sha256, box = [] }: Paired): string | undefined =>
  sha256 === undefined ? undefined : `${sha256} ${box.join()}`;

/** For every item the first one of the same content; its own place where there is none. */
function firstOfContent(items: readonly Paired[]): Uint32Array {
  const seen = new Map<string, number>();
  return Uint32Array.from(items, (item, i) => {
    const content = contentOf(item);
    if (content === undefined) return i;
    const before = seen.get(content);
    if (before === undefined) seen.set(content, i);
    return before ?? i;
  });
}

export interface PairChoice {
  /** `all`: every pair (different ones drawn at random beyond `most`); `balanced`: as many different ones as same ones. */
  kind: 'all' | 'balanced';
  seed: number;
  /** Most pairs; 2,000,000 where absent. */
  most?: number;
}

/**
 * Pairs of items, those of one content (the same file twice) left out. Same pairs come first. Errors: EmbeddingError where
 * there is no same pair (one sample of each label) or no different one (one label only), with what to do.
 */
export function choosePairs(
  items: readonly Paired[],
  { kind, seed, most = mostPairs }: PairChoice,
): { pairs: Pairs; drawn: boolean } {
  const content = firstOfContent(items);
  const groups = [...groupByLabel(items).values()];
  if (groups.length < 2)
    throw new NdconvError(
      'EmbeddingError',
      `all ${items.length} items are of ${groups.length === 0 ? 'no label' : `one label, ${items[0].label}`}: there are no different ones to tell apart; give at least two`,
      { labels: groups.length },
    );
  const random = createRandom(seed, 'pairs');
  let same: [number, number][] = [];
  for (const group of groups)
    for (const [at, a] of group.entries())
      for (const b of group.slice(at + 1)) if (content[a] !== content[b]) same.push([a, b]);
  if (same.length === 0)
    throw new NdconvError(
      'EmbeddingError',
      `there is one sample of each of the ${groups.length} labels (${items
        .slice(0, 3)
        .map(({ label }) => label)
        .join(
          ', ',
        )}${groups.length > 3 ? ' …' : ''}): nothing says how alike two of the same are; give at least two samples of some`,
      { labels: groups.length },
    );
  const drawnSame = same.length > most / 2;
  if (drawnSame) same = random.shuffle(same).slice(0, Math.floor(most / 2));
  const sizes = groups.map(({ length }) => length);
  const total = (items.length * (items.length - 1) - sizes.reduce((sum, n) => sum + n * (n - 1), 0)) / 2;
  const wanted = kind === 'balanced' ? same.length : most - same.length;
  const drawn = drawnSame || wanted < total;
  const different = wanted < total ? drawDifferent(items, wanted, random) : everyDifferent(items);
  const kept = different.filter(([a, b]) => content[a] !== content[b]);
  return { pairs: pairsOf(items, [...same, ...kept]), drawn };
}

function everyDifferent(items: readonly Paired[]): [number, number][] {
  const found: [number, number][] = [];
  for (let a = 0; a < items.length; a++)
    for (let b = a + 1; b < items.length; b++) if (items[a].label !== items[b].label) found.push([a, b]);
  return found;
}

/** `count` of them, each once; `count` is less than there are. */
function drawDifferent(
  items: readonly Paired[],
  count: number,
  random: { integer(n: number): number },
): [number, number][] {
  const n = items.length;
  const seen = new Set<number>();
  const found: [number, number][] = [];
  // Where nearly all are wanted, drawing until a new one comes would take long.
  if (n * n < 4e6) {
    const all = everyDifferent(items);
    for (let i = 0; i < count; i++) {
      const j = i + random.integer(all.length - i);
      [all[i], all[j]] = [all[j], all[i]];
    }
    return all.slice(0, count);
  }
  while (found.length < count) {
    const [a, b] = [random.integer(n), random.integer(n)];
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const key = low * n + high;
    if (items[a].label === items[b].label || seen.has(key)) continue;
    seen.add(key);
    found.push([low, high]);
  }
  return found;
}
