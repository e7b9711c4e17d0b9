// What can be done to a field before a network sees it, in any rank: window, resample, crop, pad, flip, normalise. Here is
// what each means for the grid, without the samples; run.ts applies them and undo.ts takes them back.

import { NdconvError } from '../errors.ts';
import type { FieldHeader } from '../formats/format.ts';
import { type LogMelSettings, logMelHeader, planLogMel } from '../signal/log-mel.ts';
import { pickHeader } from './excerpt.ts';
import { type AxisMap, type Edge, mapHeader, sameAxis } from './grid.ts';

/** A number for every spatial dimension, or one for all. */
export type PerAxis = number | number[];

/** One operation: an object of exactly one key. */
export interface Operation {
  /** Values from `low` to `high` (or `centre` ± half `width`) become 0 to 1, those beyond are cut off. */
  window?: { preset?: keyof typeof windows; centre?: number; width?: number; low?: number; high?: number };
  /** To a spacing in the unit of the axes, to a rate (sounds and signals), or to a size. */
  resample?: { spacing?: PerAxis; rate?: number; size?: PerAxis };
  /** The box of samples `[from, to)`, or the middle: at most `size` samples. */
  crop?: { from?: PerAxis; to?: PerAxis; size?: PerAxis };
  /** Samples before and after, or on both sides to at least `size`, or to a multiple. */
  pad?: {
    low?: PerAxis;
    high?: PerAxis;
    size?: PerAxis;
    multiple?: PerAxis;
    mode?: 'constant' | 'replicate' | 'reflect';
    value?: number;
  };
  flip?: { axes: (string | number)[] };
  /** Brings the values to mean 0 and deviation 1, to [0, 1], or two percentiles to 0 and 1. */
  normalise?: {
    method: 'zscore' | 'minmax' | 'percentile';
    /** Over all values together (the default) or each channel by itself. */
    per?: 'field' | 'channel';
    /** Percentiles, 1 and 99 where absent. */
    low?: number;
    high?: number;
  };
  /** Some channels, by their place from 0 or their name, in this order; or the mean of all. */
  channels?: readonly (number | string)[] | 'mono';
  /** A sound becomes the levels of bands over time, in dB. */
  logMel?: LogMelSettings;
}

export const operationNames = [
  'window',
  'resample',
  'crop',
  'pad',
  'flip',
  'normalise',
  'channels',
  'logMel',
] as const;
export type OperationName = (typeof operationNames)[number];

/** Windows of radiology in Hounsfield units: centre and width. */
export const windows = {
  brain: [40, 80],
  subdural: [75, 215],
  bone: [480, 2500],
  lung: [-600, 1500],
  mediastinum: [50, 350],
  abdomen: [40, 400],
  liver: [60, 160],
} as const;

/** A failure of an operation; `at` is the key below the operation that causes it. */
export function operationError(at: (string | number)[], message: string): NdconvError {
  return new NdconvError('ShapeError', `${at.join('.')}: ${message}`, { at });
}

/** The one key of an operation. Errors: ShapeError. */
export function nameOf(operation: Operation): OperationName {
  const names = operationNames.filter(name => operation[name] !== undefined);
  if (names.length === 1) return names[0];
  throw operationError(
    [],
    names.length === 0
      ? `an operation needs a name, one of ${operationNames.join(', ')}`
      : `${names.join(' and ')} in one operation would have no order; write one item for each`,
  );
}

/** One number for every dimension. */
function spread(value: PerAxis, rank: number, at: (string | number)[], header: FieldHeader): number[] {
  const values = typeof value === 'number' ? new Array<number>(rank).fill(value) : value;
  if (values.length === rank) return values;
  const names = header.axes.map(({ name }) => name).join(', ');
  throw operationError(
    at,
    `${values.length} numbers for ${rank} dimensions; give one for each of ${names}, or one for all`,
  );
}

/** Refuses numbers that are no whole numbers from `least`. */
function whole(values: number[], least: number, at: (string | number)[]): number[] {
  const wrong = values.find(value => !(Number.isInteger(value) && value >= least));
  if (wrong === undefined) return values;
  throw operationError(at, `${wrong} samples; a whole number of at least ${least} is needed`);
}

export const isTimed = ({ axes }: Pick<FieldHeader, 'axes'>): boolean =>
  axes.length === 1 && axes[0].unit === 's';

