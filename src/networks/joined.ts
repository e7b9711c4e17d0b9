// Networks side by side on one input, their rows one after the other. Several that were trained from different starts are
// wrong in different places and tell apart better together (Hansen & Salamon 1990, Neural network ensembles).

import { NdconvError } from '../errors.ts';
import { INPUT, type Layer, type Network } from './network.ts';

/** Layers of network `i` under names of their own: `2/filters`. */
function renamed({ layers }: Network, i: number): Layer[] {
  const own = (name: string): string => (name === INPUT ? INPUT : `${i + 1}/${name}`);
  return layers.map((layer, at) => {
    const from = layer.from ?? (at === 0 ? [INPUT] : undefined);
    return { ...layer, name: own(layer.name), ...(from ? { from: from.map(own) } : {}) };
  });
}

/**
 * One network that gives the rows of all, `[batch, sum of their sizes]`, brought to length 1 where every one of them is; one
 * alone stays as it is. Errors: NetworkError where they take different inputs, or layers depend on the size of the input.
 */
export function joinNetworks(networks: readonly Network[]): Network {
  const [first] = networks;
  if (networks.length === 1) return first;
  for (const { name, rank, channels, specialise } of networks) {
    if (specialise)
      throw new NdconvError(
        'NetworkError',
        `network ${name} has layers that depend on the size of its input and cannot be joined with others; write it out layer by layer`,
      );
    if (rank !== first.rank || channels !== first.channels)
      throw new NdconvError(
        'NetworkError',
        `network ${first.name} takes ${first.channels} channels in rank ${first.rank}, network ${name} ${channels} in rank ${rank}: only networks of the same input can be joined`,
      );
  }
  const parts = networks.map(renamed);
  const ends = parts.map(layers => layers[layers.length - 1]);
  const layers: Layer[] = [
    ...parts.flat(),
    { name: 'joined', type: 'concat', from: ends.map(({ name }) => name), parameters: {} },
  ];
  if (ends.every(({ type }) => type === 'l2-normalise'))
    layers.push({ name: 'unit length', type: 'l2-normalise', parameters: {} });
  const { rank, channels } = first;
  return { name: networks.map(({ name }) => name).join(' + '), rank, channels, layers };
}
