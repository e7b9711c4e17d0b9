// Operators of TensorFlow graphs that convolutional networks are made of, each by the ONNX operator that does the same.

import type { Expr } from '../../../../kernels/map/expr.ts';
import { type Constant, integers } from '../constants.ts';
import { type Item, natural } from '../lowering.ts';
import { autoPad, type Builder } from './builder.ts';

/** A node with its inputs and attributes. */
export interface TensorFlowNode {
  readonly builder: Builder;
  readonly op: string;
  readonly items: readonly Item[];
  item(i: number): Item;
  /** Input `i`, which must not depend on the network's input. */
  constant(i: number): Constant;
  int(name: string, fallback: number): number;
  float(name: string, fallback: number): number;
  flag(name: string, fallback: boolean): boolean;
  text(name: string, fallback: string): string;
  type(name: string, fallback: string): string;
  ints(name: string): number[];
  texts(name: string): string[];
}

type Operator = (node: TensorFlowNode) => Item | readonly Item[];

const unary =
  (op: string): Operator =>
  ({ builder, item }) =>
    builder.op(op, [item(0)]);
const binary =
  (op: string): Operator =>
  ({ builder, item }) =>
    builder.op(op, [item(0), item(1)]);
const expression =
  (expr: Expr): Operator =>
  ({ builder, items }) =>
    builder.map(expr, ...items);

// Strides and dilations are given for all dimensions, the channels last.
function windows(node: TensorFlowNode) {
  if (!['NHWC', 'NDHWC', 'NWC'].includes(node.text('data_format', 'NHWC')))
    throw node.builder.unsupported(
      `data_format ${node.text('data_format', '')}`,
      'convert it with channels last',
    );
  const inner = (values: number[]) => values.slice(1, -1);
  const [strides, dilations] = [inner(node.ints('strides')), inner(node.ints('dilations'))];
  const padding = node.text('padding', 'VALID');
  const explicit = node.ints('explicit_paddings').slice(2, -2);
  const low = explicit.filter((_, i) => i % 2 === 0);
  const high = explicit.filter((_, i) => i % 2 === 1);
  return {
    ...(strides.length > 0 && { strides }),
    ...(dilations.length > 0 && { dilations }),
    ...(padding === 'EXPLICIT' ? { pads: [...low, ...high] } : autoPad(padding)),
  };
}

const convolution: Operator = node =>
  node.builder.convolution(node.item(0), node.constant(1), undefined, windows(node));
const depthwise: Operator = node =>
  node.builder.depthwise(node.item(0), node.constant(1), undefined, windows(node));

/** What a fused operator does after its sum: `BiasAdd` and an activation. */
function fused(node: TensorFlowNode, compute: (bias: Constant | undefined) => Item): Item {
  const steps = node.texts('fused_ops');
  const biased = steps[0] === 'BiasAdd';
  const left = biased ? steps.slice(1) : steps;
  let x = compute(biased ? node.constant(2) : undefined);
  for (const step of left) {
    const activation = ['Relu', 'Relu6', 'Elu', 'Sigmoid', 'Tanh', 'LeakyRelu', 'Prelu'].includes(step)
      ? tensorFlowOperators[step]
      : undefined;
    if (!activation)
      throw node.builder.unsupported(`the fused operator ${step}`, 'convert the model without fusing');
    const items = step === 'Prelu' ? [x, node.item(node.items.length - 1)] : [x];
    const float: TensorFlowNode['float'] = (name, fallback) =>
      node.float(name === 'alpha' ? 'leakyrelu_alpha' : name, fallback);
    x = activation({ ...node, items, item: i => items[i], float }) as Item;
  }
  return x;
}

const pool =
  (op: 'MaxPool' | 'AveragePool'): Operator =>
  node => {
    const { dilations: _, ...how } = windows(node);
    return node.builder.pool(op, node.item(0), { ...how, kernel_shape: node.ints('ksize').slice(1, -1) });
  };

const batchNorm: Operator = ({ builder, item, constant, float, flag }) => {
  if (flag('is_training', false)) throw builder.unsupported('training', 'export the model for inference');
  const roles = [1, 2, 3, 4].map(constant);
  return builder.channelsLast(
    builder.op('BatchNormalization', [builder.channelsFirst(item(0)), ...roles], {
      epsilon: float('epsilon', 1e-4),
    }),
  );
};

