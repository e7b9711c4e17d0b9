// ONNX operators of convolutional networks, in any rank: convolutions, pools, matrix products. Weights are turned into
// the engine's order once; the layers are of the ordinary types.

import type { Margin } from '../../../tensor/layout.ts';
import { outputSize } from '../../../tensor/taps.ts';
import { broadcastShapes, type Constant, float32Of, permute } from '../constants.ts';
import { channelsLastOrder, type Item, isStored, natural, type Stored } from '../lowering.ts';
import { applyExpr } from './elementwise.ts';
import type { OnnxNode, Operator } from './node.ts';

interface Windows {
  kernel: number[];
  strides: number[];
  dilations: number[];
  margins: Margin[];
  /** What a layer takes: 'same' where it means the same, so that the layer fits other sizes too. */
  padding: Margin[] | 'same';
}

/** The windows of a convolution or pool over `[N, C, ...spatial]`. */
function windows(node: OnnxNode, shape: readonly number[], kernel: readonly number[]): Windows {
  const spatial = shape.slice(2);
  const rank = spatial.length;
  if (kernel.length !== rank)
    throw node.error(`a kernel [${kernel}] over ${rank} spatial dimensions`, 'export the model again');
  const strides = node.perAxis('strides', rank, 1);
  const dilations = node.perAxis('dilations', rank, 1);
  if ([...strides, ...dilations, ...kernel].some(v => v < 1))
    throw node.error(
      `kernel [${kernel}], strides [${strides}] and dilations [${dilations}] must be at least 1`,
      'export the model again',
    );
  const auto = node.text('auto_pad', 'NOTSET');
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const margins = spatial.map((n, a): Margin => {
      const span = dilations[a] * (kernel[a] - 1) + 1;
      const total = Math.max(0, (Math.ceil(n / strides[a]) - 1) * strides[a] + span - n);
      const small = Math.floor(total / 2);
      return auto === 'SAME_UPPER' ? [small, total - small] : [total - small, small];
    });
    return {
      kernel: [...kernel],
      strides,
      dilations,
      margins,
      padding: auto === 'SAME_UPPER' ? 'same' : margins,
    };
  }
  const pads = auto === 'VALID' ? new Array<number>(2 * rank).fill(0) : node.perAxis('pads', 2 * rank, 0);
  const margins = spatial.map((_, a): Margin => [pads[a], pads[a + rank]]);
  return { kernel: [...kernel], strides, dilations, margins, padding: margins };
}

const trimmed = ({ strides, dilations, padding }: Windows): Record<string, unknown> => ({
  ...(strides.some(s => s !== 1) && { strides }),
  ...(dilations.some(d => d !== 1) && { dilations }),
  ...((padding === 'same' || padding.flat().some(p => p !== 0)) && { padding }),
});

function outputSpatial(
  node: OnnxNode,
  shape: readonly number[],
  w: Windows,
  rounding: 'floor' | 'ceil',
): number[] {
  return shape.slice(2).map((n, a) => {
    const size = outputSize(n, w.kernel[a], w.strides[a], w.dilations[a], w.margins[a], rounding);
    if (size < 1)
      throw node.error(
        `kernel size ${w.dilations[a] * (w.kernel[a] - 1) + 1} > padded input size ${n + w.margins[a][0] + w.margins[a][1]} in spatial dimension ${a}`,
        'give a larger input',
      );
    return size;
  });
}

function image(node: OnnxNode): Stored {
  const item = node.input(0);
  if (item.shape.length < 2)
    throw node.error(
      `takes [N, C, ...spatial], not a value of shape [${item.shape}]`,
      'export the model again',
    );
  return node.lowering.channelsLast(item);
}

const vector = (constant: Constant | undefined) =>
  constant && { shape: [constant.data.length], data: float32Of(constant) };

function convolution(node: OnnxNode): Item {
  const x = image(node);
  const weights = node.constant(1, 'its weights');
  const groups = node.int('group', 1);
  const [filters, depth] = weights.shape;
  if (weights.shape.length !== x.shape.length || depth * groups !== x.shape[1] || filters % groups !== 0)
    throw node.error(
      `weights [${weights.shape}] in ${groups} groups do not fit an input of ${x.shape[1]} channels, [${x.shape}]`,
      'export the model again',
    );
  const kernel = node.ints('kernel_shape') ?? weights.shape.slice(2);
  const w = windows(node, x.shape, kernel);
  const bias = vector(node.optionalConstant(2, 'its biases'));
  const ordered = permute(weights, [...natural(weights.shape.length).slice(2), 1, 0]);
  return node.lowering.emit(
    'convolution',
    [x],
    [x.shape[0], filters, ...outputSpatial(node, x.shape, w, 'floor')],
    channelsLastOrder(x.shape.length),
    {
      parameters: { ...trimmed(w), ...(groups !== 1 && { groups }) },
      weights: { weights: { shape: ordered.shape, data: float32Of(ordered) }, ...(bias && { bias }) },
    },
  );
}

