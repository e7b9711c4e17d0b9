// The engines that run in Node by name, each made for a number of threads. They are loaded when they are asked for: each
// lives in a process of its own, and some are not there for every Node.

import type { Engine } from './engines/prepared.ts';

type Make = (threads: number) => Promise<Engine>;

const own =
  (wide: boolean, winograd = true): Make =>
  async threads =>
    (await import('./engines/ndconv.ts')).ndconv(threads, wide, winograd);

const onnxruntime =
  (which: 'node' | 'web'): Make =>
  async threads =>
    (await import('./engines/onnxruntime.ts')).onnxruntime(which, threads);

export const engines = {
  ndconv: own(true),
  'ndconv direct': own(true, false),
  'ndconv 128-bit': own(false),
  'ndconv Node 20': own(false),
  'onnxruntime-node': onnxruntime('node'),
  'onnxruntime-web': onnxruntime('web'),
  tfjs: async () => (await import('./engines/tfjs.ts')).tfjs(),
} satisfies Record<string, Make>;
