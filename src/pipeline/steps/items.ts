// What steps over many items share: a dataset, or fields of the pipeline taken as one.

import { basename, resolve } from 'node:path';
import { createDataset, type Dataset, derivedDataset } from '../../datasets/dataset.ts';
import type { Item } from '../../datasets/list.ts';
import type { Field } from '../../formats/field.ts';
import type { CheckContext, RunContext, Schema } from '../step.ts';

export interface ItemParameters {
  dataset?: string;
  input?: string | string[];
}

/** Schema of `input`, beside a key `dataset`. */
export const inputSchema: Schema = {
  oneOf: [{ reference: ['field'] }, { type: 'array', minItems: 1, items: { reference: ['field'] } }],
  description: 'instead of a dataset: a field, or several',
};

/** References to fields. */
export const inputsOf = ({ input }: ItemParameters): string[] =>
  input === undefined ? [] : typeof input === 'string' ? [input] : input;

/** Says where neither a dataset nor fields are given, or both. */
export function expectItems({ params, problem }: CheckContext<ItemParameters>): boolean {
  if ((params.dataset === undefined) !== (params.input === undefined)) return true;
  problem({ at: [], message: 'give either dataset or input' });
  return false;
}

/** Counts of items, identities and labels, as far as they are known. */
export function countsOf({ params, planOf }: CheckContext<ItemParameters>): {
  items?: number;
  identities?: number;
  labels?: number;
} {
  const count = inputsOf(params).length;
  if (params.dataset === undefined) return { items: count, identities: count, labels: count };
  const { items, identities, labels } = planOf(params.dataset) as Record<string, unknown>;
  return { items, identities, labels } as ReturnType<typeof countsOf>;
}

/** The dataset; of fields, each is its own identity. What is left out is told to this step. */
export function datasetOf({ params, valueOf, note, leaveOut }: RunContext<ItemParameters>): Dataset {
  if (params.dataset !== undefined) {
    const dataset = valueOf<Dataset>(params.dataset);
    return { ...dataset, options: { ...dataset.options, leaveOut } };
  }
  const fields = new Map<Item, Field>();
  for (const reference of inputsOf(params)) {
    const field = valueOf<Field>(reference);
    const name = basename(field.source);
    fields.set({ path: resolve(field.source), name, label: name, identity: name }, field);
  }
  return derivedDataset(createDataset([], { note, leaveOut }), [...fields.keys()], async item =>
    fields.get(item),
  );
}
