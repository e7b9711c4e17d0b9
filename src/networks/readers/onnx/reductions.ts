// ONNX operators that sum over dimensions: reductions, normalisations, softmax, argmax.

import type { Expr } from '../../../../kernels/map/expr.ts';
import { product } from '../../../tensor/layout.ts';
import type { AxisRule } from '../../axis-rules.ts';
import { type Constant, constantOf, float32Of, strided, stridesOf } from '../constants.ts';
import { type Item, isStored, natural, type Stored } from '../lowering.ts';
import { applyExpr } from './elementwise.ts';
import type { OnnxNode, Operator } from './node.ts';

interface Reduction {
  kind: 'sum' | 'mean' | 'max';
  before?: Expr;
  after?: Expr;
  fold(values: Iterable<number>): number;
}

const foldSum = (values: Iterable<number>) => {
  let sum = 0;
  for (const v of values) sum += v;
  return sum;
};
const square: Expr = ['mul', 'x0', 'x0'];
const best = (of: (...v: number[]) => number) => (values: Iterable<number>) => {
  let found: number | undefined;
  for (const v of values) found = found === undefined ? v : of(found, v);
  return found ?? Number.NaN;
};

const reductions: Record<string, Reduction> = {
  ReduceSum: { kind: 'sum', fold: foldSum },
  ReduceMean: {
    kind: 'mean',
    fold: values => {
      const all = [...values];
      return foldSum(all) / all.length;
    },
  },
  ReduceMax: { kind: 'max', fold: best(Math.max) },
  ReduceMin: { kind: 'max', before: ['neg', 'x0'], after: ['neg', 'x0'], fold: best(Math.min) },
  ReduceL1: { kind: 'sum', before: ['abs', 'x0'], fold: v => foldSum([...v].map(Math.abs)) },
  ReduceL2: { kind: 'sum', before: square, after: ['sqrt', 'x0'], fold: v => Math.hypot(...v) },
  ReduceSumSquare: { kind: 'sum', before: square, fold: v => foldSum([...v].map(n => n * n)) },
  ReduceLogSum: { kind: 'sum', after: ['log', 'x0'], fold: v => Math.log(foldSum(v)) },
};

/** Axes of a reduction; undefined where it leaves its input alone. */
function axesOf(node: OnnxNode): number[] | undefined {
  const { shape } = node.input(0);
  const given = node.list('axes', 1);
  if (!given || given.length === 0)
    return node.int('noop_with_empty_axes', 0) ? undefined : natural(shape.length);
  return given.map(a => node.axis(a, shape.length));
}

/** Takes dimensions of size 1 away. */
export function dropAxes(node: OnnxNode, item: Item, axes: readonly number[]): Item {
  const kept = natural(item.shape.length).filter(a => !axes.includes(a));
  const shape = kept.map(a => item.shape[a]);
  if (!isStored(item)) return node.lowering.reshape(item, shape);
  return node.lowering.relabel(
    item,
    shape,
    item.shape.map((_, a) => kept.indexOf(a)),
  );
}

function foldReduction(
  input: Constant,
  axes: readonly number[],
  keep: boolean,
  fold: (values: Iterable<number>) => number,
): Constant {
  const outer = natural(input.shape.length).filter(a => !axes.includes(a));
  const strides = stridesOf(input.shape);
  const order = [...outer, ...axes];
  const data = strided(
    input.data,
    order.map(a => input.shape[a]),
    order.map(a => strides[a]),
  );
  const size = product(axes.map(a => input.shape[a]));
  const results = Array.from({ length: size === 0 ? 0 : data.length / size }, (_, i) =>
    fold(data.subarray(i * size, (i + 1) * size)),
  );
  const shape = keep ? input.shape.map((n, a) => (axes.includes(a) ? 1 : n)) : outer.map(a => input.shape[a]);
  return constantOf(input.kind, shape, results);
}

function reduceBy(node: OnnxNode, { kind, before, after, fold }: Reduction): Item {
  const input = node.input(0);
  const axes = axesOf(node);
  const keep = node.int('keepdims', 1) === 1;
  if (!axes) return input;
  if (!isStored(input)) return foldReduction(input, axes, keep, fold);
  const reduced = node.lowering.reduce(kind, input, axes, before);
  const result = after ? node.lowering.elementwise(after, [reduced], node.op) : reduced;
  return keep ? result : dropAxes(node, result, axes);
}

// A product over an axis halves it until one element is left; an odd one is filled up with a one.
function reduceProduct(node: OnnxNode): Item {
  const input = node.input(0);
  const axes = axesOf(node);
  const keep = node.int('keepdims', 1) === 1;
  if (!axes) return input;
  if (!isStored(input))
    return foldReduction(input, axes, keep, values => {
      let result = 1;
      for (const v of values) result *= v;
      return result;
    });
  const { lowering } = node;
  let result: Stored = input;
  for (const axis of axes)
    while (result.shape[axis] > 1) {
      const only = (rule: AxisRule) => result.shape.map((_, a) => (a === axis ? rule : null));
      if (result.shape[axis] % 2 === 1)
        result = lowering.byRules(
          'pad-axes',
          result,
          only({ rule: 'pad', low: 0, high: 1, mode: 'constant' }),
          {
            value: 1,
          },
        );
      const half = result.shape[axis] / 2;
      const parts = [0, half].map(start =>
        lowering.byRules('slice', result, only({ rule: 'slice', start, step: 1, size: half })),
      );
      result = lowering.elementwise(['mul', 'x0', 'x1'], parts, node.op);
    }
  return keep ? result : dropAxes(node, result, axes);
}

