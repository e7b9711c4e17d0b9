// A dataset of parts of other fields: what lies around the annotations of a recording (heartbeats, spikes, words), or
// windows one after another over a field of any rank. Windows have one size, keep the identity of what they were cut out
// of, and are cut when they are read.

import { NdconvError } from '../errors.ts';
import { type Annotation, annotatedSample, type Field } from '../formats/field.ts';
import { reasonOf } from '../formats/format.ts';
import { excerpt, type Range } from '../prepare/excerpt.ts';
import type { Operation } from '../prepare/operations.ts';
import { applyOperations } from '../prepare/run.ts';
import { type Dataset, derivedDataset, leaveOutOf } from './dataset.ts';
import type { Item } from './list.ts';

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

/** One window. */
export interface WindowItem extends Item {
  /** `[from, to]` in seconds where the only axis is time; else `[from, to]` in samples of every dimension in turn. */
  box: number[];
  /** Samples along each dimension. */
  ranges: Range[];
  /** What it was cut out of. */
  whole: Item;
}

/** What cutting one field gives. */
export interface Listed {
  windows: { label?: string; ranges: Range[] }[];
  /** Annotations that are left out because no label lists them, by their own label. */
  unlisted: Map<string, number>;
  /** Annotations too near to an end. */
  beyond: number;
}

const isAround = (cut: Cut): cut is Around => 'before' in cut;

/** Samples of a window along each dimension. */
export const windowSize = (cut: Cut): number[] => (isAround(cut) ? [cut.before + cut.after] : [...cut.size]);

/** Where the windows of a field lie, as far as `limit` of them. */
export function listWindows(
  { shape, axes, annotations = [] }: Pick<Field, 'shape' | 'axes'> & { annotations?: readonly Annotation[] },
  cut: Cut,
  limit = Number.POSITIVE_INFINITY,
): Listed {
  const listed: Listed = { windows: [], unlisted: new Map(), beyond: 0 };
  if (!isAround(cut)) {
    listed.windows = regularRanges(shape.slice(0, -1), cut, limit).map(ranges => ({ ranges }));
    return listed;
  }
  const labelOf = labelling(cut.labels);
  for (const annotation of annotations) {
    if (listed.windows.length >= limit) break;
    const label = labelOf(annotation.label);
    if (label === undefined) {
      listed.unlisted.set(annotation.label, (listed.unlisted.get(annotation.label) ?? 0) + 1);
      continue;
    }
    const mark = annotatedSample({ axes }, annotation);
    const range: Range = [mark - cut.before, mark + cut.after];
    if (range[0] < 0 || range[1] > shape[0]) listed.beyond++;
    else listed.windows.push({ label, ranges: [range] });
  }
  return listed;
}

/** The label of the window around an annotation, undefined where it is left out. */
function labelling(labels: Around['labels']): (own: string) => string | undefined {
  if (!labels) return own => own;
  const found = new Map(
    Object.entries(labels).flatMap(([label, owns]) => owns.map(own => [own, label] as const)),
  );
  return own => found.get(own);
}

function regularRanges(sizes: readonly number[], { size, step }: Regular, limit: number): Range[][] {
  let boxes: Range[][] = [[]];
  for (const [axis, length] of sizes.entries()) {
    const longer: Range[][] = [];
    for (const box of boxes) {
      if (longer.length >= limit) break;
      for (let from = 0; from + size[axis] <= length; from += step[axis])
        longer.push([...box, [from, from + size[axis]]]);
    }
    boxes = longer;
  }
  return boxes.slice(0, Math.min(limit, boxes.length));
}

export interface CutOptions {
  cut: Cut;
  /** At most this many windows of each field, the first ones. */
  limit?: number;
  /** What is done to every window. */
  operations?: readonly Operation[];
  note?: (message: string) => void;
  /** Told after every field: how many of all are done. */
  progress?: (done: number, all: number) => void;
  signal?: AbortSignal;
  /** Bytes of windows to keep in memory; 256 MiB by default. */
  cacheBytes?: number;
}

/**
 * The windows of every item of a dataset. Its fields are read once to list them; a window that cannot be prepared is left
 * out when it is read, and said. Errors: ShapeError where there is no window at all.
 */
export async function cutWindows(dataset: Dataset, options: CutOptions): Promise<Dataset> {
  const { cut, limit, operations = [], note, progress, signal, cacheBytes = 256 * 2 ** 20 } = options;
  const items: WindowItem[] = [];
  const unlisted = new Map<string, number>();
  let [beyond, done] = [0, 0];
  for (const whole of dataset.items) {
    signal?.throwIfAborted();
    const field = await dataset.read(whole);
    if (field) {
      const listed = listWindows(field, cut, limit);
      beyond += listed.beyond;
      for (const [label, count] of listed.unlisted) unlisted.set(label, (unlisted.get(label) ?? 0) + count);
      for (const window of listed.windows) items.push(itemOf(whole, field, window));
    }
    progress?.(++done, dataset.items.length);
    // Reading may have come from memory: Ctrl-C is to be seen.
    await new Promise(resolve => setImmediate(resolve));
  }
  if (items.length === 0) throw noWindows(dataset.items.length, unlisted, beyond, cut);
  if (unlisted.size > 0) note?.(`annotations left out, as no label lists them: ${describeCounts(unlisted)}`);
  if (beyond > 0) note?.(`${beyond} annotations are nearer to an end than the window reaches, and left out`);

  const leaveOut = leaveOutOf({ ...dataset.options, note });
  const kept = new Map<WindowItem, Field>();
  const broken = new Set<WindowItem>();
  let bytes = 0;
  let last: { whole: Item; field: Field } | undefined;
  const read = async (item: WindowItem): Promise<Field | undefined> => {
    const before = kept.get(item);
    if (before || broken.has(item)) return before;
    if (last?.whole !== item.whole) {
      const field = await dataset.read(item.whole);
      if (!field) return undefined;
      last = { whole: item.whole, field };
    }
    try {
      const part = { ...excerpt(last.field, item.ranges), source: item.name };
      const { field } = applyOperations(part, operations);
      if (bytes + field.data.byteLength <= cacheBytes) {
        bytes += field.data.byteLength;
        kept.set(item, field);
      }
      return field;
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      broken.add(item);
      leaveOut(item.name, reasonOf(error));
      return undefined;
    }
  };
  return derivedDataset(dataset, items, read, { window: windowSize(cut), operations });
}

function itemOf(whole: Item, { axes }: Field, { label, ranges }: Listed['windows'][number]): WindowItem {
  const timed = axes.length === 1 && axes[0].unit === 's';
  const box = ranges.flat().map(at => (timed ? at * axes[0].spacing : at));
  const place = timed ? `${box[0].toFixed(3)} s` : `[${ranges.map(([from]) => from).join(', ')}]`;
  return { ...whole, name: `${whole.name} at ${place}`, label: label ?? whole.label, box, ranges, whole };
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
): NdconvError {
  const of = fields === 1 ? 'the field' : `the ${fields} fields`;
  const size = windowSize(cut).join('×');
  const message = !isAround(cut)
    ? `${of} cannot hold a window of ${size} samples; give a smaller size`
    : unlisted.size > 0
      ? `no label lists an annotation of ${of}, which has ${describeCounts(unlisted)}; name those under labels`
      : beyond > 0
        ? `every one of the ${beyond} annotations is nearer to an end than the window of ${size} samples reaches`
        : `${of} has no annotations; give a recording with them (WFDB with .atr, EDF+), or size for windows one after another`;
  return new NdconvError('ShapeError', `windows: ${message}`, { unlisted: Object.fromEntries(unlisted) });
}
