// Networks in another rank: `inflate` gives a network one more spatial dimension, so that one trained on images runs on
// volumes; `project` takes one away, so that it runs on signals. Filters are repeated along the new axis and divided (I3D:
// Carreira & Zisserman 2017), put in the middle of it, or shared out among the planes (ACS: Yang et al. 2021); projected,
// they are summed. With the first two an input that is constant along the new axis gives in every slice, away from the
// borders, what the network gave before.

import { NdconvError } from '../errors.ts';
import type { AxisRule } from './axis-rules.ts';
import { INPUT, type Layer, type Network, type Weights } from './network.ts';
import { asList, collapsed, type Fresh, inPlanes, spreadAlong } from './rank-filters.ts';

/** How filters are spread along a new axis; see `inflate`. */
export const inflations = ['average', 'centre', 'planes'] as const;
/** How an axis of filters is taken away; see `project`. */
export const projections = ['sum', 'centre'] as const;

export interface Inflation {
  /** Place of the new axis among the spatial ones: 0 puts it first. */
  readonly axis: number;
  /**
   * `average`: repeated along the new axis and divided. `centre`: only in its middle, zeros around. `planes`: every filter
   * in one of the planes that leave out an axis, by turns, so that all axes are treated alike.
   */
  readonly how?: (typeof inflations)[number];
  /** Length of the filters along the new axis, but for those of length 1; that along its neighbour where absent. */
  readonly length?: number;
  /** Whether strides and pools make the new axis smaller as they do its neighbour (true where absent). */
  readonly shrink?: boolean;
}

export interface Projection {
  /** The spatial axis that goes. */
  readonly axis: number;
  /** `sum`: filters are summed along it, as for an image that is constant there. `centre`: their middle is taken. */
  readonly how?: (typeof projections)[number];
}

/** A network in another rank, and the layers that cannot be in it. */
export interface Reshaped {
  readonly network: Network;
  /** Layers that reshape cells, and those that read them: left out. */
  readonly left: readonly string[];
}

/** Thrown by a rule for a layer that has no counterpart; with what reads it, it is left out. */
class NoCounterpart extends Error {}

/** Changes of everything in a layer that has one entry per axis. */
interface Change {
  /** Ranks before and after. */
  readonly before: number;
  readonly rank: number;
  /** Stored dimension that is new, or that goes. */
  readonly dim: number;
  /** Along the new axis; undefined where an axis goes. */
  fresh?(layer: Layer): Fresh;
  filters(layer: Layer): Weights['string'];
}

/** One entry per axis in the other rank. */
const spatially = <T>({ dim }: Change, values: readonly T[], fresh: T | undefined): T[] =>
  fresh === undefined ? values.toSpliced(dim - 1, 1) : values.toSpliced(dim - 1, 0, fresh);

/** One entry per stored dimension in the other rank. */
const stored = <T>({ dim, fresh }: Change, values: readonly T[], added: T): T[] =>
  fresh ? values.toSpliced(dim, 0, added) : values.toSpliced(dim, 1);

const dimensionAfter = ({ dim, fresh }: Change, a: number): number =>
  fresh ? (a >= dim ? a + 1 : a) : a > dim ? a - 1 : a;

/**
 * The network with one more spatial dimension. Layers that depend on the arrangement of cells (flatten and what follows)
 * cannot be in it and are left out. Errors: NetworkError for an axis that there cannot be, for `planes` where axes differ,
 * and where nothing is left.
 */
export function inflate(network: Network, inflation: Inflation): Reshaped {
  const { axis, how = 'average', length, shrink = true } = inflation;
  const { rank } = network;
  if (!Number.isInteger(axis) || axis < 0 || axis > rank)
    throw new NdconvError(
      'NetworkError',
      `inflate: axis ${axis} is none of the ${rank + 1} that a network of rank ${rank} can have after it: use 0 to ${rank}`,
    );
  if (length !== undefined && how === 'planes')
    throw new NdconvError(
      'NetworkError',
      "inflate: 'length' has no effect with planes, which are as long everywhere",
    );
  const neighbour = Math.min(axis, rank - 1);
  const fresh = (layer: Layer) => freshAxis(layer, neighbour, rank, { length, shrink });
  return reshapeNetwork(network, {
    before: rank,
    rank: rank + 1,
    dim: axis + 1,
    fresh,
    filters: layer =>
      how === 'planes' ? inPlanes(layer, rank) : spreadAlong(layer, axis, how, fresh(layer)),
  });
}

/** Entries of a parameter, one per axis. */
function entriesOf<T>(layer: Layer, key: string, rank: number, standard: T): readonly T[] {
  return asList((layer.parameters[key] as T | undefined) ?? standard, rank);
}

