// The layer types of a network description: how each records itself, and what the weights of a convolutional layer look
// like. Names and parameters are those of a YAML description.

import type { Value } from '../graph/graph.ts';
import { relu, sigmoid, tanh } from '../ops/activation.ts';
import { add, concat } from '../ops/arithmetic.ts';
import { convolution, transposedConvolution } from '../ops/convolution.ts';
import { dense } from '../ops/dense.ts';
import { affine, instanceNorm } from '../ops/normalise.ts';
import { averagePool, globalAveragePool, maxPool } from '../ops/pool.ts';
import { flatten } from '../ops/shape.ts';
import { softmax } from '../ops/softmax.ts';

type Parameters = Readonly<Record<string, unknown>>;

/** How a layer type records itself. */
export interface LayerType {
  readonly summary: string;
  /** Roles of the weights it takes. */
  readonly weights?: readonly string[];
  build(inputs: readonly Value[], parameters: any, weights: Record<string, Value>): Value;
}

const unary = (summary: string, f: (x: Value) => Value): LayerType => ({ summary, build: ([x]) => f(x) });

export const layerTypes = {
  convolution: {
    summary: 'convolution with strides, padding, dilations and groups',
    weights: ['weights', 'bias'],
    build: ([x], p: Parameters, w) => convolution(x, w.weights, w.bias, p),
  },
  'transposed-convolution': {
    summary: 'transposed convolution',
    weights: ['weights', 'bias'],
    build: ([x], p: Parameters, w) => transposedConvolution(x, w.weights, w.bias, p),
  },
  dense: {
    summary: 'dense layer',
    weights: ['weights', 'bias'],
    build: ([x], _, w) => dense(x, w.weights, w.bias),
  },
  affine: {
    summary: 'scale and shift per channel',
    weights: ['scale', 'shift'],
    build: ([x], _, w) => affine(x, w.scale, w.shift),
  },
  'instance-norm': { summary: 'instance normalisation', build: ([x]) => instanceNorm(x) },
  'max-pool': { summary: 'maximum over windows', build: ([x], p) => maxPool(x, p) },
  'average-pool': { summary: 'average over windows', build: ([x], p) => averagePool(x, p) },
  'global-average-pool': unary('average over all cells', globalAveragePool),
  relu: unary('max(x, 0)', x => relu(x)),
  sigmoid: unary('1 / (1 + exp(−x))', x => sigmoid(x)),
  tanh: unary('hyperbolic tangent', x => tanh(x)),
  softmax: unary('softmax over the channels', x => softmax(x)),
  flatten: unary('all dimensions but the batch in one', x => flatten(x)),
  concat: {
    summary: 'inputs side by side along the channels',
    build: inputs => concat([...inputs], inputs[0].shape.length - 1),
  },
  add: { summary: 'sum of two inputs', build: ([a, b]) => add(a, b) },
} satisfies Record<string, LayerType>;
