// Learns the filter between two signals from the signals alone, in 1, 2 and 3 dimensions with the same code: records a
// loss over a trainable variable, differentiates, compiles once and minimises. node examples/learn-filter.ts

import ndarray from 'ndarray';
import { chooseBackend, compute, Graph, minimise, OPTIMISERS, operations, type Value } from '../src/index.ts';

const blur = (x: Value, w: Value) => operations.convolution(x, w, undefined, { padding: 'same' });
const noise = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * i));

const backend = await chooseBackend('auto', {});
for (const [rank, n] of [32, 12, 8].entries()) {
  const size = new Array<number>(rank + 1).fill(n);
  const shapes = { x: [1, ...size, 1], w: [...size.map(() => 3), 1, 1] };
  const x = noise(n ** size.length);
  const secret = noise(3 ** size.length);
  const { y } = await compute({ x: ndarray(x, shapes.x), w: ndarray(secret, shapes.w) }, v => ({
    y: blur(v.x, v.w),
  }));

  const graph = new Graph();
  const filter = graph.variable('filter', shapes.w, new Float32Array(secret.length));
  const loss = operations.meanSquaredError(
    blur(graph.constant(shapes.x, x), filter),
    graph.constant(y.shape, y.data),
  );
  const { values, losses } = await minimise(
    { loss, variables: { filter } },
    OPTIMISERS.lbfgs,
    100,
    backend,
    () => true,
  );
  const off = Math.max(...values.filter.map((v, i) => Math.abs(v - secret[i])));
  console.log(
    `rank ${size.length}: ${secret.length} weights found to ${off.toExponential(0)} in ${losses.length} steps`,
  );
}
await backend.close();
