// Networks in another rank: what is constant along a new axis gives in every slice what the network gave before, and an
// axis taken away is one along which nothing changed.

import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { loadKnownNetwork } from '../../src/networks/architectures.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import { type LayerDescription, layeredNetwork } from '../../src/networks/layered.ts';
import type { Network } from '../../src/networks/network.ts';
import { acceptOneChannel, inflate, project } from '../../src/networks/ranks.ts';
import { product } from '../../src/tensor/layout.ts';
import type { Packed } from '../../src/tensor/packed.ts';
import { normals, relativeError } from '../conformance/evaluate.ts';
import { testWith } from '../formats/support.ts';

const backend = await createReferenceBackend();

const evaluate = async (network: Network, grid: Packed): Promise<Packed> => {
  const layer = network.layers.at(-1)!.name;
  const { shape, data } = (await evaluateNetwork(network, grid, [layer], backend)).get(layer)!;
  return { shape: shape.slice(1), data };
};

/** The grid `count` times along a new axis. */
function repeated({ shape, data }: Packed, axis: number, count: number): Packed {
  const inner = product(shape.slice(axis));
  const out = new Float32Array(data.length * count);
  for (let o = 0; o * inner < data.length; o++)
    for (let t = 0; t < count; t++)
      out.set(data.subarray(o * inner, (o + 1) * inner), (o * count + t) * inner);
  return { shape: shape.toSpliced(axis, 0, count), data: out };
}

/** Slice `at` along an axis. */
function slice({ shape, data }: Packed, axis: number, at: number): Packed {
  const inner = product(shape.slice(axis + 1));
  const outer = product(shape.slice(0, axis));
  const out = new Float32Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    const from = (o * shape[axis] + at) * inner;
    out.set(data.subarray(from, from + inner), o * inner);
  }
  return { shape: shape.toSpliced(axis, 1), data: out };
}

const grid = (...shape: number[]): Packed => ({ shape, data: normals(shape, 'grid') });

const layers: LayerDescription[] = [
  { type: 'convolution', kernel: 3, filters: 4, padding: 1, paddingMode: 'replicate' },
  { type: 'relu', name: 'a' },
  {
    type: 'convolution',
    kernel: [3, 3],
    filters: 4,
    padding: 'same',
    dilations: 2,
    paddingMode: 'replicate',
  },
  { type: 'concat', from: ['a', 'convolution2'] },
  { type: 'max-pool', window: 2, rounding: 'ceil' },
  {
    type: 'convolution',
    kernel: 3,
    filters: 6,
    strides: 2,
    padding: [
      [1, 1],
      [1, 1],
    ],
    paddingMode: 'replicate',
  },
  {
    type: 'average-pool',
    window: 2,
    strides: 1,
    padding: [
      [0, 1],
      [0, 1],
    ],
    countPadding: false,
  },
  { type: 'convolution', kernel: 1, filters: 3 },
  { type: 'l2-normalise' },
];
const network = layeredNetwork({ rank: 2, channels: 2, layers }, 3);

for (const axis of [0, 1, 2])
  for (const how of ['average', 'centre'] as const)
    test(`inflate: ${how} along axis ${axis}: every slice is as before`, async t => {
      const image = grid(9, 12, 2);
      const before = await evaluate(network, image);
      const { network: inflated, left } = inflate(network, { axis, how });
      t.deepEqual([inflated.rank, left], [3, []]);
      const after = await evaluate(inflated, repeated(image, axis, 8));
      t.deepEqual(after.shape, before.shape.toSpliced(axis, 0, 2));
      for (let at = 0; at < after.shape[axis]; at++) {
        const error = relativeError(slice(after, axis, at).data, before.data);
        t.ok(error < 1e-6, `slice ${at}: ${error.toExponential(1)}`);
      }
    });