const reduction =
  (op: string): Operator =>
  ({ builder, item, constant, flag }) => {
    const axes = constant(1);
    const keep = flag('keep_dims', flag('keepdims', false)) ? 1 : 0;
    const list = { ...axes, shape: [axes.data.length] };
    return axes.data.length === 0 ? item(0) : builder.op(op, [item(0), list], { keepdims: keep });
  };

const resize =
  (mode: 'nearest' | 'linear'): Operator =>
  ({ builder, item, constant, flag }) => {
    const [batch, , , channels] = item(0).shape;
    const sizes = integers([batch, ...constant(1).data, channels]);
    const corners = flag('align_corners', false);
    const half = flag('half_pixel_centers', false);
    const where = corners
      ? 'align_corners'
      : half
        ? mode === 'nearest'
          ? 'tf_half_pixel_for_nn'
          : 'half_pixel'
        : 'asymmetric';
    return builder.op('Resize', [item(0), undefined, undefined, sizes], {
      mode,
      coordinate_transformation_mode: where,
      nearest_mode: corners ? 'round_prefer_ceil' : 'floor',
    });
  };

const pads = (constant: Constant): Constant => {
  const rows = [...constant.data];
  return integers([...rows.filter((_, i) => i % 2 === 0), ...rows.filter((_, i) => i % 2 === 1)]);
};

const stridedSlice: Operator = ({ builder, item, constant, int }) => {
  const x = item(0);
  const [begin, end, strides] = [1, 2, 3].map(i => [...constant(i).data]);
  const bit = (name: string, i: number) => ((int(name, 0) >> i) & 1) === 1;
  if (int('ellipsis_mask', 0) !== 0 || int('new_axis_mask', 0) !== 0)
    throw builder.unsupported('a slice with an ellipsis or new axes', 'convert it with plain slices');
  const dropped = begin.flatMap((_, i) => (bit('shrink_axis_mask', i) ? [i] : []));
  const far = 2 ** 40;
  const starts = begin.map((b, i) => (bit('begin_mask', i) ? (strides[i] > 0 ? 0 : far) : b));
  const ends = end.map((e, i) => {
    if (dropped.includes(i)) return begin[i] === -1 ? far : begin[i] + 1;
    return bit('end_mask', i) ? (strides[i] > 0 ? far : -far) : e;
  });
  const axes = integers(natural(begin.length));
  const sliced = builder.op('Slice', [x, integers(starts), integers(ends), axes, integers(strides)]);
  return dropped.length > 0 ? builder.op('Squeeze', [sliced, integers(dropped)]) : sliced;
};

const pack: Operator = ({ builder, items, int }) => {
  const axis = int('axis', 0);
  return builder.op(
    'Concat',
    items.map(i => builder.op('Unsqueeze', [i, integers([axis])])),
    { axis },
  );
};

// Blocks of space moved into the batch and back: what older exporters make of dilated convolutions.
const spaceToBatch: Operator = ({ builder, item, constant }) => {
  const { lowering } = builder;
  const blocks = [...constant(1).data];
  const d = blocks.length;
  const rest = item(0).shape.length - 1 - d;
  const rows = [...constant(2).data];
  const zeros = new Array<number>(rest).fill(0);
  const low = [0, ...rows.filter((_, i) => i % 2 === 0), ...zeros];
  const high = [0, ...rows.filter((_, i) => i % 2 === 1), ...zeros];
  const x = builder.op('Pad', [item(0), integers([...low, ...high])]);
  const [batch, ...shape] = x.shape;
  const wide = [batch, ...blocks.flatMap((b, a) => [shape[a] / b, b]), ...shape.slice(d)];
  const axes = natural(d);
  const order = [
    ...axes.map(a => 2 + 2 * a),
    0,
    ...axes.map(a => 1 + 2 * a),
    ...natural(rest).map(a => 1 + 2 * d + a),
  ];
  const moved = lowering.transpose(lowering.reshape(x, wide), order);
  const cells = blocks.reduce((a, b) => a * b, 1);
  return lowering.reshape(moved, [batch * cells, ...blocks.map((b, a) => shape[a] / b), ...shape.slice(d)]);
};

