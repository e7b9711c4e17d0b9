// ONNX operators in the layouts and ranks that meet in networks: every result is computed once more from its definition,
// with indices in the order of the model. What single nodes do is tested by ONNX's own suite (`npm run conformance`).

import test from 'tape';
import { readOnnx } from '../../../src/networks/readers/onnx/model.ts';
import { operatorNames } from '../../../src/networks/readers/onnx/operators.ts';
import { info, integers, model, node, tensor } from './encode.ts';
import { largestDifference, refuses, runOnnx } from './support.ts';

const dims = [1, 4, 3, 5];
const size = 60;
const x = Float32Array.from({ length: size }, (_, i) => (((i * 37) % 61) - 30) / 10);
const at = (n: number, c: number, h: number, w: number) => x[((n * 4 + c) * 3 + h) * 5 + w];

/** Runs nodes from x to y; a convolution with the identity as filter comes first, so that values are channels last. */
async function run(nodes: object[], initializer: object[] = [], opset = 13) {
  const eye = tensor(
    'eye',
    [4, 4, 1, 1],
    Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0)),
  );
  const bytes = model(
    {
      node: [node('Conv', ['x', 'eye'], ['v']), ...nodes],
      input: [info('x', dims)],
      output: [info('y', [])],
      initializer: [eye, ...initializer],
    },
    opset,
  );
  return runOnnx(await readOnnx(bytes), x);
}

/** Expects a shape and the value at every index. */
function build(shape: number[], value: (...index: number[]) => number): { shape: number[]; data: number[] } {
  const data: number[] = [];
  const visit = (index: number[]) => {
    if (index.length === shape.length) data.push(value(...index));
    else for (let i = 0; i < shape[index.length]; i++) visit([...index, i]);
  };
  visit([]);
  return { shape, data };
}

const channel = [1, -2, 3, 0.5];
const perChannel = tensor('c', [1, 4, 1, 1], channel);
const perColumn = tensor('k', [5], [0, 1, 2, 3, 4]);

