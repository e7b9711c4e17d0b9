// Small valid files of networks and weights, from which fuzzing starts.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNpy } from '../../src/formats/npy.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { info, integers, model, node, tensor } from '../networks/readers/encode.ts';
import { makeGraph } from '../networks/readers/graph-model.ts';

const fixture = (name: string): Uint8Array =>
  readFileSync(join(import.meta.dirname, '../networks/readers/fixtures', name));

const array = { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };

const onnx = model({
  node: [
    node('Pad', ['x', 'pads'], ['p'], { mode: 'reflect' }),
    node('Conv', ['p', 'w'], ['c'], { strides: [2, 2], group: 1 }),
    node('Relu', ['c'], ['r']),
    node('MaxPool', ['r'], ['m'], { kernel_shape: [2, 2], strides: [1, 1], ceil_mode: 1 }),
    node('Resize', ['m', '', 'scales'], ['u'], { mode: 'linear' }),
    node('Shape', ['u'], ['s']),
    node('Gather', ['s', 'zero'], ['n']),
    node('Concat', ['n', 'minus'], ['to'], { axis: 0 }),
    node('Reshape', ['u', 'to'], ['f']),
    node('Softmax', ['f'], ['y']),
  ],
  input: [info('x', [1, 2, 6, 'w'])],
  output: [info('y', [1, 'n'])],
  initializer: [
    tensor('w', [2, 2, 3, 3], new Float32Array(36).fill(0.1)),
    integers('pads', [0, 0, 1, 1, 0, 0, 1, 1]),
    tensor('scales', [4], [1, 1, 2, 2]),
    integers('zero', [0]),
    integers('minus', [-1]),
  ],
});

const safetensors = (): Uint8Array => {
  const header = Buffer.from(JSON.stringify({ a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, new Uint8Array(24)]);
};

const graph = makeGraph();
const keras = {
  modelTopology: {
    class_name: 'Sequential',
    config: {
      layers: [
        {
          class_name: 'ZeroPadding2D',
          config: { name: 'p', padding: [1, 1], batch_input_shape: [null, 6, 6, 1] },
        },
        {
          class_name: 'Conv2D',
          config: { name: 'c', kernel_size: [3, 3], strides: [2, 2], activation: 'relu' },
        },
        { class_name: 'Flatten', config: { name: 'f' } },
      ],
    },
  },
  weightsManifest: [
    { paths: ['k.bin'], weights: [{ name: 'c/kernel', shape: [3, 3, 1, 2], dtype: 'float32' }] },
  ],
};

/** A valid file of a network or of weights, and those beside it. */
export interface NetworkFile {
  name: string;
  file: string;
  bytes: Uint8Array;
  beside?: Record<string, Uint8Array>;
}

/** One of every kind that is read. */
export const networkFiles = async (): Promise<NetworkFile[]> => [
  { name: 'onnx', file: 'a.onnx', bytes: onnx },
  {
    name: 'graph-model',
    file: 'model.json',
    bytes: Buffer.from(JSON.stringify(graph.json)),
    beside: { 'weights.bin': graph.bytes },
  },
  {
    name: 'layers-model',
    file: 'model.json',
    bytes: Buffer.from(JSON.stringify(keras)),
    beside: { 'k.bin': new Uint8Array(72) },
  },
  { name: 'pytorch', file: 'a.pth', bytes: fixture('checkpoint.pth') },
  { name: 'pytorch before 1.6', file: 'a.pth', bytes: fixture('before-1-6.pth') },
  { name: 'safetensors weights', file: 'a.safetensors', bytes: safetensors() },
  { name: 'npz weights', file: 'a.npz', bytes: await writeNpz(new Map([['a', array]])) },
  { name: 'npy weights', file: 'a.npy', bytes: writeNpy(array) },
];