function logSumExp(node: OnnxNode, input: Item, axes: readonly number[]): Stored {
  const { lowering } = node;
  const largest = lowering.reduce('max', input, axes);
  const centred = lowering.elementwise(['sub', 'x0', 'x1'], [input, largest], node.op);
  const total = lowering.reduce('sum', centred, axes, ['exp', 'x0']);
  return lowering.elementwise(['add', 'x0', ['log', 'x1']], [largest, total], node.op);
}

// Before operator set 13 all dimensions from `axis` on were one.
function softmax(node: OnnxNode, log: boolean): Item {
  const input = node.stored(0);
  const rank = input.shape.length;
  const axis = node.axis(node.int('axis', node.opset < 13 ? 1 : -1), rank);
  const after = product(input.shape.slice(axis + 1));
  if (node.opset < 13 && after !== 1) {
    const flat = [product(input.shape.slice(0, axis)), product(input.shape.slice(axis))];
    const made = softmaxOver(node, node.lowering.reshape(input, flat) as Stored, 1, log);
    return node.lowering.reshape(made, input.shape);
  }
  return softmaxOver(node, input, axis, log);
}

function softmaxOver(node: OnnxNode, input: Stored, axis: number, log: boolean): Item {
  if (log)
    return node.lowering.elementwise(['sub', 'x0', 'x1'], [input, logSumExp(node, input, [axis])], node.op);
  const x = node.lowering.withLast(input, axis);
  return node.lowering.emit('softmax', [x], x.shape, x.order);
}

/** Zero mean and unit variance over axes, with the mean and the variance that it took. */
function normalised(
  node: OnnxNode,
  input: Item,
  axes: readonly number[],
  epsilon: number,
): [normal: Stored, mean: Stored, variance: Stored] {
  const { lowering } = node;
  const mean = lowering.reduce('mean', input, axes);
  const centred = lowering.elementwise(['sub', 'x0', 'x1'], [input, mean], node.op);
  const variance = lowering.reduce('mean', centred, axes, square);
  const normal = lowering.elementwise(
    ['div', 'x0', ['sqrt', ['add', 'x1', epsilon]]],
    [centred, variance],
    node.op,
  );
  return [normal, mean, variance];
}

const normalise = (node: OnnxNode, input: Item, axes: readonly number[], epsilon: number): Stored =>
  normalised(node, input, axes, epsilon)[0];

/** scale · x + shift along dimension 1. */
function perChannel(node: OnnxNode, item: Item, scale: Constant, shift: Constant): Stored {
  const x = node.lowering.withLast(item, 1);
  const weight = (c: Constant) => ({ shape: [c.data.length], data: float32Of(c) });
  if (scale.data.length !== x.shape[1] || shift.data.length !== x.shape[1])
    throw node.error(`${scale.data.length} scales for ${x.shape[1]} channels`, 'export the model again');
  return node.lowering.emit('affine', [x], x.shape, x.order, {
    weights: { scale: weight(scale), shift: weight(shift) },
  });
}

function batchNorm(node: OnnxNode): Item {
  if (node.int('training_mode', 0) === 1 || node.wants(1))
    throw node.unsupported('training', 'export the model for inference (torch: model.eval())');
  if (node.int('spatial', 1) === 0)
    throw node.unsupported('statistics for each cell (spatial = 0)', 'export with statistics per channel');
  const [scale, shift, mean, variance] = ['scales', 'shifts', 'means', 'variances'].map((what, i) =>
    node.constant(i + 1, `its ${what}`),
  );
  const epsilon = node.float('epsilon', 1e-5);
  const factor = Float64Array.from(scale.data, (s, c) => s / Math.sqrt(variance.data[c] + epsilon));
  const offset = Float64Array.from(shift.data, (s, c) => s - mean.data[c] * factor[c]);
  return perChannel(
    node,
    node.stored(0),
    constantOf('float', [factor.length], factor),
    constantOf('float', [offset.length], offset),
  );
}

function instanceNorm(node: OnnxNode): Item {
  const x = node.lowering.channelsLast(node.input(0));
  const [scale, shift] = [node.constant(1, 'its scales'), node.constant(2, 'its shifts')];
  const epsilon = node.float('epsilon', 1e-5);
  const normal =
    Math.abs(epsilon - 1e-5) < 1e-9
      ? node.lowering.emit('instance-norm', [x], x.shape, x.order)
      : normalise(node, x, natural(x.shape.length).slice(2), epsilon);
  return perChannel(node, normal, scale, shift);
}

