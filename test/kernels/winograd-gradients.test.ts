// Convolutions that the wasm backend computes by Winograd's algorithm inside a graph: results and gradients of ranks 1
// to 4 against the reference backend and against the direct kernel.

import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { operations as op } from '../../src/ops/index.ts';
import { type Build, normals, once, relativeError } from '../conformance/evaluate.ts';

for (const [size, taps, channels, strides] of [
  [[301], 9, 16, 1],
  [[22, 19], 3, 12, 1],
  [[7, 9, 8], 3, 8, 1],
  [[5, 4, 6, 5], 3, 8, 1],
  [[900], 9, 32, 2],
  [[43, 38], 5, 24, 2],
] as const)
  tape(`winograd in a graph: rank ${size.length}, stride ${strides}`, async t => {
    const backends = await Promise.all([
      createReferenceBackend(),
      createWasmBackend({ threads: 2 }),
      createWasmBackend({ threads: 2, winograd: false }),
    ]);
    const shapes = [[2, ...size, channels], [...size.map(() => taps), channels, channels], [channels]];
    const padding = size.map(() => [1, taps - 1] as const);
    const build: Build = (x, w, b) => op.relu(op.convolution(x, w, b, { padding, strides }));
    const values = shapes.map((shape, i) => normals(shape, `winograd ${i}`));
    const [wanted, fast, direct] = await Promise.all(backends.map(b => once(b, shapes, values, build)));
    t.ok(relativeError(fast.y, wanted.y) < 2e-5, 'result');
    fast.gradients.forEach((g, i) => {
      t.ok(relativeError(g, wanted.gradients[i]) < 2e-4, `gradient of input ${i}`);
    });
    t.ok(
      fast.y.some((v, i) => v !== direct.y[i]),
      'the result is not the direct kernel’s',
    );
    t.ok(
      fast.gradients[0].some((v, i) => v !== direct.gradients[0][i]),
      'nor is the gradient of the input',
    );
    await Promise.all(backends.map(b => b.close()));
  });
