// tfjs: single convolutions and networks forward.

import { type NetworkLayer, parametersOf, shapesOf } from '../networks.ts';
import { makeValues, type Task, weightsOf } from '../tasks.ts';
import { type Engine, type Prepared, pick, product } from './prepared.ts';

/** tfjs with its WebAssembly backend, one thread (its threads need a browser). */
export async function tfjs(): Promise<Engine> {
  const log = console.log;
  console.log = () => {};
  // Installed beside the bench alone, so its types are not at hand.
  const tf: any = await import('@tensorflow/tfjs-core' as string);
  await import('@tensorflow/tfjs-backend-wasm' as string);
  await tf.setBackend('wasm');
  await tf.ready();
  console.log = log;
  return async task => {
    if (task.network && task.kind === 'network') return network(task, task.network, tf);
    if (task.kind !== 'forward') throw new Error('not compared');
    const rank = task.size.length;
    if (task.groups > 1 && (task.groups !== task.channels || rank !== 2)) throw new Error('no groups');
    const { shape, scale } = weightsOf(task);
    const x = tf.tensor(makeValues(product(task.size) * task.channels, 1), [1, ...task.size, task.channels]);
    const depthwise = task.groups > 1;
    const w = tf.tensor(
      makeValues(product(shape), 2, scale),
      depthwise ? [...task.kernel, task.channels, 1] : shape,
    );
    // 'same' is the padding of every stride-1 task here; strided ones are padded by hand.
    const padded =
      task.stride > 1 ? tf.pad(x, [[0, 0], ...task.size.map(() => [task.padding, task.padding]), [0, 0]]) : x;
    const pad = task.stride > 1 ? 'valid' : 'same';
    const { stride, dilation } = task;
    const compute = () => {
      if (depthwise) return tf.depthwiseConv2d(padded, w, stride, pad);
      if (rank === 1) return tf.conv1d(padded, w, stride, pad, 'NWC', dilation);
      if (rank === 2) return tf.conv2d(padded, w, stride, pad, 'NHWC', dilation);
      return tf.conv3d(padded, w, stride, pad);
    };
    return prepared(compute, [x, w, ...(padded === x ? [] : [padded])]);
  };
}

function prepared(compute: () => any, held: readonly any[]): Prepared {
  return {
    samples: async () => {
      const y = compute();
      const found = pick(await y.data());
      y.dispose();
      return found;
    },
    run: async () => {
      const y = compute();
      await y.data();
      y.dispose();
    },
    dispose: () => {
      for (const tensor of held) tensor.dispose();
    },
  };
}

function network(task: Task, layers: readonly NetworkLayer[], tf: any): Prepared {
  const shape = [task.batch ?? 1, ...task.size, task.channels];
  const x = tf.tensor(makeValues(product(shape), 1), shape);
  const shapes = shapesOf(layers, task.size, task.channels);
  const parameters = layers.map((layer, i) =>
    parametersOf(layer, i, shapes[i].input.at(-1)!, task.size.length).map(p =>
      tf.tensor(
        makeValues(product(p.shape), p.salt, p.scale).map(v => v + p.around),
        p.shape,
      ),
    ),
  );
  const compute = () =>
    tf.tidy(() => {
      const values: any[] = [];
      layers.forEach((layer, i) => {
        const from = 'from' in layer && layer.from !== undefined ? layer.from : i - 1;
        values.push(apply(tf, layer, values[from] ?? x, parameters[i], values));
      });
      return values.at(-1);
    });
  return prepared(compute, [x, ...parameters.flat()]);
}

function apply(tf: any, layer: NetworkLayer, x: any, [w, b, scale, shift]: any[], values: any[]): any {
  switch (layer.op) {
    case 'convolution': {
      const y = tf.add(tf.conv2d(x, w, layer.stride, layer.padding ? 'same' : 'valid'), b);
      const scaled = layer.scaled ? tf.add(tf.mul(y, scale), shift) : y;
      return layer.relu ? tf.relu(scaled) : scaled;
    }
    case 'max-pool':
      return tf.maxPool(x, layer.window, layer.stride, 'valid');
    case 'average-pool':
      return tf.avgPool(x, layer.window, layer.window, 'valid');
    case 'pad':
      return tf.pad(x, [
        [0, 0],
        [0, layer.cells],
        [0, layer.cells],
        [0, layer.channels],
      ]);
    case 'add':
      return tf.relu(tf.add(x, values[layer.with]));
    case 'mean':
      return tf.mean(x, [1, 2]);
    case 'dense':
      return tf.matMul(x, w);
  }
}
