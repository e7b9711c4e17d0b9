// The engines that run in Node, each as a function from a task to something that can be run. Tensors are made channels
// last and turned where an engine wants channels first; results are compared channels last.

import { setFlagsFromString } from 'node:v8';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { operations } from '../../src/ops/index.ts';
import { minimise } from '../../src/optim/minimise.ts';
import { convolutionModel } from './onnx-model.ts';
import { makeValues, outputSize, samplesOf, type Task, weightsOf } from './tasks.ts';

/** A task ready to run. */
export interface Prepared {
  /** Samples of the result, channels last. */
  samples(): Promise<number[]>;
  run(): Promise<unknown>;
  dispose(): unknown;
}
type Engine = (task: Task) => Promise<Prepared>;

const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);
const pick = (data: ArrayLike<number>): number[] => samplesOf(data.length).map(i => data[i]);

/** `[cells, channels]` to `[channels, cells]`, or back with the sizes swapped. */
function turn(data: ArrayLike<number>, cells: number, channels: number): Float32Array {
  const out = new Float32Array(cells * channels);
  for (let p = 0; p < cells; p++)
    for (let c = 0; c < channels; c++) out[c * cells + p] = data[p * channels + c];
  return out;
}

async function ndconv(threads: number, wide: boolean, winograd = true): Promise<Engine> {
  if (wide) setFlagsFromString('--experimental-wasm-revectorize');
  const backend = await createWasmBackend({ threads, wide, winograd });
  return async task => {
    if (task.kind === 'style-step') return styleStep(task, backend);
    const graph = new Graph();
    const { filters, stride, dilation, groups, padding } = task;
    const shape = [1, ...task.size, task.channels];
    const data = makeValues(product(shape), 1);
    const weights = weightsOf(task);
    const values = makeValues(product(weights.shape), 2, weights.scale);
    const settings = { strides: stride, dilations: dilation, groups, padding };
    let result: Value;
    const write: Record<string, Float32Array> = {};
    if (task.kind === 'gram') {
      result = operations.gram(graph.input('x', shape));
      write.x = data;
    } else if (task.kind === 'forward') {
      result = operations.convolution(
        graph.input('x', shape),
        graph.constant(weights.shape, values, 'w'),
        undefined,
        settings,
      );
      write.x = data;
    } else {
      const wanted = task.kind === 'input-gradient' ? 'x' : 'w';
      const x = graph.input('x', shape);
      const w = wanted === 'w' ? graph.input('w', weights.shape) : graph.constant(weights.shape, values, 'w');
      const y = operations.convolution(x, w, undefined, settings);
      const dy = graph.input('dy', [1, ...outputSize(task), filters]);
      write.dy = makeValues(product(dy.shape), 3);
      if (wanted === 'w') write.x = data;
      [result] = differentiate(operations.sum(operations.mul(y, dy)), [wanted === 'x' ? x : w]);
    }
    const program = await Program.compile(graph, { outputs: { result } }, backend);
    for (const [name, values] of Object.entries(write)) await program.write(name, values);
    return {
      samples: async () => {
        await program.run();
        return pick(await program.read('result'));
      },
      run: () => program.run(),
      dispose: () => program.dispose(),
    };
  };
}

// A step of style transfer with Adam: content in the last layer, Gram matrices in the layers after each pool and the first.
async function styleStep(
  task: Task,
  backend: Awaited<ReturnType<typeof createWasmBackend>>,
): Promise<Prepared> {
  const record = (): { loss: Value; image: Value } => {
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
      if (pooled)
        losses.push(operations.mean(squared(operations.gram(value), product(value.shape.slice(0, -1)))));
      pooled = false;
    }
    losses.push(operations.mean(operations.mul(value, value)));
    return {
      loss: losses.reduce((a, b) => operations.add(operations.reshape(a, [1]), operations.reshape(b, [1]))),
      image,
    };
  };
  const squared = (gram: Value, cells: number): Value => {
    const scaled = operations.scale(gram, 1 / cells);
    return operations.mul(scaled, scaled);
  };
  const settings = { name: 'adam', rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
  const { loss, image } = record();
  // One optimisation that goes on for as long as steps are asked for.
  let proceed: () => void = () => {};
  let arrived: (value: number) => void = () => {};
  const losses: number[] = [];
  let stopped = false;
  const finished = minimise({ loss, variables: { image } }, settings, 1e9, backend, async ({ loss }) => {
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
      while (losses.length < 3) await step();
      return losses.slice(0, 3);
    },
    run: step,
    dispose: async () => {
      stopped = true;
      proceed();
      await finished;
    },
  };
}

// Convolutions of onnxruntime, in Node (native) or as its WebAssembly build.
async function onnxruntime(which: 'node' | 'web', threads: number): Promise<Engine> {
  // Installed beside the bench alone, so its types are not at hand.
  const ort: any = await import(`onnxruntime-${which}`);
  if (which === 'web') ort.env.wasm.numThreads = threads;
  return async task => {
    if (task.kind !== 'forward') throw new Error('inference only');
    const { shape, scale } = weightsOf(task);
    const taps = product(task.kernel);
    const packed = makeValues(product(shape), 2, scale);
    const filters = new Float32Array(packed.length);
    const depth = shape[shape.length - 2];
    for (let t = 0; t < taps; t++)
      for (let c = 0; c < depth; c++)
        for (let k = 0; k < task.filters; k++)
          filters[(k * depth + c) * taps + t] = packed[(t * depth + c) * task.filters + k];
    const session = await ort.InferenceSession.create(convolutionModel(task, filters), {
      executionProviders: [which === 'node' ? 'cpu' : 'wasm'],
      intraOpNumThreads: threads,
      graphOptimizationLevel: 'all',
    });
    const cells = product(task.size);
    const data = turn(makeValues(cells * task.channels, 1), cells, task.channels);
    const x = new ort.Tensor('float32', data, [1, task.channels, ...task.size]);
    const run = () => session.run({ x });
    return {
      samples: async () => pick(turn((await run()).y.data, task.filters, product(outputSize(task)))),
      run,
      dispose: () => session.release(),
    };
  };
}

// tfjs with its WebAssembly backend, one thread (its threads need a browser).
async function tfjs(): Promise<Engine> {
  const log = console.log;
  console.log = () => {};
  // Installed beside the bench alone, so its types are not at hand.
  const tf: any = await import('@tensorflow/tfjs-core' as string);
  await import('@tensorflow/tfjs-backend-wasm' as string);
  await tf.setBackend('wasm');
  await tf.ready();
  console.log = log;
  return async task => {
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
        x.dispose();
        w.dispose();
        if (padded !== x) padded.dispose();
      },
    };
  };
}

/** Engines by name, made for a number of threads. */
export const engines = {
  ndconv: (threads: number) => ndconv(threads, true),
  'ndconv direct': (threads: number) => ndconv(threads, true, false),
  'ndconv 128-bit': (threads: number) => ndconv(threads, false),
  'onnxruntime-node': (threads: number) => onnxruntime('node', threads),
  'onnxruntime-web': (threads: number) => onnxruntime('web', threads),
  tfjs: () => tfjs(),
};
