// Networks that take one row of numbers (a second of sound as 1024 values) instead of a grid. Files and pipelines hold
// grids alone, so the row is read off a signal of one channel.

import { INPUT, type Layer, type Network } from './network.ts';

/** Layers that read the network's input read the row instead. */
const behind = (row: string, layers: readonly Layer[]): Layer[] =>
  layers.map((layer, i) => ({
    ...layer,
    from: layer.from?.map(name => (name === INPUT ? row : name)) ?? (i === 0 ? [row] : undefined),
  }));

/** A network of rank 0 and n channels as one of rank 1 for inputs `[n, 1]`; others as they are. */
export function takeSignal(network: Network): Network {
  if (network.rank !== 0) return network;
  const { channels, specialise, layers } = network;
  const taken = new Set(layers.map(({ name }) => name));
  let row = 'row';
  while (taken.has(row)) row += '_';
  const first: Layer = { name: row, type: 'flatten', parameters: { order: 'channels-last' }, from: [INPUT] };
  return {
    ...network,
    rank: 1,
    channels: 1,
    sizes: [channels],
    layers: [first, ...behind(row, layers)],
    ...(specialise
      ? {
          specialise: ([batch, ...rest]: readonly number[]) => [
            first,
            ...behind(row, specialise([batch, rest.reduce((a, b) => a * b, 1)])),
          ],
        }
      : {}),
  };
}
