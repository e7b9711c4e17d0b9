// Programs on the gpu.js backend: state between runs, handles over many runs, long sums, large indices, and what is
// refused; in every mode this machine has.

import test from 'tape';
import type { KernelCall } from '../../kernels/kernel.ts';
import type { Backend, ProgramPlan } from '../../src/backends/backend.ts';
import type { GpujsExecutable } from '../../src/backends/gpujs/executable.ts';
import type { DeviceMemory, HostMemory } from '../../src/backends/gpujs/memory.ts';
import { createGpujsBackend } from '../../src/backends/gpujs.ts';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import type { NdconvError } from '../../src/errors.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { operations as op } from '../../src/ops/index.ts';
import { firstOrder } from '../../src/optim/first-order.ts';
import { OPTIMISERS } from '../../src/optim/settings.ts';
import { layoutOf, product } from '../../src/tensor/layout.ts';
import { randomSource } from '../kernels/gpujs-cases.ts';
import { availableBackends } from '../kernels/gpujs-modes.ts';

/** A picture moved by Adam towards a Gram matrix, through one convolution and relu. */
async function styleProgram(backend: Backend) {
  const random = randomSource(5);
  const graph = new Graph();
  const shape = [1, 7, 6, 3];
  const x = graph.variable('x', shape, random.values(product(shape)));
  const w = graph.constant([3, 3, 3, 9], random.values(243), 'w');
  const b = graph.constant([9], random.values(9), 'b');
  const features = op.relu(op.convolution(x, w, b, { padding: 1 }));
  const wanted = graph.constant([9, 9], random.values(81), 'wanted');
  const loss = op.meanSquaredError(op.gram(features), wanted);
  const stepper = firstOrder(graph, OPTIMISERS.adam, [x], differentiate(loss, [x]));
  const program = await Program.compile(graph, { outputs: { loss }, updates: stepper.updates }, backend);
  const step = async (t: number) => {
    for (const [name, data] of Object.entries(stepper.inputs(t))) await program.write(name, data);
    await program.run();
  };
  return { program, step };
}

test('gpujs: five Adam steps on a Gram loss follow the reference', async t => {
  const reference = await styleProgram(await createReferenceBackend());
  const wanted: Float32Array[] = [];
  for (let i = 1; i <= 5; i++) {
    await reference.step(i);
    wanted.push(await reference.program.read('x'), await reference.program.read('loss'));
  }
  for (const backend of await availableBackends()) {
    const { program, step } = await styleProgram(backend);
    let worst = 0;
    for (let i = 1; i <= 5; i++) {
      await step(i);
      const found = [await program.read('x'), await program.read('loss')];
      found.forEach((values, n) => {
        const truth = wanted[2 * (i - 1) + n];
        const scale = truth.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
        values.forEach((v, e) => {
          worst = Math.max(worst, Math.abs(v - truth[e]) / scale || 0, Number.isFinite(v) ? 0 : 1);
        });
      });
    }
    t.ok(worst < 1e-4, `${backend.name}: largest relative error ${worst.toExponential(1)}`);
    await program.dispose();
    await backend.close();
  }
});

/** One call over given inputs as a plan. */
const planOf = (call: KernelCall, inputs: Float32Array[]): ProgramPlan => ({
  tensors: [
    ...call.inputs.map((layout, i) => ({
      layout,
      role: 'constant' as const,
      offset: 0,
      data: inputs[i],
      label: `input ${i}`,
    })),
    { layout: call.output, role: 'output' as const, offset: 0, label: 'output' },
  ],
  calls: [{ call, inputs: inputs.map((_, i) => i), output: inputs.length, label: call.kernel.family }],
  updates: [],
  bytes: 0,
});

async function runCall(backend: Backend, call: KernelCall, inputs: Float32Array[]): Promise<Float32Array> {
  const executable = await backend.compile(planOf(call, inputs));
  await executable.run();
  const result = await executable.read(inputs.length);
  await executable.dispose();
  return result;
}

