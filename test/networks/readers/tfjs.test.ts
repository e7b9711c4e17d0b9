// TensorFlow.js models: real layers-models and a graph-model against what TensorFlow.js 4.22 itself gives, layers one by
// one, quantised weights, and manifests that lie.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'tape';
import { chooseBackend } from '../../../src/backends/choose.ts';
import { createReferenceBackend } from '../../../src/backends/reference.ts';
import { evaluateNetwork } from '../../../src/networks/evaluate.ts';
import type { Network } from '../../../src/networks/network.ts';
import { readNetwork, readTensors } from '../../../src/networks/readers/index.ts';
import { inputOf, makeGraph } from './graph-model.ts';
import { largestDifference, models, refuses, temporaryFolder, testWithModels } from './support.ts';

const folder = temporaryFolder();

async function runLast(network: Network, shape: number[], data: Float32Array, backend?: 'wasm') {
  const made = backend ? await chooseBackend(backend, { threads: 1 }) : await createReferenceBackend();
  const name = network.layers.at(-1)!.name;
  const found = (await evaluateNetwork(network, { shape, data }, [name], made)).get(name)!;
  await made.close();
  return found;
}

testWithModels('tfjs: CREPE hears 440 Hz as TensorFlow.js does', async t => {
  const network = await readNetwork(join(models, 'crepe_tiny/model.json'));
  const wave = Float32Array.from({ length: 1024 }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / 16000));
  const { data } = await runLast(network, [1024], wave, 'wasm');
  const expected = [0.000323, 0.001317, 0.00884, 0.068187, 0.322211, 0.778402, 0.912882, 0.713394, 0.278105];
  t.ok(largestDifference(data.subarray(222, 231), expected) < 1e-5, `${data.subarray(222, 231)}`);
  t.ok(
    network.layers.some(l => l.name === 'crepe_conv3_BN'),
    'layers by their Keras names',
  );
});

for (const [name, expected] of [
  [
    'meshnet_gwm',
    [
      2.06196, -3.47876, -3.47914, 0.67703, -3.47876, -3.47914, 0.67703, -3.47876, -3.47914, 0.66886,
      -3.47808,
    ],
  ],
  [
    'meshnet_3class',
    [1.20679, -1.98808, -2.07988, 2.9512, -1.10269, -1.27567, 3.81421, -1.68368, -1.39471, 3.81057, -2.52181],
  ],
] as const)
  testWithModels(`tfjs: ${name}, made for 256³, on 20³ as TensorFlow.js gives it`, async t => {
    const network = await readNetwork(join(models, name, 'model.json'));
    const x = Float32Array.from({ length: 8000 }, (_, i) => ((i * 2654435761) % 1000) / 1000);
    const { shape, data } = await runLast(network, [20, 20, 20, 1], x, 'wasm');
    t.deepEqual([...shape].slice(1), [20, 20, 20, 3]);
    const off = largestDifference(
      expected.map((_, i) => data[i * 2381]),
      expected,
    );
    t.ok(off < 2e-4, `largest difference ${off}`);
  });

test('tfjs: a graph-model gives what TensorFlow.js gives', async t => {
  const { json, bytes } = makeGraph();
  const path = join(folder, 'graph.json');
  writeFileSync(path, JSON.stringify(json));
  writeFileSync(join(folder, 'weights.bin'), bytes);
  const network = await readNetwork(path);
  const { data } = await runLast(network, [12, 10, 3], inputOf());
  const expected = [0.113204189, 0.054141946, 0.147227809, 0.0019764, 0.462331265, 0.22111839];
  t.ok(largestDifference(data, expected) < 1e-6, `${data}`);
  t.equal(network.layers.at(-1)!.name, 'answer');
  t.equal(network.layers.filter(l => l.type === 'convolution' && l.name !== 'dense').length, 3);
});

