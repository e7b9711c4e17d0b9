// One description of a network for every source: named layers in order, each with the names of what it reads, its
// parameters and its weights. `instantiate` records it into a graph for an input of any rank and size.

import { NdconvError } from '../errors.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { product } from '../tensor/layout.ts';
import { arrayLayerTypes } from './array-layers.ts';
import { type LayerTypeName, layerTypes, type RecordedType } from './layers.ts';

/** Weights of a layer by role ('weights', 'bias', 'scale' …), already in the engine's order. */
export type Weights = Record<string, { shape: readonly number[]; data: Float32Array }>;

const recordedTypes: Readonly<Record<Layer['type'], RecordedType>> = { ...layerTypes, ...arrayLayerTypes };

/** One layer. `type` names an entry of layers.ts or array-layers.ts; `from` defaults to the layer before. */
export interface Layer {
  readonly name: string;
  readonly type: LayerTypeName | keyof typeof arrayLayerTypes;
  readonly from?: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly weights?: Weights;
}

/** A network: rank (number of spatial dimensions), input channels and layers. */
export interface Network {
  readonly name: string;
  readonly rank: number;
  readonly channels: number;
  readonly layers: readonly Layer[];
  /**
   * Spatial size that it was made for, where it takes no other well: inputs are padded with zeros to its proportions, on
   * both sides alike, and resampled to it.
   */
  readonly sizes?: readonly number[];
  /** Layers for an input `[batch, ...spatial, channels]` of this shape, where parameters depend on it; names are those of `layers`. */
  readonly specialise?: (shape: readonly number[]) => readonly Layer[];
}

/** The name by which layers refer to the network's input. */
export const INPUT = 'input';

/** Records a weight of a layer in the graph. */
export type RecordWeight = (graph: Graph, layer: Layer, role: string, weight: Weights[string]) => Value;

const frozen: RecordWeight = (graph, _, role, { shape, data }) => graph.constant(shape, data, role);

/**
 * Records the network on input `x` (`[batch, ...spatial, channels]`) up to the last of `wanted` (all layers if absent)
 * and returns the wanted layers' values. Weights are constants, or what `record` makes of them: variables, to train them.
 * Throws NetworkError for an unknown layer or a wrong input.
 */
export function instantiate(
  given: Network,
  x: Value,
  wanted?: readonly string[],
  record: RecordWeight = frozen,
): Map<string, Value> {
  checkInput(given, x);
  const network = given.specialise ? { ...given, layers: given.specialise(x.shape) } : given;
  const names = wanted ?? network.layers.map(l => l.name);
  const last = Math.max(...names.map(name => layerIndex(network, name)));
  const values = new Map<string, Value>([[INPUT, x]]);
  let previous = INPUT;
  for (const layer of network.layers.slice(0, last + 1)) {
    const inputs = (layer.from ?? [previous]).map(name => {
      const value = values.get(name);
      if (!value)
        throw new NdconvError('NetworkError', `layer ${layer.name} reads '${name}', which is not before it`);
      return value;
    });
    values.set(
      layer.name,
      x.graph.scope(layer.name, () => build(network, layer, inputs, record)),
    );
    previous = layer.name;
  }
  return new Map(names.map(name => [name, values.get(name)!]));
}

function checkInput(network: Network, x: Value): void {
  if (x.shape.length !== network.rank + 2)
    throw new NdconvError(
      'NetworkError',
      `network ${network.name} takes ${network.rank} spatial dimensions, the input [${x.shape.slice(1, -1)}] has ${x.shape.length - 2}`,
    );
  if (x.shape.at(-1) !== network.channels)
    throw new NdconvError(
      'NetworkError',
      `network ${network.name} takes ${network.channels} channels, the input has ${x.shape.at(-1)}`,
    );
}

function build(network: Network, layer: Layer, inputs: readonly Value[], record: RecordWeight): Value {
  const weights: Record<string, Value> = {};
  for (const [role, w] of Object.entries(layer.weights ?? {}))
    weights[role] = record(inputs[0].graph, layer, role, w);
  try {
    return recordedTypes[layer.type].build(inputs, layer.parameters, weights);
  } catch (cause) {
    if (!(cause instanceof NdconvError)) throw cause;
    throw new NdconvError(
      cause.tag,
      `network ${network.name}, layer ${layer.name}: ${cause.message}`,
      { layer: layer.name },
      cause,
    );
  }
}

/** Position of a layer; an unknown name is an error that lists the known ones. */
export function layerIndex(network: Network, name: string): number {
  const index = network.layers.findIndex(l => l.name === name);
  if (index < 0)
    throw new NdconvError(
      'NetworkError',
      `network ${network.name} has no layer '${name}'; it has ${network.layers.map(l => l.name).join(', ')}`,
      { candidates: network.layers.map(l => l.name) },
    );
  return index;
}

/** Number of weights. */
export const parameterCount = (network: Network): number =>
  network.layers.reduce(
    (sum, l) => sum + Object.values(l.weights ?? {}).reduce((n, w) => n + product(w.shape), 0),
    0,
  );