test('gpujs: long sums stay accurate in single precision', async t => {
  const random = randomSource(9);
  const relative = (found: number, wanted: number) => Math.abs(found - wanted) / Math.abs(wanted);
  const big = Float32Array.from({ length: 1_500_000 }, () => 1 + random.next());
  const total = big.reduce((s, v) => s + v, 0);
  const ones = [1];
  const one = { strides: ones, dilations: ones, inputDilations: ones, padLow: [0], groups: 1 };
  const cells = 90_001;
  const a = Float32Array.from({ length: 2 * cells }, () => 1 + random.next());
  let square = 0;
  for (let i = 0; i < cells; i++) square += a[2 * i] * a[2 * i + 1];
  const depth = 4099;
  const row = Float32Array.from({ length: depth }, () => 1 + random.next());
  const dot = row.reduce((s, v) => s + v * v, 0);
  for (const backend of await availableBackends()) {
    for (const shape of [
      [1, 1_500_000],
      [1, 500_000, 3],
      [3, 1000, 500, 1],
    ]) {
      const call: KernelCall = {
        kernel: { family: 'reduce', kind: 'sum', expr: 'x0' },
        inputs: [layoutOf(shape)],
        output: layoutOf(shape.map(() => 1)),
      };
      const [found] = await runCall(backend, call, [big]);
      t.ok(relative(found, total) < 1e-6, `${backend.name}: sum of [${shape}]: ${relative(found, total)}`);
    }
    const largest = await runCall(
      backend,
      {
        kernel: { family: 'reduce', kind: 'max', expr: 'x0' },
        inputs: [layoutOf([1, 1_500_000])],
        output: layoutOf([1, 1]),
      },
      [big],
    );
    t.equal(
      largest[0],
      big.reduce((m, v) => Math.max(m, v), 0),
      `${backend.name}: maximum`,
    );
    const layout = layoutOf([1, cells, 2]);
    const gram = await runCall(
      backend,
      {
        kernel: { family: 'tap-correlate', kernelShape: ones, ...one, symmetric: true },
        inputs: [layout, layout],
        output: layoutOf([1, 2, 2]),
      },
      [a, a],
    );
    t.ok(relative(gram[1], square) < 1e-6, `${backend.name}: Gram over ${cells} cells`);
    const dense = await runCall(
      backend,
      {
        kernel: {
          family: 'tap-conv',
          ...one,
          kernelShape: [],
          strides: [],
          dilations: [],
          padLow: [],
          inputDilations: [],
          flip: false,
          transpose: false,
          bias: false,
          activation: 'none',
        },
        inputs: [layoutOf([1, depth]), layoutOf([depth, 1])],
        output: layoutOf([1, 1]),
      },
      [row, row],
    );
    t.ok(relative(dense[0], dot) < 1e-6, `${backend.name}: dense layer of ${depth}`);
    const averaged = await runCall(
      backend,
      {
        kernel: {
          family: 'gather',
          concatAxis: 0,
          permutation: [0, 1, 2],
          maps: [
            null,
            {
              size: 1,
              terms: 5003,
              index: Int32Array.from({ length: 5003 }, (_, i) => i),
              weight: new Float32Array(5003).fill(1 / 5003),
            },
            null,
          ],
        },
        inputs: [layoutOf([1, 5003, 1])],
        output: layoutOf([1, 1, 1]),
      },
      [big.subarray(0, 5003).slice()],
    );
    const mean = big.subarray(0, 5003).reduce((s, v) => s + v, 0) / 5003;
    t.ok(relative(averaged[0], mean) < 1e-6, `${backend.name}: gather of 5003 terms`);
    const window = { kernelShape: [1500], strides: [1], dilations: [1], padLow: [0], inputDilations: [1] };
    const [won] = await runCall(
      backend,
      {
        kernel: { family: 'window', kind: 'argmax', ...window },
        inputs: [layoutOf([1, 1500, 1])],
        output: layoutOf([1, 1, 1]),
      },
      [Float32Array.from({ length: 1500 }, (_, i) => (i === 1203 ? 2 : 1))],
    );
    t.equal(won, 1203, `${backend.name}: window of 1500 taps`);
    await backend.close();
  }
});