/** What the neighbour has, but for the length that is asked for, and no steps where the axis is not to shrink. */
function freshAxis(
  layer: Layer,
  neighbour: number,
  rank: number,
  { length, shrink }: { length: number | undefined; shrink: boolean },
): Fresh {
  const pooled = layer.parameters.window !== undefined;
  const enlarges = layer.type === 'transposed-convolution';
  const still: Fresh = { kernel: 1, stride: 1, dilation: 1, padding: [0, 0], outputPadding: 0 };
  if (!shrink && (pooled || enlarges)) return still;
  const window = entriesOf(layer, 'window', rank, 1)[neighbour];
  const size = pooled ? window : layer.weights!.weights.shape[neighbour];
  const stride = entriesOf(layer, 'strides', rank, pooled ? window : 1)[neighbour];
  const dilation = entriesOf(layer, 'dilations', rank, 1)[neighbour];
  // A transposed convolution whose filters are shorter than its steps would leave gaps.
  const asked = pooled || size === 1 ? undefined : length;
  const kernel = asked === undefined ? size : enlarges ? Math.max(asked, Math.min(stride, size)) : asked;
  // With another length the middle of a filter stays where it is.
  const less = dilation * (size - kernel);
  const [low, high] = paddingOf(layer, rank)[neighbour];
  return {
    kernel,
    stride: shrink ? stride : 1,
    dilation,
    padding: [Math.max(0, low - Math.floor(less / 2)), Math.max(0, high - Math.ceil(less / 2))],
    outputPadding: entriesOf(layer, 'outputPadding', rank, 0)[neighbour],
  };
}

/** `[low, high]` per axis; none where a word says it. */
function paddingOf({ parameters: { padding } }: Layer, rank: number): readonly (readonly [number, number])[] {
  const given = typeof padding === 'string' || padding === undefined ? 0 : padding;
  return typeof given === 'number'
    ? Array.from({ length: rank }, () => [given, given] as const)
    : (given as [number, number][]);
}

/**
 * The network with one spatial dimension less, filters summed along it: an input repeated along the axis gave the same.
 * Layers that depend on the arrangement of cells are left out. Errors: NetworkError as for `inflate`.
 */
export function project(network: Network, { axis, how = 'sum' }: Projection): Reshaped {
  const { rank } = network;
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank || rank < 2)
    throw new NdconvError(
      'NetworkError',
      rank < 2
        ? `project: a network of rank ${rank} has no axis to spare`
        : `project: axis ${axis} is none of the ${rank} that network ${network.name} has: use 0 to ${rank - 1}`,
    );
  return reshapeNetwork(network, {
    before: rank,
    rank: rank - 1,
    dim: axis + 1,
    filters: layer => collapsed(layer, axis, how),
  });
}

function reshapeNetwork(network: Network, change: Change): Reshaped {
  const { layers, left } = reshapeLayers(network.layers, change);
  if (layers.length === 0)
    throw new NdconvError(
      'NetworkError',
      `network ${network.name} cannot be used in rank ${change.rank}: already its first layer reshapes cells`,
    );
  // In another rank there is no usual size.
  const { specialise, sizes: _, ...rest } = network;
  // Sizes of an input before, of one now; an axis that went is as long as its neighbour.
  const sizes = (shape: readonly number[]): number[] =>
    change.fresh
      ? shape.toSpliced(change.dim, 1)
      : shape.toSpliced(change.dim, 0, shape[Math.min(change.dim, shape.length - 2)]);
  return {
    network: {
      ...rest,
      rank: change.rank,
      layers,
      ...(specialise
        ? {
            specialise: (shape: readonly number[]) => reshapeLayers(specialise(sizes(shape)), change).layers,
          }
        : {}),
    },
    left,
  };
}

function reshapeLayers(given: readonly Layer[], change: Change): { layers: Layer[]; left: string[] } {
  const left = new Set<string>();
  const layers: Layer[] = [];
  // Layers after flatten or a global pool have one row a sample, and stay as they are.
  const rows = new Set<string>();
  let previous = INPUT;
  for (const layer of given) {
    const from = layer.from ?? [previous];
    previous = layer.name;
    try {
      if (from.some(name => left.has(name))) throw new NoCounterpart();
      const ofRows = from.every(name => rows.has(name));
      if (ofRows || ['global-average-pool', 'global-max-pool'].includes(layer.type)) rows.add(layer.name);
      layers.push({ ...(ofRows ? layer : reshaped(layer, change)), from });
    } catch (error) {
      if (!(error instanceof NoCounterpart)) throw error;
      left.add(layer.name);
    }
  }
  return { layers, left: [...left] };
}