/** The range that a window takes. Errors: ShapeError. */
export function windowRange(
  window: NonNullable<Operation['window']>,
  valueUnit?: string,
): readonly [low: number, high: number] {
  const { preset, centre, width, low, high } = window;
  const ways = [
    preset !== undefined,
    centre !== undefined || width !== undefined,
    low !== undefined || high !== undefined,
  ];
  if (ways.filter(Boolean).length !== 1)
    throw operationError(['window'], 'give a preset, or centre and width, or low and high');
  if (preset !== undefined && valueUnit !== undefined && valueUnit !== 'HU')
    throw operationError(
      ['window', 'preset'],
      `${preset} is a window in Hounsfield units, and the values are in "${valueUnit}"; give low and high`,
    );
  const [middle, extent] = preset ? windows[preset] : [centre, width];
  const range = ways[2] ? [low, high] : [middle! - extent! / 2, middle! + extent! / 2];
  const [from = Number.NaN, to = Number.NaN] = range;
  if (!(from < to))
    throw operationError(
      ['window'],
      `the range ${from} to ${to} is none; both ends are needed, the lower first`,
    );
  return [from, to];
}

/** Where the new samples lie; the same grid for operations on values. Errors: ShapeError with `at`. */
export function mapsOf(header: FieldHeader, operation: Operation): AxisMap[] {
  const sizes = header.shape.slice(0, -1);
  const rank = sizes.length;
  const only = (name: string, ways: Record<string, unknown>): string => {
    const given = Object.keys(ways).filter(key => ways[key] !== undefined);
    if (given.length === 1) return given[0];
    throw operationError([name], `give one of ${Object.keys(ways).join(', ')}`);
  };
  const { resample, crop, pad, flip } = operation;
  if (resample) {
    const { spacing, rate, size } = resample;
    const way = only('resample', { spacing, rate, size });
    if (way === 'rate' && !isTimed(header))
      throw operationError(['resample', 'rate'], 'only sounds and signals have a rate; give spacing or size');
    if (isTimed(header)) {
      if (way === 'size')
        throw operationError(['resample', 'size'], 'a sound or signal is resampled to a rate');
      // As the band-limited resampling does it: the first sample keeps its moment.
      const ratio =
        rate === undefined
          ? spread(spacing!, 1, ['resample', 'spacing'], header)[0] / header.axes[0].spacing
          : 1 / rate / header.axes[0].spacing;
      if (!(ratio > 0)) throw operationError(['resample', way], 'it must be above 0');
      return [{ start: 0, step: ratio, size: Math.ceil(sizes[0] / ratio - 1e-6) }];
    }
    const targets = spread((size ?? spacing) as PerAxis, rank, ['resample', way], header);
    if (way === 'size') whole(targets, 1, ['resample', 'size']);
    return targets.map((target, a) => {
      if (!(target > 0)) throw operationError(['resample', way], `${target}; it must be above 0`);
      const step = way === 'size' ? sizes[a] / target : target / header.axes[a].spacing;
      const count = way === 'size' ? target : Math.max(1, Math.round(sizes[a] / step));
      // Both grids have the same middle.
      return { start: (sizes[a] - 1 - step * (count - 1)) / 2, step, size: count };
    });
  }
  if (crop) {
    const { from, to, size } = crop;
    if (size !== undefined && (from !== undefined || to !== undefined))
      throw operationError(['crop'], 'give size, or from and to');
    if (size !== undefined) {
      const wanted = whole(spread(size, rank, ['crop', 'size'], header), 1, ['crop', 'size']);
      return sizes.map((n, a) => ({
        start: Math.max(0, Math.floor((n - wanted[a]) / 2)),
        step: 1,
        size: Math.min(n, wanted[a]),
      }));
    }
    if (from === undefined && to === undefined) throw operationError(['crop'], 'give size, or from and to');
    const low = whole(spread(from ?? 0, rank, ['crop', 'from'], header), 0, ['crop', 'from']);
    const high = whole(spread(to ?? sizes, rank, ['crop', 'to'], header), 1, ['crop', 'to']);
    return sizes.map((n, a) => {
      if (low[a] < high[a] && high[a] <= n) return { start: low[a], step: 1, size: high[a] - low[a] };
      throw operationError(
        ['crop'],
        `[${low[a]}, ${high[a]}] is no part of the ${n} samples along ${header.axes[a].name}: needed is 0 ≤ from < to ≤ ${n}`,
      );
    });
  }
  if (pad) {
    const { low, high, size, multiple } = pad;
    const sides = low === undefined && high === undefined ? undefined : true;
    const way = only('pad', { 'low and high': sides, size, multiple });
    if (pad.value !== undefined && pad.mode !== undefined && pad.mode !== 'constant')
      throw operationError(['pad', 'value'], `it has no effect with mode: ${pad.mode}`);
    const before = whole(spread(low ?? 0, rank, ['pad', 'low'], header), 0, ['pad', 'low']);
    const after = whole(spread(high ?? 0, rank, ['pad', 'high'], header), 0, ['pad', 'high']);
    if (way === 'low and high')
      return sizes.map((n, a) => ({ start: -before[a] || 0, step: 1, size: before[a] + n + after[a] }));
    const wanted = whole(spread((size ?? multiple) as PerAxis, rank, ['pad', way], header), 1, ['pad', way]);
    return sizes.map((n, a) => {
      const count = way === 'size' ? Math.max(n, wanted[a]) : Math.ceil(n / wanted[a]) * wanted[a];
      return { start: -Math.floor((count - n) / 2) || 0, step: 1, size: count };
    });
  }
  if (flip) {
    const names = header.axes.map(({ name }) => name);
    const flipped = flip.axes.map((wanted, i) => {
      const index = typeof wanted === 'number' ? wanted : names.indexOf(wanted);
      if (index >= 0 && index < rank) return index;
      throw operationError(['flip', 'axes', i], `there is no axis ${wanted}; there are ${names.join(', ')}`);
    });
    return sizes.map((n, a) => (flipped.includes(a) ? { start: n - 1, step: -1, size: n } : sameAxis(n)));
  }
  if (operation.logMel) {
    const { hop, frames } = underKey('logMel', () => planLogMel(header, operation.logMel));
    return [{ start: 0, step: hop, size: frames }];
  }
  return sizes.map(sameAxis);
}

