// From one regular grid to another, axis by axis and in any rank: new samples at even positions of the old axis, which
// crop, pad, flip and resample all are. Between samples values are interpolated linearly; where the new grid is coarser
// they are averaged over its spacing, so that nothing aliases. Spacing, position in the world and annotations follow.

import type { Annotation, Field } from '../formats/field.ts';
import type { FieldHeader } from '../formats/format.ts';
import { reflect } from '../signal/stft.ts';

/** A new axis of `size` samples; sample `i` lies at `start + step · i` of the old one, in samples. */
export interface AxisMap {
  start: number;
  step: number;
  size: number;
}

/** What lies beyond the ends: one value, the end itself, or the samples mirrored at it. */
export type Edge = number | 'replicate' | 'reflect';

/** An axis that stays as it is. */
export const sameAxis = (size: number): AxisMap => ({ start: 0, step: 1, size });

const isSame = ({ start, step, size }: AxisMap, old: number): boolean =>
  start === 0 && step === 1 && size === old;

/** What a field is after `maps`, one per spatial dimension. */
export function mapHeader<H extends FieldHeader>(header: H, maps: readonly AxisMap[]): H {
  const { affine, annotations, ...rest } = header;
  const axes = header.axes.map((axis, a) => ({ ...axis, spacing: axis.spacing * Math.abs(maps[a].step) }));
  const shape = [...maps.map(({ size }) => size), header.shape[header.shape.length - 1]];
  const mapped = { ...rest, shape, axes } as unknown as H;
  if (annotations) mapped.annotations = mapAnnotations(annotations, header.axes[0].spacing, maps[0]);
  if (!affine) return mapped;
  // The world knows the last three dimensions.
  const placed = maps.slice(-3);
  mapped.affine = {
    origin: affine.origin.map((at, row) =>
      affine.direction[row].reduce((sum, step, a) => sum + step * placed[a].start, at),
    ) as [number, number, number],
    direction: affine.direction.map(row => row.map((step, a) => step * placed[a].step)) as [
      number[],
      number[],
      number[],
    ],
  };
  return mapped;
}

function mapAnnotations(
  annotations: readonly Annotation[],
  spacing: number,
  { start, step, size }: AxisMap,
): Annotation[] {
  const moved = annotations.map(annotation => {
    // Backwards in time what lasts begins where it ended.
    const at = step < 0 ? annotation.at + (annotation.duration ?? 0) : annotation.at;
    return { ...annotation, at: ((at / spacing - start) / step) * Math.abs(step) * spacing };
  });
  const length = spacing * Math.abs(step);
  const inside = moved.filter(({ at }) => at > -0.5 * length && at < (size - 0.5) * length);
  return inside.sort((a, b) => a.at - b.at);
}

/**
 * The samples of a field on a new grid. `nearest` takes the nearest sample instead of interpolating, for labels.
 * `valid` are, per dimension, the first and last new sample that count as inside; the others are beyond the ends.
 */
export function mapSamples(
  { data, shape }: Pick<Field, 'data' | 'shape'>,
  maps: readonly AxisMap[],
  edge: Edge,
  { nearest = false, valid }: { nearest?: boolean; valid?: readonly (readonly [number, number])[] } = {},
): Float32Array {
  const sizes = [...shape];
  let samples = data;
  for (const [axis, map] of maps.entries()) {
    if (!isSame(map, sizes[axis]) || valid) {
      const range = valid?.[axis] ?? insideRange(map, sizes[axis]);
      samples = mapAxis(samples, sizes, axis, map, edge, nearest, range);
    }
    sizes[axis] = map.size;
  }
  return samples === data ? data.slice() : samples;
}

/** First and last new sample that lie on the old axis, to half a sample beyond its ends. */
function insideRange({ start, step }: AxisMap, old: number): [number, number] {
  const ends = [(-0.5 - start) / step, (old - 0.5 - start) / step].sort((a, b) => a - b);
  return [Math.ceil(ends[0] - 1e-6), Math.floor(ends[1] + 1e-6)];
}

function mapAxis(
  data: Float32Array,
  shape: readonly number[],
  axis: number,
  { start, step, size }: AxisMap,
  edge: Edge,
  nearest: boolean,
  [first, last]: readonly [number, number],
): Float32Array {
  const old = shape[axis];
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const out = new Float32Array(outer * size * inner);
  const reach = Math.max(1, Math.abs(step));
  const within = (index: number): number =>
    edge === 'reflect' ? reflect(index, old) : Math.max(0, Math.min(old - 1, index));
  for (let i = 0; i < size; i++) {
    if (typeof edge === 'number' && (i < first || i > last)) {
      for (let o = 0; o < outer; o++) out.fill(edge, (o * size + i) * inner, (o * size + i + 1) * inner);
      continue;
    }
    const { from, weights } = nearest
      ? { from: Math.round(start + step * i - 1e-6), weights: [1] }
      : weightsAt(start + step * i, reach);
    for (const [w, weight] of weights.entries()) {
      const source = within(from + w);
      for (let o = 0; o < outer; o++) {
        const to = (o * size + i) * inner;
        const read = (o * old + source) * inner;
        for (let k = 0; k < inner; k++) out[to + k] += weight * data[read + k];
      }
    }
  }
  return out;
}

/**
 * Weights of the samples around `centre`; they add up to 1 and leave a slope a slope. Linear interpolation, averaged
 * under a triangle of half-width √(reach² − 1), so that together they are as wide as a triangle of half-width `reach`
 * and become linear interpolation as it becomes 1.
 */
function weightsAt(centre: number, reach: number): { from: number; weights: number[] } {
  const whole = Math.round(centre);
  if (reach === 1 && Math.abs(centre - whole) < 1e-9) return { from: whole, weights: [1] };
  const width = reach > 1 + 1e-4 ? Math.sqrt(reach * reach - 1) : 0;
  const from = Math.floor(centre - width - 1) + 1;
  const weights: number[] = [];
  for (let at = from; at < centre + width + 1; at++)
    weights.push(Math.max(0, width === 0 ? 1 - Math.abs(at - centre) : twoTriangles(at - centre, width)));
  const sum = weights.reduce((a, b) => a + b, 0);
  return { from, weights: weights.map(weight => weight / sum) };
}

/** Convolution of the triangles of half-width 1 and `width`: second differences of the truncated cubic. */
function twoTriangles(x: number, width: number): number {
  let sum = 0;
  for (const a of [-1, 0, 1])
    for (const b of [-1, 0, 1]) {
      const distance = Math.max(0, x + a * width + b);
      sum += (a === 0 ? -2 : 1) * (b === 0 ? -2 : 1) * distance ** 3;
    }
  return sum / (6 * width * width);
}
