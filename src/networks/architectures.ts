// Networks known by name: how their layers are called and stacked. Their weights come from a file that the user names or
// that the registry keeps, and every tensor of it must be where the architecture has one, so that the file of another
// network is refused.

import { NdconvError } from '../errors.ts';
import { product } from '../tensor/layout.ts';
import { faceDetector, tinyFaceDetector } from './face-detection.ts';
import { faceLandmarks } from './face-landmarks.ts';
import { faceRecognition } from './face-recognition.ts';
import type { Layer, Network } from './network.ts';
import { expectTensor, layerWeights, listTensors, type NamedTensor, readWeights } from './weights.ts';

/** Tensors of a file, each of which can be taken by a layer. */
export interface Source {
  has(prefix: string): boolean;
  /** Weights `[out, in, ...kernel]` and bias. */
  take(prefix: string, ...shape: number[]): Layer['weights'];
  /** One tensor as it is. */
  tensor(name: string, ...shape: number[]): NamedTensor;
}

/** What a network was trained on: values in [0, 1] less the mean, over the deviation, per channel. */
export interface Preprocessing {
  readonly order: 'RGB';
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** A known architecture: which file it wants and how it is put together. */
export interface KnownNetwork {
  readonly summary: string;
  readonly rank: number;
  readonly channels: number;
  readonly preprocessing: Preprocessing;
  /** Layers for an input of `spatial` cells. */
  build(source: Source, spatial: readonly number[]): Layer[];
  /** The usual size of an input, where the layers depend on it. */
  readonly sizes?: readonly number[];
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
const imagenet: Preprocessing = {
  order: 'RGB',
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
};

const normalisation = ({ mean, deviation }: Preprocessing): Layer => ({
  name: 'preprocess',
  type: 'affine',
  parameters: {},
  weights: {
    scale: { shape: [mean.length], data: Float32Array.from(deviation, d => 1 / d) },
    shift: { shape: [mean.length], data: Float32Array.from(mean, (m, c) => -m / deviation[c]) },
  },
});

// VGG (Simonyan & Zisserman 2014), convolutions only: layers conv1_1, relu1_1 … as far as the file goes, tensors named
// as torchvision's `features.N`. A `preprocess` tensor (RGB in [0, 1] to the network's own range) is applied first.
const vgg =
  (...counts: number[]) =>
  (source: Source): Layer[] => {
    const layers: Layer[] = [];
    if (source.has('preprocess'))
      layers.push(convolution('preprocess', source.take('preprocess', 3, 3, 1, 1)));
    let [index, depth] = [0, 3];
    for (const [b, count] of counts.entries()) {
      const filters = Math.min(512, 64 << b);
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
  };

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

/** Dense layers by the names of torchvision and of timm. */
const denseOfVgg = /^(classifier|pre_logits|head)\./;

export const knownNetworks = {
  vgg19: {
    summary: 'VGG-19 convolutions (Simonyan & Zisserman 2014), reflect padding',
    rank: 2,
    channels: 3,
    preprocessing: imagenet,
    build: vgg(2, 2, 4, 4, 4),
    unused: denseOfVgg,
  },
  vgg16: {
    summary: 'VGG-16 convolutions (Simonyan & Zisserman 2014), reflect padding',
    rank: 2,
    channels: 3,
    preprocessing: imagenet,
    build: vgg(2, 2, 3, 3, 3),
    unused: denseOfVgg,
  },
  squeezenet1_1: {
    summary: 'SqueezeNet 1.1 (Iandola et al. 2016)',
    rank: 2,
    channels: 3,
    preprocessing: imagenet,
    build: squeezenet,
    unused: /^$/,
  },
  'face-api': faceRecognition,
  'face-detector': faceDetector,
  'face-detector-tiny': tinyFaceDetector,
  'face-landmarks': faceLandmarks,
} satisfies Record<string, KnownNetwork>;

export type KnownName = keyof typeof knownNetworks;

/** The network without its weights, which are zeros, all layers that it can have. */
export function sketchKnownNetwork(name: KnownName, options: { normalise?: boolean } = {}): Network {
  const zeros = (shape: readonly number[]) => {
    let data: Float32Array | undefined;
    return {
      shape,
      get data() {
        data ??= new Float32Array(product(shape));
        return data;
      },
    };
  };
  const source: Source = {
    has: prefix => prefix !== 'preprocess',
    take: (_, out, into, ...kernel) => ({ weights: zeros([...kernel, into, out]), bias: zeros([out]) }),
    tensor: (_, ...shape) => zeros(shape),
  };
  return assemble(name, source, options);
}

function assemble(name: KnownName, source: Source, { normalise = true }: { normalise?: boolean }): Network {
  const known: KnownNetwork = knownNetworks[name];
  const { rank, channels, preprocessing, sizes } = known;
  const build = (spatial: readonly number[]) => {
    const layers = known.build(source, spatial);
    if (normalise && layers[0].name !== 'preprocess') layers.unshift(normalisation(preprocessing));
    return layers;
  };
  return {
    name,
    rank,
    channels,
    layers: build(sizes ?? []),
    ...(sizes ? { sizes, specialise: (shape: readonly number[]) => build(shape.slice(1, -1)) } : {}),
  };
}

/**
 * Builds a known network from its weights file. With `normalise` it takes RGB in [0, 1]: a first layer `preprocess` is put
 * before it, unless the file brings one. Errors: FormatError, NetworkError where the file is that of another network.
 */
export async function loadKnownNetwork(
  name: KnownName,
  path: string,
  options: { normalise?: boolean } = {},
): Promise<Network> {
  const tensors: ReadonlyMap<string, NamedTensor> = await readWeights(path);
  const taken = new Set<string>();
  // Layers that depend on the input's size are built again with the tensors that the first ones turned.
  const turned = new Map<string, Layer['weights']>();
  const network = assemble(
    name,
    {
      has: prefix => tensors.has(`${prefix}.weight`),
      take(prefix, ...shape) {
        for (const part of ['weight', 'bias']) taken.add(`${prefix}.${part}`);
        const known = turned.get(prefix) ?? layerWeights({ tensors, path }, prefix, shape);
        turned.set(prefix, known);
        return known;
      },
      tensor(key, ...shape) {
        taken.add(key);
        return expectTensor({ tensors, path }, key, shape);
      },
    },
    options,
  );
  const left = new Map(
    [...tensors].filter(([key]) => !taken.has(key) && !knownNetworks[name].unused.test(key)),
  );
  if (left.size > 0)
    throw new NdconvError(
      'NetworkError',
      `${path}: ${name} has no place for ${listTensors(left, 3)}: it is the file of another network`,
      { path },
    );
  return network;
}
