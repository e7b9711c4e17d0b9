// What a report shows of an embedded item: the field that was embedded, where the dataset is given, else its file, cut to
// the item's part of it.

import type { Dataset } from '../../../datasets/dataset.ts';
import type { EmbeddedItem } from '../../../embeddings/embeddings.ts';
import { NdconvError } from '../../../errors.ts';
import { type Field, sampleRateOf, spatialOf } from '../../../formats/field.ts';
import { readField } from '../../../formats/index.ts';
import { excerpt, type Range } from '../../../prepare/excerpt.ts';

export type Preview = (item: EmbeddedItem) => Promise<Field | undefined>;

/** The preview of items; undefined for one whose file is gone or cannot be read. */
export function previewOf(dataset: Dataset | undefined): Preview {
  const known = new Map(dataset?.items.map(item => [`${item.path}\n${item.name}`, item]));
  return async item => {
    const own = known.get(`${item.path}\n${item.name}`);
    if (own) return dataset!.read(own);
    try {
      const field = await readField(item.path);
      return excerpt(field, boxOf(field, item.box));
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      return undefined;
    }
  };
}

/** `[x, y, width, height]` in a picture or `[from, to]` in seconds in a signal, within its borders; the whole where it fits neither. */
function boxOf(field: Field, box: readonly number[] | undefined): Range[] {
  const sizes = spatialOf(field);
  const whole = sizes.map(size => [0, size] as const);
  const range = (from: number, to: number, size: number): Range => [
    Math.max(0, Math.min(size - 1, Math.floor(from))),
    Math.max(1, Math.min(size, Math.ceil(to))),
  ];
  if (box?.length === 4 && sizes.length === 2) {
    const [x, y, width, height] = box;
    return [range(y, y + height, sizes[0]), range(x, x + width, sizes[1])];
  }
  const rate = sampleRateOf(field);
  if (box?.length === 2 && sizes.length === 1 && rate > 0)
    return [range(box[0] * rate, box[1] * rate, sizes[0])];
  return whole;
}
