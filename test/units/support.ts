// What the tests of units share: datasets in memory, small networks, and evaluating layers without the code under test.

import { createDataset, type Dataset, derivedDataset } from '../../src/datasets/dataset.ts';
import type { Field } from '../../src/formats/field.ts';
import { type LayerDescription, layeredNetwork } from '../../src/networks/layered.ts';
import type { Network } from '../../src/networks/network.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';

/** A field of any rank. */
export const fieldOf = (shape: number[], data: Float32Array, source = 'test'): Field => ({
  kind: ['array', 'signal', 'image', 'volume'][shape.length - 1] as Field['kind'],
  shape,
  data,
  axes: shape.slice(0, -1).map((_, a) => ({ name: `axis ${a}`, spacing: 1, unit: '' })),
  source,
  valueUnit: '',
  sampleType: 'float32',
});

/** A dataset of fields, named by their place; `counts` are told of every reading. */
export function datasetOf(
  fields: readonly Field[],
  labels: readonly string[] = [],
  counts?: number[],
): Dataset {
  const items = fields.map((_, i) => ({
    path: `${i}`,
    name: `input ${i}`,
    label: labels[i] ?? 'all',
    identity: `${i}`,
  }));
  return derivedDataset(createDataset([]), items, async ({ path }) => {
    if (counts) counts[Number(path)] = (counts[Number(path)] ?? 0) + 1;
    return fields[Number(path)];
  });
}

/** Fields of noise. */
export function noise(count: number, shape: number[], seed = 1): Field[] {
  const random = createRandom(seed, 'noise');
  return Array.from({ length: count }, () =>
    fieldOf(
      shape,
      Float32Array.from({ length: product(shape) }, () => random.normal()),
    ),
  );
}

export const networkOf = (rank: number, channels: number, layers: LayerDescription[]): Network =>
  layeredNetwork({ rank, channels, layers }, 3);
