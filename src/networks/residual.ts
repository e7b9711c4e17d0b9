// A small residual network that gives one row of values a sample, in any rank and for any size of input: what embeddings are
// trained with where nothing else is said. A layer of filters, residual blocks (He et al. 2016) each at half the resolution
// of the one before, averages over a few overlapping cells of every dimension, as histograms of gradients have them
// (Dalal & Triggs 2005), brought to mean 0 and variance 1 channel by channel, and a dense layer. The cells keep where something is, coarsely; with
// few identities to learn from that generalises better than averages over everything.

import { product } from '../tensor/layout.ts';
import { type LayerDescription, layeredNetwork } from './layered.ts';
import type { Network } from './network.ts';
import { filterBank } from './random-filters.ts';
import type { WeightsFile } from './weights.ts';

export interface Residual {
  rank: number;
  channels: number;
  /** Channels of the filters and of each residual block; the first block keeps the resolution, the others halve it. */
  widths: readonly number[];
  /** Size of the filters, and from one to the next. */
  kernel: number;
  strides: number;
  /** Cells of every dimension: one number, or one per dimension. */
  cells: number | readonly number[];
  /** Values that come out. */
  size: number;
  seed: number;
}

/**
 * Layers `filters`, `relu`, then for every block `b`: `conv_b_1`, `relu_b_1`, `conv_b_2`, `skip_b` where channels or size change,
 * `add_b`, `relu_b`; `cells`, `contrast` (of several cells), `row`, `embedding`. Weights from the seed, or from a file by the names of the layers.
 */
export function residualNetwork(given: Residual, file?: WeightsFile): Network {
  const { rank, channels, widths, kernel, seed } = given;
  const network = layeredNetwork({ name: 'residual', rank, channels, layers: describe(given) }, seed, file);
  if (file) return network;
  // The first filters look at differences: brightness alone says little.
  const shape = [...new Array<number>(rank).fill(kernel), channels, widths[0]];
  const differences = { shape, data: filterBank(shape, seed, 'filters') };
  const layers = network.layers.map(layer =>
    layer.name === 'filters' ? { ...layer, weights: { ...layer.weights, weights: differences } } : layer,
  );
  return { ...network, layers };
}

function describe({ rank, widths, kernel, strides, cells, size }: Residual): LayerDescription[] {
  const layers: LayerDescription[] = [
    { name: 'filters', type: 'convolution', kernel, filters: widths[0], strides, padding: 'same' },
    { name: 'relu', type: 'relu' },
  ];
  const convolution = (name: string, filters: number, more: Partial<LayerDescription> = {}) =>
    layers.push({ name, type: 'convolution', kernel: 3, filters, padding: 'same', ...more });
  let source = 'relu';
  let depth = widths[0];
  for (const [at, width] of widths.slice(1).entries()) {
    const b = at + 1;
    const step = b > 1 ? 2 : 1;
    convolution(`conv_${b}_1`, width, { strides: step });
    layers.push({ name: `relu_${b}_1`, type: 'relu' });
    convolution(`conv_${b}_2`, width);
    let skip = source;
    if (width !== depth || step > 1) {
      skip = `skip_${b}`;
      convolution(skip, width, { kernel: 1, strides: step, from: source });
    }
    source = `relu_${b}`;
    layers.push(
      { name: `add_${b}`, type: 'add', from: [skip, `conv_${b}_2`] },
      { name: source, type: 'relu' },
    );
    depth = width;
  }
  const each = typeof cells === 'number' ? new Array<number>(rank).fill(cells) : [...cells];
  layers.push(
    { name: 'cells', type: 'cell-pool', cells: each },
    // Over a single cell every channel would become 0.
    ...(product(each) > 1 ? [{ name: 'contrast', type: 'instance-norm' } as const] : []),
    { name: 'row', type: 'flatten', order: 'channels-last' },
    { name: 'embedding', type: 'dense', filters: size, inputs: product(each) * depth },
  );
  return layers;
}
