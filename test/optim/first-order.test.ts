// SGD and Adam: their steps against PyTorch's (test/golden/optimisers.py), and weights trained through a program, also on
// batches that change from step to step.

import { readFileSync } from 'node:fs';
import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { NdconvError } from '../../src/errors.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { relu, tanh } from '../../src/ops/activation.ts';
import { convolution } from '../../src/ops/convolution.ts';
import { dense } from '../../src/ops/dense.ts';
import { binaryCrossEntropy, crossEntropy, meanSquaredError } from '../../src/ops/losses.ts';
import { globalAveragePool, maxPool } from '../../src/ops/pool.ts';
import { firstOrder } from '../../src/optim/first-order.ts';
import { minimise, type Problem } from '../../src/optim/minimise.ts';
import { type AdamSettings, OPTIMISERS, type SgdSettings } from '../../src/optim/settings.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';

const goldens: Record<
  string,
  { settings: SgdSettings | AdamSettings; losses: number[]; values: Record<string, number[]> }
> = JSON.parse(readFileSync(new URL('../golden/data-optim/first-order.json', import.meta.url), 'utf8'));

const waves = (shape: readonly number[], frequency: number): Float32Array =>
  Float32Array.from({ length: product(shape) }, (_, i) => Math.sin(frequency * (i + 1)));

/** The network of the golden: mean (tanh(x·w1 + b1)·w2 − y)². */
function smallNetwork(): Problem {
  const graph = new Graph();
  const constant = (shape: number[], frequency: number) => graph.constant(shape, waves(shape, frequency));
  const variable = (name: string, shape: number[], frequency: number) =>
    graph.variable(name, shape, waves(shape, frequency));
  const w1 = variable('w1', [4, 5], 2.3);
  const b1 = variable('b1', [5], 0.4);
  const w2 = variable('w2', [5, 1], 3.1);
  const y = dense(tanh(dense(constant([12, 4], 1.7), w1, b1)), w2);
  return { loss: meanSquaredError(y, constant([12, 1], 0.9)), variables: { w1, b1, w2 } };
}

for (const [name, { settings, losses, values }] of Object.entries(goldens))
  test(`${name} takes the steps of PyTorch`, async t => {
    for (const backend of [await createReferenceBackend(), await createWasmBackend({ threads: 1 })]) {
      const outcome = await minimise(smallNetwork(), settings, losses.length, backend, () => true);
      await backend.close();
      const apart = outcome.losses.map((loss, i) => Math.abs(loss / losses[i] - 1));
      t.equal(outcome.reason, 'iterations');
      t.ok(
        Math.max(...apart) < 1e-4,
        `${backend.name}: ${apart.length} losses differ by at most ${Math.max(...apart).toExponential(1)}`,
      );
      for (const [variable, expected] of Object.entries(values)) {
        const off = expected.map((v, i) => Math.abs(v - outcome.values[variable][i]));
        t.ok(Math.max(...off) < 1e-4, `${variable} at the end: ${Math.max(...off).toExponential(1)}`);
      }
    }
  });

/** Points in the plane around two centres, and to which each belongs. */
function twoClouds(count: number, seed: number): { points: Float32Array; labels: Float32Array } {
  const random = createRandom(seed);
  const labels = Float32Array.from({ length: count }, () => random.integer(2));
  const points = Float32Array.from({ length: 2 * count }, (_, i) => {
    const sign = labels[i >> 1] * 2 - 1;
    return (i % 2 ? -1.2 : 2) * sign + 0.5 * random.normal();
  });
  return { points, labels };
}

