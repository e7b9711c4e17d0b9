// Plans: bytes are reused only when free, margins are there, elementwise updates happen in place.

import fc from 'fast-check';
import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { memoryOf, planProgram } from '../../src/graph/plan.ts';
import { Program } from '../../src/graph/program.ts';
import { operations as op } from '../../src/ops/index.ts';
import { normals, relativeError } from '../conformance/evaluate.ts';
import { createFlatBackend } from './flat-backend.ts';

const SHAPE = [1, 5, 4, 2];

// Steps that keep the shape [1, 5, 4, 2].
const steps: ((a: Value, b: Value, w: Value) => Value)[] = [
  (a, _, w) => op.convolution(a, w, undefined, { padding: 1 }),
  (a, _, w) =>
    op.convolution(a, w, undefined, {
      padding: [
        [2, 0],
        [0, 2],
      ],
    }),
  (a, _, w) =>
    op.transposedConvolution(op.maxPool(a, { window: 2 }), w, undefined, {
      padding: [
        [0, 0],
        [1, 0],
      ],
      strides: [2, 2],
    }),
  a => op.relu(a),
  a => op.tanh(a),
  (a, b) => op.add(a, b),
  (a, b) => op.mul(a, op.sigmoid(b)),
  a => op.instanceNorm(a),
  a => op.reshape(op.scale(op.reshape(a, [1, 20, 2]), 0.5), SHAPE),
  (a, b) => op.concat([op.slice(a, 1, 0, 2), op.slice(b, 1, 2, 5)], 1),
  (a, b) => op.sub(a, op.mean(b, [1, 2])),
  a => a.graph.detach(a),
];

const program = fc.array(
  fc.record({ step: fc.nat(steps.length - 1), a: fc.nat(30), b: fc.nat(30), weight: fc.nat(2) }),
  { minLength: 2, maxLength: 10 },
);

tape('plan: random programs compute the same in one packed memory', async t => {
  const holds = async (list: { step: number; a: number; b: number; weight: number }[]): Promise<boolean> => {
    const graph = new Graph();
    const input = graph.input('input', SHAPE);
    const x = graph.variable('x', SHAPE, normals(SHAPE, 'x'));
    const kept = graph.variable('kept', SHAPE, normals(SHAPE, 'kept'));
    const weights = [0, 1, 2].map(i => graph.variable(`w${i}`, [3, 3, 2, 2], normals([3, 3, 2, 2], `w${i}`)));
    const values = [input, x, kept];
    for (const { step, a, b, weight } of list)
      values.push(steps[step](values[a % values.length], values[b % values.length], weights[weight]));
    const last = values.at(-1)!;
    const loss = op.meanSquaredError(op.tanh(last), input);
    const trained = [x, ...weights];
    const gradients = differentiate(loss, trained);
    const updates = [
      ...trained.map((v, i) => ({
        variable: v,
        value: graph.map(['sub', 'x0', ['mul', 0.1, ['tanh', 'x1']]], [v, gradients[i]]),
      })),
      { variable: kept, value: list[0].a % 2 ? x : values[(list[0].b % (values.length - 1)) + 1] },
    ];
    const outputs = { loss, last, middle: values[3 + (list[0].weight % list.length)] };
    const [flat, plain] = await Promise.all(
      [await createFlatBackend(), await createReferenceBackend()].map(b =>
        Program.compile(graph, { outputs, updates }, b),
      ),
    );
    const names = ['loss', 'last', 'middle', 'x', 'kept', 'w0', 'w1', 'w2'];
    for (let run = 0; run < 3; run++) {
      for (const p of [flat, plain])
        if (p.planned.leaves.has('input')) await p.write('input', normals(SHAPE, `input ${run}`));
      await flat.run();
      await plain.run();
      for (const name of names)
        if (relativeError(await flat.read(name), await plain.read(name)) > 1e-6) return false;
    }
    return true;
  };
  const checked = await fc.check(fc.asyncProperty(program, holds), { numRuns: 60, seed: 3 });
  t.notOk(checked.failed, checked.failed ? fc.defaultReportMessage(checked) : '60 programs, 3 runs each');
});

