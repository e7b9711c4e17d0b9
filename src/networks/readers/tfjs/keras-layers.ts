// Keras layers, each by the ONNX operator that does the same: what a layers-model may be made of. Names of classes and of
// configuration keys are those of Keras.

import { product } from '../../../tensor/layout.ts';
import { type Constant, constantOf, integers } from '../constants.ts';
import { type Item, natural } from '../lowering.ts';
import { autoPad, type Builder } from './builder.ts';

export type Config = Record<string, any>;

/** One layer while it is lowered. */
export interface Context {
  builder: Builder;
  config: Config;
  items: readonly Item[];
  /** A weight of this layer; undefined where the model has none of that name. */
  weight(role: string): Constant | undefined;
  /** The same where it must be there. */
  need(role: string): Constant;
}

type KerasLayer = (context: Context) => Item;

const list = (value: unknown, rank: number, fallback: number): number[] =>
  Array.isArray(value) ? value.map(Number) : new Array<number>(rank).fill(Number(value ?? fallback));

const spatialRank = (item: Item): number => item.shape.length - 2;

function activate({ builder }: Context, x: Item, name: unknown): Item {
  const given = typeof name === 'string' ? name : 'linear';
  const activations: Record<string, () => Item> = {
    linear: () => x,
    relu: () => builder.op('Relu', [x]),
    relu6: () => builder.map(['min', ['max', 'x0', 0], 6], x),
    sigmoid: () => builder.op('Sigmoid', [x]),
    tanh: () => builder.op('Tanh', [x]),
    softmax: () => builder.op('Softmax', [x], { axis: -1 }),
    log_softmax: () => builder.op('LogSoftmax', [x], { axis: -1 }),
    elu: () => builder.op('Elu', [x]),
    selu: () => builder.op('Selu', [x]),
    softplus: () => builder.op('Softplus', [x]),
    softsign: () => builder.op('Softsign', [x]),
    exponential: () => builder.op('Exp', [x]),
    hard_sigmoid: () => builder.op('HardSigmoid', [x]),
    swish: () => builder.op('Swish', [x]),
    silu: () => builder.op('Swish', [x]),
    mish: () => builder.op('Mish', [x]),
    gelu: () => builder.op('Gelu', [x]),
    leaky_relu: () => builder.op('LeakyRelu', [x], { alpha: 0.2 }),
  };
  const key = given.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
  if (!Object.hasOwn(activations, key))
    throw builder.unsupported(`activation ${given}`, `use one of ${Object.keys(activations).join(', ')}`);
  return activations[key]();
}

function windows(config: Config, rank: number) {
  return {
    strides: list(config.strides, rank, 1),
    dilations: list(config.dilation_rate, rank, 1),
  };
}

const convolution: KerasLayer = context => {
  const { builder, config, items, weight, need } = context;
  const rank = spatialRank(items[0]);
  const how = windows(config, rank);
  const kernel = need('kernel');
  let x = items[0];
  let pad = autoPad(config.padding ?? 'valid');
  if (config.padding === 'causal') {
    pad = { pads: [(kernel.shape[0] - 1) * how.dilations[0], 0] };
    if (rank !== 1) throw builder.unsupported('causal padding of more than one dimension', "use 'same'");
  }
  x = builder.convolution(x, kernel, weight('bias'), { ...how, ...pad, group: config.groups ?? 1 });
  return activate(context, x, config.activation);
};

const transposedConvolution: KerasLayer = context => {
  const { builder, config, items, weight, need } = context;
  if (config.output_padding != null) throw builder.unsupported('output_padding', 'leave it out');
  const { strides, dilations } = windows(config, spatialRank(items[0]));
  const same = config.padding === 'same';
  return activate(
    context,
    builder.transposed(items[0], need('kernel'), weight('bias'), strides, same, dilations),
    config.activation,
  );
};

const depthwise: KerasLayer = context => {
  const { builder, config, items, weight, need } = context;
  const how = { ...windows(config, spatialRank(items[0])), ...autoPad(config.padding ?? 'valid') };
  const filters = weight('depthwise_kernel') ?? need('kernel');
  return activate(context, builder.depthwise(items[0], filters, weight('bias'), how), config.activation);
};

