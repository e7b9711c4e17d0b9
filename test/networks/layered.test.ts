// Networks written out layer by layer: what they compute against the same operations called one by one, weights from
// files of every kind and order, and descriptions that are refused.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { NdconvError } from '../../src/errors.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { loadKnownNetwork } from '../../src/networks/architectures.ts';
import { channelsByLayer, describeNetwork } from '../../src/networks/describe.ts';
import { evaluateNetwork, planNetwork } from '../../src/networks/evaluate.ts';
import { type LayerDescription, layeredNetwork, planLayers } from '../../src/networks/layered.ts';
import { type LayerTypeName, layerTypes } from '../../src/networks/layers.ts';
import type { Network } from '../../src/networks/network.ts';
import { randomFilters } from '../../src/networks/random-filters.ts';
import { type NamedTensor, readWeights, type WeightOrder } from '../../src/networks/weights.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';
import { relativeError } from '../conformance/evaluate.ts';
import { realData, temporaryFolder, testWith } from '../formats/support.ts';

const folder = temporaryFolder();

function noise(shape: readonly number[], seed: number): NamedTensor {
  const random = createRandom(seed);
  return { shape, data: Float32Array.from({ length: product(shape) }, () => random.normal()) };
}

/** What the last layer makes of noise. */
async function outputOf(network: Network, shape: readonly number[], seed = 1) {
  const backend = await createReferenceBackend();
  const last = network.layers.at(-1)!.name;
  return (await evaluateNetwork(network, noise(shape, seed), [last], backend)).get(last)!;
}

const file = (tensors: Record<string, NamedTensor>, order: WeightOrder = 'out-first') => ({
  path: 'weights.npz',
  tensors: new Map(Object.entries(tensors)),
  order,
});

/** A layer of every type in some network of the rank, each at least once. */
const everyType = (rank: number): LayerDescription[] => [
  { type: 'affine', scale: 2, shift: [0.5, -0.5] },
  { name: 'conv', type: 'convolution', kernel: 3, filters: 6, padding: 'same', paddingMode: 'reflect' },
  { type: 'batch-norm', weights: 'bn' },
  { type: 'relu' },
  { type: 'max-pool', window: 2, strides: 1, rounding: 'ceil' },
  { type: 'instance-norm', epsilon: 0.01 },
  { type: 'leaky-relu', slope: 0.2 },
  {
    type: 'transposed-convolution',
    kernel: new Array(rank).fill(2),
    filters: 4,
    strides: 2,
    weights: 'random',
  },
  { type: 'elu', alpha: 0.5 },
  { type: 'average-pool', window: 2, padding: 1, countPadding: false },
  { name: 'pooled', type: 'softplus' },
  { type: 'tanh' },
  { type: 'add', from: ['pooled', 'tanh1'] },
  { type: 'mul', from: ['add1', 'tanh1', 'pooled'] },
  { type: 'concat', from: ['mul1', 'pooled'] },
  { type: 'sigmoid' },
  { name: 'normal', type: 'l2-normalise' },
  { type: 'cell-pool', cells: 1 },
  { type: 'instance-norm', from: 'normal' },
  { type: 'global-max-pool' },
  { type: 'global-average-pool', from: 'sigmoid1' },
  { type: 'concat', from: ['global-max-pool1', 'global-average-pool1'] },
  { type: 'flatten' },
  { type: 'dense', filters: 5, inputs: 16, weights: 'random' },
  { type: 'softmax' },
];

test('a network of every layer type in ranks 1 to 3', async t => {
  t.deepEqual(
    [...new Set(everyType(1).map(({ type }) => type))].sort(),
    Object.keys(layerTypes).sort(),
    'every layer type',
  );
  for (const rank of [1, 2, 3]) {
    const kernel = new Array<number>(rank).fill(3);
    const tensors = {
      'conv.weight': noise([6, 2, ...kernel], 2),
      ...Object.fromEntries(
        ['weight', 'bias', 'running_mean', 'running_var'].map((name, i) => {
          const { shape, data } = noise([6], 10 + i);
          return [`bn.${name}`, { shape, data: data.map(v => (name === 'running_var' ? v * v + 0.1 : v)) }];
        }),
      ),
    };
    const network = layeredNetwork({ rank, channels: 2, layers: everyType(rank) }, 7, file(tensors));
    const { shape, data } = await outputOf(network, [...new Array<number>(rank).fill(7), 2]);
    t.deepEqual(shape, [1, 5], `rank ${rank}: [${shape}]`);
    t.ok(Math.abs(data.reduce((a, b) => a + b, 0) - 1) < 1e-5, 'softmax sums to 1');

    const { shapes } = planNetwork(network, [...new Array<number>(rank).fill(7), 2]);
    const channels = channelsByLayer(network);
    const wrong = [...shapes].filter(([name, s]) => s.length > 1 && channels.get(name) !== s.at(-1));
    t.deepEqual(wrong, [], 'channels told without the input are those with it');
  }
});

