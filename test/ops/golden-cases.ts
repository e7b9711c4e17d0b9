// The operations behind the golden files of test/golden, by the names that test/golden/generate.py gives them.

import { operations as op } from '../../src/ops/index.ts';
import type { Build } from '../conformance/evaluate.ts';

const byRank = (rank: number): Record<string, Build> => {
  const size = [[9], [6, 5], [5, 4, 5]][rank - 1];
  const padding = (
    [
      [1, 2],
      [0, 1],
      [2, 0],
    ] as [number, number][]
  ).slice(0, rank);
  const strides = [2, 1, 2].slice(0, rank);
  const dilations = [2, 2, 1].slice(0, rank);
  const larger = size.map((n, a) => n + 2 + a);
  const smaller = size.map(n => Math.ceil(n / 2));
  const builds: Record<string, Build> = {
    convolution: (x, w, b) => op.convolution(x, w, b, { padding }),
    'convolution-strides-dilations-groups': (x, w, b) =>
      op.convolution(x, w, b, { padding, strides, dilations, groups: 2 }),
    'convolution-depthwise': (x, w, b) => op.convolution(x, w, b, { padding, groups: 4 }),
    'convolution-reflect': (x, w, b) => op.convolution(x, w, b, { padding, strides, paddingMode: 'reflect' }),
    'convolution-replicate': (x, w, b) =>
      op.convolution(x, w, b, { padding, strides, paddingMode: 'replicate' }),
    'pad-constant': x => op.pad(x, padding),
    'pad-reflect': x => op.pad(x, padding, 'reflect'),
    'pad-replicate': x => op.pad(x, padding, 'replicate'),
    'max-pool': x => op.maxPool(x, { window: 3, strides: 2, padding: 1, rounding: 'ceil' }),
    'max-pool-dilated': x => op.maxPool(x, { window: 2, strides: 1, dilations: 2 }),
    'global-average-pool': op.globalAveragePool,
    'global-max-pool': op.globalMaxPool,
    affine: op.affine,
    'batch-norm': (x, m, v, g, b) => op.batchNorm(x, m, v, g, b),
    'instance-norm': (x, g, b) => op.instanceNorm(x, g, b),
    'l2-normalise': x => op.l2Normalise(x),
    'resize-nearest-larger': x => op.resize(x, larger, 'nearest'),
    'resize-nearest-smaller': x => op.resize(x, smaller, 'nearest'),
    'resize-linear-larger': x => op.resize(x, larger, 'linear'),
    'resize-linear-smaller': x => op.resize(x, smaller, 'linear'),
    'resize-corners': x => op.resize(x, larger, 'linear', { alignCorners: true }),
    concat: (a, b) => op.concat([a, b], rank + 1),
    transpose: x => op.transpose(x, [...x.shape.keys()].reverse()),
    slice: x => op.slice(x, 1, 1, 4),
    flatten: op.flatten,
    sum: x => op.sum(x, [0, rank]),
    mean: x => op.mean(x, [1, rank + 1]),
    softmax: op.softmax,
    'log-softmax': op.logSoftmax,
    gram: op.gram,
    'style-loss': (x, s) =>
      op.styleLoss(
        op.gram(x),
        s,
        size.reduce((a, b) => a * b),
        4,
      ),
    'total-variation': op.totalVariation,
  };
  for (const groups of [1, 2])
    builds[`transposed-convolution-groups${groups}`] = (x, w, b) =>
      op.transposedConvolution(x, w, b, {
        padding: 1,
        strides,
        dilations,
        groups,
        outputPadding: strides.map(s => s - 1),
      });
  for (const rounding of ['floor', 'ceil'] as const)
    for (const counted of ['counted', 'inside'])
      builds[`average-pool-${rounding}-${counted}`] = x =>
        op.averagePool(x, {
          window: 3,
          strides: 2,
          padding: 1,
          rounding,
          countPadding: counted === 'counted',
        });
  return Object.fromEntries(
    Object.entries(builds).map(([name, build]) => [`${name}-rank${rank}`, build] as const),
  );
};

const arithmetic = Object.fromEntries(
  (['add', 'sub', 'mul', 'div'] as const).flatMap(name =>
    ['', '-channels', '-cells'].map(suffix => [name + suffix, op[name]] as const),
  ),
);

export const goldenCases: Readonly<Record<string, Build>> = {
  ...byRank(1),
  ...byRank(2),
  ...byRank(3),
  ...arithmetic,
  relu: op.relu,
  'leaky-relu': x => op.leakyRelu(x, 0.2),
  elu: x => op.elu(x, 0.7),
  sigmoid: op.sigmoid,
  tanh: op.tanh,
  softplus: op.softplus,
  prelu: op.prelu,
  scale: x => op.scale(x, -1.5),
  dense: (x, w, b) => op.dense(x, w, b),
  'content-loss': op.contentLoss,
  'mean-squared-error': op.meanSquaredError,
  'squared-distance': op.squaredDistance,
  'cross-entropy': op.crossEntropy,
  'binary-cross-entropy': op.binaryCrossEntropy,
  triplet: (a, p, n) => op.triplet(a, p, n, 0.5),
};