function transposedConvolution(node: OnnxNode): Item {
  const x = image(node);
  const weights = node.constant(1, 'its weights');
  const groups = node.int('group', 1);
  const rank = x.shape.length - 2;
  if (weights.shape.length !== x.shape.length || weights.shape[0] !== x.shape[1] || x.shape[1] % groups !== 0)
    throw node.error(
      `weights [${weights.shape}] do not fit an input of ${x.shape[1]} channels, [${x.shape}]`,
      'export the model again',
    );
  const kernel = node.ints('kernel_shape') ?? weights.shape.slice(2);
  const strides = node.perAxis('strides', rank, 1);
  const dilations = node.perAxis('dilations', rank, 1);
  const extra = node.perAxis('output_padding', rank, 0);
  const auto = node.text('auto_pad', 'NOTSET');
  const given = node.ints('output_shape')?.slice(-rank);
  const pads = node.perAxis('pads', 2 * rank, 0);
  const whole = x.shape
    .slice(2)
    .map((n, a) => strides[a] * (n - 1) + extra[a] + (kernel[a] - 1) * dilations[a] + 1);
  const margins = whole.map((size, a): Margin => {
    const target = given?.[a] ?? (auto.startsWith('SAME') ? x.shape[a + 2] * strides[a] : undefined);
    if (target === undefined) return auto === 'VALID' ? [0, 0] : [pads[a], pads[a + rank]];
    const total = size - target;
    const small = Math.floor(total / 2);
    return auto === 'SAME_UPPER' ? [small, total - small] : [total - small, small];
  });
  const bias = vector(node.optionalConstant(2, 'its biases'));
  const ordered = permute(weights, [...natural(weights.shape.length).slice(2), 1, 0]);
  return node.lowering.emit(
    'transposed-convolution',
    [x],
    [x.shape[0], weights.shape[1] * groups, ...whole.map((size, a) => size - margins[a][0] - margins[a][1])],
    channelsLastOrder(x.shape.length),
    {
      parameters: {
        ...trimmed({ kernel, strides, dilations, margins, padding: margins }),
        ...(extra.some(e => e !== 0) && { outputPadding: extra }),
        ...(groups !== 1 && { groups }),
      },
      weights: { weights: { shape: ordered.shape, data: float32Of(ordered) }, ...(bias && { bias }) },
    },
  );
}

function pool(node: OnnxNode, type: 'max-pool' | 'average-pool'): Item {
  if (node.wants(1))
    throw node.unsupported(
      'where each maximum lies (output 2)',
      'use a transposed convolution or Resize to go up',
    );
  const x = image(node);
  const kernel = node.ints('kernel_shape');
  if (!kernel) throw node.error('has no kernel_shape', 'export the model again');
  const w = windows(node, x.shape, kernel);
  const rounding = node.int('ceil_mode', 0) === 1 ? 'ceil' : 'floor';
  const parameters = {
    ...trimmed(w),
    window: w.kernel,
    strides: w.strides,
    ...(rounding === 'ceil' && { rounding }),
    ...(type === 'average-pool' && { countPadding: node.int('count_include_pad', 0) === 1 }),
  };
  return node.lowering.emit(
    type,
    [x],
    [x.shape[0], x.shape[1], ...outputSpatial(node, x.shape, w, rounding)],
    x.order,
    { parameters },
  );
}

// (Σ |x|^p)^(1/p) over windows: an average of powers times their number.
function lpPool(node: OnnxNode): Item {
  const p = node.int('p', 2);
  if (p !== 1 && p !== 2) throw node.unsupported(`p = ${p}`, 'use p 1 or 2, or AveragePool');
  const kernel = node.ints('kernel_shape') ?? [];
  const x = image(node);
  const w = windows(node, x.shape, kernel);
  const powers = node.lowering.elementwise(p === 1 ? ['abs', 'x0'] : ['mul', 'x0', 'x0'], [x], node.op);
  const rounding = node.int('ceil_mode', 0) === 1 ? 'ceil' : 'floor';
  const shape = [x.shape[0], x.shape[1], ...outputSpatial(node, x.shape, w, rounding)];
  const padded = node.lowering.byRules('pad-axes', powers, [
    null,
    null,
    ...shape.slice(2).map((size, a) => {
      const [low] = w.margins[a];
      const reached = (size - 1) * w.strides[a] + w.dilations[a] * (w.kernel[a] - 1) + 1;
      return { rule: 'pad' as const, low, high: reached - low - x.shape[a + 2], mode: 'constant' as const };
    }),
  ]);
  const averages = node.lowering.emit('average-pool', [padded], shape, padded.order, {
    parameters: { window: w.kernel, strides: w.strides, dilations: w.dilations },
  });
  const count = w.kernel.reduce((a, b) => a * b, 1);
  return node.lowering.elementwise(
    p === 1 ? ['mul', count, 'x0'] : ['sqrt', ['mul', count, 'x0']],
    [averages],
    node.op,
  );
}

