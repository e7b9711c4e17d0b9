// Random changes of a field that leave its meaning alone, in any rank: turned round, shifted, a part of it enlarged, noise,
// brightness and contrast. What is drawn comes from a random stream that the caller seeds; sizes stay as they are.

import type { Field } from '../formats/field.ts';
import { type AxisMap, mapSamples } from '../prepare/grid.ts';
import type { Random } from '../random.ts';
import { type Turn, turnSamples } from './turned.ts';

/** How much to change; what is absent is left alone. */
export interface Augmentation {
  /** Axes to turn round, by name or number, each every other time. */
  flip?: (string | number)[];
  /** Largest shift along each dimension, as a part of its size; the edge is drawn out. */
  shift?: number;
  /** Smallest part that is cut out, as a part of each size, and enlarged to the whole. */
  crop?: number;
  /** Largest angle, in degrees, turned by in the plane of two axes; with more than two axes another two each time. */
  rotate?: number;
  /** Largest enlargement or reduction, as a part of the size. */
  zoom?: number;
  /** Standard deviation of added noise, as a part of that of the values. */
  noise?: number;
  /** Largest change of brightness and of contrast, as a part of the deviation of the values. */
  intensity?: number;
}

/** A changed copy of a field. Every call draws as many numbers, whatever it does with them. */
export function augmentField(field: Field, augmentation: Augmentation, random: Random): Field {
  const { flip = [], shift = 0, crop = 1, rotate, zoom, noise = 0, intensity = 0 } = augmentation;
  const sizes = field.shape.slice(0, -1);
  // One part for all dimensions, so that proportions stay.
  const part = crop + (1 - crop) * random.uniform();
  const maps = sizes.map((size, axis): AxisMap => {
    const [turn, moved, place] = [random.uniform() < 0.5, 2 * random.uniform() - 1, random.uniform()];
    const turned = turn && (flip.includes(axis) || flip.includes(field.axes[axis]?.name ?? ''));
    const room = (1 - part) * (size - 1);
    const start = room * place + Math.round(moved * shift * size);
    return turned ? { start: start + part * (size - 1), step: -part, size } : { start, step: part, size };
  });
  const data =
    rotate === undefined && zoom === undefined
      ? mapSamples(field, maps, 'replicate')
      : turnSamples(field, maps, ...drawTurn(sizes.length, { rotate, zoom }, random));
  const [brightness, contrast] = [2 * random.uniform() - 1, 2 * random.uniform() - 1];
  if (noise > 0 || intensity > 0) {
    let [sum, squares] = [0, 0];
    for (const value of data) {
      sum += value;
      squares += value * value;
    }
    const mean = sum / data.length;
    const deviation = Math.sqrt(Math.max(0, squares / data.length - mean * mean));
    const [scale, offset] = [1 + contrast * intensity, brightness * intensity * deviation];
    for (let i = 0; i < data.length; i++) {
      data[i] = mean + (data[i] - mean) * scale + offset;
      if (noise > 0) data[i] += random.normal() * noise * deviation;
    }
  }
  return { ...field, data };
}

/** A turn in the plane of two axes, where there are two, and an enlargement. */
function drawTurn(
  rank: number,
  { rotate = 0, zoom = 0 }: Pick<Augmentation, 'rotate' | 'zoom'>,
  random: Random,
): [Turn | undefined, number] {
  const [angle, by] = [2 * random.uniform() - 1, 2 * random.uniform() - 1];
  const axes = random
    .shuffle(Array.from({ length: rank }, (_, a) => a))
    .slice(0, 2)
    .sort();
  const turn: Turn | undefined =
    rank > 1 ? { axes: [axes[0], axes[1]], angle: (angle * rotate * Math.PI) / 180 } : undefined;
  return [turn, (1 + zoom) ** by];
}
