// The layer types of a network: how each records itself, the parameters it takes with their types, the weights it has,
// and how many channels come out. Names and parameters are those of a YAML description (see layered.ts).

import type { Value } from '../graph/graph.ts';
import { elu, leakyRelu, relu, sigmoid, softplus, tanh } from '../ops/activation.ts';
import { add, concat, mul } from '../ops/arithmetic.ts';
import { convolution, transposedConvolution } from '../ops/convolution.ts';
import { dense } from '../ops/dense.ts';
import { affine, batchNorm, instanceNorm, l2Normalise } from '../ops/normalise.ts';
import { averagePool, cellPool, globalAveragePool, globalMaxPool, maxPool } from '../ops/pool.ts';
import { flatten, transpose } from '../ops/shape.ts';
import { softmax } from '../ops/softmax.ts';
import { countOf, type Parameter, paddingOf, perChannelOf, perDimensionOf } from './parameters.ts';

/** Shapes of weights by role. */
export type WeightShapes = Readonly<Record<string, readonly number[]>>;

/** How a layer type records itself. */
export interface RecordedType {
  readonly summary: string;
  /** Roles of the weights it takes: the first is needed, the others may be absent. */
  readonly weights?: readonly string[];
  build(inputs: readonly Value[], parameters: any, weights: Record<string, Value>): Value;
}

/** A layer type that can be written in a description. */
export interface LayerType extends RecordedType {
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Parameters without which it cannot be. */
  readonly required?: readonly string[];
  /** Number of layers it reads: one where absent. */
  readonly inputs?: 'several';
  /** Whether it needs one row of values a sample, or cells in space; either where absent. */
  readonly reads?: 'rows' | 'cells';
  /** Set where it gives one row of values a sample, whatever it reads. */
  readonly givesRows?: boolean;
  /** No role of the weights may be absent. */
  readonly allWeights?: boolean;
  /** Channels of the output where they can be known without the input's size. */
  channels(
    into: readonly (number | undefined)[],
    weights: WeightShapes,
    parameters: Readonly<Record<string, any>>,
  ): number | undefined;
}

const strides = perDimensionOf(1, 'step from one window to the next');
const dilations = perDimensionOf(1, 'distance between the cells that the kernel reads');
const groups = countOf('groups of channels, each with filters of its own');
const kernel = perDimensionOf(1, 'size of the kernel');
const filters = countOf('number of output channels');
const epsilon: Parameter = { type: 'number', exclusiveMinimum: 0, description: 'added to the variance' };
const pooling = {
  window: perDimensionOf(1, 'size of the window'),
  strides: perDimensionOf(1, 'step from one window to the next; the window where absent'),
  padding: paddingOf('same', 'valid'),
  dilations,
  rounding: { enum: ['floor', 'ceil'], description: 'ceil keeps a last window that hangs over the end' },
} satisfies Record<string, Parameter>;

const first: LayerType['channels'] = ([channels]) => channels;

const unary = (summary: string, f: (x: Value) => Value): LayerType => ({
  summary,
  parameters: {},
  channels: first,
  build: ([x]) => f(x),
});

const overAll = (summary: string, f: (x: Value) => Value): LayerType => ({
  ...unary(summary, f),
  reads: 'cells',
  givesRows: true,
});

const combined = (summary: string, f: (a: Value, b: Value) => Value): LayerType => ({
  summary,
  parameters: {},
  inputs: 'several',
  channels: first,
  build: inputs => inputs.reduce(f),
});

// Channels before cells, as frameworks that keep them so flatten.
function flattenChannelsFirst(x: Value): Value {
  const spatial = x.shape.slice(1, -1).map((_, a) => a + 1);
  return flatten(spatial.length > 0 ? transpose(x, [0, spatial.length + 1, ...spatial]) : x);
}

