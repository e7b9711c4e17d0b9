// ONNX models: real ones against their references, and small ones made here for what real ones rarely do.

import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { chooseBackend } from '../../../src/backends/choose.ts';
import { readNpy } from '../../../src/formats/npy.ts';
import { evaluateNetwork, planNetwork } from '../../../src/networks/evaluate.ts';
import { readOnnx } from '../../../src/networks/readers/onnx/model.ts';
import { info, integers, model, node, tensor } from './encode.ts';
import { largestDifference, models, refuses, runOnnx, temporaryFolder, testWithModels } from './support.ts';

const folder = temporaryFolder();
const ramp = (count: number, step = 0.1) =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7) % 11) * step - 0.4);

for (const [file, input, output] of [
  ['squeezenet1_1/squeezenet1_1.onnx', 'reference_input', 'reference_logits'],
  ['ecg_heartbeats/ecg_heartbeats.onnx', 'reference_input', 'reference_logits'],
  ['brain3d/brain3d.onnx', 'reference_input', 'reference_output'],
])
  testWithModels(`onnx: ${file} gives the reference's output`, async t => {
    const network = await readOnnx(join(models, file));
    const folder = join(models, file.split('/')[0]);
    const read = (name: string) => readNpy(readFileSync(join(folder, `${name}.npy`)));
    const backend = await chooseBackend('wasm', { threads: 1 });
    const [x, expected] = [read(input), read(output)];
    const found = await runOnnx(network, x.data, x.shape, backend);
    await backend.close();
    const largest = expected.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    t.deepEqual([...found.shape], expected.shape);
    const off = largestDifference(found.data, expected.data);
    t.ok(off <= 1e-4 * Math.max(1, largest), `largest difference ${off} beside values up to ${largest}`);
    t.equal(network.layers.filter(l => l.type === 'transpose').length, 0, 'no value is transposed');
  });

testWithModels('onnx: layers have the names of their origin, and other sizes work', async t => {
  const network = await readOnnx(join(models, 'squeezenet1_1/squeezenet1_1.onnx'));
  const names = network.layers.map(l => l.name);
  t.ok(names.includes('features.0') && names.includes('features.12.expand3x3'), names.slice(0, 12).join(' '));
  const { shapes } = planNetwork(network, [97, 130, 3], ['features.0', 'logits']);
  t.deepEqual(shapes.get('features.0'), [48, 64, 64]);
  t.deepEqual(shapes.get('logits'), [1000]);
});

const conv = (dims: (number | string)[], weights: number[], more: object = {}) => ({
  node: [node('Conv', ['x', 'w'], ['y'], more, 'first')],
  input: [info('x', dims)],
  output: [info('y', [])],
  initializer: [tensor('w', weights, ramp(weights.reduce((a, b) => a * b, 1)))],
});

test('onnx: one convolution in ranks 1 to 4', async t => {
  for (const rank of [1, 2, 3, 4]) {
    const kernel = new Array(rank).fill(2);
    const network = await readOnnx(model(conv([1, 1, ...kernel.map(() => 3)], [1, 1, ...kernel])));
    const count = 3 ** rank;
    const x = Float32Array.from({ length: count }, (_, i) => i + 1);
    const { shape, data } = await runOnnx(network, x);
    t.deepEqual([...shape], [1, 1, ...kernel]);
    let sum = 0;
    const weights = ramp(2 ** rank);
    for (let tap = 0; tap < 2 ** rank; tap++) {
      let at = 0;
      for (let a = 0; a < rank; a++) at = at * 3 + ((tap >> (rank - 1 - a)) & 1);
      sum += weights[tap] * x[at];
    }
    t.ok(Math.abs(data[0] - sum) < 1e-4, `rank ${rank}: ${data[0]} is ${sum}`);
  }
});

