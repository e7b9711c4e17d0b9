// Networks written out layer by layer: what they compute against the same operations called one by one, and
// weights from files of every kind and order.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { channelsByLayer, describeNetwork } from '../../src/networks/describe.ts';
import { planNetwork } from '../../src/networks/evaluate.ts';
import { type LayerDescription, layeredNetwork, planLayers } from '../../src/networks/layered.ts';
import { layerTypes } from '../../src/networks/layers.ts';
import { randomFilters } from '../../src/networks/random-filters.ts';
import { type NamedTensor, readWeights } from '../../src/networks/weights.ts';
import { product } from '../../src/tensor/layout.ts';
import { relativeError } from '../conformance/evaluate.ts';
import { temporaryFolder } from '../formats/support.ts';
import { file, layers, noise, outputOf, tensorsOutFirst } from './written-out.ts';

const folder = temporaryFolder();

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
