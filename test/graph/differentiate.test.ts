// Differentiation beside what the operations' own tests cover: sharing, stops, intermediate values, independence.

import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { operations as op } from '../../src/ops/index.ts';

const three = new Float32Array([1, 2, 3]);

/** The gradients of Σ over the value that `build` gives, for the values it wants. */
async function gradientsOf(
  build: (x: Value) => { y: Value; wrt: Value[] },
): Promise<{ gradients: number[][]; graph: Graph }> {
  const graph = new Graph();
  const { y, wrt } = build(graph.variable('x', [1, 3], three));
  const loss = graph.reshape(op.sum(y, [0, 1]), [1]);
  const values = differentiate(loss, wrt);
  const outputs = Object.fromEntries(values.map((v, i) => [`g${i}`, v]));
  const program = await Program.compile(graph, { outputs }, await createReferenceBackend());
  await program.run();
  const gradients = await Promise.all(values.map(async (_, i) => [...(await program.read(`g${i}`))]));
  return { gradients, graph };
}

tape('differentiate: a value used several times gets the sum', async t => {
  const { gradients } = await gradientsOf(x => ({ y: op.add(op.mul(x, x), op.add(x, x)), wrt: [x] }));
  t.deepEqual(gradients[0], [4, 6, 8], '2x + 2');
});

tape('differentiate: nothing passes a detached value', async t => {
  const { gradients } = await gradientsOf(x => ({ y: op.mul(x, x.graph.detach(x)), wrt: [x] }));
  t.deepEqual(gradients[0], [1, 2, 3], 'only the other factor counts');
  const { gradients: all } = await gradientsOf(x => ({ y: x.graph.detach(op.mul(x, x)), wrt: [x] }));
  t.deepEqual(all[0], [0, 0, 0], 'zeros where no path is left');
});

tape('differentiate: with respect to an intermediate value and to its source at once', async t => {
  const { gradients } = await gradientsOf(x => {
    const middle = op.scale(x, 2);
    return { y: op.mul(middle, middle), wrt: [middle, x] };
  });
  t.deepEqual(gradients, [
    [4, 8, 12],
    [8, 16, 24],
  ]);
});

tape('differentiate: a loss that does not depend on a value', async t => {
  const { gradients } = await gradientsOf(x => {
    const other = x.graph.variable('other', [2, 2], new Float32Array(4));
    return { y: x, wrt: [other, x] };
  });
  t.deepEqual(gradients, [
    [0, 0, 0, 0],
    [1, 1, 1],
  ]);
});

tape('differentiate: a loss with respect to itself', async t => {
  const graph = new Graph();
  const x = graph.variable('x', [1], new Float32Array([5]));
  const [g] = differentiate(x, [x]);
  const program = await Program.compile(graph, { outputs: { g } }, await createReferenceBackend());
  await program.run();
  t.equal(await program.readScalar('g'), 1, 'one');
});

tape('differentiate: only what is asked for is computed', async t => {
  const graph = new Graph();
  const x = graph.input('x', [1, 6, 2]);
  const w = graph.variable('w', [3, 2, 2], new Float32Array(12));
  const y = op.convolution(x, w, undefined, { padding: 1 });
  differentiate(graph.reshape(op.sum(op.mul(y, y), [0, 1, 2]), [1]), [x]);
  const families = graph.nodes.map(n => n.kernel?.family);
  t.notOk(families.includes('tap-correlate'), 'no filter gradient where only the input’s is wanted');
  t.end();
});

tape('differentiate: the slopes at kinks', async t => {
  const graph = new Graph();
  const x = graph.variable('x', [1, 3], new Float32Array([-1, 0, 1]));
  const loss = graph.reshape(op.sum(op.relu(x), [0, 1]), [1]);
  const [g] = differentiate(loss, [x]);
  const program = await Program.compile(graph, { outputs: { g } }, await createReferenceBackend());
  await program.run();
  t.deepEqual([...(await program.read('g'))], [0, 0, 1], 'ReLU has slope 0 at 0');
});

tape('differentiate: the gradient of a Gram matrix is transposed only where it may differ', async t => {
  const [shape, n] = [[1, 4, 3], 3];
  const noise = (length: number, seed: number) =>
    Float32Array.from({ length }, (_, i) => Math.sin(seed * (i + 1)));
  const some = noise(n * n, 2);
  const symmetric = some.map((v, i) => v + some[(i % n) * n + Math.floor(i / n)]);
  const transposed = [];
  for (const data of [symmetric, some]) {
    const graph = new Graph();
    const x = graph.variable('x', shape, noise(12, 1));
    const target = graph.constant([n, n], data);
    const apart = op.sub(op.scale(op.gram(x), 0.5), target);
    const loss = graph.reshape(op.mean(op.mul(apart, apart)), [1]);
    const [gradient] = differentiate(loss, [x]);
    transposed.push(graph.nodes.some(node => node.kernel?.family === 'gather'));
    const backend = await createReferenceBackend();
    const program = await Program.compile(graph, { outputs: { loss, gradient } }, backend);
    await program.run();
    const [before, found] = [await program.readScalar('loss'), await program.read('gradient')];
    const step = 1e-3;
    for (const at of [0, 5, 11]) {
      const moved = noise(12, 1);
      moved[at] += step;
      await program.write('x', moved);
      await program.run();
      const slope = ((await program.readScalar('loss')) - before) / step;
      t.ok(
        Math.abs(slope - found[at]) < 0.02 * (1 + Math.abs(slope)),
        `${found[at]}: ${slope} by difference`,
      );
    }
  }
  t.deepEqual(transposed, [false, true]);
});
