// Every operation as cases that all backends must pass: ranks 1 to 4, and for the convolutions every combination of
// strides, asymmetric padding, dilations and groups. Sizes are small; the shapes of real work are in the networks' tests.

import type { Value } from '../../src/graph/graph.ts';
import { type OperationName, operations as op } from '../../src/ops/index.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';
import { type Build, normals } from './evaluate.ts';

export interface Case {
  readonly operation: OperationName;
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly build: Build;
  /** Inputs with values of at least ½ (divisors, variances), and inputs kept away from 0 (where there is a kink). */
  readonly positive?: readonly number[];
  readonly awayFromZero?: readonly number[];
  /** Inputs whose values all differ by at least 0.03 (maxima are smooth there). */
  readonly spaced?: readonly number[];
}

type Ranges = Pick<Case, 'positive' | 'awayFromZero' | 'spaced'>;

/** The values a case runs on; another `round` gives others. */
export const valuesOf = (c: Case, round = 0): Float32Array[] =>
  c.shapes.map((shape, i) => {
    if (c.spaced?.includes(i)) return spacedValues(shape, `${c.name} ${round}`);
    return normals(shape, `${c.name} ${i} ${round}`).map(v => {
      if (c.positive?.includes(i)) return Math.abs(v) + 0.5;
      return c.awayFromZero?.includes(i) ? v + Math.sign(v) * 0.1 : v;
    });
  });

function spacedValues(shape: readonly number[], label: string): Float32Array {
  const count = product(shape);
  const values = Float32Array.from({ length: count }, (_, i) => (i - count / 2) * 0.03);
  return createRandom(5, label).shuffle(values);
}

/** Spatial sizes of the ranks 1 to 4. */
export const sizes = [[11], [7, 6], [5, 4, 5], [4, 5, 3, 4]];

const list: Case[] = [];
const add = (
  operation: OperationName,
  variant: string,
  shapes: readonly (readonly number[])[],
  build: Build,
  extra: Ranges = {},
) => list.push({ operation, name: `${operation}${variant && `, ${variant}`}`, shapes, build, ...extra });

for (const size of sizes) {
  const rank = size.length;
  const x = [2, ...size, 4];
  const same = (n: number) => new Array<number>(rank).fill(n);
  const at = (
    operation: OperationName,
    variant: string,
    shapes: number[][],
    build: Build,
    extra: Ranges = {},
  ) => add(operation, `${variant && `${variant}, `}rank ${rank}`, shapes, build, extra);

  // Kernel sizes 3 and 2 in turn; margins differ between the ends and between the dimensions.
  const kernel = size.map((_, a) => (rank < 3 && a === 0 ? 3 : 2));
  const lopsided = size.map((_, a) => [(a + 1) % 2, 1 + (a % 2)] as const);
  const none = size.map(() => [0, 0] as const);
  for (const strides of [1, 2])
    for (const dilations of [1, 2])
      for (const groups of [1, 2])
        for (const padding of [none, lopsided]) {
          const text = `strides ${strides}, dilations ${dilations}, groups ${groups}, ${padding === none ? 'no' : 'uneven'} padding`;
          const parameters = { strides, dilations, groups, padding };
          at('convolution', text, [x, [...kernel, 4 / groups, 6], [6]], (a, w, b) =>
            op.convolution(a, w, b, parameters),
          );
          const small = [1, ...size.map(n => Math.min(n, rank > 2 ? 3 : 5)), 4];
          at('transposedConvolution', text, [small, [...kernel, 6 / groups, 4], [6]], (a, w, b) =>
            op.transposedConvolution(a, w, b, { ...parameters, outputPadding: strides - 1 }),
          );
        }
  at('convolution', 'depthwise', [x, [...same(3), 1, 4]], (a, w) =>
    op.convolution(a, w, undefined, { padding: 1, groups: 4 }),
  );
  at('convolution', 'depthwise, two filters a channel', [x, [...same(2), 1, 8]], (a, w) =>
    op.convolution(a, w, undefined, { padding: 'same', groups: 4, strides: 2 }),
  );
  at('convolution', 'one tap', [x, [...same(1), 4, 5], [5]], (a, w, b) => op.convolution(a, w, b));
  at('convolution', 'cropping', [x, [...same(1), 4, 3]], (a, w) =>
    op.convolution(a, w, undefined, { padding: size.map(() => [-1, 0] as const) }),
  );
  at('convolution', 'with ReLU', [x, [...kernel, 4, 5], [5]], (a, w, b) =>
    op.relu(op.convolution(a, w, b, { padding: 1 })),
  );
  for (const paddingMode of ['reflect', 'replicate'] as const)
    at('convolution', paddingMode, [x, [...same(2), 4, 2]], (a, w) =>
      op.convolution(a, w, undefined, { padding: lopsided, paddingMode, strides: 2 }),
    );
  for (const mode of ['zeros', 'reflect', 'replicate'] as const)
    at('pad', mode, [x], a => op.pad(a, lopsided, mode));
  at('pad', 'with a value', [x], a => op.pad(a, lopsided, 'zeros', 3));
  at('crop', '', [x], a => op.crop(a, lopsided));

  at('maxPool', '', [x], a => op.maxPool(a, { window: 2 }), { spaced: [0] });
  at('maxPool', 'ceil', [x], a => op.maxPool(a, { window: 2, strides: 2, rounding: 'ceil' }), {
    spaced: [0],
  });
  at('maxPool', 'overlapping, padded', [x], a => op.maxPool(a, { window: 3, strides: 1, padding: 1 }), {
    spaced: [0],
  });
  at('maxPool', 'dilated', [x], a => op.maxPool(a, { window: 2, strides: 1, dilations: 2 }), { spaced: [0] });
  for (const countPadding of [true, false])
    for (const rounding of ['floor', 'ceil'] as const)
      at('averagePool', `${rounding}, padding ${countPadding ? '' : 'not '}counted`, [x], a =>
        op.averagePool(a, {
          window: 3,
          strides: 2,
          padding: size.map(() => [1, 0] as const),
          rounding,
          countPadding,
        }),
      );
  at('cellPool', '', [x], a =>
    op.cellPool(
      a,
      size.map(n => Math.max(1, Math.floor(n / 2))),
    ),
  );
  at('flip', '', [x], a => op.flip(a, a.shape.length - 2));
  at('globalAveragePool', '', [x], op.globalAveragePool);
  at('globalMaxPool', '', [x], op.globalMaxPool, { spaced: [0] });
  at('affine', '', [x, [4], [4]], op.affine);
  at('batchNorm', '', [x, [4], [4], [4], [4]], (a, m, v, g, b) => op.batchNorm(a, m, v, g, b), {
    positive: [2],
  });
  at('instanceNorm', '', [x], a => op.instanceNorm(a));
  at('instanceNorm', 'scaled', [x, [4], [4]], (a, g, b) => op.instanceNorm(a, g, b));
  at('l2Normalise', '', [x], a => op.l2Normalise(a));
  const larger = size.map((n, a) => n + 2 + a);
  const smaller = size.map(n => Math.ceil(n / 2));
  for (const [text, target] of [
    ['larger', larger],
    ['smaller', smaller],
  ] as const) {
    at('resize', `nearest, ${text}`, [x], a => op.resize(a, target, 'nearest'));
    at('resize', `linear, ${text}`, [x], a => op.resize(a, target, 'linear'));
  }
  at('resize', 'corners aligned', [x], a => op.resize(a, larger, 'linear', { alignCorners: true }));
  at('transpose', '', [x], a => op.transpose(a, [...x.keys()].reverse()));
  at('slice', '', [x], a => op.slice(a, 1, 1, 3));
  at('concat', 'channels', [x, [2, ...size, 3]], (a, b) => op.concat([a, b], rank + 1));
  at('concat', 'cells', [x, [2, 3, ...size.slice(1), 4]], (a, b) => op.concat([a, b, a], 1));
  at('gram', '', [[1, ...size, 4]], op.gram);
  at('gram', 'batch', [x], op.gram);
  at('totalVariation', '', [x], op.totalVariation);
  at('softmax', '', [x], op.softmax);
  at('sum', '', [x], a => op.sum(a, [1, rank + 1]));
  at('mean', '', [x], a => op.mean(a, [0, rank]));
  at('flatten', '', [x], op.flatten);
  at(
    'reshape',
    'before a convolution',
    [
      [2, product(size) * 4],
      [...same(3), 4, 2],
    ],
    (a, w) => op.convolution(op.reshape(a, x), w, undefined, { padding: 1 }),
  );
}