const spatialAxes = (item: Item): number[] => natural(item.shape.length).slice(2);

function globalAverage(node: OnnxNode): Item {
  const x = image(node);
  if (x.shape.length === 2) return x;
  const shape = x.shape.map((n, a) => (a < 2 ? n : 1));
  return node.lowering.emit('global-average-pool', [x], shape, [0, 1]);
}

function globalLp(node: OnnxNode): Item {
  const p = node.int('p', 2);
  if (p !== 1 && p !== 2) throw node.unsupported(`p = ${p}`, 'use p 1 or 2, or GlobalAveragePool');
  const x = image(node);
  const sums = node.lowering.reduce('sum', x, spatialAxes(x), p === 1 ? ['abs', 'x0'] : ['mul', 'x0', 'x0']);
  return p === 1 ? sums : node.lowering.elementwise(['sqrt', 'x0'], [sums], node.op);
}

/** `[..., M, K]` times `[..., K, N]`, as NumPy's matmul: weights where the second is a constant matrix. */
export function matmul(node: OnnxNode, a: Item, b: Item, bias?: Constant): Item {
  const { lowering } = node;
  if (a.shape.length === 1) {
    const product = matmul(node, lowering.reshape(a, [1, ...a.shape]), b, bias);
    return lowering.reshape(product, product.shape.toSpliced(-2, 1));
  }
  if (b.shape.length === 1) {
    const product = matmul(node, a, lowering.reshape(b, [...b.shape, 1]), bias);
    return lowering.reshape(product, product.shape.slice(0, -1));
  }
  const [k, n] = b.shape.slice(-2);
  if (a.shape.at(-1) !== k)
    throw node.error(
      `[${a.shape}] times [${b.shape}] do not fit`,
      'give the input the size that the model was made for',
    );
  if (isStored(a) && !isStored(b) && b.shape.length === 2) {
    const x = lowering.withLast(a, a.shape.length - 1);
    const rank = x.order.length - 2;
    const shape = [...a.shape.slice(0, -1), n];
    const weights = {
      weights: { shape: [...new Array<number>(Math.max(0, rank)).fill(1), k, n], data: float32Of(b) },
      ...(bias && { bias: vector(bias)! }),
    };
    return rank === 0
      ? lowering.emit('dense', [x], shape, x.order, { weights })
      : lowering.emit('convolution', [x], shape, x.order, { weights });
  }
  const outer = broadcastShapes([a.shape.slice(0, -2), b.shape.slice(0, -2)], node.op);
  const ready = (item: Item): Stored => {
    const lead = new Array<number>(outer.length + 2 - item.shape.length).fill(1);
    return lowering.natural(lowering.reshape(item, [...lead, ...item.shape]));
  };
  const shape = [...outer, a.shape.at(-2)!, n];
  const product = lowering.emit('matmul', [ready(a), ready(b)], shape, natural(shape.length));
  return bias ? applyExpr(node, [product, bias], ['add', 'x0', 'x1']) : product;
}

function gemm(node: OnnxNode): Item {
  const { lowering } = node;
  const [a, b] = [node.input(0), node.input(1)];
  if (a.shape.length !== 2 || b.shape.length !== 2)
    throw node.error(`takes matrices, not [${a.shape}] and [${b.shape}]`, 'use MatMul, or flatten first');
  const left = node.int('transA', 0) ? lowering.transpose(a, [1, 0]) : a;
  let right = node.int('transB', 0) ? lowering.transpose(b, [1, 0]) : b;
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
  const scaled = (item: Item, factor: number): Item =>
    factor === 1 ? item : applyExpr(node, [item], ['mul', factor, 'x0']);
  if (!isStored(right)) right = scaled(right, alpha);
  const c = node.items[2] && beta !== 0 ? scaled(node.items[2], beta) : undefined;
  const n = right.shape[1];
  const fits =
    c && !isStored(c) && !isStored(right) && isStored(left) && c.data.length === n && c.shape.at(-1) === n;
  const product = matmul(node, left, right, fits ? c : undefined);
  const whole = isStored(right) ? scaled(product, alpha) : product;
  return c && !fits ? applyExpr(node, [whole, c], ['add', 'x0', 'x1']) : whole;
}

export const convolutionalOperators: Record<string, Operator> = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  MaxPool: node => pool(node, 'max-pool'),
  AveragePool: node => pool(node, 'average-pool'),
  LpPool: lpPool,
  GlobalAveragePool: globalAverage,
  GlobalMaxPool: node => node.lowering.reduce('max', image(node), spatialAxes(node.input(0))),
  GlobalLpPool: globalLp,
  MatMul: node => matmul(node, node.input(0), node.input(1)),
  Gemm: gemm,
};
