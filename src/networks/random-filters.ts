// Networks that need no training: blocks of random filters at several scales, ReLU, average pooling between blocks.
// Random multi-scale filters reproduce textures about as well as trained ones (Ustyuzhaninov, Brendel, Gatys & Bethge
// 2016), and one wide random layer over spectrogram bins transfers the style of sounds (Ulyanov & Lebedev 2016).
// The same code for any rank.

import { createRandom } from '../random.ts';
import { product } from '../tensor/layout.ts';
import type { Layer, Network } from './network.ts';

export interface RandomFilters {
  rank: number;
  channels: number;
  /** Kernel sizes of the filters in each block, in parallel. */
  kernels: readonly number[];
  /** Filters of each size. */
  filters: number;
  /** Number of blocks; between two of them an average pool halves every dimension. */
  blocks: number;
  seed: number;
}

/**
 * Layers `relu1`, `relu2` … (all scales side by side) and `pool1` … between them; `conv1_5` and `relu1_5` are the filters
 * of size 5 in block 1. Filters have zero mean over their taps and unit norm times √2 (He et al. 2015), so that
 * activations keep their scale from block to block.
 */
export function randomFilters({ rank, channels, kernels, filters, blocks, seed }: RandomFilters): Network {
  const layers: Layer[] = [];
  let [source, depth] = ['input', channels];
  for (let b = 1; b <= blocks; b++) {
    for (const size of kernels) {
      const shape = [...new Array<number>(rank).fill(size), depth, filters];
      const weights = { weights: bankOnDemand(shape, seed, `block ${b} size ${size}`) };
      layers.push({
        name: `conv${b}_${size}`,
        type: 'convolution',
        from: [source],
        weights,
        parameters: { padding: 'same', paddingMode: 'replicate' },
      });
      layers.push({ name: `relu${b}_${size}`, type: 'relu', parameters: {} });
    }
    layers.push({
      name: `relu${b}`,
      type: 'concat',
      from: kernels.map(k => `relu${b}_${k}`),
      parameters: {},
    });
    [source, depth] = [`relu${b}`, kernels.length * filters];
    if (b === blocks) break;
    layers.push({
      name: `pool${b}`,
      type: 'average-pool',
      parameters: { window: 2, strides: 2, rounding: 'ceil', countPadding: false },
    });
    source = `pool${b}`;
  }
  return { name: 'random-filters', rank, channels, layers };
}

/** The filters, drawn when they are first looked at: checking a pipeline needs their shape alone. */
function bankOnDemand(shape: readonly number[], seed: number, label: string) {
  let bank: Float32Array | undefined;
  return {
    shape,
    get data(): Float32Array {
      bank ??= filterBank(shape, seed, label);
      return bank;
    },
  };
}

/** Filters of zero mean over their taps and unit norm times √2: `[...kernel, in, out]`. */
export function filterBank(shape: readonly number[], seed: number, label: string): Float32Array {
  const random = createRandom(seed, label);
  const filters = shape.at(-1)!;
  const taps = product(shape) / filters;
  const data = Float32Array.from({ length: taps * filters }, () => random.normal());
  for (let k = 0; k < filters; k++) {
    let [sum, squares] = [0, 0];
    for (let i = k; i < data.length; i += filters) sum += data[i];
    for (let i = k; i < data.length; i += filters) squares += (data[i] -= sum / taps) ** 2;
    const scale = Math.sqrt(2 / squares);
    for (let i = k; i < data.length; i += filters) data[i] *= scale;
  }
  return data;
}