/** Puts a key before the place of what is wrong. */
function underKey<T>(key: OperationName, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof NdconvError)) throw error;
    throw operationError([key, ...((error.fields.at as string[] | undefined) ?? [])], error.message);
  }
}

/** The places of the channels that an operation picks. Errors: ShapeError with `at`. */
export function pickedChannels(
  { shape, channelNames = [] }: Pick<FieldHeader, 'shape' | 'channelNames'>,
  channels: NonNullable<Operation['channels']>,
): number[] | 'mono' {
  if (channels === 'mono') return 'mono';
  const count = shape[shape.length - 1];
  return channels.map((wanted, i) => {
    const index = typeof wanted === 'number' ? wanted : channelNames.indexOf(wanted);
    if (index >= 0 && index < count) return index;
    const names = channelNames.length > 0 ? channelNames.join(', ') : 'none has a name';
    throw operationError(
      ['channels', i],
      `there is no channel ${wanted}; there are ${count}, numbered from 0 (${names})`,
    );
  });
}

/** What lies beyond the ends of the old grid. */
export const edgeOf = ({ pad }: Operation): Edge =>
  pad ? (pad.mode && pad.mode !== 'constant' ? pad.mode : (pad.value ?? 0)) : 'replicate';

/** Whether an operation changes what the values mean. */
export const changesValues = ({ window, normalise, logMel }: Operation): boolean =>
  window !== undefined || normalise !== undefined || logMel !== undefined;

/** The header after one operation. Errors: ShapeError with `at`, the place below the operation. */
export function planOperation(header: FieldHeader, operation: Operation): FieldHeader {
  nameOf(operation);
  const mapped = mapHeader(header, mapsOf(header, operation));
  if (operation.channels) return pickHeader(mapped, pickedChannels(header, operation.channels));
  if (operation.logMel) {
    const { annotations } = mapped;
    return { ...logMelHeader(header, operation.logMel), ...(annotations ? { annotations } : {}) };
  }
  if (operation.window) windowRange(operation.window, header.valueUnit);
  const { normalise, resample } = operation;
  if (normalise) {
    const { method, low, high } = normalise;
    if (method !== 'percentile' && (low !== undefined || high !== undefined))
      throw operationError(['normalise'], `low and high have no effect with method: ${method}`);
    const [from, to] = [low ?? 1, high ?? 99];
    if (!(from >= 0 && from < to && to <= 100))
      throw operationError(['normalise'], `percentiles ${from} and ${to}; needed is 0 ≤ low < high ≤ 100`);
  }
  if (changesValues(operation)) return { ...mapped, valueUnit: '', sampleType: 'float32' };
  return resample && header.kind !== 'image' ? { ...mapped, sampleType: 'float32' } : mapped;
}

/** The header after all operations. Errors: as `planOperation`, `at` beginning with the index. */
export function planOperations(header: FieldHeader, operations: readonly Operation[]): FieldHeader {
  return operations.reduce((before, operation, index) => {
    try {
      return planOperation(before, operation);
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      const at = (error.fields.at as (string | number)[]) ?? [];
      throw new NdconvError(error.tag, error.message, { ...error.fields, at: [index, ...at] }, error);
    }
  }, header);
}