test('Adam trains a logistic regression on batches written step by step', async t => {
  const graph = new Graph();
  const batch = 16;
  const weights = graph.variable('weights', [2, 1], new Float32Array(2));
  const bias = graph.variable('bias', [1], new Float32Array(1));
  const x = graph.input('x', [batch, 2]);
  const labels = graph.input('labels', [batch, 1]);
  const loss = binaryCrossEntropy(dense(x, weights, bias), labels);
  const variables = [weights, bias];
  const { updates, inputs } = firstOrder(
    graph,
    { ...OPTIMISERS.adam, rate: 0.1 },
    variables,
    differentiate(loss, variables),
  );
  const backend = await createWasmBackend({ threads: 1 });
  const program = await Program.compile(graph, { outputs: { loss }, updates }, backend);
  const losses: number[] = [];
  for (let step = 1; step <= 100; step++) {
    const { points, labels } = twoClouds(batch, step);
    for (const [name, data] of Object.entries({ x: points, labels, ...inputs(step) }))
      await program.write(name, data);
    await program.run();
    losses.push(await program.readScalar('loss'));
  }
  const [wx, wy] = await program.read('weights');
  const [b] = await program.read('bias');
  await program.dispose();
  await backend.close();
  t.ok(Math.abs(losses[0] - Math.LN2) < 1e-4, `the first loss is ln 2 (${losses[0]})`);
  const late = losses.slice(-10).reduce((a, v) => a + v, 0) / 10;
  t.ok(late < 0.02, `mean of the last ten losses: ${late.toFixed(4)}`);
  const fresh = twoClouds(1000, 12345);
  const right = fresh.labels.filter(
    (label, i) => wx * fresh.points[2 * i] + wy * fresh.points[2 * i + 1] + b > 0 === (label === 1),
  );
  t.ok(right.length > 990, `${right.length} of 1000 new points are on the right side`);
});

/** Signals `[count, length, 1]` of two slow or fast periods in noise, and their kind as one-hot rows. */
function tones(count: number, length: number, seed: number) {
  const random = createRandom(seed);
  const signals = new Float32Array(count * length);
  const kinds = new Float32Array(count * 2);
  for (let n = 0; n < count; n++) {
    const kind = random.integer(2);
    const phase = random.uniform() * 6;
    kinds[2 * n + kind] = 1;
    for (let i = 0; i < length; i++)
      signals[n * length + i] = Math.sin((kind ? 1.9 : 1.2) * i + phase) + 0.3 * random.normal();
  }
  return { signals, kinds };
}

const cnn = (x: Value, [w1, b1, w2, b2]: readonly Value[]): Value =>
  dense(globalAveragePool(maxPool(relu(convolution(x, w1, b1)), { window: 2 })), w2, b2);

test('Adam trains a small convolutional network', async t => {
  const [count, length] = [64, 32];
  const shapes = { w1: [5, 1, 8], b1: [8], w2: [8, 2], b2: [2] };
  const random = createRandom(1);
  const start = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      Float32Array.from({ length: product(shape) }, () => (name.startsWith('w') ? 0.4 * random.normal() : 0)),
    ]),
  );
  const record = (values: Record<string, Float32Array>, seed: number): Problem => {
    const graph = new Graph();
    const { signals, kinds } = tones(count, length, seed);
    const variables = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, graph.variable(name, shape, values[name])]),
    );
    const logits = cnn(graph.constant([count, length, 1], signals), Object.values(variables));
    return { loss: crossEntropy(logits, graph.constant([count, 2], kinds)), variables };
  };
  const backend = await createWasmBackend({ threads: 1 });
  const settings = { ...OPTIMISERS.adam, rate: 0.03 };
  const { losses, values } = await minimise(record(start, 2), settings, 150, backend, () => true);
  t.ok(losses[0] > 0.5, `at the start ${losses[0].toFixed(3)}`);
  t.ok(losses.at(-1)! < 0.05, `after ${losses.length} steps ${losses.at(-1)!.toFixed(4)}`);
  const unseen = await minimise(record(values, 3), settings, 1, backend, () => true);
  t.ok(unseen.losses[0] < 0.15, `on signals it has not seen ${unseen.losses[0].toFixed(4)}`);
  await backend.close();
});

test('a learning rate that is too high ends in an error that says so', async t => {
  const backend = await createReferenceBackend();
  try {
    await minimise(smallNetwork(), { name: 'sgd', rate: 1e9, momentum: 0 }, 200, backend, () => true);
    t.fail('it was not refused');
  } catch (error) {
    t.ok(error instanceof NdconvError && error.tag === 'RunError', String(error));
    t.match(
      String(error),
      /the loss became .* in step \d+ with sgd: lower the learning rate \(now 1000000000\)/,
    );
  }
});

test('it stops where the caller asks, after the step in hand', async t => {
  const backend = await createReferenceBackend();
  for (const settings of Object.values(OPTIMISERS)) {
    const outcome = await minimise(smallNetwork(), settings, 50, backend, ({ iteration }) => iteration < 3);
    t.deepEqual(
      [outcome.reason, outcome.iterations, outcome.losses.length],
      ['stopped', 3, 3],
      settings.name,
    );
  }
});
