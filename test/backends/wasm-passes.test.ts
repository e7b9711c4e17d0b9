// Calls that run as one kernel on wasm: which are joined and which are not, and that results are those of the reference,
// to the bit the same on any number of threads.

import fc from 'fast-check';
import tape, { type Test } from 'tape';
import type { Expr } from '../../kernels/map/expr.ts';
import type { ProgramPlan } from '../../src/backends/backend.ts';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { passesOf } from '../../src/backends/wasm/passes.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { planProgram } from '../../src/graph/plan.ts';
import { Program } from '../../src/graph/program.ts';
import { operations as op } from '../../src/ops/index.ts';
import { firstOrder } from '../../src/optim/first-order.ts';
import { OPTIMISERS } from '../../src/optim/settings.ts';
import { layoutOf } from '../../src/tensor/layout.ts';
import { normals, relativeError } from '../conformance/evaluate.ts';

/** Labels of the passes of more than one call. */
const joined = (plan: ProgramPlan): string[] =>
  passesOf(plan).flatMap(({ calls }) => (calls.length > 1 ? [calls.map(c => c.label).join(', ')] : []));

tape('passes: a step of an optimiser is one for each variable', t => {
  const steps = { adam: 'adam m, adam v, adam x', sgd: 'sgd velocity, sgd' };
  for (const [name, labels] of Object.entries(steps)) {
    const graph = new Graph();
    const variables = [
      graph.variable('image', [1, 6, 5, 3], normals([1, 6, 5, 3], 'image')),
      graph.variable('w', [3, 3, 3, 2], normals([3, 3, 3, 2], 'w')),
    ];
    const y = op.convolution(variables[0], variables[1], undefined, { padding: 1 });
    const loss = graph.reshape(op.mean(op.mul(y, y)), [1]);
    const settings = { ...OPTIMISERS[name as 'adam' | 'sgd'], ...(name === 'sgd' && { momentum: 0.9 }) };
    const { updates } = firstOrder(graph, settings, variables, differentiate(loss, variables));
    const { plan } = planProgram(graph, { outputs: { loss }, updates });
    t.deepEqual(
      joined(plan).filter(l => !l.startsWith('gradient')),
      [labels, labels],
      name,
    );
    t.ok(
      plan.updates.every(u => u.inPlace),
      'in the bytes of the variables',
    );
  }
  t.end();
});

tape('passes: bytes of others are not overwritten before they are read', t => {
  const shape = [1, 8, 4];
  const at = (offset: number, role: 'input' | 'output' = 'input') =>
    ({ layout: layoutOf(shape), role, offset, label: '' }) as const;
  const map = (output: number, ...inputs: number[]) => {
    const expr: Expr = inputs.length > 1 ? ['add', 'x0', 'x1'] : ['neg', 'x0'];
    const layout = layoutOf(shape);
    const call = {
      kernel: { family: 'map', expr },
      inputs: inputs.map(() => layout),
      output: layout,
    } as const;
    return { call, inputs, output, label: 'map' };
  };
  // Two maps of tensor 0; the second writes where tensor 1 lies, which the first reads.
  const planned = (offset: number): ProgramPlan => ({
    tensors: [at(0), at(1024), at(2048, 'output'), at(offset, 'output')],
    calls: [map(2, 0, 1), map(3, 0)],
    updates: [],
    bytes: 4096,
  });
  t.equal(passesOf(planned(3072)).length, 1, 'bytes of its own');
  t.equal(passesOf(planned(1024)).length, 1, 'in place');
  t.equal(passesOf(planned(1024 + 64)).length, 2, 'across');
  const other = planned(3072);
  const calls = [map(2, 0), map(3, 1)];
  t.equal(passesOf({ ...other, calls }).length, 2, 'nothing in common');
  t.end();
});

