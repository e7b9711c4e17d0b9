// Gradients of operations against central differences on every backend, in ranks 1 to 4.

import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { elu, prelu, sigmoid, softplus, tanh } from '../../src/ops/activation.ts';
import { add, concat, mul } from '../../src/ops/arithmetic.ts';
import { convolution, transposedConvolution } from '../../src/ops/convolution.ts';
import { dense } from '../../src/ops/dense.ts';
import { gram } from '../../src/ops/gram.ts';
import {
  binaryCrossEntropy,
  contentLoss,
  crossEntropy,
  styleLoss,
  totalVariation,
  triplet,
} from '../../src/ops/losses.ts';
import { instanceNorm, l2Normalise } from '../../src/ops/normalise.ts';
import { averagePool, globalAveragePool, maxPool } from '../../src/ops/pool.ts';
import { resize } from '../../src/ops/resize.ts';
import { flatten, slice, transpose } from '../../src/ops/shape.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';

type Build = (...inputs: Value[]) => Value;
const cases: Record<string, { shapes: number[][]; build: Build }> = {};
const spatial = [[9], [6, 5], [4, 5, 3], [3, 4, 3, 3]];
for (const size of spatial) {
  const rank = size.length;
  const x = [2, ...size, 4];
  const k = (n: number) => new Array<number>(rank).fill(n);
  const margins = size.map((_, a) => [a % 2, 1] as const);
  const at = (name: string, shapes: number[][], build: Build) => {
    cases[`${name}, rank ${rank}`] = { shapes, build };
  };
  at('convolution', [x, [...k(2), 4, 3], [3]], (a, w, b) => convolution(a, w, b, { padding: margins }));
  at('convolution, strides', [x, [...k(3), 4, 3]], (a, w) =>
    convolution(a, w, undefined, { padding: 1, strides: 2 }),
  );
  at('convolution, dilations', [x, [...k(2), 4, 2]], (a, w) =>
    convolution(a, w, undefined, { padding: margins, dilations: 2 }),
  );
  at('convolution, groups', [x, [...k(2), 2, 6]], (a, w) =>
    convolution(a, w, undefined, { padding: margins, groups: 2, strides: 2 }),
  );
  at('convolution, depthwise', [x, [...k(3), 1, 4]], (a, w) =>
    convolution(a, w, undefined, { padding: 1, groups: 4 }),
  );
  at('convolution, reflect', [x, [...k(3), 4, 2]], (a, w) =>
    convolution(a, w, undefined, { padding: 1, paddingMode: 'reflect' }),
  );
  at('convolution, replicate', [x, [...k(3), 4, 2]], (a, w) =>
    convolution(a, w, undefined, { padding: 2, paddingMode: 'replicate', strides: 2 }),
  );
  at('transposed convolution', [x, [...k(3), 2, 4], [2]], (a, w, b) =>
    transposedConvolution(a, w, b, { strides: 2, padding: 1, outputPadding: 1 }),
  );
  at('transposed convolution, groups', [x, [...k(2), 1, 4]], (a, w) =>
    transposedConvolution(a, w, undefined, { strides: 2, groups: 2 }),
  );
  at('max pool', [x], a => maxPool(a, { window: 2, strides: 2, rounding: 'ceil' }));
  at('max pool, overlapping', [x], a => maxPool(a, { window: 3, strides: 1, padding: 1 }));
  at('average pool', [x], a =>
    averagePool(a, { window: 3, strides: 2, padding: 1, rounding: 'ceil', countPadding: false }),
  );
  at('global average pool', [x], globalAveragePool);
  at('instance norm', [x, [4], [4]], (a, g, b) => instanceNorm(a, g, b));
  at('resize', [x], a =>
    resize(
      a,
      size.map(n => n + 3),
      'linear',
    ),
  );
  at('transpose', [x], a => transpose(a, [...x.keys()].reverse()));
  at('concat', [x, [2, ...size, 3]], (a, b) => concat([a, b], rank + 1));
  at('slice', [x], a => slice(a, 1, 1, 3));
  at('gram', [[1, ...size, 4]], gram);
  at('gram, batch', [x], gram);
  at('total variation', [x], totalVariation);
}
Object.assign(cases, {
  broadcasting: { shapes: [[2, 3, 4], [4]], build: (a, b) => mul(add(a, b), b) },
  'style loss': {
    shapes: [
      [1, 5, 3],
      [3, 3],
    ],
    build: (a, b) => styleLoss(gram(a), b, 5, 3),
  },
  'content loss': {
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: contentLoss,
  },
  softmax: { shapes: [[3, 5]], build: softmax },
  'l2-normalise': { shapes: [[3, 5]], build: x => l2Normalise(x) },
  dense: { shapes: [[3, 4], [4, 2], [2]], build: dense },
  flatten: { shapes: [[2, 3, 2]], build: flatten },
  tanh: { shapes: [[7]], build: tanh },
  sigmoid: { shapes: [[7]], build: sigmoid },
  softplus: { shapes: [[7]], build: softplus },
  elu: { shapes: [[7]], build: x => elu(x) },
  prelu: { shapes: [[2, 3], [3]], build: prelu },
  'cross-entropy': {
    shapes: [
      [3, 4],
      [3, 4],
    ],
    build: crossEntropy,
  },
  'binary cross-entropy': { shapes: [[5], [5]], build: binaryCrossEntropy },
  triplet: {
    shapes: [
      [4, 3],
      [4, 3],
      [4, 3],
    ],
    build: (a, p, n) => triplet(a, p, n, 0.5),
  },
} satisfies Record<string, { shapes: number[][]; build: Build }>);