const cases: [string, object[], object[], { shape: number[]; data: number[] }, number?][] = [
  [
    'a constant per channel',
    [node('Mul', ['v', 'c'], ['y'])],
    [perChannel],
    build(dims, (n, c, h, w) => at(n, c, h, w) * channel[c]),
  ],
  [
    'a constant per column',
    [node('Sub', ['k', 'v'], ['y'])],
    [perColumn],
    build(dims, (n, c, h, w) => w - at(n, c, h, w)),
  ],
  [
    'a mean over space against the whole',
    [node('ReduceMean', ['v'], ['m'], { axes: [2, 3] }), node('Div', ['v', 'm'], ['y'])],
    [],
    build(dims, (n, c, h, w) => {
      let sum = 0;
      for (let i = 0; i < 3; i++) for (let j = 0; j < 5; j++) sum += at(n, c, i, j);
      return at(n, c, h, w) / (sum / 15);
    }),
  ],
  [
    'sums over channels without keeping them',
    [node('ReduceSum', ['v', 'axes'], ['y'], { keepdims: 0 })],
    [integers('axes', [1])],
    build([1, 3, 5], (n, h, w) => at(n, 0, h, w) + at(n, 1, h, w) + at(n, 2, h, w) + at(n, 3, h, w)),
  ],
  [
    'the least of every row',
    [node('ReduceMin', ['v'], ['y'], { axes: [3] })],
    [],
    build([1, 4, 3, 1], (n, c, h) => Math.min(...[0, 1, 2, 3, 4].map(w => at(n, c, h, w)))),
  ],
  [
    'flatten in the order of the model',
    [node('Flatten', ['v'], ['y'])],
    [],
    { shape: [1, 60], data: [...x] },
  ],
  [
    'channel shuffle',
    [
      node('Reshape', ['v', 's1'], ['a']),
      node('Transpose', ['a'], ['b'], { perm: [0, 2, 1, 3, 4] }),
      node('Reshape', ['b', 's2'], ['y']),
    ],
    [integers('s1', [1, 2, 2, 3, 5]), integers('s2', [0, -1, 3, 5])],
    build(dims, (n, c, h, w) => at(n, (c % 2) * 2 + Math.floor(c / 2), h, w)),
  ],
  [
    'halves of the channels, swapped',
    [node('Split', ['v'], ['a', 'b'], { axis: 1 }), node('Concat', ['b', 'a'], ['y'], { axis: 1 })],
    [],
    build(dims, (n, c, h, w) => at(n, (c + 2) % 4, h, w)),
  ],
  [
    'joined along rows',
    [node('Concat', ['v', 'v'], ['y'], { axis: 2 })],
    [],
    build([1, 4, 6, 5], (n, c, h, w) => at(n, c, h % 3, w)),
  ],
  [
    'a slice backwards and in steps',
    [node('Slice', ['v', 'from', 'to', 'axes', 'steps'], ['y'])],
    [
      integers('from', [-1, 1]),
      integers('to', [-100, 100]),
      integers('axes', [1, 3]),
      integers('steps', [-1, 2]),
    ],
    build([1, 4, 3, 2], (n, c, h, w) => at(n, 3 - c, h, 1 + 2 * w)),
  ],
  [
    'rows picked by number',
    [node('Gather', ['v', 'rows'], ['y'], { axis: 2 })],
    [integers('rows', [2, -3, 2])],
    build(dims, (n, c, h, w) => at(n, c, [2, 0, 2][h], w)),
  ],
  [
    'padding with a value, in channels too',
    [node('Pad', ['v', 'pads', 'value'], ['y'])],
    [integers('pads', [0, 1, 0, 0, 0, 0, 0, 2]), tensor('value', [], [7])],
    build([1, 5, 3, 7], (n, c, h, w) => (c === 0 || w > 4 ? 7 : at(n, c - 1, h, w))),
  ],
  [
    'padding by reflection and cropping at once',
    [node('Pad', ['v', 'pads'], ['y'], { mode: 'reflect' })],
    [integers('pads', [0, 0, 1, -1, 0, 0, 0, 2])],
    build([1, 4, 4, 6], (n, c, h, w) => at(n, c, Math.abs(h - 1), w < 4 ? w + 1 : 7 - w)),
  ],
  [
    'softmax over rows in operator set 13',
    [node('Softmax', ['v'], ['y'], { axis: 2 })],
    [],
    build(
      dims,
      (n, c, h, w) => Math.exp(at(n, c, h, w)) / [0, 1, 2].reduce((s, i) => s + Math.exp(at(n, c, i, w)), 0),
    ),
  ],
  [
    'softmax over all but the batch in operator set 11',
    [node('Softmax', ['v'], ['y'])],
    [],
    build(dims, (n, c, h, w) => Math.exp(at(n, c, h, w)) / x.reduce((s, v) => s + Math.exp(v), 0)),
    11,
  ],
  [
    'local response normalisation',
    [node('LRN', ['v'], ['y'], { size: 3, alpha: { f: 0.3 }, beta: { f: 0.75 }, bias: { f: 2 } })],
    [],
    build(dims, (n, c, h, w) => {
      let sum = 0;
      for (let i = Math.max(0, c - 1); i <= Math.min(3, c + 1); i++) sum += at(n, i, h, w) ** 2;
      return at(n, c, h, w) / (2 + 0.1 * sum) ** 0.75;
    }),
  ],
  [
    'the channel with the largest value',
    [node('ArgMax', ['v'], ['y'], { axis: 1 })],
    [],
    build([1, 1, 3, 5], (n, _, h, w) => {
      const values = [0, 1, 2, 3].map(c => at(n, c, h, w));
      return values.indexOf(Math.max(...values));
    }),
  ],
  [
    'depth to space',
    [node('DepthToSpace', ['v'], ['y'], { blocksize: 2 })],
    [],
    build([1, 1, 6, 10], (n, _, h, w) => at(n, (h % 2) * 2 + (w % 2), Math.floor(h / 2), Math.floor(w / 2))),
  ],
  [
    'a product with a matrix along rows',
    [node('MatMul', ['v', 'm'], ['y'])],
    [tensor('m', [5, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])],
    build([1, 4, 3, 2], (n, c, h, k) =>
      [0, 1, 2, 3, 4].reduce((s, w) => s + at(n, c, h, w) * (2 * w + k + 1), 0),
    ),
  ],
  [
    'a product of two values, as in attention',
    [node('Transpose', ['v'], ['t'], { perm: [0, 1, 3, 2] }), node('MatMul', ['v', 't'], ['y'])],
    [],
    build([1, 4, 3, 3], (n, c, h, i) =>
      [0, 1, 2, 3, 4].reduce((s, w) => s + at(n, c, h, w) * at(n, c, i, w), 0),
    ),
  ],
  [
    'batch normalisation',
    [node('BatchNormalization', ['v', 'g', 'b', 'm', 'r'], ['y'])],
    [
      tensor('g', [4], channel),
      tensor('b', [4], [1, 2, 3, 4]),
      tensor('m', [4], [0, 1, 0, 1]),
      tensor('r', [4], [1, 2, 3, 4]),
    ],
    build(dims, (n, c, h, w) => (channel[c] * (at(n, c, h, w) - (c % 2))) / Math.sqrt(c + 1 + 1e-5) + c + 1),
  ],
  [
    'squeezed, and back where it was',
    [
      node('GlobalAveragePool', ['v'], ['a']),
      node('Squeeze', ['a', 'two'], ['b']),
      node('Unsqueeze', ['b', 'two'], ['d']),
      node('Add', ['v', 'd'], ['y']),
    ],
    [integers('two', [2, 3])],
    build(dims, (n, c, h, w) => {
      let sum = 0;
      for (let i = 0; i < 3; i++) for (let j = 0; j < 5; j++) sum += at(n, c, i, j);
      return at(n, c, h, w) + sum / 15;
    }),
  ],
  [
    'nearest and linear resizing of one dimension each',
    [
      node('Resize', ['v', '', 'scales'], ['y'], {
        mode: 'nearest',
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: 'floor',
      }),
    ],
    [tensor('scales', [4], [1, 1, 2, 1])],
    build([1, 4, 6, 5], (n, c, h, w) => at(n, c, Math.floor(h / 2), w)),
  ],
];

