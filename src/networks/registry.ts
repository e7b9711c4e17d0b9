// Networks known by name: how their layers are called and stacked. Their weights come from a file that the user names.

import type { Layer, Network } from './network.ts';
import { layerWeights, type NamedTensor, readWeights } from './weights.ts';

/** A known architecture: which file it wants and how it is put together. */
export interface KnownNetwork {
  readonly summary: string;
  readonly rank: number;
  readonly channels: number;
  build(tensors: ReadonlyMap<string, NamedTensor>, file: string): Layer[];
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

// VGG-19 (Simonyan & Zisserman 2014), convolutions only: layers conv1_1, relu1_1 … as far as the file goes, tensors named
// as torchvision's `features.N`. A `preprocess` tensor (RGB in [0, 1] to the network's own range) is applied first.
function vgg19(tensors: ReadonlyMap<string, NamedTensor>, file: string): Layer[] {
  const layers: Layer[] = [];
  if (tensors.has('preprocess.weight'))
    layers.push(convolution('preprocess', layerWeights(tensors, 'preprocess', file)));
  let index = 0;
  for (const [b, count] of [2, 2, 4, 4, 4].entries()) {
    for (let i = 1; i <= count; i++, index += 2) {
      if (!tensors.has(`features.${index}.weight`) && layers.length > 1) return layers;
      const name = `${b + 1}_${i}`;
      layers.push(
        convolution(`conv${name}`, layerWeights(tensors, `features.${index}`, file), {
          padding: 1,
          paddingMode: 'reflect',
        }),
      );
      layers.push(plain(`relu${name}`, 'relu'));
    }
    layers.push(plain(`pool${b + 1}`, 'max-pool', { window: 2, strides: 2 }));
    index++;
  }
  return layers;
}

// SqueezeNet 1.1 (Iandola et al. 2016), torchvision's names; input normalised as ImageNet models expect.
function squeezenet(tensors: ReadonlyMap<string, NamedTensor>, file: string): Layer[] {
  const layers: Layer[] = [];
  const take = (prefix: string) => layerWeights(tensors, prefix, file);
  layers.push(convolution('conv1', take('features.0'), { strides: 2 }), plain('relu1', 'relu'));
  layers.push(plain('pool1', 'max-pool', { window: 3, strides: 2 }));
  const fires = [3, 4, 6, 7, 9, 10, 11, 12];
  for (const [i, at] of fires.entries()) {
    const fire = `fire${i + 2}`;
    const from = `features.${at}`;
    layers.push(
      convolution(`${fire}/squeeze1x1`, take(`${from}.squeeze`)),
      plain(`${fire}/relu_squeeze1x1`, 'relu'),
    );
    for (const [size, padding] of [
      ['1x1', 0],
      ['3x3', 1],
    ] as const) {
      layers.push(
        convolution(
          `${fire}/expand${size}`,
          take(`${from}.expand${size}`),
          { padding },
          `${fire}/relu_squeeze1x1`,
        ),
      );
      layers.push(plain(`${fire}/relu_expand${size}`, 'relu'));
    }
    layers.push(plain(`${fire}/concat`, 'concat', {}, [`${fire}/relu_expand1x1`, `${fire}/relu_expand3x3`]));
    if (at === 4 || at === 7)
      layers.push(plain(`pool${at === 4 ? 3 : 5}`, 'max-pool', { window: 3, strides: 2 }));
  }
  layers.push(
    convolution('conv10', take('classifier.1')),
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
  },
  squeezenet1_1: { summary: 'SqueezeNet 1.1 (Iandola et al. 2016)', rank: 2, channels: 3, build: squeezenet },
} satisfies Record<string, KnownNetwork>;

export type KnownName = keyof typeof knownNetworks;

/** Builds a known network from its weights file. */
export async function loadKnownNetwork(name: KnownName, path: string): Promise<Network> {
  const known = knownNetworks[name];
  const tensors = await readWeights(path);
  return { name, rank: known.rank, channels: known.channels, layers: known.build(tensors, path) };
}
