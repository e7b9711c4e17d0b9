// map on wasm against the reference: broadcasting, margins, tails, in place, and the accuracy of exp, log, tanh, sigmoid.

import fc from 'fast-check';
import tape from 'tape';
import type { Expr, ExprOp } from '../../kernels/map/expr.ts';
import { renderMap } from '../../kernels/map/wasm.ts';
import { type Layout, layoutOf, pack } from '../../src/tensor/layout.ts';
import {
  agrees,
  broadcasts,
  compileCall,
  difference,
  faults,
  holds,
  layouts,
  noise,
  shapes,
} from './wasm-call.ts';

const EXPRESSIONS: Expr[] = [
  ['add', ['mul', 'x0', 'x1'], 'x2'],
  ['select', ['sub', 'x0', 'x1'], ['tanh', 'x2'], ['max', 'x0', 0.25]],
  ['div', ['sigmoid', 'x0'], ['add', 1, ['abs', ['min', 'x1', 'x2']]]],
  ['sub', ['exp', ['neg', 'x0']], ['mul', ['step', 'x1'], ['sqrt', ['abs', 'x2']]]],
];

const call = fc
  .tuple(shapes, fc.constantFrom(...EXPRESSIONS))
  .chain(([shape, expr]) =>
    fc.tuple(
      fc.constant(expr),
      layouts(shape),
      fc.array(broadcasts(shape).chain(layouts), { minLength: 3, maxLength: 3 }),
    ),
  );

tape('map on wasm: random shapes, broadcasts and margins', async t => {
  await holds(t, 'agrees with the reference', 80, call, ([expr, output, inputs]) =>
    faults(
      renderMap,
      { family: 'map', expr },
      inputs,
      output,
      inputs.map((l, i) => noise(l.shape, i + 1)),
      1e-6,
    ),
  );
});

tape('map on wasm: every kind of broadcasting', async t => {
  const shape = [2, 5, 6, 17];
  const kinds: Record<string, number[]> = {
    'per channel': [1, 1, 1, 17],
    'per cell': [2, 5, 6, 1],
    'per sample': [2, 1, 1, 1],
    'per sample and channel': [2, 1, 1, 17],
    'per row': [1, 5, 1, 1],
    'per column': [1, 1, 6, 1],
    scalar: [1, 1, 1, 1],
  };
  for (const [kind, small] of Object.entries(kinds)) {
    const inputs = [layoutOf(shape), layoutOf(small)];
    const values = inputs.map((l, i) => noise(l.shape, i + 1));
    const expr: Expr = ['sub', 'x0', ['mul', 2, 'x1']];
    for (const output of [
      layoutOf(shape),
      layoutOf(shape, [
        [0, 0],
        [1, 2],
        [2, 1],
      ]),
    ])
      await agrees(t, kind, renderMap, { family: 'map', expr }, inputs, output, values, 1e-6);
    await agrees(
      t,
      `${kind} alone`,
      renderMap,
      { family: 'map', expr: 'x0' },
      [inputs[1]],
      inputs[0],
      [values[1]],
      0,
    );
  }
  await agrees(
    t,
    'a constant',
    renderMap,
    { family: 'map', expr: 3 },
    [],
    layoutOf(
      [2, 3, 5],
      [
        [0, 0],
        [1, 1],
      ],
    ),
    [],
    0,
  );
});

tape('map on wasm: long rows are shared between threads', async t => {
  for (const shape of [[30011], [3, 20001, 1], [1, 9000, 3]]) {
    const layout = layoutOf(shape);
    await agrees(
      t,
      `[${shape}]`,
      renderMap,
      { family: 'map', expr: ['mul', 'x0', 'x1'] },
      [layout, layoutOf(shape.map((n, a) => (a === shape.length - 1 ? n : 1)))],
      layout,
      [noise(shape), noise([shape.at(-1)!], 2)],
      0.0000001,
    );
  }
});

tape('map on wasm: in place', async t => {
  const margin = [
    [0, 0],
    [1, 2],
    [1, 1],
  ] as const;
  for (const layout of [
    layoutOf([2, 7, 9, 5]),
    layoutOf([2, 7, 9, 5], margin),
    layoutOf([2, 7, 9, 1], margin),
  ]) {
    const inputs: Layout[] = [layout, layoutOf([1, 1, 1, layout.shape[3]])];
    const values = inputs.map((l, i) => noise(l.shape, i + 1));
    await agrees(
      t,
      'output in the bytes of input 0',
      renderMap,
      { family: 'map', expr: ['max', ['add', 'x0', 'x1'], 0] },
      inputs,
      layout,
      values,
      1e-6,
      { inPlace: 0 },
    );
  }
});

async function apply(op: ExprOp, x: Float32Array): Promise<Float32Array> {
  const layout = layoutOf([x.length]);
  const compiled = await compileCall(renderMap, {
    kernel: { family: 'map', expr: [op, 'x0'] as unknown as Expr },
    inputs: [layout],
    output: layout,
  });
  return pack(layout, compiled.run([x], 1).laid);
}

tape('map on wasm: functions to 3e-7', async t => {
  const grid = (from: number, to: number) =>
    Float32Array.from({ length: 40001 }, (_, i) => from + ((to - from) * i) / 40000);
  const powers = Float32Array.from({ length: 30000 }, (_, i) => 2 ** (-149 + (277 * i) / 30000));
  const cases: [ExprOp, Float32Array, (x: number) => number][] = [
    ['exp', grid(-87, 88.7), Math.exp],
    ['exp', grid(-1, 1), Math.exp],
    ['tanh', grid(-12, 12), Math.tanh],
    ['tanh', grid(-0.7, 0.7), Math.tanh],
    ['sigmoid', grid(-86, 30), x => 1 / (1 + Math.exp(-x))],
    ['log', powers, Math.log],
    ['log', grid(0.5, 2), Math.log],
  ];
  for (const [op, x, f] of cases) {
    const y = await apply(op, x);
    let worst = 0;
    x.forEach((v, i) => {
      const wanted = f(v);
      if (wanted !== 0) worst = Math.max(worst, Math.abs(y[i] - wanted) / Math.abs(wanted));
    });
    t.ok(worst <= 3e-7, `${op} on [${x[0]}, ${x.at(-1)}]: ${worst.toExponential(2)}`);
  }
});

tape('map on wasm: functions at the ends of the range', async t => {
  const inf = Number.POSITIVE_INFINITY;
  const x = Float32Array.of(0, -0, inf, -inf, Number.NaN, 1000, -1000, 89, -110);
  t.equal(difference(await apply('exp', x), [1, 1, inf, 0, Number.NaN, inf, 0, inf, 0]), 0, 'exp');
  t.equal(difference(await apply('tanh', x), [0, -0, 1, -1, Number.NaN, 1, -1, 1, -1]), 0, 'tanh');
  t.equal(difference(await apply('sigmoid', x), [0.5, 0.5, 1, 0, Number.NaN, 1, 0, 1, 0]), 0, 'sigmoid');
  const logs = Float32Array.of(0, -0, inf, -inf, Number.NaN, -1, 1);
  t.equal(
    difference(await apply('log', logs), [-inf, -inf, inf, Number.NaN, Number.NaN, Number.NaN, 0]),
    0,
    'log',
  );
  const tiny = await apply('exp', Float32Array.of(-90, -100));
  t.ok(Math.abs(tiny[0] - Math.exp(-90)) < 2 ** -149 && tiny[1] > 0, 'exp is subnormal where it has to be');
});