function layerNorm(node: OnnxNode): Item[] {
  const input = node.input(0);
  const first = node.axis(node.int('axis', -1), input.shape.length);
  const epsilon = node.float('epsilon', 1e-5);
  const axes = natural(input.shape.length).slice(first);
  const [normal, mean, variance] = normalised(node, input, axes, epsilon);
  const scaled = applyExpr(node, [normal, node.input(1)], ['mul', 'x0', 'x1']);
  const results = [node.items[2] ? applyExpr(node, [scaled, node.items[2]], ['add', 'x0', 'x1']) : scaled];
  if (node.outputs.length > 1) results.push(mean);
  if (node.outputs.length > 2)
    results.push(
      node.lowering.elementwise(['div', 1, ['sqrt', ['add', 'x0', epsilon]]], [variance], node.op),
    );
  return results;
}

function groupNorm(node: OnnxNode): Item {
  const input = node.input(0);
  const { lowering } = node;
  const groups = node.int('num_groups', 1);
  const [batch, channels] = input.shape;
  if (channels % groups !== 0)
    throw node.error(`${channels} channels in ${groups} groups`, 'export the model again');
  const grouped = lowering.reshape(input, [batch, groups, product(input.shape.slice(1)) / groups]);
  const normal = normalise(node, grouped, [2], node.float('epsilon', 1e-5));
  const wide = (c: Constant): Constant =>
    c.data.length === channels
      ? c
      : constantOf(
          'float',
          [channels],
          Array.from({ length: channels }, (_, i) => c.data[Math.floor((i * groups) / channels)]),
        );
  return perChannel(
    node,
    lowering.reshape(normal, input.shape),
    wide(node.constant(1, 'its scales')),
    wide(node.constant(2, 'its shifts')),
  );
}

// x / (bias + α/size · Σ x²)^β over a window of channels (Krizhevsky et al. 2012).
function localResponse(node: OnnxNode): Item {
  const x = node.lowering.channelsLast(node.input(0));
  const size = node.int('size', 1);
  if (!(size >= 1 && size <= 2 ** 16)) throw node.error(`size ${size}`, 'export the model again');
  const squares = node.lowering.elementwise(square, [x], node.op);
  const rules = x.shape.map((_, a) =>
    a === 1
      ? { rule: 'window' as const, low: Math.floor((size - 1) / 2), high: Math.ceil((size - 1) / 2) }
      : null,
  );
  const sums = node.lowering.byRules('window-sum', squares, rules);
  const [alpha, beta, bias] = [node.float('alpha', 1e-4), node.float('beta', 0.75), node.float('bias', 1)];
  const power: Expr = ['exp', ['mul', -beta, ['log', ['add', bias, ['mul', alpha / size, 'x1']]]]];
  return node.lowering.elementwise(['mul', 'x0', power], [x, sums], node.op);
}

function argmax(node: OnnxNode, least: boolean): Item {
  const { lowering } = node;
  const given = lowering.full(node.stored(0));
  const axis = node.axis(node.int('axis', 0), given.shape.length);
  const x = least ? lowering.elementwise(['neg', 'x0'], [given], node.op) : given;
  const shape = x.shape.map((n, a) => (a === axis ? 1 : n));
  const last = node.int('select_last_index', 0) === 1;
  const found = lowering.emit('argmax', [x], shape, x.order, {
    parameters: { axis: x.order.indexOf(axis), ...(last && { last }) },
  });
  const whole = { ...found, whole: true };
  return node.int('keepdims', 1) === 1 ? whole : dropAxes(node, whole, [axis]);
}

function lpNorm(node: OnnxNode): Item {
  const input = node.input(0);
  const axis = node.axis(node.int('axis', -1), input.shape.length);
  const p = node.int('p', 2);
  const sums = node.lowering.reduce('sum', input, [axis], p === 1 ? ['abs', 'x0'] : square);
  return node.lowering.elementwise(['div', 'x0', p === 1 ? 'x1' : ['sqrt', 'x1']], [input, sums], node.op);
}

export const reductionOperators: Record<string, Operator> = {
  ...Object.fromEntries(
    Object.entries(reductions).map(([op, is]): [string, Operator] => [op, node => reduceBy(node, is)]),
  ),
  ReduceProd: reduceProduct,
  ReduceLogSumExp: node => {
    const axes = axesOf(node);
    if (!axes) return node.input(0);
    const result = logSumExp(node, node.stored(0), axes);
    return node.int('keepdims', 1) === 1 ? result : dropAxes(node, result, axes);
  },
  Softmax: node => softmax(node, false),
  LogSoftmax: node => softmax(node, true),
  BatchNormalization: batchNorm,
  InstanceNormalization: instanceNorm,
  LayerNormalization: layerNorm,
  GroupNormalization: groupNorm,
  LpNormalization: lpNorm,
  MeanVarianceNormalization: node => normalise(node, node.stored(0), node.ints('axes') ?? [0, 2, 3], 1e-9),
  LRN: localResponse,
  ArgMax: node => argmax(node, false),
  ArgMin: node => argmax(node, true),
};