test('onnx: shape arithmetic folds for every size of the input', async t => {
  // x.reshape(N, -1) written as exporters do: from the input's own shape.
  const graph = {
    node: [
      node('Relu', ['x'], ['r']),
      node('Shape', ['r'], ['s']),
      node('Gather', ['s', 'zero'], ['n']),
      node('Unsqueeze', ['n', 'axes'], ['n1']),
      node('Concat', ['n1', 'minus'], ['to'], { axis: 0 }),
      node('Reshape', ['r', 'to'], ['y']),
    ],
    input: [info('x', ['batch', 2, 'height', 'width'])],
    output: [info('y', ['batch', 'all'])],
    initializer: [integers('zero', [0], []), integers('axes', [0]), integers('minus', [-1])],
  };
  const network = await readOnnx(model(graph));
  for (const [h, w] of [
    [2, 3],
    [4, 1],
  ]) {
    const x = Float32Array.from({ length: 2 * h * w }, (_, i) => i + 1);
    const { shape, data } = await runOnnx(network, x, [1, 2, h, w]);
    t.deepEqual([...shape], [1, 2 * h * w]);
    t.deepEqual([...data], [...x], 'in the order of the origin: channels before cells');
  }
});

test('onnx: an input with its channels last is found out', async t => {
  const graph = {
    node: [
      node('Transpose', ['x'], ['t'], { perm: [0, 3, 1, 2] }),
      node('Conv', ['t', 'w'], ['c'], { pads: [1, 1, 1, 1] }),
      node('Transpose', ['c'], ['y'], { perm: [0, 2, 3, 1] }),
    ],
    input: [info('x', [1, 5, 4, 3])],
    output: [info('y', [1, 5, 4, 2])],
    initializer: [tensor('w', [2, 3, 3, 3], ramp(54))],
  };
  const network = await readOnnx(model(graph));
  t.deepEqual([...network.input.order], [0, 1, 2, 3]);
  t.equal(network.channels, 3);
  t.equal(network.layers.filter(l => l.type === 'transpose').length, 0);
  const forced = await readOnnx(model(graph), { inputLayout: 'channels-first' });
  const x = ramp(60);
  const [a, b] = [await runOnnx(network, x), await runOnnx(forced, x)];
  t.ok(largestDifference(a.data, b.data) < 1e-6, 'both layouts give one result');
});

test('onnx: weights in float16, double, lists and a file beside the model', async t => {
  const values = [1, -2, 0.5, 4];
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x3800, 0x4400);
  writeFileSync(join(folder, 'far.bin'), new Uint8Array(Float32Array.of(9, ...values).buffer));
  const external = { dims: [4], dataType: 1, dataLocation: 1 };
  const kinds: Record<string, object> = {
    'raw float16': { dims: [4], dataType: 10, rawData: new Uint8Array(halves.buffer) },
    'listed float16': { dims: [4], dataType: 10, int32Data: [...halves] },
    'listed double': { dims: [4], dataType: 11, doubleData: values },
    'raw double': { dims: [4], dataType: 11, rawData: new Uint8Array(Float64Array.from(values).buffer) },
    'listed float': { dims: [4], dataType: 1, floatData: values },
    external: {
      ...external,
      externalData: [
        { key: 'location', value: 'far.bin' },
        { key: 'offset', value: '4' },
        { key: 'length', value: '16' },
      ],
    },
  };
  for (const [kind, stored] of Object.entries(kinds)) {
    const graph = {
      node: [node('Add', ['x', 'w'], ['y'])],
      input: [info('x', [1, 4])],
      output: [info('y', [1, 4])],
      initializer: [{ name: 'w', ...stored }],
    };
    const path = join(folder, 'stored.onnx');
    writeFileSync(path, model(graph));
    const { data } = await runOnnx(await readOnnx(path), new Float32Array(4));
    t.deepEqual([...data], values, kind);
  }
});

test('onnx: external data stays within the folder and the file', async t => {
  symlinkSync('/', join(folder, 'link'));
  const read = (...pairs: [string, string][]) => {
    const externalData = pairs.map(([key, value]) => ({ key, value }));
    const path = join(folder, 'far.onnx');
    const initializer = [{ name: 'w', dims: [4], dataType: 1, dataLocation: 1, externalData }];
    const graph = {
      node: [node('Add', ['x', 'w'], ['y'])],
      input: [info('x', [1, 4])],
      output: [info('y', [])],
    };
    writeFileSync(path, model({ ...graph, initializer }));
    return readOnnx(path);
  };
  await refuses(t, () => read(['location', '../far.bin']), /folder|read/, 'a path upwards');
  await refuses(t, () => read(['location', '/etc/hostname']), /no path inside/, 'an absolute path');
  await refuses(t, () => read(['location', 'link/etc/passwd']), /no path inside/, 'a link outwards');
  await refuses(t, () => read(['location', 'absent.bin']), /cannot be read/, 'a missing file');
  await refuses(
    t,
    () => read(['location', 'far.bin'], ['offset', '999999']),
    /bytes 999999/,
    'an offset too far',
  );
  await refuses(
    t,
    () => read(['location', 'far.bin'], ['length', '1e15']),
    /is said to be/,
    'a length too long',
  );
});

