// Rewriting: what is joined, what is left alone, and that no value changes.

import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { optimise } from '../../src/graph/optimise.ts';
import { Program } from '../../src/graph/program.ts';
import { operations as op } from '../../src/ops/index.ts';
import { normals, relativeError } from '../conformance/evaluate.ts';

const families = (graph: Graph, ...results: Value[]) =>
  optimise(
    graph,
    results.map(v => v.id),
  ).flatMap(n => (n.kernel ? [n.kernel.family] : []));

tape('optimise: unread nodes go', t => {
  const graph = new Graph();
  const x = graph.input('x', [1, 4]);
  op.gram(x);
  t.deepEqual(families(graph, op.tanh(x)), ['map'], 'one map is left');
  t.end();
});

tape('optimise: ReLU becomes part of the convolution only where nothing else reads the sum', t => {
  const graph = new Graph();
  const x = graph.input('x', [1, 6, 2]);
  const y = op.convolution(x, graph.constant([3, 2, 2], new Float32Array(12)), undefined);
  const z = op.relu(y);
  t.deepEqual(families(graph, z), ['tap-conv'], 'folded');
  t.deepEqual(families(graph, z, y), ['tap-conv', 'map'], 'kept apart where both are read');
  t.end();
});

tape('optimise: a chain of elementwise operations is one kernel', t => {
  const graph = new Graph();
  const x = graph.input('x', [2, 5, 4]);
  const y = op.sigmoid(op.scale(op.add(op.tanh(x), graph.input('b', [2, 5, 4])), 3));
  t.deepEqual(families(graph, y), ['map'], 'one map');
  t.deepEqual(families(graph, op.sum(y, [1])), ['reduce'], 'and with its sum one reduce');
  t.end();
});

tape('optimise: values read twice, or smaller than their reader, are computed once', t => {
  const graph = new Graph();
  const x = graph.input('x', [2, 5, 4]);
  const e = op.tanh(x);
  t.deepEqual(families(graph, op.add(op.sigmoid(e), op.relu(e))), ['map', 'map'], 'read twice');
  const small = op.tanh(graph.input('s', [4]));
  t.deepEqual(families(graph, op.mul(x, small)), ['map', 'map'], 'broadcast');
  t.end();
});

tape('optimise: no kernel gets more inputs than a GPU binds', t => {
  const graph = new Graph();
  const inputs = Array.from({ length: 12 }, (_, i) => graph.input(`x${i}`, [3, 4]));
  const nodes = optimise(graph, [inputs.reduce(op.add).id]);
  const most = Math.max(...nodes.map(n => n.inputs.length));
  t.ok(most <= 6, `${most} inputs at most`);
  t.end();
});

tape('optimise: results are those of the graph as recorded', async t => {
  const graph = new Graph();
  const x = graph.constant([1, 6, 5, 4], normals([1, 6, 5, 4], 'x'));
  const w = graph.constant([3, 3, 4, 4], normals([3, 3, 4, 4], 'w'));
  const values: Value[] = [];
  const keep = (v: Value) => {
    values.push(v);
    return v;
  };
  const a = keep(op.relu(keep(op.convolution(x, w, undefined, { padding: 1 }))));
  const b = keep(op.mul(keep(op.tanh(a)), keep(op.mean(a, [1, 2]))));
  const c = keep(op.sub(keep(op.scale(b, 0.5)), keep(op.elu(x))));
  const last = keep(op.sum(keep(op.mul(c, c)), [1, 2, 3]));
  const backend = await createReferenceBackend();
  // Reading every value forbids every rewriting.
  const outputs = Object.fromEntries(values.map((v, i) => [`v${i}`, v]));
  const [joined, apart] = [
    await Program.compile(graph, { outputs: { last } }, backend),
    await Program.compile(graph, { outputs }, backend),
  ];
  await joined.run();
  await apart.run();
  t.ok(joined.planned.plan.calls.length < apart.planned.plan.calls.length, 'fewer kernels');
  const error = relativeError(await joined.read('last'), await apart.read(`v${values.length - 1}`));
  t.ok(error < 1e-5, `same result (${error.toExponential(1)})`);
});