test('batch normalisation and affine layers compute what they say', async t => {
  const x = noise([5, 3], 1);
  const values = {
    weight: [1, 2, 3],
    bias: [0.1, 0.2, 0.3],
    running_mean: [1, 0, -1],
    running_var: [4, 1, 0.25],
  };
  const tensors = Object.fromEntries(
    Object.entries(values).map(([name, v]) => [`bn.${name}`, { shape: [3], data: Float32Array.from(v) }]),
  );
  const norm = layeredNetwork(
    { rank: 1, channels: 3, layers: [{ type: 'batch-norm', name: 'bn', epsilon: 0.5 }] },
    0,
    file(tensors),
  );
  const normal = x.data.map((v, i) => {
    const c = i % 3;
    return (
      (values.weight[c] * (v - values.running_mean[c])) / Math.sqrt(values.running_var[c] + 0.5) +
      values.bias[c]
    );
  });
  t.ok(relativeError((await outputOf(norm, [5, 3])).data, normal) < 1e-6, 'batch-norm');
  const affine = layeredNetwork(
    { rank: 1, channels: 3, layers: [{ type: 'affine', scale: [1, 2, 3], shift: -1 }] },
    0,
  );
  const shifted = x.data.map((v, i) => v * ((i % 3) + 1) - 1);
  t.ok(relativeError((await outputOf(affine, [5, 3])).data, shifted) < 1e-6, 'affine');
  const mapped = layeredNetwork(
    {
      rank: 1,
      channels: 3,
      layers: [{ type: 'affine', weights: { scale: 'bn.weight', shift: 'bn.bias' } }],
    },
    0,
    file(tensors),
  );
  const scaled = x.data.map((v, i) => v * values.weight[i % 3] + values.bias[i % 3]);
  t.ok(relativeError((await outputOf(mapped, [5, 3])).data, scaled) < 1e-6, 'tensors named by role');
});

/** The tensor with its dimensions in another order. */
function permute({ shape, data }: NamedTensor, permutation: number[]): NamedTensor {
  const strides = shape.map((_, a) => product(shape.slice(a + 1)));
  const to = permutation.map(a => shape[a]);
  const out = Float32Array.from(data, (_, i) => {
    let [rest, from] = [i, 0];
    for (let a = to.length - 1; a >= 0; a--) {
      from += (rest % to[a]) * strides[permutation[a]];
      rest = Math.floor(rest / to[a]);
    }
    return data[from];
  });
  return { shape: to, data: out };
}

// As PyTorch and Keras would store the same network: conv 3×2, transposed conv 2×2 in two groups, flatten, dense.
const layers: LayerDescription[] = [
  { name: 'a', type: 'convolution', kernel: [3, 2], filters: 6, groups: 2 },
  { name: 'b', type: 'transposed-convolution', strides: 2, groups: 2 },
  { type: 'flatten' },
  { name: 'c', type: 'dense' },
];
const tensorsOutFirst: Record<string, NamedTensor> = {
  'a.weight': noise([6, 2, 3, 2], 1),
  'a.bias': noise([6], 2),
  'b.weight': noise([6, 4, 2, 2], 3),
  // The rows of flatten are 8 channels of 6×6 cells, channels first.
  'c.weight': noise([3, 8 * 36], 4),
  'c.bias': noise([3], 5),
};

test('weights out first and out last make the same network, flatten included', async t => {
  const c = permute({ ...tensorsOutFirst['c.weight'], shape: [3, 8, 36] }, [2, 1, 0]);
  const tensorsOutLast = {
    ...tensorsOutFirst,
    'a.weight': permute(tensorsOutFirst['a.weight'], [2, 3, 1, 0]),
    'b.weight': permute(tensorsOutFirst['b.weight'], [2, 3, 1, 0]),
    'c.weight': { shape: [8 * 36, 3], data: c.data },
  };
  const description = { rank: 2, channels: 4, layers };
  const first = await outputOf(layeredNetwork(description, 0, file(tensorsOutFirst)), [5, 4, 4]);
  const last = await outputOf(layeredNetwork(description, 0, file(tensorsOutLast, 'out-last')), [5, 4, 4]);
  t.deepEqual(first.shape, [1, 3]);
  const error = relativeError(first.data, last.data);
  t.ok(error < 1e-6, `the results differ by ${error.toExponential(1)}`);
  const wrong = planLayers(description, 0, file(tensorsOutLast));
  t.match(
    wrong.problems[0].message,
    /is \[3, 2, 2, 6\], but \[6, 2, 3, 2\] is wanted; it fits with order: out-last/,
  );
});