/** A Sequential model with these layers and weights of one number each where `weights` names them. */
function keras(
  layers: object[],
  weights: Record<string, { shape: number[]; data: number[] }> = {},
  inputShape = [null, 4, 4, 1],
) {
  const path = join(folder, 'keras.json');
  const first = { class_name: 'InputLayer', config: { name: 'in', batch_input_shape: inputShape } };
  const entries = Object.entries(weights);
  writeFileSync(
    join(folder, 'keras.bin'),
    Buffer.concat(entries.map(([, w]) => Buffer.from(Float32Array.from(w.data).buffer))),
  );
  writeFileSync(
    path,
    JSON.stringify({
      modelTopology: {
        model_config: { class_name: 'Sequential', config: { name: 'little', layers: [first, ...layers] } },
      },
      weightsManifest: entries.length
        ? [
            {
              paths: ['keras.bin'],
              weights: entries.map(([name, w]) => ({ name, shape: w.shape, dtype: 'float32' })),
            },
          ]
        : [{ paths: [], weights: [] }],
    }),
  );
  return readNetwork(path);
}

const grid = Float32Array.from({ length: 16 }, (_, i) => i);

test('tfjs: Keras layers, each on the numbers 0 to 15 in a 4×4 image', async t => {
  const cases: [string, object, number[]][] = [
    ['MaxPooling2D', { pool_size: [2, 2] }, [5, 7, 13, 15]],
    ['AveragePooling2D', { pool_size: [3, 3], strides: [2, 2], padding: 'same' }, [5, 6.5, 11, 12.5]],
    ['GlobalAveragePooling2D', {}, [7.5]],
    ['GlobalMaxPooling2D', {}, [15]],
    [
      'Cropping2D',
      {
        cropping: [
          [1, 1],
          [1, 1],
        ],
      },
      [5, 6, 9, 10],
    ],
    ['Flatten', {}, [...grid]],
    ['Permute', { dims: [2, 1, 3] }, [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]],
    ['Reshape', { target_shape: [2, -1] }, [...grid]],
    ['ReLU', { max_value: 6 }, [...grid].map(v => Math.min(6, v))],
    ['LeakyReLU', { alpha: 0.3 }, [...grid]],
    ['Rescaling', { scale: 2, offset: -1 }, [...grid].map(v => 2 * v - 1)],
    ['Dropout', { rate: 0.5 }, [...grid]],
    ['Activation', { activation: 'relu6' }, [...grid].map(v => Math.min(6, v))],
  ];
  for (const [type, config, expected] of cases) {
    const network = await keras([{ class_name: type, config: { name: 'layer', ...config } }]);
    const { data } = await runLast(network, [4, 4, 1], grid);
    t.ok(largestDifference(data, expected) < 1e-5, `${type}: ${[...data]}`);
  }
});

test('tfjs: padding, enlarging and transposed convolution', async t => {
  const run = async (type: string, config: object, weights = {}) => {
    const network = await keras([{ class_name: type, config: { name: 'layer', ...config } }], weights);
    return runLast(network, [4, 4, 1], grid);
  };
  const padded = await run('ZeroPadding2D', {
    padding: [
      [1, 0],
      [0, 2],
    ],
  });
  t.deepEqual([...padded.shape], [1, 5, 6, 1]);
  t.deepEqual([...padded.data.slice(0, 12)], [0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0]);
  const doubled = await run('UpSampling2D', { size: [2, 2] });
  t.deepEqual([...doubled.data.slice(0, 8)], [0, 0, 1, 1, 2, 2, 3, 3]);
  const kernel = { 'layer/kernel': { shape: [3, 3, 1, 1], data: [1, 2, 3, 4, 5, 6, 7, 8, 9] } };
  const same = await run('Conv2DTranspose', { strides: [2, 2], padding: 'same', use_bias: false }, kernel);
  t.deepEqual([...same.shape], [1, 8, 8, 1]);
  // Cell (y, x) of the input adds the kernel from (2y, 2x) on; 'same' keeps the first 8 of 9.
  const at = (y: number, x: number) => {
    let sum = 0;
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < 4; j++) {
        const [a, b] = [y - 2 * i, x - 2 * j];
        if (a >= 0 && a < 3 && b >= 0 && b < 3) sum += grid[4 * i + j] * (3 * a + b + 1);
      }
    return sum;
  };
  const expected = Array.from({ length: 64 }, (_, i) => at(Math.floor(i / 8), i % 8));
  t.ok(largestDifference(same.data, expected) < 1e-4, `${[...same.data.slice(0, 10)]}`);
});

