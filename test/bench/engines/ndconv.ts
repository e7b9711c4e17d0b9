// ndconv: single convolutions and what is computed of them.

import { setFlagsFromString } from 'node:v8';
import { createWasmBackend } from '../../../src/backends/wasm/backend.ts';
import { differentiate } from '../../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../../src/graph/graph.ts';
import { Program } from '../../../src/graph/program.ts';
import { operations } from '../../../src/ops/index.ts';
import { makeValues, outputSize, weightsOf } from '../tasks.ts';
import { minimised, network, recordStyle } from './ndconv-networks.ts';
import { type Engine, pick, product } from './prepared.ts';

/** ndconv on its wasm backend. */
export async function ndconv(threads: number, wide: boolean, winograd = true): Promise<Engine> {
  if (wide) setFlagsFromString('--experimental-wasm-revectorize');
  const backend = await createWasmBackend({ threads, wide, winograd });
  return async task => {
    if (task.kind === 'style-step') return minimised(recordStyle(task), backend, 0.01);
    if (task.network) return network(task, task.network, backend);
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