test('weights come from npz, npy and folders of npy files', async t => {
  const write = (name: string, { shape, data }: NamedTensor) => {
    const header =
      `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`.padEnd(117) + '\n';
    const bytes = Buffer.concat([
      Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0]),
      Buffer.from(header),
      Buffer.from(data.buffer),
    ]);
    writeFileSync(join(folder, name), bytes);
  };
  mkdirSync(join(folder, 'arrays'));
  for (const [name, tensor] of Object.entries(tensorsOutFirst)) write(`arrays/${name}.npy`, tensor);
  write('a.weight.npy', tensorsOutFirst['a.weight']);
  writeFileSync(join(folder, 'all.npz'), await writeNpz(new Map(Object.entries(tensorsOutFirst))));
  for (const name of ['all.npz', 'arrays']) {
    const found = await readWeights(join(folder, name));
    t.deepEqual([...found.keys()].sort(), Object.keys(tensorsOutFirst).sort(), name);
    for (const [key, { shape, data }] of Object.entries(tensorsOutFirst)) {
      t.deepEqual([...found.get(key)!.shape], [...shape], `${name}: shape of ${key}`);
      t.deepEqual(found.get(key)!.data, data, `${name}: numbers of ${key}`);
    }
  }
  const one = await readWeights(join(folder, 'a.weight.npy'));
  t.deepEqual([...one.keys()], ['a.weight'], 'one npy file is one tensor');
  t.deepEqual(one.get('a.weight')!.data, tensorsOutFirst['a.weight'].data);

  mkdirSync(join(folder, 'empty'));
  writeFileSync(join(folder, 'text.bin'), 'no weights at all');
  for (const [name, says] of [
    ['empty', /holds no \.npy files/],
    ['text.bin', /text\.bin/],
    ['nowhere.npz', /nowhere\.npz: cannot be read \(ENOENT\)/],
  ] as const)
    try {
      await readWeights(join(folder, name));
      t.fail(`${name} was not refused`);
    } catch (error) {
      t.ok(error instanceof NdconvError && error.tag === 'FormatError', String(error));
      t.match(String(error), says);
    }
});

test('random weights depend on the seed and the name alone', async t => {
  const conv: LayerDescription = { name: 'x', type: 'convolution', kernel: 3, filters: 50 };
  const weights = (seed: number, layers: LayerDescription[]) =>
    layeredNetwork({ rank: 2, channels: 20, layers }, seed).layers.find(l => l.name === 'x')!.weights!
      .weights;
  const { shape, data } = weights(1, [conv]);
  t.deepEqual([...shape], [3, 3, 20, 50]);
  const variance = data.reduce((sum, v) => sum + v * v, 0) / data.length;
  t.ok(Math.abs(variance * 180 - 2) < 0.1, `variance 2 / ${180} (${(variance * 180).toFixed(3)})`);
  t.deepEqual(weights(1, [{ type: 'relu' }, conv]).data, data, 'layers before it change nothing');
  t.notDeepEqual(weights(2, [conv]).data, data);
});

