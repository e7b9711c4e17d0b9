// Mutated files: bytes changed, cut, repeated and inserted in valid files of every kind that is read. Each ends in a
// result or in a tagged error, quickly and in little memory.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import test from 'tape';
import { NdconvError } from '../../../src/errors.ts';
import { writeNpy } from '../../../src/formats/npy.ts';
import { writeNpz } from '../../../src/formats/npz.ts';
import { Graph } from '../../../src/graph/graph.ts';
import { instantiate } from '../../../src/networks/network.ts';
import { detectNetworkFormat, readNetwork, readTensors } from '../../../src/networks/readers/index.ts';
import { type OnnxNetwork, readOnnx } from '../../../src/networks/readers/onnx/model.ts';
import { createRandom } from '../../../src/random.ts';
import { product } from '../../../src/tensor/layout.ts';
import { info, integers, model, node, tensor } from './encode.ts';
import { makeGraph } from './graph-model.ts';
import { temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const runs = Number(process.env.NDCONV_FUZZ ?? 500);
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
writeFileSync(join(folder, 'weights.bin'), graph.bytes);
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
writeFileSync(join(folder, 'k.bin'), new Uint8Array(72));

const files: [string, Uint8Array][] = [
  ['onnx', onnx],
  ['graph-model', Buffer.from(JSON.stringify(graph.json))],
  ['layers-model', Buffer.from(JSON.stringify(keras))],
  ['pytorch', readFileSync(join(import.meta.dirname, 'fixtures', 'checkpoint.pth'))],
  ['safetensors', safetensors()],
  ['npz', await writeNpz(new Map([['a', array]]))],
  ['npy', writeNpy(array)],
];

/** Reads a network and records it into a graph for the input it asks for, where that is small. */
async function record(path: string): Promise<void> {
  const network = await readNetwork(path);
  const shape = (network as Partial<OnnxNetwork>).input
    ? (network as OnnxNetwork).input.order.map(a => (network as OnnxNetwork).input.shape[a] ?? 1)
    : [1, ...new Array(network.rank).fill(12), network.channels];
  if (product(shape) < 1e5) instantiate(network, new Graph().input('x', shape));
}

/** Changes up to six places of a file. */
function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  let out = Uint8Array.from(bytes);
  const below = (n: number) => Math.floor(random() * n);
  for (let changes = 1 + below(6); changes > 0; changes--) {
    const at = below(out.length);
    const kind = below(6);
    if (kind === 0) out[at] = below(256);
    else if (kind === 1) out[at] ^= 1 << below(8);
    else if (kind === 2) out = out.slice(0, at + 1);
    else if (kind === 3) out.set(out.slice(below(out.length)).subarray(0, Math.min(8, out.length - at)), at);
    else if (kind === 4) out.fill(below(2) * 255, at, at + 1 + below(9));
    else
      out = Uint8Array.from([
        ...out.subarray(0, at),
        ...out.subarray(below(out.length)),
        ...out.subarray(at),
      ]).subarray(0, 1 << 16);
  }
  return out;
}

for (const [name, bytes] of files)
  test(`fuzz: ${runs} mutations of a file of kind ${name}`, async t => {
    const random = createRandom(11, `fuzz ${name}`);
    const path = join(folder, name === 'onnx' ? 'fuzzed.onnx' : 'fuzzed.bin');
    writeFileSync(path, bytes);
    await (name === 'onnx' || name.endsWith('model') ? readNetwork(path) : readTensors(path));
    let read = 0;
    let slowest = 0;
    const odd: string[] = [];
    for (let i = 0; i < runs; i++) {
      const mutated = mutate(bytes, () => random.uniform());
      writeFileSync(path, mutated);
      for (const attempt of [record, readTensors, detectNetworkFormat]) {
        const start = performance.now();
        try {
          await attempt(path);
          read++;
        } catch (cause) {
          if (!(cause instanceof NdconvError)) odd.push(`mutation ${i}: ${(cause as Error).stack}`);
        }
        slowest = Math.max(slowest, performance.now() - start);
      }
    }
    t.deepEqual(odd.slice(0, 3), [], `${odd.length} failures without a tag`);
    t.ok(
      slowest < 5000,
      `the slowest took ${slowest.toFixed(0)} ms; ${read} of ${3 * runs} attempts gave a result`,
    );
    const memory = process.memoryUsage().rss / 2 ** 20;
    t.ok(memory < 1024, `${memory.toFixed(0)} MB are in use`);
  });

test('fuzz: files that announce far more than they hold', async t => {
  const bombs: [string, Uint8Array][] = [
    [
      '2^20 empty nodes',
      Uint8Array.from([
        8,
        8,
        0x3a,
        0x80,
        0x80,
        0x80,
        1,
        ...new Array(2 ** 21).fill(0).flatMap((_, i) => (i % 2 === 0 ? [0x0a] : [0])),
      ]),
    ],
    ['a message of 4 GB', Uint8Array.of(8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    [
      'a zip of zeros',
      zipSync(
        { 'm/data.pkl': Uint8Array.of(0x80, 2, 0x7d, 0x2e), 'm/data/0': new Uint8Array(2 ** 24) },
        { level: 9 },
      ),
    ],
    ['messages in messages', Uint8Array.from({ length: 4096 }, (_, i) => (i % 2 === 0 ? 0x3a : 0x7f))],
    ['JSON of brackets', Buffer.from('['.repeat(1 << 20))],
  ];
  for (const [name, bytes] of bombs) {
    const path = join(folder, name.includes('node') || name.includes('message') ? 'bomb.onnx' : 'bomb.bin');
    writeFileSync(path, bytes);
    const start = performance.now();
    const failed = await readTensors(path).then(
      () => undefined,
      cause => cause,
    );
    t.ok(failed instanceof NdconvError, `${name}: ${String(failed?.message).slice(0, 160)}`);
    t.ok(performance.now() - start < 5000, `${name}: ${(performance.now() - start).toFixed(0)} ms`);
  }
  const bytes = new Uint8Array(64).fill(255);
  t.ok(
    await readOnnx(bytes).then(
      () => false,
      cause => cause instanceof NdconvError,
    ),
    'noise',
  );
});
