// Inputs made for a unit: what a linear unit asks for is its own filter, in ranks 1 to 3; seeds; units that are off at the
// start; and what keeps an input smooth, against its formulas.

import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import type { Network } from '../../src/networks/network.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';
import { type MaximiseSettings, maximiseActivation, octaveSizes } from '../../src/units/maximise.ts';
import { blur, decay, roll, smooth } from '../../src/units/regularise.ts';
import { networkOf } from './support.ts';

const plain: MaximiseSettings = {
  iterations: 60,
  rate: 0.05,
  jitter: 0,
  blur: 0,
  octaves: 1,
  octaveScale: 1.4,
  totalVariation: 0,
  l2: 0.05,
  middle: 0,
  scale: 1,
  noise: 0.1,
  seed: 1,
};

const correlation = (a: Float32Array, b: Float32Array): number => {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

for (const rank of [1, 2, 3])
  test(`a linear unit asks for its own filter, rank ${rank}`, async t => {
    const network = networkOf(rank, 2, [{ type: 'convolution', name: 'conv', kernel: 5, filters: 3 }]);
    const filters = network.layers[0].weights!.weights;
    const backend = await createReferenceBackend();
    const shape = [...new Array(rank).fill(5), 2];
    const target = { layer: 'conv', unit: 1, where: 'middle' } as const;
    const found = await maximiseActivation(network, target, shape, plain, backend);
    const own = Float32Array.from({ length: product(shape) }, (_, i) => filters.data[i * 3 + 1]);
    t.ok(correlation(found.data, own) > 0.95, `correlation ${correlation(found.data, own)}`);
    t.equal(found.activations.length, plain.iterations + 1);
    t.ok(found.activations.at(-1)! > found.activations[0]);
    const value = (await evaluateNetwork(network, { shape, data: found.data }, ['conv'], backend)).get(
      'conv',
    )!;
    t.ok(
      Math.abs(value.data[1] - found.activations.at(-1)!) < 1e-4,
      'the last activation is that of the result',
    );
    await backend.close();
  });

test('seeds, octaves, a range, and stopping', async t => {
  const network = networkOf(2, 1, [
    { type: 'convolution', name: 'conv1', kernel: 3, filters: 4, padding: 1 },
    { type: 'relu', name: 'relu1' },
    { type: 'max-pool', name: 'pool1', window: 2 },
    { type: 'convolution', name: 'conv2', kernel: 3, filters: 2 },
  ]);
  const backend = await createReferenceBackend();
  const settings = { ...plain, iterations: 12, jitter: 2, octaves: 3, range: [-0.2, 0.2] as const };
  const target = { layer: 'conv2', unit: 0, where: 'all' } as const;
  const make = (more: Partial<MaximiseSettings> = {}) =>
    maximiseActivation(network, target, [12, 14, 1], { ...settings, ...more }, backend);
  const [first, again, other] = [await make(), await make(), await make({ seed: 2 })];
  t.deepEqual(first.data, again.data, 'the same seed gives the same');
  t.notDeepEqual(first.data, other.data, 'another seed another');
  t.deepEqual(first.shape, [12, 14, 1]);
  t.deepEqual(first.left, []);
  t.ok(first.data.every(v => v >= Math.fround(-0.2) && v <= Math.fround(0.2)));
  t.deepEqual(octaveSizes([12, 14], 3, 1.4), [
    [6, 7],
    [9, 10],
    [12, 14],
  ]);
  // Of 6 cells pooling and the kernel leave 1; of 4 there is nothing left.
  const coarse = await make({ octaves: 4, octaveScale: 1.6 });
  t.deepEqual(coarse.left, [
    [3, 3],
    [5, 5],
  ]);
  t.equal(coarse.activations.length, 13, 'sizes left out give their steps to the others');
  const stopped = await maximiseActivation(network, target, [12, 14, 1], settings, backend, i => i < 5);
  t.equal(stopped.activations.length, 6);
  await backend.close();
});

test('a unit that is off at the start is found all the same; a dead one is named', async t => {
  const conv = (bias: number, factor = 1): Network => {
    const network = networkOf(1, 1, [
      { type: 'convolution', name: 'conv', kernel: 3, filters: 1 },
      { type: 'relu', name: 'relu' },
    ]);
    const [layer, relu] = network.layers;
    const { weights } = layer.weights!;
    const data = weights.data.map(w => factor * w);
    const all = { weights: { ...weights, data }, bias: { shape: [1], data: Float32Array.of(bias) } };
    return { ...network, layers: [{ ...layer, weights: all }, relu] };
  };
  const backend = await createReferenceBackend();
  const target = { layer: 'relu', unit: 0, where: 'middle' } as const;
  const found = await maximiseActivation(conv(-0.5), target, [7, 1], { ...plain, l2: 0 }, backend);
  t.equal(found.activations[0], 0);
  t.ok(found.activations.at(-1)! > 0.5, `${found.activations.at(-1)}`);
  const reason = await maximiseActivation(conv(0, 0), target, [7, 1], plain, backend).catch(error => error);
  t.equal(reason.tag, 'RunError');
  t.match(reason.message, /unit 0 of relu does not move with the input: it may be dead/);
  await backend.close();
});

for (const shape of [
  [9, 2],
  [6, 5, 1],
  [4, 5, 3, 2],
])
  test(`regularisers, shape ${shape}`, t => {
    const random = createRandom(5);
    const data = Float32Array.from({ length: product(shape) }, () => random.normal());
    const by = shape.slice(0, -1).map((_, axis) => axis * 3 - 4);
    const rolled = roll(data, shape, by);
    t.notDeepEqual(rolled, data);
    t.deepEqual([...rolled].sort(), [...data].sort());
    t.deepEqual(
      roll(
        rolled,
        shape,
        by.map(n => -n),
      ),
      data,
      'rolled back',
    );
    const flat = new Float32Array(data.length).fill(3);
    t.ok(
      blur(flat, shape, 1.5).every(v => Math.abs(v - 3) < 1e-5),
      'a constant stays under the blur',
    );
    const variation = (x: Float32Array) => {
      let sum = 0;
      for (let axis = 0; axis < shape.length - 1; axis++) {
        const stride = product(shape.slice(axis + 1));
        for (let i = 0; i + stride < x.length; i++)
          if (Math.floor(i / stride) % shape[axis] < shape[axis] - 1)
            sum += 0.5 * (x[i] - x[i + stride]) ** 2;
      }
      return sum;
    };
    t.ok(variation(blur(data, shape, 1)) < 0.5 * variation(data), 'blurring smooths');
    const share = 0.3;
    const smoothed = data.slice();
    smooth(smoothed, shape, share);
    let furthest = 0;
    for (let i = 0; i < data.length; i++) {
      const [up, down] = [data.slice(), data.slice()];
      up[i] += 0.01;
      down[i] -= 0.01;
      const slope = (variation(up) - variation(down)) / 0.02;
      const step = (-share / (2 * (shape.length - 1))) * slope;
      furthest = Math.max(furthest, Math.abs(smoothed[i] - data[i] - step));
    }
    t.ok(furthest < 1e-3, `a step against the total variation, to ${furthest}`);
    const decayed = data.slice();
    decay(decayed, 2, 0.25);
    t.ok(decayed.every((v, i) => Math.abs(v - (0.75 * data[i] + 0.5)) < 1e-6));
    t.end();
  });