const SHAPE = [2, 9, 7, 5];
const EXPRESSIONS: Expr[] = [
  ['sub', ['mul', 'x0', 0.5], ['mul', 'x1', 'x2']],
  ['select', ['sub', 'x0', 'x1'], ['tanh', 'x2'], ['max', 'x0', 0.25]],
  ['add', ['sigmoid', 'x0'], ['div', 'x1', ['add', 1, ['abs', 'x2']]]],
  ['mul', ['exp', ['neg', ['abs', 'x0']]], ['step', ['add', 'x1', 'x2']]],
];

const program = fc.array(
  fc.record({
    expr: fc.constantFrom(...EXPRESSIONS),
    inputs: fc.tuple(fc.nat(40), fc.nat(40), fc.nat(40)),
    convolved: fc.nat(4),
  }),
  { minLength: 3, maxLength: 9 },
);

tape('passes: random maps give what they give one by one', async t => {
  const backends = await Promise.all([1, 2, 3].map(threads => createWasmBackend({ threads })));
  const reference = await createReferenceBackend();
  let together = 0;
  const holds = async (
    list: { expr: Expr; inputs: [number, number, number]; convolved: number }[],
  ): Promise<boolean> => {
    const graph = new Graph();
    const variable = (name: string, shape = SHAPE) => graph.variable(name, shape, normals(shape, name));
    const trained = ['a', 'b', 'c'].map(name => variable(name));
    const values: Value[] = [
      ...trained,
      variable('scalar', [1, 1, 1, 1]),
      variable('per channel', [1, 1, 1, 5]),
      variable('per cell', [2, 9, 7, 1]),
    ];
    const w = graph.constant(
      [3, 3, 5, 5],
      normals([3, 3, 5, 5], 'w').map(v => v / 10),
    );
    const made: Value[] = [];
    for (const { expr, inputs, convolved } of list) {
      // Later values more often, so that chains come about.
      const from = inputs.map(i => values[Math.max(0, values.length - 1 - (i % values.length))]);
      const value = graph.map(expr, from, 'map', SHAPE);
      made.push(value);
      values.push(convolved ? value : op.convolution(value, w, undefined, { padding: 1 }));
    }
    const updates = trained.map((v, i) => ({
      variable: v,
      value: graph.map(['add', ['mul', 0.5, 'x0'], ['mul', 0.1, 'x1']], [v, made.at(-1 - i)!]),
    }));
    const outputs = { last: made.at(-1)!, middle: made[list.length >> 1] };
    const names = [...Object.keys(outputs), 'a', 'b', 'c'];
    const found: Float32Array[][] = [];
    for (const backend of [reference, ...backends]) {
      const p = await Program.compile(graph, { outputs, updates }, backend);
      if (backend === reference) together += joined(p.planned.plan).length;
      for (let run = 0; run < 3; run++) await p.run();
      found.push(await Promise.all(names.map(n => p.read(n))));
      await p.dispose();
    }
    const [wanted, one, ...more] = found;
    return names.every(
      (_, n) =>
        relativeError(one[n], wanted[n]) < 1e-5 &&
        more.every(threads => threads[n].every((v, i) => Object.is(v, one[n][i]))),
    );
  };
  const checked = await fc.check(fc.asyncProperty(program, holds), { numRuns: 40, seed: 5 });
  t.notOk(checked.failed, checked.failed ? fc.defaultReportMessage(checked) : '40 programs, 3 runs each');
  t.ok(together > 40, `${together} passes of several calls`);
  await Promise.all([...backends, reference].map(b => b.close()));
});

