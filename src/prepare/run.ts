// Applies the operations of operations.ts to a field and keeps what is needed to take them back: where every sample lies
// on the input's grid, how far the input is covered, and how the values were changed.

import type { Field } from '../formats/field.ts';
import type { FieldHeader } from '../formats/format.ts';
import { logMel } from '../signal/log-mel.ts';
import { resampleField } from '../signal/resample.ts';
import { pickChannels } from './excerpt.ts';
import { type AxisMap, mapSamples } from './grid.ts';
import {
  edgeOf,
  isTimed,
  mapsOf,
  type Operation,
  operationError,
  pickedChannels,
  planOperation,
  windowRange,
} from './operations.ts';

/** Sample `i` of an axis lies at `start + step · i` of the input's; the input is covered from `from` to `to`. */
export interface Track {
  start: number;
  step: number;
  /** Edges of the first and last sample of the input that is still there: -0.5 and size - 0.5 of the whole. */
  from: number;
  to: number;
}

/** What was done to a field, so that it can be undone. Plain data. */
export interface Preparation {
  /** The field as it was, and as it became. */
  input: FieldHeader;
  prepared: FieldHeader;
  tracks: Track[];
  /** Per channel: the value became `scale · value + offset`. Absent where values were left alone. */
  values?: { scale: number[]; offset: number[] };
}

const headerOf = ({ data: _, ...header }: Field): FieldHeader => header;

/** The track of an axis after one more step. */
export function follow({ start, step, from, to }: Track, map: AxisMap, size: number): Track {
  // Only what was there before counts: padding covers nothing.
  const ends = [map.start - 0.5 * map.step, map.start + map.step * (map.size - 0.5)].sort((a, b) => a - b);
  const reach = Math.abs(map.step) === 1 ? 0 : Math.abs(map.step);
  const kept = [
    ends[0] <= -0.5 + reach ? -0.5 : ends[0],
    ends[1] >= size - 0.5 - reach ? size - 0.5 : ends[1],
  ];
  const edges = kept.map(end => start + step * end).sort((a, b) => a - b);
  return {
    start: start + step * map.start,
    step: step * map.step,
    from: Math.max(from, edges[0]),
    to: Math.min(to, edges[1]),
  };
}

/**
 * The field after all operations, in their order. The input is left as it is.
 * Errors: ShapeError with `at`, the place of what is wrong below the operations.
 */
export function applyOperations(
  field: Field,
  operations: readonly Operation[],
): { field: Field; preparation: Preparation } {
  let tracks: Track[] = field.shape.slice(0, -1).map(n => ({ start: 0, step: 1, from: -0.5, to: n - 0.5 }));
  let values: Preparation['values'];
  let current = field;
  for (const operation of operations) {
    const header = planOperation(headerOf(current), operation);
    const maps = mapsOf(current, operation);
    const sizes = current.shape;
    tracks = tracks.map((track, a) => follow(track, maps[a], sizes[a]));
    const change = (operation.window ?? operation.normalise) ? valueChange(current, operation) : undefined;
    if (change) {
      const { scale, offset, low, high } = change;
      const channels = scale.length;
      const data = new Float32Array(current.data.length);
      for (let i = 0, c = 0; i < data.length; i++, c = c + 1 === channels ? 0 : c + 1)
        data[i] = Math.max(low, Math.min(high, current.data[i] * scale[c] + offset[c]));
      const before = values ?? { scale: scale.map(() => 1), offset: scale.map(() => 0) };
      values = {
        scale: before.scale.map((old, c) => old * scale[c]),
        offset: before.offset.map((old, c) => old * scale[c] + offset[c]),
      };
      current = { ...header, data };
    } else if (operation.channels) {
      const picked = pickedChannels(current, operation.channels);
      current = { ...header, data: pickChannels(current, picked).data };
      values = values && pickValues(values, picked);
    } else if (operation.logMel) {
      // Bands are no samples: from here on values can be taken back to levels only.
      values = undefined;
      current = { ...header, data: logMel(current, operation.logMel).data };
    } else if (operation.resample && isTimed(current)) {
      const { data, shape } = resampleField(current, 1 / header.axes[0].spacing);
      current = { ...header, data, shape };
    } else current = { ...header, data: mapSamples(current, maps, edgeOf(operation)) };
  }
  const preparation: Preparation = { input: headerOf(field), prepared: headerOf(current), tracks };
  return { field: current, preparation: values ? { ...preparation, values } : preparation };
}

/** How the values of the channels picked were changed; undefined where a mean has no one change. */
function pickValues(
  { scale, offset }: NonNullable<Preparation['values']>,
  picked: readonly number[] | 'mono',
): Preparation['values'] {
  if (picked !== 'mono')
    return { scale: picked.map(channel => scale[channel]), offset: picked.map(channel => offset[channel]) };
  const alike = [scale, offset].every(own => own.every(value => value === own[0]));
  return alike ? { scale: scale.slice(0, 1), offset: offset.slice(0, 1) } : undefined;
}

interface ValueChange {
  scale: number[];
  offset: number[];
  low: number;
  high: number;
}

/** How a window or a normalisation changes the values of every channel. */
function valueChange({ data, shape, valueUnit }: Field, { window, normalise }: Operation): ValueChange {
  const channels = shape[shape.length - 1];
  const each = new Array<number>(channels).fill(0);
  if (window) {
    const [low, high] = windowRange(window, valueUnit);
    const scale = 1 / (high - low);
    return { scale: each.map(() => scale), offset: each.map(() => -low * scale), low: 0, high: 1 };
  }
  const { method, per = 'field', low: lower = 1, high: upper = 99 } = normalise!;
  const span = (channel: number): [from: number, width: number] => {
    const own = per === 'channel' && channels > 1 ? data.filter((_, i) => i % channels === channel) : data;
    const [from, width] =
      method === 'zscore'
        ? momentsOf(own)
        : method === 'minmax'
          ? rangeOf(own, 0, 100)
          : rangeOf(own, lower, upper);
    if (width > 0) return [from, width];
    throw operationError(
      ['normalise'],
      `all ${own.length} values ${per === 'channel' ? `of channel ${channel} ` : ''}are ${from}; there is nothing to normalise`,
    );
  };
  const spans =
    per === 'channel' ? each.map((_, channel) => span(channel)) : each.map(() => [0, 1] as [number, number]);
  if (per === 'field') spans.fill(span(0));
  const cut = method === 'percentile';
  return {
    scale: spans.map(([, width]) => 1 / width),
    offset: spans.map(([from, width]) => -from / width),
    low: cut ? 0 : Number.NEGATIVE_INFINITY,
    high: cut ? 1 : Number.POSITIVE_INFINITY,
  };
}

/** Mean and standard deviation. */
function momentsOf(values: Float32Array): [number, number] {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return [mean, Math.sqrt(squares / values.length)];
}

/** Two percentiles as lower end and width, interpolated between values as NumPy does. */
function rangeOf(values: Float32Array, low: number, high: number): [number, number] {
  const sorted = Float32Array.from(values).sort();
  const at = (percent: number): number => {
    const place = ((sorted.length - 1) * percent) / 100;
    const below = Math.floor(place);
    const next = Math.min(sorted.length - 1, below + 1);
    return sorted[below] + (place - below) * (sorted[next] - sorted[below]);
  };
  return [at(low), at(high) - at(low)];
}