tape('plan: variables that take each other’s values', async t => {
  const graph = new Graph();
  const of = (name: string, v: number) => graph.variable(name, [2], new Float32Array([v, -v]));
  const [a, b, c, d] = [of('a', 1), of('b', 2), of('c', 3), of('d', 4)];
  const next = op.add(c, d);
  const updates = [
    { variable: a, value: b },
    { variable: b, value: a },
    { variable: c, value: next },
    { variable: d, value: next },
  ];
  for (const create of [createFlatBackend, createReferenceBackend]) {
    const backend = await create();
    const p = await Program.compile(graph, { outputs: {}, updates }, backend);
    await p.run();
    const read = async () => Promise.all(['a', 'b', 'c', 'd'].map(async n => (await p.read(n))[0]));
    t.deepEqual(await read(), [2, 1, 7, 7], `${backend.name}: swapped and shared`);
    await p.run();
    t.deepEqual(await read(), [1, 2, 14, 14], `${backend.name}: and again`);
  }
  t.end();
});

tape('plan: a shifted history keeps its order', async t => {
  const graph = new Graph();
  const of = (name: string, v: number) => graph.variable(name, [1], new Float32Array([v]));
  const [first, second, third] = [of('first', 1), of('second', 2), of('third', 3)];
  const updates = [
    { variable: first, value: op.scale(first, 10) },
    { variable: second, value: first },
    { variable: third, value: second },
  ];
  const p = await Program.compile(graph, { outputs: {}, updates }, await createFlatBackend());
  await p.run();
  const read = await Promise.all(['first', 'second', 'third'].map(n => p.readScalar(n)));
  t.deepEqual(read, [10, 1, 2], 'each takes what the one before it had');
});

tape('plan: an elementwise update happens in place', t => {
  const graph = new Graph();
  const x = graph.variable('x', [1, 100, 4], new Float32Array(400));
  const step = graph.input('step', [1, 100, 4]);
  const { plan } = planProgram(graph, { outputs: {}, updates: [{ variable: x, value: op.sub(x, step) }] });
  t.equal(plan.updates[0].inPlace, true, 'in the variable’s bytes');
  const { plan: read } = planProgram(graph, {
    outputs: { old: x },
    updates: [{ variable: x, value: op.sub(x, step) }],
  });
  t.equal(read.updates[0].inPlace, false, 'not where the old value is read after the run');
  t.end();
});

tape('plan: a chain needs two activations, whatever its length', t => {
  const bytes = (length: number) => {
    const graph = new Graph();
    const w = graph.constant([3, 3, 8, 8], new Float32Array(576));
    let x = graph.input('x', [1, 32, 32, 8]);
    for (let i = 0; i < length; i++) x = op.tanh(op.convolution(x, w, undefined, { padding: 1 }));
    const plan = planProgram(graph, { outputs: { x } }).plan;
    t.ok(memoryOf(plan).permanent <= plan.bytes, 'what stays is part of the whole');
    return plan.bytes;
  };
  t.equal(bytes(12), bytes(4), 'twelve layers as four');
  t.end();
});

tape('plan: offsets are aligned and lie in the memory', t => {
  const graph = new Graph();
  const x = graph.input('x', [1, 7, 3]);
  const w = graph.constant([3, 3, 5], new Float32Array(45));
  const { plan } = planProgram(graph, {
    outputs: { y: op.relu(op.convolution(x, w, undefined, { padding: 1 })) },
  });
  for (const tensor of plan.tensors) t.equal(tensor.offset % 64, 0, `${tensor.label} at ${tensor.offset}`);
  t.equal(plan.calls.length, 1, 'ReLU is part of the convolution');
  t.end();
});