tape('passes: maxima and their places', async t => {
  for (const [size, channels, window, strides] of [
    [[13], 3, 2, 2],
    [[6, 8], 17, 2, 2],
    [[7, 9], 4, 3, 2],
    [[5, 4, 7], 8, 2, 1],
    [[4, 4, 4, 5], 5, 2, 2],
  ] as const) {
    const graph = new Graph();
    const shape = [2, ...size, channels];
    const x = graph.input('x', shape);
    const w = (label: string) => {
      const of = [...size.map(() => 3), channels, channels];
      return graph.constant(
        of,
        normals(of, label).map(v => v / 10),
      );
    };
    // Read with a margin behind the pool.
    const pooled = op.maxPool(op.relu(op.convolution(x, w('v'), undefined, { padding: 1 })), {
      window,
      strides,
    });
    const y = op.convolution(pooled, w('w'), undefined, { padding: 1 });
    const [gradient] = differentiate(graph.reshape(op.mean(op.mul(y, y)), [1]), [x]);
    await agree(t, `window ${window} of [${shape}]`, graph, { y, gradient }, 'max-pool, gradient/argmax');
  }
});

tape('passes: a convolution of one tap and the map behind it', async t => {
  for (const [size, channels, filters, margins, expr] of [
    [[6, 7], 19, 19, true, ['mul', ['add', 'x0', 'x1'], ['step', 'x2']]],
    [[40], 32, 32, true, ['mul', ['add', ['add', 'x1', 'x1'], 'x0'], ['step', 'x2']]],
    [[3, 4, 5], 8, 8, false, ['mul', ['add', 'x0', 'x1'], ['step', 'x2']]],
    [[9, 30], 16, 37, true, ['tanh', ['sub', 'x0', 'x1']]],
    [[2, 3, 4, 3], 5, 8, true, ['max', ['add', 'x0', 'x1'], 0]],
  ] as [number[], number, number, boolean, Expr][]) {
    const graph = new Graph();
    const shape = (n: number) => [2, ...size, n];
    const x = graph.input('x', shape(channels));
    const weights = (label: string, k: number, c: number, f: number) => {
      const of = [...size.map(() => k), c, f];
      return graph.constant(
        of,
        normals(of, label).map(v => v / 10),
      );
    };
    const wide = (value: Value, label: string, f: number) =>
      op.convolution(value, weights(label, 3, value.shape.at(-1)!, f), undefined, { padding: 1 });
    const features = op.relu(wide(x, 'u', channels));
    const other = wide(features, 'v', filters);
    // The features die in the map, which may lie in their bytes.
    const sum = op.convolution(features, weights('w', 1, channels, filters));
    const inputs = filters === channels ? [sum, other, features] : [sum, other];
    const made = graph.map(expr, inputs, 'behind', shape(filters));
    const y = margins ? wide(made, 'z', 3) : op.mean(op.mul(made, made));
    await agree(t, `${channels} to ${filters} channels on ${size}`, graph, { y }, 'convolution, behind');
  }
});

/** Asserts that calls of these labels are one pass, and results the reference's, the same on any number of threads. */
async function agree(
  t: Test,
  name: string,
  graph: Graph,
  outputs: Record<string, Value>,
  labels: string,
): Promise<void> {
  const reference = await createReferenceBackend();
  const backends = [
    reference,
    ...(await Promise.all([1, 2, 3].map(threads => createWasmBackend({ threads })))),
  ];
  const shape = graph.nodes.find(n => n.label === 'x')!.shape;
  const found: Float32Array[][] = [];
  for (const backend of backends) {
    const p = await Program.compile(graph, { outputs }, backend);
    if (backend === reference) {
      const together = joined(p.planned.plan);
      t.ok(together.includes(labels), `${name}: ${together.join('; ')}`);
    }
    for (let run = 0; run < 2; run++) {
      await p.write('x', normals(shape, `x ${run}`));
      await p.run();
    }
    found.push(await Promise.all(Object.keys(outputs).map(n => p.read(n))));
    await p.dispose();
    await backend.close();
  }
  const [wanted, one, ...more] = found;
  const errors = one.map((v, n) => relativeError(v, wanted[n]));
  t.ok(Math.max(...errors) < 1e-5, `as the reference (${errors.map(e => e.toExponential(1)).join(', ')})`);
  t.ok(
    more.every(threads => one.every((v, n) => v.every((e, i) => Object.is(e, threads[n][i])))),
    'on any number of threads',
  );
}