test('inflate: zeros around change the slices at the borders and no others', async t => {
  const plain = layeredNetwork(
    { rank: 2, channels: 1, layers: [{ type: 'convolution', kernel: 3, filters: 2, padding: 1 }] },
    1,
  );
  const image = grid(5, 6, 1);
  const before = await evaluate(plain, image);
  const after = await evaluate(inflate(plain, { axis: 0 }).network, repeated(image, 0, 5));
  const errors = [0, 1, 2, 3, 4].map(at => relativeError(slice(after, 0, at).data, before.data));
  t.ok(
    errors.slice(1, 4).every(error => error < 1e-6),
    'inside',
  );
  t.ok(errors[0] > 0.1 && errors[4] > 0.1, 'at the borders a third of every filter reads zeros');
});

test('inflate: an axis that keeps its length, and filters of another length', async t => {
  const image = grid(8, 8, 2);
  const before = await evaluate(network, image);
  const still = await evaluate(inflate(network, { axis: 0, shrink: false }).network, repeated(image, 0, 5));
  t.deepEqual(still.shape, [5, ...before.shape]);
  for (let at = 0; at < 5; at++) t.ok(relativeError(slice(still, 0, at).data, before.data) < 1e-6);
  // With filters of length 1 and nothing that shrinks, slices have nothing to do with each other.
  const volume = grid(4, 8, 8, 2);
  const sliced = await evaluate(inflate(network, { axis: 0, length: 1, shrink: false }).network, volume);
  for (let at = 0; at < 4; at++) {
    const own = await evaluate(network, slice(volume, 0, at));
    t.ok(relativeError(slice(sliced, 0, at).data, own.data) < 1e-6, `slice ${at} by itself`);
  }
  const long = inflate(network, { axis: 2, length: 5 }).network;
  t.deepEqual(long.layers[0].weights!.weights.shape, [3, 3, 5, 2, 4]);
  const after = await evaluate(long, repeated(image, 2, 8));
  t.deepEqual(after.shape, before.shape.toSpliced(2, 0, 2));
  t.ok(relativeError(slice(after, 2, 1).data, before.data) < 1e-6);
});

test('inflate: transposed convolutions enlarge the new axis too', async t => {
  for (const [kernel, strides, padding] of [
    [4, 2, 1],
    [2, 2, 0],
    [3, 3, 0],
    [3, 2, 1],
  ])
    for (const how of ['average', 'centre'] as const) {
      const type = 'transposed-convolution';
      const up = layeredNetwork(
        {
          rank: 1,
          channels: 2,
          layers: [
            {
              type,
              kernel,
              strides,
              padding,
              filters: 3,
              outputPadding: kernel === 3 && strides === 2 ? 1 : 0,
            },
          ],
        },
        2,
      );
      const signal = grid(6, 2);
      const before = await evaluate(up, signal);
      const after = await evaluate(inflate(up, { axis: 0, how }).network, repeated(signal, 0, 6));
      t.deepEqual(
        after.shape,
        [before.shape[0], ...before.shape],
        `kernel ${kernel}, strides ${strides}, ${how}`,
      );
      const inside = Array.from({ length: after.shape[0] - 4 }, (_, i) => i + 2);
      t.ok(inside.every(at => relativeError(slice(after, 0, at).data, before.data) < 1e-6));
    }
});

test('inflate: planes', async t => {
  const type = 'convolution';
  const one = layeredNetwork({ rank: 2, channels: 1, layers: [{ type, kernel: 3, filters: 6 }] }, 4);
  const volume = grid(5, 5, 5, 1);
  const after = await evaluate(inflate(one, { axis: 0, how: 'planes' }).network, volume);
  t.deepEqual(after.shape, [3, 3, 3, 6]);
  for (let filter = 0; filter < 6; filter++) {
    // Filter k lies in the plane across axis k modulo 3.
    const across = filter % 3;
    const found = slice(after, 3, filter);
    for (let at = 0; at < 3; at++) {
      const own = slice(await evaluate(one, slice(volume, across, at + 1)), 2, filter);
      const error = relativeError(slice(found, across, at).data, own.data);
      t.ok(error < 1e-6, `filter ${filter}, slice ${at} across axis ${across}`);
    }
  }
  const uneven = layeredNetwork({ rank: 2, channels: 1, layers: [{ type, kernel: [3, 5], filters: 3 }] }, 4);
  t.throws(() => inflate(uneven, { axis: 0, how: 'planes' }), /convolution1 treats its axes differently/);
  t.throws(() => inflate(one, { axis: 0, how: 'planes', length: 3 }), /'length' has no effect with planes/);
  t.end();
});

