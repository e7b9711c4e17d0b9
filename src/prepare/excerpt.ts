// Parts of a field: a box of its samples, some of its channels. Positions in time and in the world follow, so that what
// is written back lies where it was.

import { type Annotation, channelsOf, type Field, spatialOf } from '../formats/field.ts';

/** A field or its header. */
type Grid = Omit<Field, 'data'>;

/** Samples `[from, to)` along one spatial dimension. */
export type Range = readonly [from: number, to: number];

/** The header of the box of a field; one range per spatial dimension. */
export function excerptHeader<G extends Grid>(field: G, box: readonly Range[]): G {
  const shape = [...box.map(([from, to]) => to - from), channelsOf(field as unknown as Field)];
  const { affine, annotations, ...rest } = field;
  const marks = annotations && { annotations: cutAnnotations(annotations, field.axes[0].spacing, box[0]) };
  if (!affine) return { ...rest, ...marks, shape } as G;
  // The world knows the last three dimensions.
  const starts = box.slice(-3).map(([from]) => from);
  const origin = affine.origin.map((at, row) =>
    affine.direction[row].reduce((sum, step, axis) => sum + step * starts[axis], at),
  ) as [number, number, number];
  return { ...rest, ...marks, shape, affine: { ...affine, origin } } as G;
}

/** The annotations within a range of the first axis, counted from its start. */
const cutAnnotations = (
  annotations: readonly Annotation[],
  spacing: number,
  [from, to]: Range,
): Annotation[] =>
  annotations
    .map(annotation => ({ ...annotation, at: annotation.at - from * spacing }))
    .filter(({ at }) => at > -0.5 * spacing && at < (to - from - 0.5) * spacing);

/** The box of a field. */
export function excerpt(field: Field, box: readonly Range[]): Field {
  const sizes = spatialOf(field);
  if (box.every(([from, to], axis) => from === 0 && to === sizes[axis])) return field;
  const header = excerptHeader(field, box);
  const channels = channelsOf(field);
  const data = new Float32Array(header.shape.reduce((a, b) => a * b, 1));
  const last = box.length - 1;
  const run = (box[last][1] - box[last][0]) * channels;
  let written = 0;
  const copy = (axis: number, cell: number): void => {
    const [from, to] = box[axis];
    if (axis === last) {
      const start = (cell * sizes[axis] + from) * channels;
      data.set(field.data.subarray(start, start + run), written);
      written += run;
      return;
    }
    for (let at = from; at < to; at++) copy(axis + 1, cell * sizes[axis] + at);
  };
  copy(0, 0);
  return { ...header, data };
}

/** The header of a field with only some channels: `picked` are indices; 'mono' is their mean. */
export function pickHeader<G extends Grid>(field: G, picked: readonly number[] | 'mono'): G {
  const shape = [...field.shape.slice(0, -1), picked === 'mono' ? 1 : picked.length];
  const { channelNames, ...rest } = field;
  const names = channelNames && picked !== 'mono' ? picked.map(index => channelNames[index]) : undefined;
  return { ...rest, shape, ...(names ? { channelNames: names } : {}) } as G;
}

/** Some channels of a field, in the order given, or their mean. */
export function pickChannels(field: Field, picked: readonly number[] | 'mono'): Field {
  const header = pickHeader(field, picked);
  const [count, kept] = [channelsOf(field), channelsOf(header)];
  const cells = field.data.length / count;
  const data = new Float32Array(cells * kept);
  for (let cell = 0; cell < cells; cell++) {
    if (picked === 'mono') {
      let sum = 0;
      for (let channel = 0; channel < count; channel++) sum += field.data[cell * count + channel];
      data[cell] = sum / count;
    } else {
      for (const [to, from] of picked.entries()) data[cell * kept + to] = field.data[cell * count + from];
    }
  }
  return { ...header, data };
}
