// What a transfer takes where it is not told: the layers of a random-filter network, and a first guess of noise.

import { NdconvError } from '../errors.ts';
import { layerIndex, type Network } from '../networks/network.ts';
import { createRandom } from '../random.ts';
import { statistics } from './front-ends.ts';
import type { Grid, LayerWeights } from './problem.ts';

/**
 * The layers that hold content or style with their weights: those given, or of a network of random filters its blocks
 * `relu1`, `relu2` …, all of them for style and the deepest for content. Throws NetworkError for a layer that the network
 * has not, and where none is given for a network without such blocks.
 */
export function chooseLayers(
  network: Network,
  role: 'content' | 'style',
  given: LayerWeights | undefined,
): LayerWeights {
  if (given) {
    for (const name of Object.keys(given)) layerIndex(network, name);
    return given;
  }
  const blocks = network.layers.map(({ name }) => name).filter(name => /^relu\d+$/.test(name));
  if (network.name !== 'random-filters' || blocks.length === 0)
    throw new NdconvError(
      'NetworkError',
      `network ${network.name} does not say which layers hold ${role}: give \`layers\`, such as { ${network.layers.at(-1)!.name}: 1 }`,
      { candidates: network.layers.map(({ name }) => name) },
    );
  const chosen = role === 'style' ? blocks : blocks.slice(-1);
  return Object.fromEntries(chosen.map(name => [name, 1]));
}

/** Noise with the mean and half the deviation of a grid. */
export function noiseLike(grid: Grid, seed: number): Grid {
  const { mean, deviation } = statistics(grid.data);
  const random = createRandom(seed, 'start');
  return { shape: grid.shape, data: grid.data.map(() => mean + 0.5 * deviation * random.normal()) };
}