const batchToSpace: Operator = ({ builder, item, constant }) => {
  const { lowering } = builder;
  const x = item(0);
  const blocks = [...constant(1).data];
  const d = blocks.length;
  const [batch, ...shape] = x.shape;
  const cells = blocks.reduce((a, b) => a * b, 1);
  const rest = shape.slice(d);
  const wide = lowering.reshape(x, [...blocks, batch / cells, ...shape]);
  const axes = natural(d);
  const order = [d, ...axes.flatMap(a => [d + 1 + a, a]), ...rest.map((_, a) => 2 * d + 1 + a)];
  const whole = [batch / cells, ...blocks.map((b, a) => shape[a] * b), ...rest];
  const moved = lowering.reshape(lowering.transpose(wide, order), whole);
  const rows = [...constant(2).data];
  const zeros = rest.map(() => 0);
  const low = [0, ...rows.filter((_, i) => i % 2 === 0).map(n => -n), ...zeros];
  const high = [0, ...rows.filter((_, i) => i % 2 === 1).map(n => -n), ...zeros];
  return builder.op('Pad', [moved, integers([...low, ...high])]);
};

const throughFirst =
  (op: string): Operator =>
  ({ builder, item, int }) =>
    builder.channelsLast(
      builder.op(op, [builder.channelsFirst(item(0))], { blocksize: int('block_size', 2) }),
    );

const matmul: Operator = node => {
  const turned = (item: Item, names: string[]) => {
    const rank = item.shape.length;
    return names.some(name => node.flag(name, false))
      ? node.builder.lowering.transpose(item, [...natural(rank - 2), rank - 1, rank - 2])
      : item;
  };
  return fused(node, bias =>
    node.builder.matmul(
      turned(node.item(0), ['transpose_a', 'adj_x']),
      turned(node.item(1), ['transpose_b', 'adj_y']),
      bias,
    ),
  );
};

const identity: Operator = ({ item }) => item(0);
const castTypes: Record<string, number> = {
  DT_FLOAT: 1,
  DT_INT32: 6,
  DT_INT64: 7,
  DT_BOOL: 9,
  DT_HALF: 1,
  DT_DOUBLE: 11,
};