const separable: KerasLayer = context => {
  const { builder, config, items, weight, need } = context;
  const how = { ...windows(config, spatialRank(items[0])), ...autoPad(config.padding ?? 'valid') };
  const inner = builder.depthwise(items[0], need('depthwise_kernel'), undefined, how);
  return activate(
    context,
    builder.convolution(inner, need('pointwise_kernel'), weight('bias'), {}),
    config.activation,
  );
};

const pool =
  (op: 'MaxPool' | 'AveragePool'): KerasLayer =>
  ({ builder, config, items }) => {
    const rank = spatialRank(items[0]);
    const kernel = list(config.pool_size, rank, 2);
    const strides = config.strides == null ? kernel : list(config.strides, rank, 2);
    return builder.pool(op, items[0], {
      kernel_shape: kernel,
      strides,
      ...autoPad(config.padding ?? 'valid'),
    });
  };

const globalPool =
  (op: 'ReduceMean' | 'ReduceMax'): KerasLayer =>
  ({ builder, config, items }) => {
    const axes = natural(items[0].shape.length).slice(1, -1);
    return builder.op(op, [items[0], integers(axes)], { keepdims: config.keepdims ? 1 : 0 });
  };

const batchNorm: KerasLayer = ({ builder, config, items, weight, need }) => {
  const x = items[0];
  const rank = x.shape.length;
  const given = Array.isArray(config.axis) ? config.axis[0] : (config.axis ?? -1);
  if (given !== -1 && given !== rank - 1)
    throw builder.unsupported(`normalisation along axis ${given}`, 'normalise along the channels');
  const mean = need('moving_mean');
  const filled = (value: number) =>
    constantOf('float', mean.shape, new Float32Array(mean.data.length).fill(value));
  const roles = [weight('gamma') ?? filled(1), weight('beta') ?? filled(0), mean, need('moving_variance')];
  return builder.channelsLast(
    builder.op('BatchNormalization', [builder.channelsFirst(x), ...roles], {
      epsilon: config.epsilon ?? 1e-3,
    }),
  );
};

const layerNorm: KerasLayer = ({ builder, config, items, weight, need }) => {
  const x = items[0];
  const given = Array.isArray(config.axis) ? config.axis : [config.axis ?? -1];
  if (given.length !== 1 || (given[0] !== -1 && given[0] !== x.shape.length - 1))
    throw builder.unsupported(`normalisation along axes [${given}]`, 'normalise along the channels');
  return builder.op('LayerNormalization', [x, need('gamma'), weight('beta')], {
    axis: -1,
    epsilon: config.epsilon ?? 1e-3,
  });
};

/** `[low, high]` of each spatial dimension: one number, one a dimension, or pairs. */
function pairs(value: unknown, rank: number): [number, number][] {
  if (rank === 1 && Array.isArray(value) && value.length === 2 && !Array.isArray(value[0]))
    return [[Number(value[0]), Number(value[1])]];
  const each = Array.isArray(value) ? value : new Array(rank).fill(value ?? 1);
  return each.map(v => (Array.isArray(v) ? [Number(v[0]), Number(v[1])] : [Number(v), Number(v)]));
}

const padding =
  (sign: 1 | -1, key: 'padding' | 'cropping'): KerasLayer =>
  ({ builder, config, items }) => {
    const sides = pairs(config[key], spatialRank(items[0]));
    const pads = [0, ...sides.map(p => sign * p[0]), 0, 0, ...sides.map(p => sign * p[1]), 0];
    return builder.op('Pad', [items[0], integers(pads)]);
  };