for (const backend of [await createReferenceBackend(), await createWasmBackend()])
  for (const [name, { shapes, build }] of Object.entries(cases))
    tape(`gradient, ${backend.name}: ${name}`, async t => {
      const random = createRandom(5, name);
      const graph = new Graph();
      const inputs = shapes.map((shape, i) => graph.input(`x${i}`, shape));
      const y = build(...inputs);
      const probe = graph.constant(
        y.shape,
        Float32Array.from({ length: product(y.shape) }, () => random.normal()),
      );
      const loss = graph.reshape(
        product(y.shape) === 1
          ? mul(y, probe)
          : graph.reduce(
              'sum',
              ['mul', 'x0', 'x1'],
              [y, probe],
              y.shape.map(() => 1),
            ),
        [1],
      );
      const gradients = differentiate(loss, inputs);
      const outputs = { loss, ...Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])) };
      const program = await Program.compile(graph, { outputs }, backend);
      const values = shapes.map(s => Float32Array.from({ length: product(s) }, () => random.normal()));
      const set = async () => {
        for (const [i, v] of values.entries())
          if (program.planned.leaves.has(`x${i}`)) await program.write(`x${i}`, v);
        await program.run();
      };
      await set();
      for (const [i, shape] of shapes.entries()) {
        const gradient = await program.read(`g${i}`);
        // One random direction tests every element at once; single elements find which is wrong.
        let worst = 0;
        for (let trial = 0; trial < 3; trial++) {
          const direction = Float32Array.from({ length: product(shape) }, () => random.normal());
          const kept = values[i];
          const step = 2e-3;
          const ends: number[] = [];
          for (const sign of [1, -1]) {
            values[i] = kept.map((v, j) => v + sign * step * direction[j]);
            await set();
            ends.push(await program.readScalar('loss'));
          }
          values[i] = kept;
          const wanted = (ends[0] - ends[1]) / (2 * step);
          const got = gradient.reduce((sum, g, j) => sum + g * direction[j], 0);
          const size = Math.sqrt(gradient.reduce((s, g) => s + g * g, 0)) + 0.05;
          worst = Math.max(worst, Math.abs(wanted - got) / size);
        }
        t.ok(worst < 2e-2, `input ${i}: off by ${worst.toExponential(1)}`);
      }
    });
