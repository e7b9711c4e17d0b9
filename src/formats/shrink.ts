// Makes a field smaller by averaging over area, one dimension after the other, for inputs larger than a run can take.

import type { Field } from './field.ts';

/**
 * Shape with the longest spatial side at most `size`, proportions kept. Where the dimensions are spaced differently in
 * one unit (thick slices), sides are compared in that unit and coarse dimensions keep their samples until the fine ones
 * are as coarse.
 */
export function shrunkShape({ shape, axes }: Pick<Field, 'shape' | 'axes'>, size: number): number[] {
  const sizes = shape.slice(0, -1);
  const alike = axes.every(({ unit, spacing }) => unit === axes[0].unit && spacing > 0);
  const extents = sizes.map((n, a) => n * (alike ? axes[a].spacing : 1));
  const longest = Math.max(...extents);
  if (Math.max(...sizes) <= size) return [...shape];
  const shrunk = sizes.map((n, a) => Math.min(n, Math.max(1, Math.round((extents[a] * size) / longest))));
  return [...shrunk, shape[shape.length - 1]];
}

/** The field averaged down; spacing and position in the world follow. */
export function shrink(field: Field, size: number): Field {
  const target = shrunkShape(field, size);
  let { data } = field;
  const shape = [...field.shape];
  for (let a = 0; a < shape.length - 1; a++) {
    data = shrinkAxis(data, shape, a, target[a]);
    shape[a] = target[a];
  }
  const ratio = field.axes.map((_, a) => field.shape[a] / target[a]);
  const axes = field.axes.map((axis, a) => ({ ...axis, spacing: axis.spacing * ratio[a] }));
  const affine = field.affine && {
    // The first new sample is the middle of the cells it averages.
    origin: field.affine.origin.map(
      (o, r) => o + field.affine!.direction[r].reduce((s, d, a) => s + d * ((ratio[a] - 1) / 2), 0),
    ) as [number, number, number],
    direction: field.affine.direction.map(row => row.map((d, a) => d * ratio[a])) as [
      number[],
      number[],
      number[],
    ],
  };
  return {
    ...field,
    shape,
    data,
    axes,
    ...(affine ? { affine } : {}),
    sampleType: field.kind === 'image' ? field.sampleType : 'float32',
  };
}

function shrinkAxis(data: Float32Array, shape: readonly number[], axis: number, size: number): Float32Array {
  const n = shape[axis];
  if (n === size) return data;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const result = new Float32Array(outer * size * inner);
  for (let p = 0; p < size; p++) {
    const [from, to] = [(p * n) / size, ((p + 1) * n) / size];
    for (let q = Math.floor(from); q < Math.min(n, Math.ceil(to)); q++) {
      const weight = (Math.min(q + 1, to) - Math.max(q, from)) / (to - from);
      for (let o = 0; o < outer; o++)
        for (let i = 0; i < inner; i++)
          result[(o * size + p) * inner + i] += weight * data[(o * n + q) * inner + i];
    }
  }
  return result;
}