const upSampling: KerasLayer = ({ builder, config, items }) => {
  const factors = list(config.size, spatialRank(items[0]), 2);
  const linear = config.interpolation === 'bilinear';
  if (!linear && (config.interpolation ?? 'nearest') !== 'nearest')
    throw builder.unsupported(`interpolation ${config.interpolation}`, 'use nearest or bilinear');
  const scales = constantOf('float', [factors.length + 2], [1, ...factors, 1]);
  return builder.op(
    'Resize',
    [items[0], undefined, scales],
    linear
      ? { mode: 'linear', coordinate_transformation_mode: 'half_pixel' }
      : { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  );
};

const reshape: KerasLayer = ({ builder, config, items }) => {
  const [batch, ...rest] = items[0].shape;
  const wanted: number[] = (config.target_shape ?? []).map((n: number | null) => n ?? -1);
  const known = wanted.filter(n => n >= 0).reduce((a, b) => a * b, 1);
  return builder.lowering.reshape(items[0], [batch, ...wanted.map(n => (n < 0 ? product(rest) / known : n))]);
};

const identity: KerasLayer = ({ items }) => items[0];
const chained =
  (op: string): KerasLayer =>
  ({ builder, items }) =>
    builder.op(op, items);

const relu: KerasLayer = context => {
  const { builder, config, items } = context;
  const [most, slope, from] = [config.max_value ?? null, config.negative_slope ?? 0, config.threshold ?? 0];
  if (from !== 0) throw builder.unsupported(`threshold ${from}`, 'use threshold 0');
  const x =
    slope === 0 ? builder.op('Relu', [items[0]]) : builder.op('LeakyRelu', [items[0]], { alpha: slope });
  return most === null ? x : builder.map(['min', 'x0', Number(most)], x);
};

const byRank = (name: string, ranks: readonly number[], layer: KerasLayer): [string, KerasLayer][] =>
  ranks.map(rank => [`${name}${rank}D`, layer]);

/** Keras layers that are read, by class name. */
export const kerasLayers: ReadonlyMap<string, KerasLayer> = new Map<string, KerasLayer>([
  ...byRank('Conv', [1, 2, 3], convolution),
  ...[1, 2, 3].map((rank): [string, KerasLayer] => [`Conv${rank}DTranspose`, transposedConvolution]),
  ...byRank('DepthwiseConv', [1, 2], depthwise),
  ...byRank('SeparableConv', [1, 2], separable),
  ...byRank('MaxPooling', [1, 2, 3], pool('MaxPool')),
  ...byRank('AveragePooling', [1, 2, 3], pool('AveragePool')),
  ...byRank('GlobalAveragePooling', [1, 2, 3], globalPool('ReduceMean')),
  ...byRank('GlobalMaxPooling', [1, 2, 3], globalPool('ReduceMax')),
  ...byRank('ZeroPadding', [1, 2, 3], padding(1, 'padding')),
  ...byRank('Cropping', [1, 2, 3], padding(-1, 'cropping')),
  ...byRank('UpSampling', [1, 2, 3], upSampling),
  ...byRank('SpatialDropout', [1, 2, 3], identity),
  ...['Dropout', 'GaussianNoise', 'GaussianDropout', 'AlphaDropout', 'ActivityRegularization'].map(
    (name): [string, KerasLayer] => [name, identity],
  ),
  ['BatchNormalization', batchNorm],
  ['LayerNormalization', layerNorm],
  [
    'Dense',
    context => {
      const { builder, config, items, weight, need } = context;
      return activate(context, builder.matmul(items[0], need('kernel'), weight('bias')), config.activation);
    },
  ],
  ['Activation', context => activate(context, context.items[0], context.config.activation)],
  ['ReLU', relu],
  [
    'LeakyReLU',
    ({ builder, config, items }) =>
      builder.op('LeakyRelu', [items[0]], { alpha: config.alpha ?? config.negative_slope ?? 0.3 }),
  ],
  ['ELU', ({ builder, config, items }) => builder.op('Elu', [items[0]], { alpha: config.alpha ?? 1 })],
  ['PReLU', ({ builder, items, need }) => builder.op('PRelu', [items[0], need('alpha')])],
  [
    'ThresholdedReLU',
    ({ builder, config, items }) => builder.op('ThresholdedRelu', [items[0]], { alpha: config.theta ?? 1 }),
  ],
  ['Softmax', ({ builder, config, items }) => builder.op('Softmax', [items[0]], { axis: config.axis ?? -1 })],
  ['Flatten', ({ builder, items }) => builder.op('Flatten', [items[0]])],
  ['Reshape', reshape],
  [
    'Permute',
    ({ builder, config, items }) => builder.lowering.transpose(items[0], [0, ...config.dims.map(Number)]),
  ],
  ['Concatenate', ({ builder, config, items }) => builder.op('Concat', items, { axis: config.axis ?? -1 })],
  ['Add', chained('Sum')],
  ['Average', chained('Mean')],
  ['Maximum', chained('Max')],
  ['Minimum', chained('Min')],
  ['Subtract', chained('Sub')],
  ['Multiply', ({ builder, items }) => items.slice(1).reduce((a, b) => builder.op('Mul', [a, b]), items[0])],
  [
    'Rescaling',
    ({ builder, config, items }) =>
      builder.map(['add', ['mul', Number(config.scale ?? 1), 'x0'], Number(config.offset ?? 0)], items[0]),
  ],
]);