tape('optimise: the mask of a ReLU goes back through the places of the pool behind it', async t => {
  const backend = await createReferenceBackend();
  for (const pool of [{ window: 2 }, { window: 3, strides: 2, padding: 1 }, { window: 2, strides: 1 }]) {
    const graph = new Graph();
    // Whole numbers, whose sums are exact in any order.
    const whole = (shape: readonly number[], label: string) => normals(shape, label).map(Math.round);
    const constant = (shape: number[], label: string) => graph.constant(shape, whole(shape, label), label);
    const x = graph.input('x', [2, 7, 6, 3]);
    const sums = op.convolution(x, constant([3, 3, 3, 4], 'w'), undefined, { padding: 1 });
    // Shifted down, so that whole windows are closed.
    const pooled = op.maxPool(op.relu(op.sub(sums, constant([4], 'shift'))), pool);
    const y = op.convolution(pooled, constant([2, 2, 4, 2], 'v'));
    const loss = graph.reshape(op.sum(op.mul(y, y), [0, 1, 2, 3]), [1]);
    const [gradient] = differentiate(loss, [x]);
    const name = JSON.stringify(pool);
    const list = optimise(graph, [gradient.id, loss.id]);
    const [unpool] = list.filter(n => n.kernel?.family === 'window' && n.kernel.kind === 'unpool');
    const reader = list.find(n => n.inputs.includes(unpool.id))!;
    t.equal(reader.kernel?.family, 'tap-conv', `${name}: no map in between`);
    const kinds = list.flatMap(n => (n.kernel?.family === 'window' ? [n.kernel.kind] : ['']));
    t.equal(kinds.indexOf('argmax'), kinds.indexOf('max') + 1, 'places are found beside the maxima');
    const every = Object.fromEntries(graph.nodes.map(n => [`v${n.id}`, graph.value(n.id)]));
    const read = async (outputs: Record<string, Value>) => {
      const program = await Program.compile(graph, { outputs }, backend);
      await program.write('x', whole(x.shape, 'x'));
      await program.run();
      return program.read(`v${gradient.id}`);
    };
    const error = relativeError(await read({ [`v${gradient.id}`]: gradient }), await read(every));
    t.equal(error, 0, 'the same gradient to the bit');
  }
});

tape('optimise: scales and shifts of frozen convolutions become part of their weights', async t => {
  const graph = new Graph();
  const x = graph.constant([2, 6, 5, 4], normals([2, 6, 5, 4], 'x'));
  const constant = (shape: number[], label: string) => graph.constant(shape, normals(shape, label), label);
  const w = constant([3, 3, 4, 6], 'w');
  const per = (label: string) => constant([6], label);
  const variance = graph.constant(
    [6],
    normals([6], 'variance').map(v => v * v + 0.5),
  );
  const affine = (y: Value) => op.affine(y, per('scale'), per('shift'));
  const norm = (y: Value) => op.batchNorm(y, per('mean'), variance, per('gamma'), per('beta'));
  const plain = op.convolution(x, w, undefined, { padding: 1 });
  const biased = op.convolution(x, w, per('bias'), { strides: 2 });
  const values = [
    op.relu(affine(plain)),
    op.relu(norm(biased)),
    // Left as they are: a function of the sums that is not linear, sums read twice, weights that change.
    op.tanh(op.convolution(x, w, undefined, { dilations: 2 })),
  ];
  t.deepEqual(families(graph, values[0]), ['tap-conv'], 'affine');
  t.deepEqual(families(graph, values[1]), ['tap-conv'], 'batch normalisation');
  t.deepEqual(families(graph, values[2]), ['tap-conv', 'map'], 'tanh');
  t.deepEqual(families(graph, affine(plain), plain), ['tap-conv', 'map'], 'sums read twice');
  const variable = op.convolution(x, graph.variable('v', [3, 3, 4, 6], normals([3, 3, 4, 6], 'v')));
  t.deepEqual(families(graph, affine(variable)), ['tap-conv', 'map'], 'weights that are trained');

  const backend = await createReferenceBackend();
  const read = async (outputs: Record<string, Value>) => {
    const program = await Program.compile(graph, { outputs }, backend);
    await program.run();
    const found = await program.read('y');
    await program.dispose();
    return found;
  };
  for (const [i, sums] of [plain, biased].entries())
    t.ok(
      // Read beside the result, the sums are not folded.
      relativeError(await read({ y: values[i] }), await read({ y: values[i], sums })) < 1e-6,
      `values of ${i}`,
    );
  await backend.close();
  t.end();
});
