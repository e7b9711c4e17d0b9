// Takes a preparation back: puts a result onto the grid of the field that was prepared, with its spacing and its place in
// the world, and brings its values back where asked. What cropping took away is not in the result: it is filled with a
// number or with the samples of another field. Values that a window cut off stay at its ends.

import { NdconvError } from '../errors.ts';
import { channelsOf, type Field } from '../formats/field.ts';
import { resample } from '../signal/resample.ts';
import { type AxisMap, mapSamples } from './grid.ts';
import { isTimed } from './operations.ts';
import type { Preparation } from './run.ts';

export interface UndoOptions {
  /** Bring the values back too: for what means the same as the input, not for masks and features. */
  values?: boolean;
  /** What lies outside the part that was prepared: a number (0 by default), or a field on the input's grid. */
  outside?: number | Field;
  /** Take the nearest sample instead of interpolating: for labels. */
  nearest?: boolean;
}

/** Shape that a result of this shape has once undone. Errors: ShapeError where it does not fit the preparation. */
export function undoneShape(
  shape: readonly number[],
  { input, prepared }: Pick<Preparation, 'input' | 'prepared'>,
): number[] {
  const [rank, expected] = [shape.length - 1, prepared.shape.length - 1];
  if (rank !== expected)
    throw new NdconvError(
      'ShapeError',
      `undo: the result has ${rank} spatial dimensions (${shape.join('×')}) and what was prepared ${expected} (${prepared.shape.join('×')}); give what was made from it`,
      { shape, prepared: prepared.shape },
    );
  return [...input.shape.slice(0, -1), shape[rank]];
}

/**
 * A result on the input's grid. It may be coarser than what was prepared (a network that strides): its samples are taken
 * to lie evenly over it. Errors: ShapeError where ranks, channels or the field outside do not fit.
 */
export function undo(result: Field, preparation: Preparation, options: UndoOptions = {}): Field {
  const { input, prepared, tracks, values } = preparation;
  const { outside = 0, nearest = false } = options;
  const shape = undoneShape(result.shape, preparation);
  const channels = channelsOf(result);
  const sizes = result.shape.slice(0, -1);
  let source: Pick<Field, 'data' | 'shape'> = result;
  const maps: AxisMap[] = [];
  const valid: [number, number][] = [];
  for (const [a, track] of tracks.entries()) {
    // Sample j of the result lies at (ratio − 1)/2 + ratio · j of what was prepared.
    const ratio = prepared.shape[a] / sizes[a];
    let step = track.step * ratio;
    const start = track.start + track.step * ((ratio - 1) / 2);
    if (isTimed(input) && !nearest && Math.abs(step) !== 1) {
      const data = resample(source.data, 1, Math.abs(step), channels);
      source = { data, shape: [data.length / channels, channels] };
      step = Math.sign(step);
    }
    maps.push({ start: -start / step || 0, step: 1 / step, size: shape[a] });
    valid.push([Math.ceil(track.from - 1e-6), Math.floor(track.to + 1e-6)]);
  }
  const restored = options.values && values ? restoreValues(source, values) : source;
  const data = mapSamples(restored, maps, typeof outside === 'number' ? outside : 0, { nearest, valid });
  if (typeof outside !== 'number') fillOutside(data, shape, valid, outside);
  const same = channels === input.shape[input.shape.length - 1];
  const { channelNames, sampleType, valueUnit, annotations: _, ...grid } = input;
  return {
    ...grid,
    shape,
    data,
    source: result.source,
    valueUnit: options.values ? valueUnit : result.valueUnit,
    sampleType: options.values ? sampleType : result.sampleType,
    ...(same && channelNames ? { channelNames: result.channelNames ?? channelNames } : {}),
  };
}

/** Values as they were before a window or a normalisation. */
function restoreValues(
  { data, shape }: Pick<Field, 'data' | 'shape'>,
  { scale, offset }: NonNullable<Preparation['values']>,
): Pick<Field, 'data' | 'shape'> {
  const channels = shape[shape.length - 1];
  if (channels !== scale.length)
    throw new NdconvError(
      'ShapeError',
      `undo: the result has ${channels} channels and the values of ${scale.length} were changed; leave the values as they are`,
      { channels, prepared: scale.length },
    );
  return { shape, data: data.map((value, i) => (value - offset[i % channels]) / scale[i % channels]) };
}

/** Takes the samples outside the box `valid` (first and last index per dimension) from another field. */
function fillOutside(
  data: Float32Array,
  shape: readonly number[],
  valid: readonly (readonly [number, number])[],
  other: Field,
): void {
  if (other.shape.length !== shape.length || other.shape.some((size, a) => size !== shape[a]))
    throw new NdconvError(
      'ShapeError',
      `undo: the field outside has shape ${other.shape.join('×')} and the result ${shape.join('×')}; give the field that was prepared, or a number`,
      { shape, outside: other.shape },
    );
  const channels = shape[shape.length - 1];
  const last = valid.length - 1;
  const visit = (axis: number, cell: number, inside: boolean): void => {
    for (let i = 0; i < shape[axis]; i++) {
      const within = inside && i >= valid[axis][0] && i <= valid[axis][1];
      const next = cell * shape[axis] + i;
      if (axis < last) visit(axis + 1, next, within);
      else if (!within)
        for (let at = next * channels; at < (next + 1) * channels; at++) data[at] = other.data[at];
    }
  };
  visit(0, 0, true);
}
