// The part of a signal around something that was marked in it: a heartbeat, a spike, a spoken word.

import { type Annotation, annotatedSample, type Field } from '../formats/field.ts';
import { excerpt } from './excerpt.ts';

/**
 * The samples `[mark − before, mark + after)` around an annotation, where `mark` is its sample; undefined where they reach
 * beyond an end, so that windows are of one size: `[before + after, channels]`.
 */
export function windowAround(
  field: Field,
  annotation: Annotation,
  before: number,
  after: number,
): Field | undefined {
  const mark = annotatedSample(field, annotation);
  const [from, to] = [mark - before, mark + after];
  return from < 0 || to > field.shape[0] || from >= to ? undefined : excerpt(field, [[from, to]]);
}
