// How well the embedding of a network in training tells identities apart that it was not trained on: the equal error
// rate of all pairs, by squared distance, or by what the unit of a pair loss says.

import type { Dataset } from '../datasets/dataset.ts';
import { readAll } from '../datasets/dataset.ts';
import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { eer } from '../verification/metrics.ts';
import type { BatchEmbedder } from './embed-batches.ts';

/** What is validated on: fields with their labels. */
export interface ValidationSet {
  fields: Field[];
  labels: string[];
}

/**
 * Reads a dataset for validation. Errors: ShapeError where there are no two labels, or no label has two items: then there
 * are no different, or no equal pairs.
 */
export async function readValidation(dataset: Dataset): Promise<ValidationSet> {
  const set: ValidationSet = { fields: [], labels: [] };
  for await (const { item, field } of readAll(dataset)) {
    set.fields.push(field);
    set.labels.push(item.label);
  }
  const distinct = new Set(set.labels);
  if (distinct.size < 2 || distinct.size === set.labels.length)
    throw new NdconvError(
      'ShapeError',
      `validation needs pairs of the same and of different labels, but has ${set.labels.length} items of ${distinct.size} label${distinct.size === 1 ? '' : 's'}; give it at least two with two items each, or leave validation out`,
    );
  return set;
}

/** A unit over |a − b|: `Σ w_k·|a_k − b_k| + b`. */
export interface PairUnit {
  weights: Float32Array;
  bias: number;
}

/** The equal error rate of all pairs, 0 to 1. */
export async function validate(
  { fields, labels }: ValidationSet,
  embedder: BatchEmbedder,
  unit?: PairUnit,
): Promise<number> {
  const rows = await embedder.embed(fields);
  const n = fields.length;
  const width = rows.length / n;
  const [distances, same]: [number[], boolean[]] = [[], []];
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++) {
      let sum = 0;
      for (let k = 0; k < width; k++) {
        const apart = rows[a * width + k] - rows[b * width + k];
        sum += unit ? -unit.weights[k] * Math.abs(apart) : apart * apart;
      }
      distances.push(sum);
      same.push(labels[a] === labels[b]);
    }
  return eer(distances, same);
}
