// Whether a dataset can teach a network to tell apart: it needs two things that are the same, and two that are not.

import { NdconvError } from '../errors.ts';

/** What is wrong with a dataset of so many items, labels and identities, to train on; undefined where nothing is. */
export function faultOfData({
  items,
  labels,
  identities,
}: {
  items: number;
  labels: number;
  identities: number;
}): string | undefined {
  if (items === 0) return 'there is nothing to train on: the dataset (or its part) is empty';
  if (identities < 2)
    return `one identity only (${items} items): a batch takes several, so that there are different ones to tell apart; give at least two`;
  if (labels < 2) return `one label only (${items} items): there is nothing to tell apart; give at least two`;
  if (labels === items)
    return `one sample per label (${items} items of as many labels): there are no two of the same to bring together; give at least two samples of some`;
  return undefined;
}

/** Errors: ShapeError naming what is wrong. */
export function expectTrainable(dataset: {
  items: readonly { label: string }[];
  identities: readonly string[];
}): void {
  const fault = faultOfData({
    items: dataset.items.length,
    labels: new Set(dataset.items.map(({ label }) => label)).size,
    identities: dataset.identities.length,
  });
  if (fault) throw new NdconvError('ShapeError', `training: ${fault}`);
}
