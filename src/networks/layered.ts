// A network written out layer by layer, as in a YAML file: types and parameters of layers.ts, filters and kernel sizes for
// layers with weights, which come from a weights file by prefix or from the seed (He et al. 2015).

import { NdconvError } from '../errors.ts';
import { createRandom } from '../random.ts';
import { product } from '../tensor/layout.ts';
import { perDimension } from '../tensor/taps.ts';
import { INPUT, type Layer, type Network, type Weights } from './network.ts';
import { layerWeights, type NamedTensor } from './weights.ts';

/** One layer as a user writes it. */
export interface LayerDescription {
  name?: string;
  type: Layer['type'];
  from?: string | string[];
  /** Convolutions: size of the kernel, one number or one per dimension. */
  kernel?: number | number[];
  /** Convolutions and dense layers: output channels. */
  filters?: number;
  /** Dense layers: inputs per sample. */
  inputs?: number;
  /** Prefix of this layer's tensors in the weights file. */
  weights?: string;
  [parameter: string]: unknown;
}

/** Builds a network from a description; `tensors` are those of the weights file, where one was given. */
export function layeredNetwork(
  description: { name?: string; rank: number; channels: number; layers: readonly LayerDescription[] },
  seed: number,
  tensors?: ReadonlyMap<string, NamedTensor>,
  file = 'weights file',
): Network {
  const { rank, channels } = description;
  const depths = new Map<string, number>([[INPUT, channels]]);
  const counts = new Map<string, number>();
  const layers: Layer[] = [];
  let previous = INPUT;
  for (const {
    name: given,
    type,
    from: source,
    kernel,
    filters,
    inputs,
    weights: prefix,
    ...parameters
  } of description.layers) {
    const count = (counts.get(type) ?? 0) + 1;
    counts.set(type, count);
    const name = given ?? `${type}${count}`;
    if (depths.has(name))
      throw new NdconvError('NetworkError', `two layers are named '${name}': give one of them another name`);
    const from = source === undefined ? [previous] : [source].flat();
    const into = from.map(f => {
      const depth = depths.get(f);
      if (depth === undefined)
        throw new NdconvError(
          'NetworkError',
          `layer ${name} reads '${f}'; before it are ${[...depths.keys()].join(', ')}`,
        );
      return depth;
    });
    const shape = weightShape({
      name,
      type,
      rank,
      depth: into[0],
      kernel,
      filters,
      inputs,
      groups: Number(parameters.groups ?? 1),
    });
    const weights = !shape
      ? undefined
      : tensors && prefix
        ? layerWeights(tensors, prefix, file)
        : randomWeights(shape, seed, name);
    if (weights && shape && product(weights.weights.shape) !== product(shape))
      throw new NdconvError(
        'NetworkError',
        `layer ${name} wants weights [${shape}], ${file} holds [${weights.weights.shape}]`,
      );
    layers.push({ name, type, from, parameters, weights });
    depths.set(name, type === 'concat' ? into.reduce((a, b) => a + b, 0) : (filters ?? into[0]));
    previous = name;
  }
  return { name: description.name ?? 'layers', rank, channels, layers };
}

function weightShape(layer: {
  name: string;
  type: string;
  rank: number;
  depth: number;
  kernel?: number | number[];
  filters?: number;
  inputs?: number;
  groups: number;
}): number[] | undefined {
  const { name, type, rank, depth, kernel, filters, inputs, groups } = layer;
  const need = (value: unknown, key: string) => {
    if (value === undefined) throw new NdconvError('NetworkError', `layer ${name} (${type}) needs '${key}'`);
  };
  if (type === 'dense') {
    need(filters, 'filters');
    return [inputs ?? depth, filters!];
  }
  if (type !== 'convolution' && type !== 'transposed-convolution') return undefined;
  need(filters, 'filters');
  need(kernel, 'kernel');
  const size = perDimension(kernel, rank, `layer ${name}: kernel`, 1);
  return type === 'convolution' ? [...size, depth / groups, filters!] : [...size, filters! / groups, depth];
}

function randomWeights(shape: readonly number[], seed: number, name: string): Weights {
  const random = createRandom(seed, `weights of ${name}`);
  const out = shape.at(-1)!;
  const scale = Math.sqrt((2 * out) / product(shape));
  return {
    weights: { shape, data: Float32Array.from({ length: product(shape) }, () => scale * random.normal()) },
  };
}