const types = {
  convolution: {
    summary: 'convolution with strides, padding, dilations and groups',
    reads: 'cells',
    parameters: {
      kernel,
      filters,
      strides,
      padding: paddingOf('same', 'valid'),
      paddingMode: { enum: ['zeros', 'reflect', 'replicate'], description: 'what the padding holds' },
      dilations,
      groups,
    },
    weights: ['weights', 'bias'],
    channels: (_, w) => w.weights.at(-1),
    build: ([x], p, w) => convolution(x, w.weights, w.bias, p),
  },
  'transposed-convolution': {
    summary: 'transposed convolution, which enlarges by its strides',
    reads: 'cells',
    parameters: {
      kernel,
      filters,
      strides: perDimensionOf(1, 'by how much every dimension grows'),
      padding: paddingOf('valid'),
      dilations,
      groups,
      outputPadding: perDimensionOf(0, 'cells added at the end of every dimension'),
    },
    weights: ['weights', 'bias'],
    channels: (_, w, p) => w.weights.at(-2)! * (p.groups ?? 1),
    build: ([x], p, w) => transposedConvolution(x, w.weights, w.bias, p),
  },
  dense: {
    summary: 'dense layer; flatten comes before it',
    reads: 'rows',
    givesRows: true,
    parameters: {
      filters,
      inputs: countOf('values of a sample, where they follow neither from the weights nor from channels'),
    },
    weights: ['weights', 'bias'],
    channels: (_, w) => w.weights.at(-1),
    build: ([x], _, w) => dense(x, w.weights, w.bias),
  },
  affine: {
    summary: 'scale and shift per channel, given here or in the weights file',
    parameters: {
      scale: perChannelOf('factor, one number or one per channel'),
      shift: perChannelOf('what is added, one number or one per channel'),
    },
    weights: ['scale', 'shift'],
    allWeights: true,
    channels: first,
    build: ([x], _, w) => affine(x, w.scale, w.shift),
  },
  'batch-norm': {
    summary: 'batch normalisation with the statistics of the weights file',
    parameters: { epsilon },
    weights: ['scale', 'shift', 'mean', 'variance'],
    allWeights: true,
    channels: first,
    build: ([x], p, w) => batchNorm(x, w.mean, w.variance, w.scale, w.shift, p.epsilon),
  },
  'instance-norm': {
    summary: 'mean 0 and variance 1 over the cells of every channel',
    reads: 'cells',
    parameters: { epsilon },
    channels: first,
    build: ([x], p) => instanceNorm(x, undefined, undefined, p.epsilon),
  },
  'l2-normalise': unary('length 1 over the channels', x => l2Normalise(x)),
  'max-pool': {
    summary: 'maximum over windows',
    reads: 'cells',
    parameters: pooling,
    required: ['window'],
    channels: first,
    build: ([x], p) => maxPool(x, p),
  },
  'average-pool': {
    summary: 'average over windows',
    reads: 'cells',
    parameters: {
      ...pooling,
      countPadding: { type: 'boolean', description: 'cells of the padding count as zeros (default true)' },
    },
    required: ['window'],
    channels: first,
    build: ([x], p) => averagePool(x, p),
  },
  'cell-pool': {
    summary: 'averages over so many overlapping parts of every dimension, whatever the size of the input',
    reads: 'cells',
    parameters: { cells: perDimensionOf(1, 'parts of every dimension') },
    required: ['cells'],
    channels: first,
    build: ([x], p) => cellPool(x, p.cells),
  },
  'global-average-pool': overAll('average over all cells', globalAveragePool),
  'global-max-pool': overAll('maximum over all cells', globalMaxPool),
  relu: unary('max(x, 0)', x => relu(x)),
  'leaky-relu': {
    summary: 'x where positive, else slope·x',
    parameters: { slope: { type: 'number', description: 'slope below 0 (default 0.01)' } },
    channels: first,
    build: ([x], p) => leakyRelu(x, p.slope),
  },
  elu: {
    summary: 'x where positive, else alpha·(exp(x) − 1)',
    parameters: { alpha: { type: 'number', description: 'minus the limit far below 0 (default 1)' } },
    channels: first,
    build: ([x], p) => elu(x, p.alpha),
  },
  softplus: unary('ln(1 + exp(x))', x => softplus(x)),
  sigmoid: unary('1 / (1 + exp(−x))', x => sigmoid(x)),
  tanh: unary('hyperbolic tangent', x => tanh(x)),
  softmax: unary('softmax over the channels', x => softmax(x)),
  flatten: {
    summary: 'all values of a sample in one row',
    givesRows: true,
    parameters: {
      order: {
        enum: ['channels-first', 'channels-last'],
        description:
          'order of the row, which the dense layer after it expects; channels-first where its weights come from a file of order out-first, as PyTorch has it',
      },
    },
    channels: () => undefined,
    build: ([x], p) => (p.order === 'channels-first' ? flattenChannelsFirst(x) : flatten(x)),
  },
  concat: {
    summary: 'inputs side by side along the channels',
    parameters: {},
    inputs: 'several',
    channels: into => into.reduce((a, b) => (a === undefined || b === undefined ? undefined : a + b), 0),
    build: inputs => concat([...inputs], inputs[0].shape.length - 1),
  },
  add: combined('sum of its inputs', add),
  mul: combined('product of its inputs', mul),
} satisfies Record<string, LayerType>;

/** Name of a layer type. */
export type LayerTypeName = keyof typeof types;

/** The layer types of descriptions by name. */
export const layerTypes: Readonly<Record<LayerTypeName, LayerType>> = types;
