// What the tests of training share: identities made by rule in any rank, small networks for them, settings.

import { createDataset, type Dataset } from '../../src/datasets/dataset.ts';
import type { Field } from '../../src/formats/field.ts';
import type { Network } from '../../src/networks/network.ts';
import { residualNetwork } from '../../src/networks/residual.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';
import { withUnitLength } from '../../src/training/program.ts';
import type { TrainingSettings } from '../../src/training/settings.ts';

/** Cells along every axis. */
const SIZE = 8;

export const shapeOf = (rank: number): number[] => [...new Array<number>(rank).fill(SIZE), 1];

/** Identities from `first` on, each a pattern of its own, with noise from sample to sample. */
export function people(rank: number, first: number, count: number, samples = 4, noise = 0.7): Dataset {
  const shape = shapeOf(rank);
  const items = Array.from({ length: count * samples }, (_, i) => {
    const label = `p${first + Math.floor(i / samples)}`;
    const name = `${label}/${i % samples}`;
    return { path: name, name, label, identity: label };
  });
  const read = async ({ name, label }: { name: string; label: string }): Promise<Field> => {
    const [own, other] = [createRandom(1, label), createRandom(2, name)];
    const data = Float32Array.from({ length: product(shape) }, () => own.normal() + noise * other.normal());
    const axes = shape.slice(1).map((_, a) => ({ name: `axis ${a}`, spacing: 1, unit: '' }));
    return { kind: 'array', shape, data, axes, source: name, valueUnit: '', sampleType: 'float32' };
  };
  return { ...createDataset(items), read };
}

/** A few hundred weights. */
export const smallNetwork = (rank: number, seed = 3): Network =>
  withUnitLength(
    residualNetwork({
      rank,
      channels: 1,
      widths: [4, 6],
      kernel: 3,
      strides: rank > 2 ? 2 : 1,
      cells: 2,
      size: 8,
      seed,
    }),
    true,
  );

export const settings = (changes: Partial<TrainingSettings> = {}): TrainingSettings => ({
  loss: 'triplet',
  margin: 0.3,
  miner: 'semi-hard',
  identities: 3,
  samples: 3,
  steps: 30,
  freeze: [],
  optimiser: { name: 'adam', rate: 0.005, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  schedule: 'cosine',
  average: 0.9,
  validateEvery: 10,
  onCollapse: 'stop',
  seed: 1,
  ...changes,
});
