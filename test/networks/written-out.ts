// A small network written out layer by layer with its weights, for tests, and what a network makes of noise.

import { createReferenceBackend } from '../../src/backends/reference.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import type { LayerDescription } from '../../src/networks/layered.ts';
import type { Network } from '../../src/networks/network.ts';
import type { NamedTensor, WeightOrder } from '../../src/networks/weights.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';

export function noise(shape: readonly number[], seed: number): NamedTensor {
  const random = createRandom(seed);
  return { shape, data: Float32Array.from({ length: product(shape) }, () => random.normal()) };
}

/** What the last layer makes of noise. */
export async function outputOf(network: Network, shape: readonly number[], seed = 1) {
  const backend = await createReferenceBackend();
  const last = network.layers.at(-1)!.name;
  return (await evaluateNetwork(network, noise(shape, seed), [last], backend)).get(last)!;
}

export const file = (tensors: Record<string, NamedTensor>, order: WeightOrder = 'out-first') => ({
  path: 'weights.npz',
  tensors: new Map(Object.entries(tensors)),
  order,
});

export const layers: LayerDescription[] = [
  { name: 'a', type: 'convolution', kernel: [3, 2], filters: 6, groups: 2 },
  { name: 'b', type: 'transposed-convolution', strides: 2, groups: 2 },
  { type: 'flatten' },
  { name: 'c', type: 'dense' },
];
export const tensorsOutFirst: Record<string, NamedTensor> = {
  'a.weight': noise([6, 2, 3, 2], 1),
  'a.bias': noise([6], 2),
  'b.weight': noise([6, 4, 2, 2], 3),
  // The rows of flatten are 8 channels of 6×6 cells, channels first.
  'c.weight': noise([3, 8 * 36], 4),
  'c.bias': noise([3], 5),
};