test('descriptions with mistakes are refused, each at its place', t => {
  const image = { rank: 2, channels: 3 };
  const conv: LayerDescription = { type: 'convolution', kernel: 3, filters: 4 };
  const weights = file({ ...tensorsOutFirst, 'b.bias': noise([3], 1) });
  type Mistake = [layers: any[], at: (string | number)[], says: RegExp, near?: string];
  const mistakes: Mistake[] = [
    [[{ type: 'relo' }], [0, 'type'], /no layer type 'relo'/, 'relu'],
    [
      [{ ...conv, stride: 2 }],
      [0, 'stride'],
      /a convolution layer has no 'stride'; it takes kernel, filters, strides/,
    ],
    [[{ type: 'relu', slope: 2 }], [0, 'slope'], /a relu layer has no 'slope'; it takes no parameters/],
    [[{ ...conv, kernel: 0 }], [0, 'kernel'], /kernel must be an integer from 1, .* but is 0/],
    [[{ ...conv, kernel: 2.5 }], [0, 'kernel'], /but is 2.5/],
    [[{ ...conv, kernel: [3] }], [0, 'kernel'], /kernel has 1 entries, but the network has rank 2/],
    [[{ ...conv, padding: [[1, 1]] }], [0, 'padding'], /padding has 1 entries/],
    [
      [{ ...conv, padding: [1, 1] }],
      [0, 'padding'],
      /padding must be an integer from 0, or same or valid, or a list/,
    ],
    [[{ ...conv, padding: 'some' }], [0, 'padding'], /but is "some"/],
    [[{ ...conv, paddingMode: 'mirror' }], [0, 'paddingMode'], /must be zeros or reflect or replicate/],
    [[{ ...conv, groups: 2 }], [0, 'groups'], /2 groups do not divide the 3 channels/],
    [
      [{ type: 'convolution', filters: 4 }],
      [0, 'type'],
      /convolution1 \(convolution\) needs 'kernel': size of the kernel/,
    ],
    [[{ type: 'max-pool' }], [0, 'type'], /a max-pool layer needs 'window'/],
    [[{ type: 'batch-norm' }], [0, 'type'], /needs weights from a weights file/],
    [[{ type: 'affine' }], [0, 'type'], /needs scale or shift, or weights/],
    [[{ type: 'affine', scale: [1, 2] }], [0, 'scale'], /scale has 2 numbers, the layer reads 3 channels/],
    [
      [
        { ...conv, name: 'x' },
        { type: 'relu', name: 'x' },
      ],
      [1, 'name'],
      /two layers are named 'x'/,
    ],
    [[{ ...conv, name: 'input' }], [0, 'name'], /'input' is the network's input/],
    [
      [conv, { type: 'relu', from: 'convolution2' }],
      [1, 'from'],
      /no layer before relu1 is named/,
      'convolution1',
    ],
    [
      [conv, { type: 'add', from: ['input', 'conv'] }],
      [1, 'from', 1],
      /no layer before add1 is named 'conv'/,
    ],
    [[conv, { type: 'add' }], [1, 'type'], /reads two layers or more: name them with from/],
    [[conv, { type: 'relu', from: ['input', 'convolution1'] }], [1, 'from'], /reads one layer, not 2/],
    [[{ type: 'dense', filters: 3 }], [0, 'type'], /put flatten or global-average-pool before it/],
    [[{ type: 'flatten' }, { type: 'dense', filters: 3 }], [1, 'type'], /needs 'inputs'/],
    [[{ type: 'flatten' }, conv], [1, 'type'], /reads cells in space, but flatten1 gives one row/],
    [[{ ...conv, weights: 'a' }], [0, 'weights'], /takes its weights from a file, but none is given/],
  ];
  const withFile: Mistake[] = [
    [[{ ...conv, weights: 'aa' }], [0, 'weights'], /holds no tensor 'aa.weight'/, 'a'],
    [
      [conv],
      [0],
      /holds no tensor 'convolution1.weight' .* name its tensors with weights, or write weights: random/,
    ],
    [
      [{ type: 'convolution', weights: 'a' }],
      [0, 'weights'],
      /'a.weight' of weights.npz is \[6, 2, 3, 2\], but \[any, 3, any, any\]/,
    ],
    [[{ type: 'convolution', weights: 'c' }], [0, 'weights'], /\[3, 288\], .* the network has rank 2/],
    [
      [{ type: 'batch-norm', weights: 'a' }],
      [0, 'weights'],
      /no tensor 'a.running_mean'.*it holds a.weight, a.bias/,
    ],
    [[{ ...conv, weights: { weight: 'a' } }], [0, 'weights'], /has no 'weight'; it has weights, bias/],
    [[{ ...conv, weights: { bias: 'a.bias' } }], [0, 'weights'], /weights names no 'weights'/],
    [[{ ...conv, weights: { weights: 'a' } }], [0, 'weights'], /holds no tensor 'a'/],
    [[{ type: 'affine', scale: 2, weights: 'a' }], [0, 'weights'], /from one place only/],
  ];
  const check = ([layers, at, says, near]: Mistake, given?: typeof weights) => {
    const { problems } = planLayers({ ...image, layers }, 0, given);
    t.deepEqual(problems[0]?.at, at, `${JSON.stringify(layers)}`);
    t.match(problems[0]?.message ?? '', says);
    if (near) t.ok(problems[0]?.candidates?.includes(near), `${near} is named`);
    t.equal(problems.length, 1, 'and nothing else');
  };
  for (const mistake of mistakes) check(mistake);
  for (const mistake of withFile) check(mistake, weights);
  const bias = planLayers(
    { rank: 2, channels: 6, layers: [{ name: 'b', type: 'transposed-convolution' }] },
    0,
    weights,
  );
  t.match(bias.problems[0].message, /its bias in weights.npz has 3 numbers, 4 are wanted/);

  try {
    layeredNetwork({ ...image, layers: [conv, { type: 'relo' as LayerTypeName }, { type: 'max-pool' }] }, 0);
    t.fail('it was not refused');
  } catch (error) {
    t.ok(error instanceof NdconvError && error.tag === 'NetworkError', String(error));
    t.match(
      String(error),
      /layers\[1\]\.type: there is no layer type 'relo'; there are convolution, .*1 more problem/,
    );
  }
  t.end();
});

test('a network is described layer by layer', t => {
  const network = randomFilters({ rank: 3, channels: 1, kernels: [3, 5], filters: 8, blocks: 2, seed: 1 });
  t.deepEqual(describeNetwork(network), [
    'random-filters: rank 3, 1 channel in, 11 layers, 20,672 weights',
    '  conv1_3, relu1_3: 8 channels, convolution 3×3×3, 216 weights',
    '  conv1_5, relu1_5: 8 channels, convolution 5×5×5, 1,000 weights',
    '  relu1: 16 channels, concat',
    '  pool1: 16 channels, average-pool 2, strides 2',
    '  conv2_3, relu2_3: 8 channels, convolution 3×3×3, 3,456 weights',
    '  conv2_5, relu2_5: 8 channels, convolution 5×5×5, 16,000 weights',
    '  relu2: 16 channels, concat',
  ]);
  t.end();
});

const vggFile = 'models/vgg19_normalised/vgg19_normalised_to_conv3_1.safetensors';

testWith(vggFile, 'VGG-19 written out is the known one', async (t, path) => {
  const conv = (index: number): LayerDescription => ({
    type: 'convolution',
    weights: `features.${index}`,
    padding: 1,
    paddingMode: 'reflect',
  });
  const relu = { type: 'relu' } as const;
  const pool = { type: 'max-pool', window: 2 } as const;
  const layers = [
    { type: 'convolution', weights: 'preprocess' } as const,
    ...[conv(0), relu, conv(2), relu, pool, conv(5), relu, conv(7), relu, pool, conv(10), relu],
  ];
  const weights = { path, tensors: await readWeights(path), order: 'out-first' } as const;
  const written = layeredNetwork({ rank: 2, channels: 3, layers }, 0, weights);
  const known = await loadKnownNetwork('vgg19', path);
  t.equal(
    relativeError((await outputOf(written, [9, 8, 3])).data, (await outputOf(known, [9, 8, 3])).data),
    0,
  );
});

testWith(vggFile, 'the file of another network is refused', async (t, vgg) => {
  const squeezenet = realData('models/squeezenet1_1/squeezenet1_1.safetensors');
  for (const [name, path, says] of [
    [
      'vgg19',
      squeezenet,
      /vgg19 has no place for features.3.squeeze.weight, .* and 45 more: it is the file of another/,
    ],
    ['squeezenet1_1', vgg, /no tensor 'features.3.squeeze.weight'; it holds /],
  ] as const)
    try {
      await loadKnownNetwork(name, path);
      t.fail('it was not refused');
    } catch (error) {
      t.ok(error instanceof NdconvError && error.tag === 'NetworkError', String(error));
      t.match(String(error), says);
    }
});

testWith(
  'models/squeezenet1_1/squeezenet1_1.safetensors',
  'known networks take RGB in [0, 1]',
  async (t, path) => {
    const { layers } = await loadKnownNetwork('squeezenet1_1', path);
    t.equal(layers[0].name, 'preprocess');
    const { scale, shift } = layers[0].weights!;
    const mean = [0.485, 0.456, 0.406].map((m, c) => m * scale.data[c] + shift.data[c]);
    t.ok(Math.max(...mean.map(Math.abs)) < 1e-6, 'the mean of ImageNet becomes 0');
    t.ok(Math.abs(scale.data[0] - 1 / 0.229) < 1e-5, 'and its deviation 1');
    const plain = await loadKnownNetwork('squeezenet1_1', path, { normalise: false });
    t.equal(plain.layers[0].name, 'conv1', 'normalise: false leaves it out');
  },
);
