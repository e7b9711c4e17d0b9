// Which cells of its inputs a layer's cell depends on, one dimension at a time, as plain data: per layer type and per
// dimension of each input, which dimension of the output decides, and how. What follows from it over a whole network is
// in receptive-field.ts. Dimensions count as stored: the batch is 0, the channels are the last.

import { resolvePadding } from '../ops/convolution.ts';
import { perDimension } from '../tensor/taps.ts';
import type { AxisRule } from './axis-rules.ts';
import type { Taps } from './index-runs.ts';
import type { Layer } from './network.ts';

/** How positions of one dimension of an input follow from those of dimension `dim` of the output. */
export type Read =
  /** All of it. */
  | { way: 'whole' }
  /** The same position. */
  | { way: 'same'; dim: number }
  /** A window at every position; `edge` is what lies beyond the edges, nothing where absent. */
  | { way: 'window'; dim: number; taps: Taps; edge?: 'reflect' | 'replicate' }
  /** The window of a transposed convolution. */
  | { way: 'transposed'; dim: number; taps: Taps }
  /** Positions after those of the inputs joined before it. */
  | { way: 'after'; dim: number; start: number }
  /** A rule of axis-rules.ts. */
  | { way: 'rule'; dim: number; rule: AxisRule };

/** A layer and what is known around it; shapes are known for a given size of the network's input. */
export interface Around {
  readonly layer: Layer;
  /** Number of dimensions, batch and channels included, of each input. */
  readonly ranks: readonly number[];
  readonly rank: number;
  readonly shapes?: readonly (readonly number[])[];
  readonly shape?: readonly number[];
}

const whole: Read = { way: 'whole' };
const same = (dim: number): Read => ({ way: 'same', dim });

const each = (rank: number, of: (dim: number) => Read): Read[] =>
  Array.from({ length: rank }, (_, dim) => of(dim));

const wholly = (rank: number): Read[] => each(rank, dim => (dim === 0 ? same(0) : whole));

/** Spatial dimensions by `of`, the batch as it is, and all channels. */
const spatially = (rank: number, of: (dim: number, axis: number) => Read): Read[] =>
  each(rank, dim => (dim === 0 ? same(0) : dim === rank - 1 ? whole : of(dim, dim - 1)));

type Rule = (around: Around) => Read[][];

/** Every input cell by cell; one of lower rank is read whole, and so is the place of a size of 1 that is repeated. */
const cellwise: Rule = ({ ranks, rank, shapes, shape }) =>
  ranks.map((r, i) =>
    r !== rank
      ? wholly(r)
      : each(r, dim => (shapes && shape && shapes[i][dim] === 1 && shape[dim] !== 1 ? whole : same(dim))),
  );

/** Every cell from all channels of the same cell. */
const acrossChannels: Rule = ({ ranks }) => ranks.map(rank => spatially(rank, same));

/** Every value from all cells of the sample. */
const globally: Rule = ({ ranks }) => ranks.map(wholly);

/** Without a size, padding 'same' is that of an input whose size the strides divide. */
function windows(
  { layer: { parameters }, ranks: [rank], shapes }: Around,
  kernel: readonly number[],
  steps: unknown,
) {
  const spatial = rank - 2;
  const strides = perDimension(steps as number | undefined, spatial, 'strides', 1);
  const dilations = perDimension(parameters.dilations as number | undefined, spatial, 'dilations', 1);
  const sizes = shapes?.[0].slice(1, -1) ?? strides;
  const padding = resolvePadding(parameters.padding as number | undefined, sizes, kernel, strides, dilations);
  return kernel.map(
    (size, a): Taps => ({ kernel: size, stride: strides[a], dilation: dilations[a], low: padding[a][0] }),
  );
}

const convolution: Rule = around => {
  const { layer, ranks } = around;
  const taps = windows(around, layer.weights!.weights.shape.slice(0, -2), layer.parameters.strides);
  const { paddingMode } = layer.parameters;
  const edge = paddingMode === 'zeros' ? undefined : (paddingMode as 'reflect' | undefined);
  return [
    spatially(ranks[0], (dim, a) => ({ way: 'window', dim, taps: taps[a], ...(edge ? { edge } : {}) })),
  ];
};

