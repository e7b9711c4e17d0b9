// onnxruntime: single convolutions and networks forward, channels first.

import { convolutionModel, networkModel } from '../onnx-model.ts';
import { makeValues } from '../tasks.ts';
import { type Engine, pick, product, turn } from './prepared.ts';

/** onnxruntime in Node (native) or as its WebAssembly build. */
export async function onnxruntime(which: 'node' | 'web', threads: number): Promise<Engine> {
  // Installed beside the bench alone, so its types are not at hand.
  const ort: any = await import(`onnxruntime-${which}`);
  if (which === 'web') ort.env.wasm.numThreads = threads;
  return async task => {
    if (task.kind !== 'forward' && task.kind !== 'network') throw new Error('inference only');
    const model = task.network ? networkModel(task, task.network) : convolutionModel(task);
    const session = await ort.InferenceSession.create(model, {
      executionProviders: [which === 'node' ? 'cpu' : 'wasm'],
      intraOpNumThreads: threads,
      graphOptimizationLevel: 'all',
    });
    const cells = product(task.size);
    const data = turn(makeValues(cells * task.channels, 1), cells, task.channels);
    const x = new ort.Tensor('float32', data, [1, task.channels, ...task.size]);
    const run = () => session.run({ x });
    return {
      samples: async () => {
        const { y } = await run();
        const [, filters, ...size] = y.dims as number[];
        return pick(turn(y.data, filters, product(size)));
      },
      run,
      dispose: () => session.release(),
    };
  };
}