test('tfjs: what is not read is named', async t => {
  const layer = (type: string, config: object = {}) => [
    { class_name: type, config: { name: 'odd', ...config } },
  ];
  await refuses(t, () => keras(layer('Lambda')), /layer odd \(Lambda\).*no layer Lambda.*code/, 'Lambda');
  await refuses(t, () => keras(layer('LSTM')), /layer odd \(LSTM\)/, 'LSTM');
  await refuses(
    t,
    () => keras(layer('Activation', { activation: 'constructor' })),
    /activation constructor/,
    'an activation',
  );
  await refuses(
    t,
    () => keras(layer('Conv2D', { kernel_size: [3, 3] })),
    /no weights 'odd\/kernel'/,
    'missing weights',
  );
  await refuses(
    t,
    () => keras(layer('MaxPooling2D', { pool_size: [9, 9] })),
    /window|kernel/,
    'a window too large',
  );
});

test('tfjs: the weights of face-api, quantised to bytes', async t => {
  const root = resolve(import.meta.dirname, '../../../node_modules/@vladmandic/face-api/model');
  const tensors = await readTensors(join(root, 'face_recognition_model-weights_manifest.json'));
  t.equal(tensors.size, 117);
  const filters = tensors.get('conv32_down/conv/filters')!;
  t.deepEqual([...filters.shape], [7, 7, 3, 32]);
  const steps = (filters.data[0] + 0.07101876902229645) / 0.0005260649557207145;
  t.ok(
    Math.abs(steps - Math.round(steps)) < 1e-3 && steps >= 0 && steps <= 255,
    `${steps} steps above the minimum`,
  );
});

test('tfjs: quantised and half weights', async t => {
  const path = join(folder, 'quantised.json');
  const weights = [
    { name: 'bytes', shape: [2], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } },
    { name: 'words', shape: [2], dtype: 'float32', quantization: { dtype: 'uint16', scale: 0.001, min: 2 } },
    { name: 'halves', shape: [2], dtype: 'float32', quantization: { dtype: 'float16' } },
    { name: 'whole', shape: [], dtype: 'int32' },
  ];
  const parts = [
    Uint8Array.of(0, 255),
    Uint16Array.of(0, 1000),
    Uint16Array.of(0x3c00, 0xc000),
    Int32Array.of(-7),
  ];
  const bytes = Buffer.concat(parts.map(p => Buffer.from(p.buffer)));
  writeFileSync(join(folder, 'one.bin'), bytes.subarray(0, 5));
  writeFileSync(join(folder, 'two.bin'), bytes.subarray(5));
  writeFileSync(path, JSON.stringify([{ paths: ['one.bin', 'two.bin'], weights }]));
  const tensors = await readTensors(path);
  const all = [...tensors].map(([name, { data }]) => [name, ...data].join(' '));
  t.deepEqual(all, ['bytes -1 126.5', 'words 2 3', 'halves 1 -2', 'whole -7'], 'a tensor may cross shards');
  await refuses(t, () => readNetwork(path), /manifest of weights alone/, 'weights are no network');
});

test('tfjs: manifests that lie', async t => {
  writeFileSync(join(folder, 'four.bin'), new Uint8Array(4));
  const read = (manifest: unknown) => {
    const path = join(folder, 'manifest.json');
    writeFileSync(path, JSON.stringify(manifest));
    return readTensors(path);
  };
  const entry = (more: object) => [
    { paths: ['four.bin'], weights: [{ name: 'w', shape: [1], dtype: 'float32', ...more }] },
  ];
  t.equal((await read(entry({}))).size, 1, 'the same without a lie');
  await refuses(
    t,
    () => read(entry({ shape: [2] })),
    /need 8 bytes and four\.bin holds 4/,
    'too many numbers',
  );
  await refuses(t, () => read(entry({ shape: [1e9, 1e9] })), /impossible shape/, 'a huge shape');
  await refuses(t, () => read(entry({ shape: [-1] })), /impossible shape/, 'a negative size');
  await refuses(t, () => read(entry({ dtype: 'string' })), /type string/, 'texts');
  await refuses(
    t,
    () => read([{ paths: ['../four.bin'], weights: [] }]),
    /cannot be read|no path inside/,
    'a path upwards',
  );
  await refuses(t, () => read([{ paths: ['http://x/y'], weights: [] }]), /no path inside/, 'an address');
  await refuses(t, () => read([{ paths: ['four.bin', 'four.bin'], weights: [] }]), /twice/, 'a shard twice');
  await refuses(t, () => read({}), /no weights manifest/, 'no manifest');
});
