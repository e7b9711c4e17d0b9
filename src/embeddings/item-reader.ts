// What an embedded item looks like: its part of the file that it came from, for reports.

import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { readField } from '../formats/index.ts';
import { excerpt, type Range } from '../prepare/excerpt.ts';
import type { EmbeddedItem } from './embeddings.ts';

/** The part of a field that a box names, as far as it lies in it; all of it where it names none. */
export function partOf(field: Field, box: readonly number[] | undefined): Field {
  const sizes = field.shape.slice(0, -1);
  const ranges = box && rangesOf(field, box);
  if (!ranges) return field;
  const within = ranges.map(([from, to], axis): Range => {
    const low = Math.min(sizes[axis] - 1, Math.max(0, Math.floor(from)));
    return [low, Math.max(low + 1, Math.min(sizes[axis], Math.ceil(to)))];
  });
  return excerpt(field, within);
}

/** The samples of a box along every dimension; undefined where the box is of another rank. */
function rangesOf({ kind, axes }: Field, box: readonly number[]): [number, number][] | undefined {
  if (kind === 'image' && box.length === 4) {
    const [x, y, width, height] = box;
    return [
      [y, y + height],
      [x, x + width],
    ];
  }
  if (box.length !== 2 * axes.length) return undefined;
  const timed = axes.length === 1 && axes[0].unit === 's';
  return axes.map(({ spacing }, axis) => {
    const [from, to] = [box[2 * axis], box[2 * axis + 1]];
    return timed ? [Math.round(from / spacing), Math.round(to / spacing)] : [from, to];
  });
}

/** Reads items for showing; the file read last is kept. Undefined where a file is gone or damaged. */
export function itemReader(): (item: EmbeddedItem) => Promise<Field | undefined> {
  let last: { path: string; field: Field | undefined } | undefined;
  return async ({ path, box, name }) => {
    if (last?.path !== path) {
      const field = await readField(path).catch(error => {
        if (error instanceof NdconvError) return undefined;
        throw error;
      });
      last = { path, field };
    }
    return last.field && { ...partOf(last.field, box), source: name };
  };
}