test('gpujs: indices past 2^24 read and write the right cells', async t => {
  const [rows, columns] = [4100, 4099];
  const down = Float32Array.from({ length: rows }, (_, i) => i);
  const across = Float32Array.from({ length: columns }, (_, i) => i / 8192);
  for (const backend of await availableBackends()) {
    for (const [full, sizes] of [
      [
        [1, rows, columns, 1],
        [
          [1, rows, 1, 1],
          [1, 1, columns, 1],
        ],
      ],
      [
        [rows, columns],
        [
          [rows, 1],
          [1, columns],
        ],
      ],
    ]) {
      const wide = await runCall(
        backend,
        {
          kernel: { family: 'map', expr: ['add', 'x0', 'x1'] },
          inputs: (sizes as number[][]).map(s => layoutOf(s)),
          output: layoutOf(full as number[]),
        },
        [down, across],
      );
      let wrong = 0;
      for (let i = 0; i < wide.length; i += i < 1 << 24 ? 997 : 1)
        if (wide[i] !== Math.fround(Math.floor(i / columns) + (i % columns) / 8192)) wrong++;
      t.equal(wrong, 0, `${backend.name}: [${full}] is written right`);
      const last = await runCall(
        backend,
        {
          kernel: { family: 'reduce', kind: 'max', expr: 'x0' },
          inputs: [layoutOf(full as number[])],
          output: layoutOf(
            (full as number[]).map((n, a) => (a === full.length - 1 && n > 1 ? n : a === 0 ? 1 : 1)),
          ),
        },
        [wide],
      );
      t.equal(last[last.length - 1], wide[wide.length - 1], `${backend.name}: [${full}] is read to its end`);
    }
    await backend.close();
  }
});

/** Device buffers made from now on and not destroyed; 0 where there is no device. */
function countBuffers(memory: object): () => number {
  const { context } = memory as { context?: { device: { createBuffer(settings: object): object } } };
  if (!context) return () => 0;
  const live = new Set<object>();
  const { device } = context;
  const create = device.createBuffer.bind(device);
  device.createBuffer = settings => {
    const buffer = create(settings) as { destroy(): void };
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      destroy();
    };
    live.add(buffer);
    return buffer;
  };
  return () => live.size;
}

test('gpujs: a hundred runs hold no more handles than one', async t => {
  for (const backend of await availableBackends()) {
    const { program, step } = await styleProgram(backend);
    const { memory } = (program as unknown as { executable: GpujsExecutable }).executable as unknown as {
      memory: HostMemory | DeviceMemory;
    };
    const buffers = countBuffers(memory);
    await step(1);
    const held = memory.held;
    const live = buffers();
    for (let i = 2; i <= 100; i++) await step(i);
    t.equal(memory.held, held, `${backend.name}: ${held} handles`);
    t.equal(buffers(), live, `${backend.name}: ${live} device buffers made by runs`);
    await program.dispose();
    t.equal(memory.held, 0, `${backend.name}: none after dispose`);
    await backend.close();
  }
});

test('gpujs: an error that the device reports by itself is not lost', async t => {
  for (const backend of await availableBackends()) {
    if (backend.name === 'gpujs:webgpu') {
      const { program, step } = await styleProgram(backend);
      await step(1);
      const { memory } = (program as unknown as { executable: { memory: DeviceMemory } }).executable;
      const handle = memory.upload(new Float32Array(4));
      try {
        await memory.download(handle, 8);
        t.fail('reading past a buffer is an error');
      } catch (error) {
        t.equal((error as NdconvError).tag, 'BackendError');
        t.match((error as Error).message, /the device reported an error/);
      }
    }
    await backend.close();
  }
});

test('gpujs: what is not available is refused with the reason and the remedy', async t => {
  const refused = async (options: object): Promise<NdconvError> => {
    try {
      await createGpujsBackend(options);
    } catch (error) {
      return error as NdconvError;
    }
    throw new Error('not refused');
  };
  const gl = await refused({ mode: 'webgl2' });
  t.equal(gl.tag, 'BackendError');
  t.match(gl.message, /gpujs:webgl2 is not available: .*browsers.*backend: wasm/);
  t.match((await refused({ mode: 'webgl3' })).message, /modes are webgpu/);
  t.match((await refused({ mode: 'cpu', threads: 2 })).message, /'threads' applies to the wasm backend/);
  const backend = await createGpujsBackend({ mode: 'cpu' });
  const long = layoutOf([1, 2 ** 24 + 1, 1]);
  try {
    await backend.compile(
      planOf({ kernel: { family: 'map', expr: 'x0' }, inputs: [layoutOf([1, 1, 1])], output: long }, [
        new Float32Array(1),
      ]),
    );
    t.fail('a dimension past 2^24 is refused');
  } catch (error) {
    t.match((error as Error).message, /16777217 cells/, 'a dimension past 2^24 is refused');
  }
  await backend.close();
});
