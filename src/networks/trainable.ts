// The weights of a network that training changes, by name, and the network with others in their place.

import type { Value } from '../graph/graph.ts';
import { instantiate, type Layer, type Network, type RecordWeight, type Weights } from './network.ts';
import type { NamedTensor } from './weights.ts';

/** Roles that are learned; the statistics of a batch normalisation stay as they are. */
const learned = ['weights', 'bias', 'scale', 'shift'];

/** `conv1.weights`. */
const nameOf = ({ name }: Layer, role: string): string => `${name}.${role}`;

/** Weights that training changes, `[...kernel, in, out]`, by name: `conv1.weights`, `conv1.bias`. */
export function trainableWeights({ layers }: Network): Map<string, NamedTensor> {
  const found = new Map<string, NamedTensor>();
  for (const layer of layers)
    for (const [role, weight] of Object.entries(layer.weights ?? {}))
      if (learned.includes(role)) found.set(nameOf(layer, role), weight);
  return found;
}

/**
 * Records the whole network on `x` with variables as weights, those of `frozen` layers as constants: the last layer's value,
 * and the variables by name.
 */
export function instantiateTrainable(
  network: Network,
  x: Value,
  frozen: readonly string[] = [],
): { output: Value; variables: Record<string, Value> } {
  const variables: Record<string, Value> = {};
  const record: RecordWeight = (graph, layer, role, { shape, data }) => {
    if (!learned.includes(role) || frozen.includes(layer.name)) return graph.constant(shape, data, role);
    const name = nameOf(layer, role);
    variables[name] = graph.variable(name, shape, data);
    return variables[name];
  };
  const last = network.layers[network.layers.length - 1].name;
  return { output: instantiate(network, x, [last], record).get(last)!, variables };
}

/** The network with other values of its weights; those not named stay. */
export function withWeights(network: Network, values: ReadonlyMap<string, Float32Array>): Network {
  const exchange = (layers: readonly Layer[]): Layer[] =>
    layers.map(layer => {
      if (!layer.weights) return layer;
      const weights: Weights = {};
      for (const [role, { shape, data }] of Object.entries(layer.weights))
        weights[role] = { shape, data: values.get(nameOf(layer, role)) ?? data };
      return { ...layer, weights };
    });
  const { specialise } = network;
  return {
    ...network,
    layers: exchange(network.layers),
    ...(specialise ? { specialise: (shape: readonly number[]) => exchange(specialise(shape)) } : {}),
  };
}