test('onnx: what is not read is named with node, operator, set and what could replace it', async t => {
  const graph = {
    node: [node('Relu', ['x'], ['r'], {}, 'relu_1'), node('NonMaxSuppression', ['r'], ['y'], {}, 'boxes')],
    input: [info('x', [1, 3, 8, 8])],
    output: [info('y', [])],
  };
  await refuses(
    t,
    () => readOnnx(model(graph, 17)),
    /node boxes \(NonMaxSuppression, opset 17\).*post-processing/,
    'an unknown operator',
  );
  const before = await readOnnx(model(graph, 17), { outputs: ['r'] });
  t.deepEqual(
    before.layers.map(l => l.name),
    ['relu_1', 'r'],
    'reading up to a value before it works',
  );
  const foreign = { ...graph, node: [{ ...node('Fused', ['x'], ['y']), domain: 'com.example' }] };
  await refuses(t, () => readOnnx(model(foreign)), /com\.example\.Fused/, 'an operator of another domain');
  await refuses(t, () => readOnnx(model(graph, 99)), /operator set 99/, 'an operator set to come');
});

test('onnx: graphs that lie end in errors', async t => {
  const io = { input: [info('x', [1, 2, 4, 4])], output: [info('y', [])] };
  const loop = [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])];
  await refuses(t, () => readOnnx(model({ ...io, node: loop })), /not before it/, 'a cycle');
  const twice = [node('Relu', ['x'], ['y']), node('Relu', ['y'], ['y'])];
  await refuses(
    t,
    () => readOnnx(model({ ...io, node: twice })),
    /not before it|two nodes/,
    'two makers of one value',
  );
  const huge = {
    ...io,
    node: [
      node('ConstantOfShape', ['s'], ['c']),
      node('Expand', ['c', 's'], ['e']),
      node('Add', ['x', 'e'], ['y']),
    ],
    initializer: [integers('s', [2 ** 31, 2 ** 31])],
  };
  await refuses(t, () => readOnnx(model(huge)), /grow to more/, 'constants without end');
  const wide = {
    ...io,
    node: [node('Pad', ['x', 'p'], ['y'])],
    initializer: [integers('p', [0, 0, 0, 0, 0, 0, 2 ** 30, 2 ** 30])],
  };
  await refuses(t, () => readOnnx(model(wide)), /larger than|grow to more/, 'padding without end');
  const short = {
    ...io,
    node: [node('Conv', ['x', 'w'], ['y'])],
    initializer: [{ ...tensor('w', [2, 2, 3, 3], []), dims: [2, 2, 3, 3] }],
  };
  await refuses(t, () => readOnnx(model(short)), /needs 36 numbers/, 'weights that are not there');
  const misfit = conv([1, 3, 8, 8], [4, 2, 3, 3]);
  await refuses(
    t,
    () => readOnnx(model(misfit)),
    /do not fit an input of 3 channels/,
    'weights of another depth',
  );
  await refuses(
    t,
    () => readOnnx(model(conv([1, 2, 2, 2], [4, 2, 3, 3]))),
    /kernel size 3 > padded input size 2/,
    'a kernel too large',
  );
});

test('onnx: layers of ordinary types keep what other code wants to know', async t => {
  const network = await readOnnx(
    model(conv([1, 2, 9, 9], [4, 2, 3, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2], dilations: [1, 1] })),
  );
  const [layer] = network.layers;
  t.deepEqual({ ...layer.parameters }, { strides: [2, 2], padding: 'same' });
  t.deepEqual([...layer.weights!.weights.shape], [3, 3, 2, 4]);
  const grid = { shape: [9, 9, 2], data: ramp(162) };
  const backend = await chooseBackend('reference', {});
  const found = await evaluateNetwork(network, grid, ['first'], backend);
  t.deepEqual(found.get('first')!.shape.slice(1), [5, 5, 4]);
});