const cellwise: readonly Layer['type'][] = [
  'affine',
  'batch-norm',
  'instance-norm',
  'l2-normalise',
  'global-average-pool',
  'global-max-pool',
  'relu',
  'leaky-relu',
  'elu',
  'softplus',
  'sigmoid',
  'tanh',
  'softmax',
  'concat',
  'add',
  'mul',
  'identity',
];

function reshaped(layer: Layer, change: Change): Layer {
  const { type, parameters, weights } = layer;
  if (cellwise.includes(type)) return layer;
  switch (type) {
    case 'convolution':
    case 'transposed-convolution':
      return {
        ...layer,
        parameters: perAxis(layer, change),
        weights: { ...weights, weights: change.filters(layer) },
      };
    case 'max-pool':
    case 'average-pool':
      return { ...layer, parameters: perAxis(layer, change) };
    case 'slice':
    case 'pick':
    case 'pad-axes':
    case 'resample':
    case 'window-sum': {
      const rules = stored(change, parameters.rules as readonly (AxisRule | null)[], null);
      return { ...layer, parameters: { ...parameters, rules } };
    }
    case 'join': {
      const axis = parameters.axis as number;
      if (!change.fresh && axis === change.dim) throw new NoCounterpart();
      return { ...layer, parameters: { ...parameters, axis: dimensionAfter(change, axis) } };
    }
    case 'reduce':
      return {
        ...layer,
        parameters: { ...parameters, axes: reducedAxes(parameters.axes as number[], change) },
      };
    case 'elementwise':
      if (parameters.shape) throw new NoCounterpart();
      return { ...layer, ...(weights ? { weights: operands(weights, change) } : {}) };
    default:
      throw new NoCounterpart();
  }
}

/** What is taken over all cells stays so; over some axes only it is something else in another rank. */
function reducedAxes(axes: readonly number[], change: Change): number[] {
  const spatial = axes.filter(a => a > 0 && a <= change.before);
  if (spatial.length !== 0 && spatial.length !== change.before) throw new NoCounterpart();
  const others = axes.filter(a => !spatial.includes(a)).map(a => dimensionAfter(change, a));
  const all = Array.from({ length: change.rank }, (_, a) => a + 1);
  return [...others, ...(spatial.length > 0 ? all : [])].sort((a, b) => a - b);
}

/** Constants beside values; those that differ from cell to cell belong to one size of grid. */
function operands(weights: Weights, change: Change): Weights {
  return Object.fromEntries(
    Object.entries(weights).map(([role, { shape, data }]) => {
      if (shape.slice(1, -1).some(n => n !== 1)) throw new NoCounterpart();
      return [role, { shape: shape.length < 3 ? shape : stored(change, shape, 1), data }];
    }),
  );
}

/** Parameters per axis in the other rank. */
function perAxis(layer: Layer, change: Change): Record<string, unknown> {
  const { before } = change;
  const fresh = change.fresh?.(layer);
  const found: Record<string, unknown> = { ...layer.parameters };
  const put = (key: string, value: number | undefined, standard: unknown = layer.parameters[key]) => {
    if (standard !== undefined) found[key] = spatially(change, asList(standard as number, before), value);
  };
  put('window', fresh?.kernel);
  put('strides', fresh?.stride, layer.parameters.strides ?? layer.parameters.window);
  put('dilations', fresh?.dilation);
  put('outputPadding', fresh?.outputPadding);
  const { padding } = layer.parameters;
  if (padding !== undefined && typeof padding !== 'string')
    found.padding = spatially(change, paddingOf(layer, before), fresh?.padding);
  return found;
}

/** The network for inputs of one channel, which stands for every channel that it takes. Errors: NetworkError. */
export function acceptOneChannel(network: Network): Network {
  const { channels, rank, layers } = network;
  if (channels === 1) return network;
  const name = 'repeat-channels';
  const ones = {
    shape: [...new Array<number>(rank).fill(1), 1, channels],
    data: new Float32Array(channels).fill(1),
  };
  const repeat: Layer = { name, type: 'convolution', parameters: {}, weights: { weights: ones } };
  const behind = (given: readonly Layer[]): Layer[] => [
    repeat,
    ...given.map((layer, i) => ({
      ...layer,
      from: (layer.from ?? [i === 0 ? INPUT : given[i - 1].name]).map(f => (f === INPUT ? name : f)),
    })),
  ];
  const { specialise } = network;
  return {
    ...network,
    channels: 1,
    layers: behind(layers),
    ...(specialise
      ? { specialise: (shape: readonly number[]) => behind(specialise([...shape.slice(0, -1), channels])) }
      : {}),
  };
}