/** Operators by name. */
export const tensorFlowOperators: Record<string, Operator> = {
  Identity: identity,
  StopGradient: identity,
  PreventGradient: identity,
  Conv2D: convolution,
  Conv3D: convolution,
  _FusedConv2D: node =>
    fused(node, bias => node.builder.convolution(node.item(0), node.constant(1), bias, windows(node))),
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: node =>
    fused(node, bias => node.builder.depthwise(node.item(0), node.constant(1), bias, windows(node))),
  Conv2DBackpropInput: node => {
    const { strides = [1, 1] } = windows(node);
    const same = node.text('padding', 'VALID') === 'SAME';
    return node.builder.transposed(node.item(2), node.constant(1), undefined, strides, same);
  },
  BiasAdd: binary('Add'),
  MatMul: matmul,
  _FusedMatMul: matmul,
  BatchMatMul: matmul,
  BatchMatMulV2: matmul,
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  MaxPool: pool('MaxPool'),
  MaxPool3D: pool('MaxPool'),
  AvgPool: pool('AveragePool'),
  AvgPool3D: pool('AveragePool'),
  Relu: unary('Relu'),
  Relu6: expression(['min', ['max', 'x0', 0], 6]),
  LeakyRelu: ({ builder, item, float }) => builder.op('LeakyRelu', [item(0)], { alpha: float('alpha', 0.2) }),
  Elu: unary('Elu'),
  Selu: unary('Selu'),
  Sigmoid: unary('Sigmoid'),
  Tanh: unary('Tanh'),
  Softplus: unary('Softplus'),
  Softsign: unary('Softsign'),
  Erf: unary('Erf'),
  Prelu: binary('PRelu'),
  Softmax: ({ builder, item }) => builder.op('Softmax', [item(0)], { axis: -1 }),
  LogSoftmax: ({ builder, item }) => builder.op('LogSoftmax', [item(0)], { axis: -1 }),
  Neg: unary('Neg'),
  Abs: unary('Abs'),
  Sqrt: unary('Sqrt'),
  Rsqrt: expression(['div', 1, ['sqrt', 'x0']]),
  Square: expression(['mul', 'x0', 'x0']),
  SquaredDifference: expression(['mul', ['sub', 'x0', 'x1'], ['sub', 'x0', 'x1']]),
  Exp: unary('Exp'),
  Log: unary('Log'),
  Reciprocal: unary('Reciprocal'),
  Add: binary('Add'),
  AddV2: binary('Add'),
  AddN: ({ builder, items }) => builder.op('Sum', items),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  RealDiv: binary('Div'),
  Div: binary('Div'),
  FloorDiv: ({ builder, constant }) => builder.op('Div', [constant(0), constant(1)]),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Pow: binary('Pow'),
  Greater: binary('Greater'),
  GreaterEqual: binary('GreaterOrEqual'),
  Less: binary('Less'),
  LessEqual: binary('LessOrEqual'),
  Equal: binary('Equal'),
  Select: ({ builder, items }) => builder.op('Where', items),
  SelectV2: ({ builder, items }) => builder.op('Where', items),
  Mean: reduction('ReduceMean'),
  Sum: reduction('ReduceSum'),
  Max: reduction('ReduceMax'),
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  ArgMax: ({ builder, item, constant }) =>
    builder.op('ArgMax', [item(0)], { axis: constant(1).data[0], keepdims: 0 }),
  ConcatV2: ({ builder, items, constant }) =>
    builder.op('Concat', items.slice(0, -1), { axis: constant(items.length - 1).data[0] }),
  Reshape: ({ builder, item, constant }) => builder.op('Reshape', [item(0), constant(1)], { allowzero: 1 }),
  Squeeze: ({ builder, item, ints }) => {
    const axes = ints('squeeze_dims');
    return builder.op('Squeeze', [item(0), axes.length > 0 ? integers(axes) : undefined]);
  },
  ExpandDims: ({ builder, item, constant }) =>
    builder.op('Unsqueeze', [item(0), integers([...constant(1).data])]),
  Transpose: ({ builder, item, constant }) =>
    builder.op('Transpose', [item(0)], { perm: [...constant(1).data] }),
  Pad: ({ builder, item, constant }) => builder.op('Pad', [item(0), pads(constant(1))]),
  PadV2: ({ builder, item, constant }) => builder.op('Pad', [item(0), pads(constant(1)), constant(2)]),
  MirrorPad: ({ builder, item, constant, text }) => {
    if (text('mode', 'REFLECT') !== 'REFLECT')
      throw builder.unsupported(`mode ${text('mode', '')}`, 'use REFLECT');
    return builder.op('Pad', [item(0), pads(constant(1))], { mode: 'reflect' });
  },
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
  Shape: unary('Shape'),
  StridedSlice: stridedSlice,
  Slice: ({ builder, item, constant }) => {
    const starts = [...constant(1).data];
    const ends = [...constant(2).data].map((n, a) => (n < 0 ? item(0).shape[a] : starts[a] + n));
    return builder.op('Slice', [item(0), integers(starts), integers(ends)]);
  },
  Pack: pack,
  Split: ({ builder, item, constant, int }) =>
    builder.ops('Split', [item(1)], { axis: constant(0).data[0] }, Math.min(4096, int('num_split', 1))),
  SplitV: ({ builder, item, constant }) =>
    builder.ops('Split', [item(0), constant(1)], { axis: constant(2).data[0] }, constant(1).data.length),
  Tile: binary('Tile'),
  GatherV2: ({ builder, item, constant }) =>
    builder.op('Gather', [item(0), constant(1)], { axis: constant(2).data[0] }),
  Cast: ({ builder, item, type }) =>
    builder.op('Cast', [item(0)], { to: castTypes[type('DstT', 'DT_FLOAT')] ?? 0 }),
  Fill: ({ builder, constant }) => {
    const value = constant(1);
    return builder.op('Expand', [{ ...value, shape: [] }, constant(0)]);
  },
  ZerosLike: expression(['mul', 0, 'x0']),
  Range: ({ builder, constant }) => builder.op('Range', [constant(0), constant(1), constant(2)]),
  DepthToSpace: throughFirst('DepthToSpace'),
  SpaceToDepth: throughFirst('SpaceToDepth'),
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  ClipByValue: ({ builder, items }) => builder.op('Clip', items),
};