const grid = [2, 5, 4];
for (const name of ['add', 'sub', 'mul', 'div'] as const) {
  const extra = name === 'div' ? { positive: [1] } : {};
  add(name, '', [grid, grid], op[name], extra);
  add(name, 'per channel', [grid, [4]], op[name], extra);
  add(name, 'per cell', [grid, [2, 5, 1]], op[name], extra);
}
add(
  'add',
  'both broadcast',
  [
    [2, 1, 4],
    [5, 1],
  ],
  op.add,
);
add('mul', 'with itself', [grid], x => op.mul(x, x));
add('scale', '', [grid], x => op.scale(x, -1.5));
for (const name of ['sigmoid', 'tanh', 'softplus'] as const) add(name, '', [grid], op[name]);
add('relu', '', [grid], op.relu, { awayFromZero: [0] });
add('elu', '', [grid], x => op.elu(x, 0.7), { awayFromZero: [0] });
add('leakyRelu', '', [grid], x => op.leakyRelu(x, 0.2), { awayFromZero: [0] });
add('prelu', '', [grid, [4]], op.prelu, { awayFromZero: [0] });
add('softmax', 'of one', [[3, 1]], op.softmax);
add('logSoftmax', '', [[3, 7]], op.logSoftmax);
add('dense', '', [[3, 4], [4, 5], [5]], (x, w, b) => op.dense(x, w, b));
add('concat', 'of seven', [[2, 3]], x => op.concat([x, x, x, x, x, x, x], 0));
add('contentLoss', '', [grid, grid], op.contentLoss);
add(
  'styleLoss',
  '',
  [
    [1, 6, 5, 3],
    [3, 3],
  ],
  (x, s) => op.styleLoss(op.gram(x), s, 30, 3),
);
add('meanSquaredError', '', [grid, grid], op.meanSquaredError);
add(
  'squaredDistance',
  '',
  [
    [4, 3],
    [4, 3],
  ],
  op.squaredDistance,
);
add(
  'crossEntropy',
  '',
  [
    [3, 4],
    [3, 4],
  ],
  op.crossEntropy,
);
add(
  'binaryCrossEntropy',
  '',
  [
    [3, 4],
    [3, 4],
  ],
  op.binaryCrossEntropy,
  { awayFromZero: [0] },
);
add(
  'triplet',
  '',
  [
    [5, 3],
    [5, 3],
    [5, 3],
  ],
  (a: Value, p: Value, n: Value) => op.triplet(a, p, n, 0.5),
);

export const cases: readonly Case[] = list;
