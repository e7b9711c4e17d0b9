// Where the windows of a field lie: around its annotations (heartbeats, spikes, words), or one after another in any rank,
// by its header alone; and what each belongs to: a label, a block, a part.

import { NdconvError } from '../errors.ts';
import { type Annotation, annotatedSample, type Field } from '../formats/field.ts';
import type { Range } from '../prepare/excerpt.ts';
import { type Part, parts } from './list.ts';

/** Samples `[mark - before, mark + after)` around every annotation. */
export interface Around {
  before: number;
  after: number;
  /** Annotations by the label that their windows get; those in no list are left out. All, under their own, where absent. */
  labels?: Readonly<Record<string, readonly string[]>>;
}

/** `size` samples along each dimension, one every `step`. */
export interface Regular {
  size: readonly number[];
  step: readonly number[];
}

export type Cut = Around | Regular;

export const labelSources = ['annotation', 'file', 'block'] as const;
/** What a window's label is: that of its annotation, that of what it was cut out of, or its block. */
export type LabelSource = (typeof labelSources)[number];

/** What windows belong to, beside the field that they are cut out of. */
export interface Grouping {
  /** `annotation` around annotations and `file` otherwise, where absent. */
  label?: LabelSource;
  /**
   * Samples along each dimension of the blocks that a field is divided into: windows of one block share an identity, and
   * those that cross a border are left out, so that what is measured over identities is measured over parts that share
   * nothing.
   */
  block?: readonly number[];
  /** Shares of the first dimension for train, validation and test, in this order; windows across a border are left out. */
  split?: Readonly<Record<Part, number>>;
}

/** Where a window lies, and what it belongs to. */
export interface Window {
  /** Absent: that of the field. */
  label?: string;
  /** `3`, or `0,2,1`: which block along each dimension. */
  block?: string;
  part?: Part;
  ranges: Range[];
}

/** What cutting one field gives. */
export interface Listed {
  windows: Window[];
  /** Windows that cross a border of blocks or parts. */
  crossing: number;
  /** Annotations that are left out because no label lists them, by their own label. */
  unlisted: Map<string, number>;
  /** Annotations too near to an end. */
  beyond: number;
}

const isAround = (cut: Cut): cut is Around => 'before' in cut;

/** Samples of a window along each dimension. */
export const windowSize = (cut: Cut): number[] => (isAround(cut) ? [cut.before + cut.after] : [...cut.size]);

/** Where the windows of a field lie, as far as `limit` of them (of each part). */
export function listWindows(
  { shape, axes, annotations = [] }: Pick<Field, 'shape' | 'axes'> & { annotations?: readonly Annotation[] },
  cut: Cut,
  limit = Number.POSITIVE_INFINITY,
  grouping: Grouping = {},
): Listed {
  const listed: Listed = { windows: [], unlisted: new Map(), beyond: 0, crossing: 0 };
  const sizes = shape.slice(0, -1);
  const place = placing(sizes, grouping);
  const counts = new Map<Part | undefined, number>();
  /** Takes a window unless it crosses a border or there are enough; false where no other can be taken. */
  const take = (window: Window): boolean => {
    const placed = place(window);
    if (!placed) listed.crossing++;
    else if ((counts.get(placed.part) ?? 0) < limit) {
      listed.windows.push(placed);
      counts.set(placed.part, (counts.get(placed.part) ?? 0) + 1);
    }
    return grouping.split !== undefined || listed.windows.length < limit;
  };
  if (!isAround(cut)) {
    for (const ranges of regularRanges(sizes, cut)) if (!take({ ranges })) break;
    return listed;
  }
  const labelOf = labelling(cut.labels);
  for (const annotation of annotations) {
    const label = labelOf(annotation.label);
    if (label === undefined) {
      listed.unlisted.set(annotation.label, (listed.unlisted.get(annotation.label) ?? 0) + 1);
      continue;
    }
    const mark = annotatedSample({ axes }, annotation);
    const range: Range = [mark - cut.before, mark + cut.after];
    if (range[0] < 0 || range[1] > shape[0]) listed.beyond++;
    else if (!take({ label, ranges: [range] })) break;
  }
  return listed;
}

/** Gives a window its block, part and label; undefined where it crosses a border. */
function placing(
  sizes: readonly number[],
  { label, block, split }: Grouping,
): (window: Window) => Window | undefined {
  const total = split ? parts.reduce((sum, part) => sum + split[part], 0) : 1;
  let end = 0;
  const borders = parts.map(part => {
    const from = end;
    end += split ? (split[part] / total) * sizes[0] : 0;
    return { part, from, to: end };
  });
  return ({ ranges, ...window }) => {
    const placed: Window = { ...window, ranges };
    if (split) {
      const [from, to] = ranges[0];
      const own = borders.find(border => from >= border.from && to <= border.to + 1e-6);
      if (!own) return undefined;
      placed.part = own.part;
    }
    if (block) {
      const at = ranges.map(([from], axis) => Math.floor(from / block[axis]));
      if (ranges.some(([, to], axis) => to > (at[axis] + 1) * block[axis])) return undefined;
      placed.block = at.join();
    }
    if (label === 'block') placed.label = placed.block;
    else if (label === 'file') delete placed.label;
    return placed;
  };
}

/** The label of the window around an annotation, undefined where it is left out. */
function labelling(labels: Around['labels']): (own: string) => string | undefined {
  if (!labels) return own => own;
  const found = new Map(
    Object.entries(labels).flatMap(([label, owns]) => owns.map(own => [own, label] as const)),
  );
  return own => found.get(own);
}

function* regularRanges(sizes: readonly number[], { size, step }: Regular, axis = 0): Generator<Range[]> {
  if (axis === sizes.length) {
    yield [];
    return;
  }
  for (let from = 0; from + size[axis] <= sizes[axis]; from += step[axis])
    for (const rest of regularRanges(sizes, { size, step }, axis + 1))
      yield [[from, from + size[axis]], ...rest];
}

/** `N 2239, A 33, + 1`: the most frequent first. */
export const describeCounts = (counts: ReadonlyMap<string, number>, most = 12): string =>
  [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, most)
    .map(([label, count]) => `${label} ${count}`)
    .join(', ') + (counts.size > most ? ` and ${counts.size - most} more` : '');

/** Why there is no window. */
export function noWindows(
  fields: number,
  unlisted: ReadonlyMap<string, number>,
  beyond: number,
  cut: Cut,
  crossing = 0,
): NdconvError {
  const of = fields === 1 ? 'the field' : `the ${fields} fields`;
  const size = windowSize(cut).join('×');
  const message =
    crossing > 0
      ? `every one of the ${crossing} windows of ${size} samples crosses a border of blocks or parts; give larger blocks or smaller windows`
      : !isAround(cut)
        ? `${of} cannot hold a window of ${size} samples; give a smaller size`
        : unlisted.size > 0
          ? `no label lists an annotation of ${of}, which has ${describeCounts(unlisted)}; name those under labels`
          : beyond > 0
            ? `every one of the ${beyond} annotations is nearer to an end than the window of ${size} samples reaches`
            : `${of} has no annotations; give a recording with them (WFDB with .atr, EDF+), or size for windows one after another`;
  return new NdconvError('ShapeError', `windows: ${message}`, { unlisted: Object.fromEntries(unlisted) });
}
