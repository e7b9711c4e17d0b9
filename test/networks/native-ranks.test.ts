// Networks of one and three dimensions with their own weights, read from their files and written out layer by layer,
// against TensorFlow.js. (The ONNX ones are compared with PyTorch in readers/onnx.test.ts.)

import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import { type LayerDescription, layeredNetwork } from '../../src/networks/layered.ts';
import type { Network } from '../../src/networks/network.ts';
import { project } from '../../src/networks/ranks.ts';
import { readNetwork, readTensors } from '../../src/networks/readers/index.ts';
import { takeSignal } from '../../src/networks/vector-input.ts';
import { product } from '../../src/tensor/layout.ts';
import { relativeError } from '../conformance/evaluate.ts';
import { testWith } from '../formats/support.ts';
import { loadFaceApi, loadLayersModel } from '../tfjs.ts';

const waves = (shape: readonly number[]): Float32Array =>
  Float32Array.from(
    { length: product(shape) },
    (_, i) => 0.5 + 0.3 * Math.sin(i / 7) + 0.2 * Math.cos(i / 91),
  );

const last = ({ layers }: Network): string => layers[layers.length - 1].name;

/** Layers of a MeshNet (Fedorov et al. 2017): dilated convolutions of one width, then one of every class. */
function meshNet(tensors: ReadonlyMap<string, unknown>, activation: 'relu' | 'elu'): LayerDescription[] {
  const names = [...tensors.keys()].filter(key => key.endsWith('/kernel')).map(key => key.slice(0, -7));
  const dilations = [1, 2, 4, 8, 16, 8, 4, 2, 1, 1];
  return names.flatMap((name, i): LayerDescription[] => [
    {
      name,
      type: 'convolution',
      padding: 'same',
      dilations: dilations[i],
      weights: { weights: `${name}/kernel`, bias: `${name}/bias` },
    },
    ...(i < names.length - 1 ? [{ type: activation }] : []),
  ]);
}

for (const [folder, activation] of [
  ['meshnet_gwm', 'relu'],
  ['meshnet_3class', 'elu'],
] as const)
  testWith(`models/${folder}/model.json`, `${folder} gives what TensorFlow.js gives`, async (t, path) => {
    const { tf } = await loadFaceApi();
    const shape = [14, 12, 10, 1];
    const data = waves(shape);
    const model = await loadLayersModel(tf, path, shape);
    const expected: Float32Array = await model.predict(tf.tensor(data, [1, ...shape])).data();
    const tensors = await readTensors(path);
    const description = { rank: 3, channels: 1, layers: meshNet(tensors, activation) };
    const backend = await createWasmBackend({ threads: 1 });
    for (const network of [
      await readNetwork(path),
      layeredNetwork(description, 0, { path, tensors, order: 'out-last' }),
    ]) {
      const found = (await evaluateNetwork(network, { shape, data }, [last(network)], backend)).get(
        last(network),
      )!;
      t.deepEqual(found.shape.slice(1, -1), shape.slice(0, -1), network.name);
      const error = relativeError(found.data, expected);
      t.ok(error < 1e-4, `${network.name}: differs by ${error.toExponential(1)} of the largest value`);
    }
    await backend.close();
  });

/** CREPE (Kim et al. 2018), as its file has it: signals as images that are one column wide. */
const crepe: LayerDescription[] = [1, 2, 3, 4, 5, 6].flatMap((i): LayerDescription[] => [
  {
    name: `conv${i}`,
    type: 'convolution',
    strides: i === 1 ? [4, 1] : 1,
    padding: 'same',
    weights: { weights: `crepe_conv${i}/kernel`, bias: `crepe_conv${i}/bias` },
  },
  { type: 'relu' },
  {
    type: 'batch-norm',
    epsilon: 0.001,
    weights: {
      scale: `crepe_conv${i}_BN/gamma`,
      shift: `crepe_conv${i}_BN/beta`,
      mean: `crepe_conv${i}_BN/moving_mean`,
      variance: `crepe_conv${i}_BN/moving_variance`,
    },
  },
  { name: `pool${i}`, type: 'max-pool', window: [2, 1] },
]);
const classifier: LayerDescription[] = [
  { type: 'flatten' },
  { type: 'dense', weights: { weights: 'crepe_classifier/kernel', bias: 'crepe_classifier/bias' } },
  { name: 'pitch', type: 'sigmoid' },
];

testWith('models/crepe_tiny/model.json', 'CREPE gives what TensorFlow.js gives', async (t, path) => {
  const { tf } = await loadFaceApi();
  const model = await loadLayersModel(tf, path);
  const data = waves([1024]);
  const expected: Float32Array = await model.predict(tf.tensor(data, [1, 1024])).data();
  t.equal(expected.length, 360);
  const tensors = await readTensors(path);
  const file = { path, tensors, order: 'out-last' } as const;
  const written = layeredNetwork({ rank: 2, channels: 1, layers: [...crepe, ...classifier] }, 0, file);
  const backend = await createWasmBackend({ threads: 1 });
  const evaluate = async (network: Network, shape: number[], layer = last(network)) =>
    (await evaluateNetwork(network, { shape, data }, [layer], backend)).get(layer)!.data;
  const read = await readNetwork(path);
  for (const [name, found] of [
    ['read from its file', await evaluate(read, [1024])],
    ['read off a signal', await evaluate(takeSignal(read), [1024, 1])],
    ['written out', await evaluate(written, [1024, 1, 1])],
  ] as const) {
    const error = relativeError(found, expected);
    t.ok(error < 1e-4, `${name}: differs by ${error.toExponential(1)} of the largest value`);
  }
  // One column is no dimension: projected, the convolutions are those of a signal.
  const signal = project(layeredNetwork({ rank: 2, channels: 1, layers: crepe }, 0, file), {
    axis: 1,
    how: 'centre',
  });
  const own = await evaluate(signal.network, [1024, 1]);
  t.ok(relativeError(own, await evaluate(written, [1024, 1, 1], 'pool6')) < 1e-6, 'in one dimension');
  await backend.close();
});