test('inflate: what depends on the arrangement of cells is left out', async t => {
  const whole = layeredNetwork(
    {
      rank: 2,
      channels: 1,
      layers: [
        { type: 'convolution', kernel: 3, filters: 2 },
        { type: 'global-average-pool', name: 'mean' },
        { type: 'dense', filters: 3, name: 'scores' },
        { type: 'flatten', from: 'convolution1', name: 'row' },
        { type: 'dense', inputs: 18, filters: 2, name: 'after' },
      ],
    },
    1,
  );
  const { network: inflated, left } = inflate(whole, { axis: 0 });
  t.deepEqual(left, ['row', 'after']);
  const image = grid(5, 5, 1);
  const scores = { ...whole, layers: whole.layers.slice(0, 3) };
  const [before, after] = [await evaluate(scores, image), await evaluate(inflated, repeated(image, 0, 5))];
  t.ok(relativeError(after.data, before.data) < 1e-6, 'an average over all cells is one over all cells');
  t.throws(
    () => inflate({ ...whole, layers: [{ name: 'f', type: 'flatten', parameters: {} }] }, { axis: 0 }),
    /cannot be used in rank 3/,
  );
  t.throws(() => inflate(whole, { axis: 3 }), /axis 3 is none of the 3 .* use 0 to 2/);
  t.end();
});

test('project: an axis along which nothing changes can go', async t => {
  for (const axis of [0, 1]) {
    const { network: projected } = project(network, { axis });
    t.equal(projected.rank, 1);
    const signal = grid(11, 2);
    const found = await evaluate(projected, signal);
    const image = await evaluate(network, repeated(signal, axis, 8));
    for (let at = 0; at < image.shape[axis]; at++)
      t.ok(relativeError(slice(image, axis, at).data, found.data) < 1e-6, `axis ${axis}, slice ${at}`);
  }
  const back = project(inflate(network, { axis: 1 }).network, { axis: 1 }).network;
  const image = grid(9, 10, 2);
  t.ok(
    relativeError((await evaluate(back, image)).data, (await evaluate(network, image)).data) < 1e-6,
    'and back',
  );
  const centre = project(inflate(network, { axis: 1, how: 'centre' }).network, {
    axis: 1,
    how: 'centre',
  }).network;
  t.deepEqual(centre.layers[0].weights!.weights, network.layers[0].weights!.weights);
  t.throws(() => project(network, { axis: 2 }), /axis 2 is none of the 2/);
  t.throws(() => project(project(network, { axis: 0 }).network, { axis: 0 }), /no axis to spare/);
});

testWith(
  'models/squeezenet1_1/squeezenet1_1.safetensors',
  'inflate: SqueezeNet on a scan that is constant along an axis',
  async (t, path) => {
    const wasm = await createWasmBackend({ threads: 1 });
    const squeezenet = await loadKnownNetwork('squeezenet1_1', path);
    const layer = 'fire3/concat';
    const read = async (of: Network, input: Packed) => {
      const { shape, data } = (await evaluateNetwork(of, input, [layer], wasm)).get(layer)!;
      return { shape: shape.slice(1), data };
    };
    const image = grid(35, 47, 3);
    const before = await read(squeezenet, image);
    const after = await read(inflate(squeezenet, { axis: 0 }).network, repeated(image, 0, 43));
    // Two paddings by zeros lie behind it: two slices at either end are others.
    t.deepEqual(after.shape, [10, ...before.shape]);
    for (const at of [2, 5, 7]) {
      const error = relativeError(slice(after, 0, at).data, before.data);
      t.ok(error < 1e-5, `slice ${at}: ${error.toExponential(1)}`);
    }
    await wasm.close();
  },
);

test('one channel stands for all', async t => {
  const grey = grid(8, 8, 1);
  const both = { shape: [8, 8, 2], data: Float32Array.from({ length: 128 }, (_, i) => grey.data[i >> 1]) };
  const found = await evaluate(acceptOneChannel(network), grey);
  t.ok(relativeError(found.data, (await evaluate(network, both)).data) < 1e-6);
  await backend.close();
});
