// What NDCONV_DEBUG shows, level by level.

import tape from 'tape';
import { chooseBackend } from '../../src/backends/choose.ts';
import { Graph } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { operations as op } from '../../src/ops/index.ts';

/** What a small program prints at a level. */
async function printed(level: string | undefined, backendName: string): Promise<string> {
  const [before, write] = [process.env.NDCONV_DEBUG, process.stderr.write];
  let text = '';
  process.stderr.write = ((chunk: string) => {
    text += chunk;
    return true;
  }) as typeof process.stderr.write;
  if (level === undefined) delete process.env.NDCONV_DEBUG;
  else process.env.NDCONV_DEBUG = level;
  try {
    const backend = await chooseBackend(backendName, {});
    const graph = new Graph();
    const x = graph.input('x', [1, 8, 8, 3]);
    const w = graph.constant([3, 3, 3, 16], new Float32Array(432).fill(0.1), 'weights');
    const program = await Program.compile(graph, { outputs: { y: op.convolution(x, w) } }, backend);
    await program.run();
    await program.dispose();
    await backend.close();
  } finally {
    process.stderr.write = write;
    if (before === undefined) delete process.env.NDCONV_DEBUG;
    else process.env.NDCONV_DEBUG = before;
  }
  return text;
}

const levels: [RegExp, string][] = [
  [
    /^program on wasm \(WebAssembly SIMD.*\): \d+ calls?, [\d.]+ MiB of tensors, compiled in \d+ ms$/m,
    'program',
  ],
  [/^kernels, in 1 run\n +[\d.]+ % {2}[\d.]+ ms, [\d.]+ GFLOP\/s {2}convolution$/m, 'times'],
  [/^ {2}convolution: tap-conv \[1,8,8,3\] \[3,3,3,16\] → \[1,6,6,16\]$/m, 'shapes'],
  [/\(func \(export "run"\)/, 'sources'],
  [/^ {2}%2 = tap-conv\(%0, %1\) \[1,6,6,16\] {2}convolution$/m, 'graph'],
];

tape('NDCONV_DEBUG shows one thing more at every level', async t => {
  for (let level = 0; level <= levels.length; level++) {
    const text = await printed(level === 0 ? undefined : String(level), 'wasm');
    for (const [i, [pattern, name]] of levels.entries())
      t.equal(pattern.test(text), i < level, `level ${level}: ${i < level ? '' : 'no '}${name}`);
  }
  t.match(await printed('4', 'gpujs:cpu'), /function/, 'sources of gpu.js kernels');
});
