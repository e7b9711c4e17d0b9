// Networks known by name: how their layers are called and stacked. Their weights come from a file that the user names,
// and every tensor of it must be where the architecture has one, so that the file of another network is refused.

import { NdconvError } from '../errors.ts';
import type { Layer, Network } from './network.ts';
import { layerWeights, listTensors, type NamedTensor, readWeights } from './weights.ts';

/** Tensors of a file, each of which can be taken by a layer. */
interface Source {
  has(prefix: string): boolean;
  /** Weights `[out, in, ...kernel]` and bias. */
  take(prefix: string, ...shape: number[]): Layer['weights'];
}

/** A known architecture: which file it wants and how it is put together. */
export interface KnownNetwork {
  readonly summary: string;
  readonly rank: number;
  readonly channels: number;
  build(source: Source): Layer[];
  /** Tensors of the usual file that the layers here do without. */
  readonly unused: RegExp;
}

const convolution = (
  name: string,
  weights: Layer['weights'],
  parameters: Record<string, unknown> = {},
  from?: string,
): Layer => ({
  name,
  type: 'convolution',
  parameters,
  weights,
  from: from ? [from] : undefined,
});
const plain = (
  name: string,
  type: Layer['type'],
  parameters: Record<string, unknown> = {},
  from?: string[],
): Layer => ({
  name,
  type,
  parameters,
  from,
});

/** RGB in [0, 1] to mean 0 and deviation 1 over ImageNet, on which most image networks were trained. */
const imagenet = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

const normalisation = (): Layer => ({
  name: 'preprocess',
  type: 'affine',
  parameters: {},
  weights: {
    scale: { shape: [3], data: Float32Array.from(imagenet.deviation, d => 1 / d) },
    shift: { shape: [3], data: Float32Array.from(imagenet.mean, (m, c) => -m / imagenet.deviation[c]) },
  },
});

// VGG-19 (Simonyan & Zisserman 2014), convolutions only: layers conv1_1, relu1_1 … as far as the file goes, tensors named
// as torchvision's `features.N`. A `preprocess` tensor (RGB in [0, 1] to the network's own range) is applied first.
function vgg19(source: Source): Layer[] {
  const layers: Layer[] = [];
  if (source.has('preprocess')) layers.push(convolution('preprocess', source.take('preprocess', 3, 3, 1, 1)));
  let [index, depth] = [0, 3];
  for (const [b, [count, filters]] of [
    [2, 64],
    [2, 128],
    [4, 256],
    [4, 512],
    [4, 512],
  ].entries()) {
    for (let i = 1; i <= count; i++, index += 2) {
      if (!source.has(`features.${index}`) && index > 0) return layers;
      const name = `${b + 1}_${i}`;
      layers.push(
        convolution(`conv${name}`, source.take(`features.${index}`, filters, depth, 3, 3), {
          padding: 1,
          paddingMode: 'reflect',
        }),
      );
      layers.push(plain(`relu${name}`, 'relu'));
      depth = filters;
    }
    layers.push(plain(`pool${b + 1}`, 'max-pool', { window: 2, strides: 2 }));
    index++;
  }
  return layers;
}

// SqueezeNet 1.1 (Iandola et al. 2016): tensors named as torchvision's, layers as the paper's.
function squeezenet({ take }: Source): Layer[] {
  const layers: Layer[] = [];
  layers.push(convolution('conv1', take('features.0', 64, 3, 3, 3), { strides: 2 }), plain('relu1', 'relu'));
  layers.push(plain('pool1', 'max-pool', { window: 3, strides: 2 }));
  let depth = 64;
  for (const [i, [at, squeezed, expanded]] of [
    [3, 16, 64],
    [4, 16, 64],
    [6, 32, 128],
    [7, 32, 128],
    [9, 48, 192],
    [10, 48, 192],
    [11, 64, 256],
    [12, 64, 256],
  ].entries()) {
    const fire = `fire${i + 2}`;
    const from = `features.${at}`;
    layers.push(
      convolution(`${fire}/squeeze1x1`, take(`${from}.squeeze`, squeezed, depth, 1, 1)),
      plain(`${fire}/relu_squeeze1x1`, 'relu'),
    );
    for (const size of [1, 3]) {
      const name = `expand${size}x${size}`;
      layers.push(
        convolution(
          `${fire}/${name}`,
          take(`${from}.${name}`, expanded, squeezed, size, size),
          { padding: (size - 1) / 2 },
          `${fire}/relu_squeeze1x1`,
        ),
      );
      layers.push(plain(`${fire}/relu_${name}`, 'relu'));
    }
    layers.push(plain(`${fire}/concat`, 'concat', {}, [`${fire}/relu_expand1x1`, `${fire}/relu_expand3x3`]));
    if (at === 4 || at === 7)
      layers.push(plain(`pool${at === 4 ? 3 : 5}`, 'max-pool', { window: 3, strides: 2 }));
    depth = 2 * expanded;
  }
  layers.push(
    convolution('conv10', take('classifier.1', 1000, depth, 1, 1)),
    plain('relu10', 'relu'),
    plain('logits', 'global-average-pool'),
  );
  return layers;
}

export const knownNetworks = {
  vgg19: {
    summary: 'VGG-19 convolutions (Simonyan & Zisserman 2014), reflect padding',
    rank: 2,
    channels: 3,
    build: vgg19,
    unused: /^classifier\./,
  },
  squeezenet1_1: {
    summary: 'SqueezeNet 1.1 (Iandola et al. 2016)',
    rank: 2,
    channels: 3,
    build: squeezenet,
    unused: /^$/,
  },
} satisfies Record<string, KnownNetwork>;

export type KnownName = keyof typeof knownNetworks;

/**
 * Builds a known network from its weights file. With `normalise` it takes RGB in [0, 1]: a first layer `preprocess` is put
 * before it, unless the file brings one. Errors: FormatError, NetworkError where the file is that of another network.
 */
export async function loadKnownNetwork(
  name: KnownName,
  path: string,
  { normalise = true } = {},
): Promise<Network> {
  const known: KnownNetwork = knownNetworks[name];
  const tensors: ReadonlyMap<string, NamedTensor> = await readWeights(path);
  const taken = new Set<string>();
  const layers = known.build({
    has: prefix => tensors.has(`${prefix}.weight`),
    take: (prefix, ...shape) => {
      for (const part of ['weight', 'bias']) taken.add(`${prefix}.${part}`);
      return layerWeights({ tensors, path }, prefix, shape);
    },
  });
  const left = new Map([...tensors].filter(([key]) => !taken.has(key) && !known.unused.test(key)));
  if (left.size > 0)
    throw new NdconvError(
      'NetworkError',
      `${path}: ${name} has no place for ${listTensors(left, 3)}: it is the file of another network`,
      { path },
    );
  if (normalise && layers[0].name !== 'preprocess') layers.unshift(normalisation());
  return { name, rank: known.rank, channels: known.channels, layers };
}
