// ndconv: whole networks forward, steps of training and of style transfer, both with Adam.

import type { Backend } from '../../../src/backends/backend.ts';
import { Graph, type Value } from '../../../src/graph/graph.ts';
import { Program } from '../../../src/graph/program.ts';
import { operations } from '../../../src/ops/index.ts';
import { minimise } from '../../../src/optim/minimise.ts';
import { type NetworkLayer, parametersOf } from '../networks.ts';
import { makeValues, type Task, targetsOf, weightsOf } from '../tasks.ts';
import { type Prepared, pick, product } from './prepared.ts';

/** A network forward, or a step of training it. */
export async function network(
  task: Task,
  layers: readonly NetworkLayer[],
  backend: Backend,
): Promise<Prepared> {
  const graph = new Graph();
  const shape = [task.batch ?? 1, ...task.size, task.channels];
  const values = makeValues(product(shape), 1);
  if (task.kind === 'training-step') {
    const variables: Record<string, Value> = {};
    const logits = build(graph.constant(shape, values, 'x'), layers, (name, shape, values) => {
      variables[name] = graph.variable(name, shape, values);
      return variables[name];
    });
    const targets = graph.constant(logits.shape, targetsOf(logits.shape), 'targets');
    return minimised({ loss: operations.crossEntropy(logits, targets), variables }, backend, 1e-3);
  }
  const result = build(graph.input('x', shape), layers, (name, shape, values) =>
    graph.constant(shape, values, name),
  );
  const program = await Program.compile(graph, { outputs: { result } }, backend);
  await program.write('x', values);
  return {
    samples: async () => {
      await program.run();
      return pick(await program.read('result'));
    },
    run: () => program.run(),
    dispose: () => program.dispose(),
  };
}

function build(
  x: Value,
  layers: readonly NetworkLayer[],
  parameter: (name: string, shape: number[], values: Float32Array) => Value,
): Value {
  const rank = x.shape.length - 2;
  const values: Value[] = [];
  layers.forEach((layer, i) => {
    const from = 'from' in layer && layer.from !== undefined ? layer.from : i - 1;
    const input = values[from] ?? x;
    const [w, b, scale, shift] = parametersOf(layer, i, input.shape.at(-1)!, rank).map((p, j) =>
      parameter(
        `parameter ${i} ${j}`,
        p.shape,
        makeValues(product(p.shape), p.salt, p.scale).map(v => v + p.around),
      ),
    );
    values.push(
      ((): Value => {
        switch (layer.op) {
          case 'convolution': {
            const { stride, padding } = layer;
            const y = operations.convolution(input, w, b, { strides: stride, padding });
            const scaled = layer.scaled ? operations.affine(y, scale, shift) : y;
            return layer.relu ? operations.relu(scaled) : scaled;
          }
          case 'max-pool':
            return operations.maxPool(input, { window: layer.window, strides: layer.stride });
          case 'average-pool':
            return operations.averagePool(input, { window: layer.window });
          case 'pad': {
            const cells = input.shape.slice(1, -1).map(() => [0, layer.cells] as const);
            const padded = layer.cells ? operations.pad(input, cells) : input;
            if (!layer.channels) return padded;
            const more = [...padded.shape.slice(0, -1), layer.channels];
            const zeros = padded.graph.constant(more, new Float32Array(product(more)), 'zeros');
            return operations.concat([padded, zeros], padded.shape.length - 1);
          }
          case 'add':
            return operations.relu(operations.add(input, values[layer.with]));
          case 'mean':
            return operations.globalAveragePool(input);
          case 'dense':
            return operations.dense(input, w);
        }
      })(),
    );
  });
  return values.at(-1)!;
}

/** Content in the last layer, Gram matrices in the layers after each pool and the first. */
export function recordStyle(task: Task): { loss: Value; variables: { image: Value } } {
  const graph = new Graph();
  const shape = [1, ...task.size, task.channels];
  const image = graph.variable('image', shape, makeValues(product(shape), 1));
  let [value, channels, number] = [image as Value, task.channels, 0];
  let pooled = true;
  const losses: Value[] = [];
  for (const layer of task.layers!) {
    if (layer === 'M') {
      value = operations.maxPool(value, { window: 2, strides: 2 });
      pooled = true;
      continue;
    }
    const weights = weightsOf({ ...task, channels, filters: layer, groups: 1 });
    const w = graph.constant(
      weights.shape,
      makeValues(product(weights.shape), 10 + number++, weights.scale),
      'w',
    );
    value = operations.relu(operations.convolution(value, w, undefined, { padding: task.padding }));
    channels = layer;
    if (pooled) {
      const gram = operations.scale(operations.gram(value), 1 / product(value.shape.slice(0, -1)));
      losses.push(operations.mean(operations.mul(gram, gram)));
    }
    pooled = false;
  }
  losses.push(operations.mean(operations.mul(value, value)));
  const loss = losses.reduce((a, b) =>
    operations.add(operations.reshape(a, [1]), operations.reshape(b, [1])),
  );
  return { loss, variables: { image } };
}

/** One optimisation that goes on for as long as steps are asked for. */
export async function minimised(
  problem: { loss: Value; variables: Record<string, Value> },
  backend: Backend,
  rate: number,
): Promise<Prepared> {
  const settings = { name: 'adam', rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
  let proceed: () => void = () => {};
  let arrived: (value: number) => void = () => {};
  const losses: number[] = [];
  let stopped = false;
  const finished = minimise(problem, settings, 1e9, backend, async ({ loss }) => {
    losses.push(loss);
    const next = new Promise<void>(resolve => {
      proceed = resolve;
    });
    arrived(loss);
    await next;
    return !stopped;
  });
  const step = (): Promise<number> => {
    const done = new Promise<number>(resolve => {
      arrived = resolve;
    });
    proceed();
    return done;
  };
  return {
    samples: async () => {
      while (losses.length < 2) await step();
      return losses.slice(0, 2);
    },
    run: step,
    dispose: async () => {
      stopped = true;
      proceed();
      await finished;
    },
  };
}
