// A dataset of parts of other fields, as window-list.ts lists them. Windows have one size, keep the identity of what they
// were cut out of, and are cut when they are read.

import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { reasonOf } from '../formats/format.ts';
import { excerpt, type Range } from '../prepare/excerpt.ts';
import type { Operation } from '../prepare/operations.ts';
import { applyOperations } from '../prepare/run.ts';
import { type Dataset, derivedDataset, leaveOutOf } from './dataset.ts';
import type { Item } from './list.ts';
import {
  type Cut,
  describeCounts,
  type Grouping,
  listWindows,
  noWindows,
  type Window,
  windowSize,
} from './window-list.ts';

/** One window. */
export interface WindowItem extends Item {
  /**
   * `[from, to]` in seconds where the only axis is time, `[x, y, width, height]` of an image in pixels; else `[from, to]`
   * in samples of every dimension in turn.
   */
  box: number[];
  /** Samples along each dimension. */
  ranges: Range[];
  /** What it was cut out of. */
  whole: Item;
}

export interface CutOptions {
  cut: Cut;
  grouping?: Grouping;
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
  const {
    cut,
    grouping,
    limit,
    operations = [],
    note,
    progress,
    signal,
    cacheBytes = 256 * 2 ** 20,
  } = options;
  const items: WindowItem[] = [];
  const unlisted = new Map<string, number>();
  let [beyond, crossing, done] = [0, 0, 0];
  for (const whole of dataset.items) {
    signal?.throwIfAborted();
    const field = await dataset.read(whole);
    if (field) {
      const listed = listWindows(field, cut, limit, grouping);
      beyond += listed.beyond;
      crossing += listed.crossing;
      for (const [label, count] of listed.unlisted) unlisted.set(label, (unlisted.get(label) ?? 0) + count);
      for (const window of listed.windows) items.push(itemOf(whole, field, window));
    }
    progress?.(++done, dataset.items.length);
    // Reading may have come from memory: Ctrl-C is to be seen.
    await new Promise(resolve => setImmediate(resolve));
  }
  if (items.length === 0) throw noWindows(dataset.items.length, unlisted, beyond, cut, crossing);
  if (unlisted.size > 0) note?.(`annotations left out, as no label lists them: ${describeCounts(unlisted)}`);
  if (beyond > 0) note?.(`${beyond} annotations are nearer to an end than the window reaches, and left out`);
  if (crossing > 0) note?.(`${crossing} windows cross a border of blocks or parts, and are left out`);

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

function itemOf(whole: Item, { axes, kind }: Field, { label, block, part, ranges }: Window): WindowItem {
  const timed = axes.length === 1 && axes[0].unit === 's';
  const box =
    kind === 'image' && ranges.length === 2
      ? [ranges[1][0], ranges[0][0], ranges[1][1] - ranges[1][0], ranges[0][1] - ranges[0][0]]
      : ranges.flat().map(at => (timed ? at * axes[0].spacing : at));
  const place = timed ? `${box[0].toFixed(3)} s` : `[${ranges.map(([from]) => from).join(', ')}]`;
  const item = {
    ...whole,
    name: `${whole.name} at ${place}`,
    label: label ?? whole.label,
    ...(block === undefined ? {} : { identity: `${whole.identity} ${block}` }),
    ...(part === undefined ? {} : { part }),
  };
  return { ...item, box, ranges, whole };
}