for (const [name, nodes, initializer, expected, opset] of cases)
  test(`onnx operators: ${name}`, async t => {
    const { shape, data } = await run(nodes, initializer, opset);
    t.deepEqual([...shape], expected.shape);
    const off = largestDifference(data, expected.data);
    t.ok(off < 1e-4, `largest difference ${off}`);
  });

test('onnx operators: weights quantised by a constant graph are folded', async t => {
  const initializer = [
    {
      name: 'q',
      dims: [2, 4, 1, 1],
      dataType: 3,
      rawData: new Uint8Array(Int8Array.of(1, -2, 3, 4, 0, 1, -1, 2).buffer),
    },
    tensor('s', [], [0.5]),
  ];
  const nodes = [
    node('Cast', ['q'], ['f'], { to: 1 }),
    node('Mul', ['f', 's'], ['w']),
    node('Conv', ['v', 'w'], ['y']),
  ];
  const { data } = await run(nodes, initializer);
  const filters = [0.5, -1, 1.5, 2, 0, 0.5, -0.5, 1];
  const expected = build([1, 2, 3, 5], (n, k, h, w) =>
    [0, 1, 2, 3].reduce((s, c) => s + filters[4 * k + c] * at(n, c, h, w), 0),
  );
  t.ok(largestDifference(data, expected.data) < 1e-4);
});

test('onnx operators: a branch with a constant condition is taken', async t => {
  const branch = (op: string, name: string) => ({
    g: { node: [node(op, ['v'], [name])], output: [info(name, [])] },
  });
  const nodes = [
    node('If', ['yes'], ['y'], { then_branch: branch('Neg', 'a'), else_branch: branch('Abs', 'b') }),
  ];
  const { data } = await run(nodes, [{ name: 'yes', dims: [1], dataType: 9, int32Data: [1] }]);
  t.ok(
    largestDifference(
      data,
      x.map(v => -v),
    ) < 1e-6,
  );
});

test('onnx operators: training and other forms that are not read say so', async t => {
  const mask = [node('Dropout', ['v', '', 'train'], ['y'])];
  await refuses(
    t,
    () => run(mask, [{ name: 'train', dims: [], dataType: 9, int32Data: [1] }]),
    /training.*eval/,
    'dropout',
  );
  const indices = [node('MaxPool', ['v'], ['p', 'y'], { kernel_shape: [2, 2] })];
  await refuses(t, () => run(indices), /output 2.*transposed convolution/, 'where maxima lie');
  const whole = [node('Cast', ['v'], ['y'], { to: 7 })];
  await refuses(t, () => run(whole), /fractions to integers/, 'a cast of fractions');
});

test('onnx operators: what convolutional networks are made of is read', t => {
  const names = operatorNames();
  for (const name of 'Conv ConvTranspose MaxPool AveragePool Gemm MatMul BatchNormalization InstanceNormalization Relu LeakyRelu PRelu Elu Sigmoid Tanh Concat Add Sub Mul Div Pad Resize Upsample Reshape Flatten Transpose Squeeze Unsqueeze Slice Split ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 Softmax LRN Dropout Identity Constant Cast Clip GlobalAveragePool GlobalMaxPool SpaceToDepth DepthToSpace'.split(
    ' ',
  ))
    t.ok(names.includes(name), name);
  t.end();
});