const transposed: Rule = around => {
  const { layer, ranks } = around;
  const taps = windows(around, layer.weights!.weights.shape.slice(0, -2), layer.parameters.strides);
  return [spatially(ranks[0], (dim, a) => ({ way: 'transposed', dim, taps: taps[a] }))];
};

const pooling: Rule = around => {
  const { parameters } = around.layer;
  const window = perDimension(parameters.window as number, around.ranks[0] - 2, 'window', 1);
  const taps = windows(around, window, parameters.strides ?? window);
  return [spatially(around.ranks[0], (dim, a) => ({ way: 'window', dim, taps: taps[a] }))];
};

/** All of the dimensions `axes`, the others by themselves. */
const over =
  (axes: readonly number[]): Rule =>
  ({ ranks: [rank] }) => [each(rank, dim => (axes.includes(dim) ? whole : same(dim)))];

const byRules: Rule = ({ layer, ranks: [rank] }) => {
  const rules = layer.parameters.rules as readonly (AxisRule | null)[];
  return [each(rank, dim => (rules[dim] ? { way: 'rule', dim, rule: rules[dim] } : same(dim)))];
};

/** Dimensions that only gain or lose neighbours of size 1 stay themselves; anything else mixes all cells. */
const reshape: Rule = ({ ranks: [rank], shapes, shape }) => {
  if (!shapes || !shape) return [wholly(rank)];
  const wide = (sizes: readonly number[]) => sizes.flatMap((n, a) => (n === 1 ? [] : [a]));
  const [from, to] = [wide(shapes[0]), wide(shape)];
  if (from.length !== to.length || from.some((a, i) => shapes[0][a] !== shape[to[i]])) return [wholly(rank)];
  return [shapes[0].map((_, a) => (from.includes(a) ? same(to[from.indexOf(a)]) : whole))];
};

const join: Rule = ({ layer, ranks, shapes }) => {
  const axis = layer.parameters.axis as number;
  let start = 0;
  return ranks.map((rank, i) => {
    const reads = each(rank, dim =>
      dim !== axis ? same(dim) : shapes ? { way: 'after', dim, start } : whole,
    );
    start += shapes?.[i][axis] ?? 0;
    return reads;
  });
};

const transpose: Rule = ({ layer }) => {
  const permutation = layer.parameters.permutation as readonly number[];
  return [permutation.map((_, a) => same(permutation.indexOf(a)))];
};

const matmul: Rule = ({ ranks }) =>
  ranks.map((rank, i) =>
    Array.from({ length: rank }, (_, dim) => (dim === rank - (i === 0 ? 1 : 2) ? whole : same(dim))),
  );

const rules: Readonly<Record<Layer['type'], Rule>> = {
  convolution,
  'transposed-convolution': transposed,
  dense: globally,
  affine: cellwise,
  'batch-norm': cellwise,
  'instance-norm': globally,
  'l2-normalise': acrossChannels,
  'max-pool': pooling,
  'average-pool': pooling,
  'cell-pool': globally,
  'global-average-pool': globally,
  'global-max-pool': globally,
  relu: cellwise,
  'leaky-relu': cellwise,
  elu: cellwise,
  softplus: cellwise,
  sigmoid: cellwise,
  tanh: cellwise,
  softmax: acrossChannels,
  flatten: globally,
  concat: acrossChannels,
  add: cellwise,
  mul: cellwise,
  identity: cellwise,
  constant: () => [],
  elementwise: cellwise,
  reshape,
  transpose,
  join,
  slice: byRules,
  pick: byRules,
  'pad-axes': byRules,
  resample: byRules,
  'window-sum': byRules,
  reduce: around => over(around.layer.parameters.axes as number[])(around),
  argmax: around => over([around.layer.parameters.axis as number])(around),
  matmul,
};

/** Per input of a layer (none for a constant) and per dimension of it, how it is read. */
export const readsOf = (around: Around): Read[][] => rules[around.layer.type](around);

/** Layers after which a value has one row a sample, or the rank that they say. */
export function rankAfter({ type, parameters, weights }: Layer, ranks: readonly number[]): number {
  switch (type) {
    case 'dense':
    case 'flatten':
    case 'global-average-pool':
    case 'global-max-pool':
      return 2;
    case 'reshape':
      return (parameters.shape as number[]).length;
    case 'transpose':
      return (parameters.permutation as number[]).length;
    case 'constant':
      return weights!.value.shape.length;
    default:
      return Math.max(...ranks, 0);
  }
}
