// A network in words, one line a layer: channels, kernel and number of weights, without knowing the size of its input.

import { product } from '../tensor/layout.ts';
import { type LayerType, layerTypes } from './layers.ts';
import { INPUT, type Layer, type Network, parameterCount } from './network.ts';
import { shapesOf } from './weights.ts';

/** Layers of network files can have other types, of whose channels nothing is said. */
const described: Readonly<Record<string, LayerType | undefined>> = layerTypes;

/** Channels that come out of every layer; undefined where they depend on the input's size. */
export function channelsByLayer(network: Network): Map<string, number | undefined> {
  const channels = new Map<string, number | undefined>([[INPUT, network.channels]]);
  let previous = INPUT;
  for (const { name, type, from = [previous], parameters, weights } of network.layers) {
    const into = from.map(f => channels.get(f));
    channels.set(name, described[type]?.channels(into, shapesOf(weights), parameters));
    previous = name;
  }
  return channels;
}

const count = (layer: Layer): number =>
  Object.values(layer.weights ?? {}).reduce((sum, { shape }) => sum + product(shape), 0);

const number = (n: number): string => n.toLocaleString('en-US');

/** Layers that keep the channels and have nothing to say for themselves stand on the line of the layer before. */
const isFollower = ({ type, from }: Layer, before: Layer | undefined): boolean =>
  before !== undefined &&
  (from === undefined || (from.length === 1 && from[0] === before.name)) &&
  ['relu', 'leaky-relu', 'elu', 'softplus', 'sigmoid', 'tanh'].includes(type);

/**
 * `vgg19: rank 2, 3 channels in, 13 layers, 555,340 weights`, then a line for every layer and the activation after it:
 * `conv1_2, relu1_2: 64 channels, convolution 3×3, 36,928 weights`.
 */
export function describeNetwork(network: Network): string[] {
  const channels = channelsByLayer(network);
  const lines: { names: string[]; text: string }[] = [];
  for (const [i, layer] of network.layers.entries()) {
    if (isFollower(layer, network.layers[i - 1])) {
      lines[lines.length - 1].names.push(layer.name);
      continue;
    }
    const { name, type, parameters, weights } = layer;
    const out = channels.get(name);
    const shape = weights?.weights?.shape;
    const size = shape?.slice(0, network.rank);
    const window = parameters.window ?? (shape && shape.length > 2 ? size : undefined);
    const strides =
      parameters.strides === undefined ? '' : `, strides ${[parameters.strides].flat().join('×')}`;
    const weighs = count(layer);
    const text = [
      ...(out === undefined ? [] : [`${number(out)} channel${out === 1 ? '' : 's'}`]),
      `${type}${window === undefined ? '' : ` ${[window].flat().join('×')}`}${strides}`,
      ...(weighs > 0 ? [`${number(weighs)} weights`] : []),
    ];
    lines.push({ names: [name], text: text.join(', ') });
  }
  const { name, rank, channels: into, layers } = network;
  const title = `${name}: rank ${rank}, ${number(into)} channel${into === 1 ? '' : 's'} in, ${layers.length} layers, ${number(parameterCount(network))} weights`;
  return [title, ...lines.map(({ names, text }) => `  ${names.join(', ')}: ${text}`)];
}
