// reduce on wasm against the reference: every subset of dimensions, margins, broadcasting, long sums.

import fc from 'fast-check';
import tape from 'tape';
import type { Expr } from '../../kernels/map/expr.ts';
import { fullShape } from '../../kernels/reduce/spec.ts';
import { renderReduce } from '../../kernels/reduce/wasm.ts';
import { layoutOf } from '../../src/tensor/layout.ts';
import { agrees, broadcasts, faults, holds, layouts, noise, shapes } from './wasm-call.ts';

const EXPRESSIONS: Expr[] = [
  ['mul', 'x0', 'x1'],
  ['exp', ['sub', 'x0', 'x1']],
  ['add', ['sigmoid', 'x0'], ['step', 'x1']],
];

const call = fc
  .tuple(shapes, fc.constantFrom(...EXPRESSIONS), fc.constantFrom('sum' as const, 'max' as const))
  .chain(([shape, expr, kind]) =>
    fc.tuple(
      fc.constant({ family: 'reduce' as const, expr, kind }),
      layouts(shape),
      broadcasts(shape).chain(layouts),
    ),
  )
  .chain(([kernel, a, b]) =>
    fc.tuple(
      fc.constant(kernel),
      fc.constantFrom([a, b], [b, a]),
      broadcasts(fullShape([a.shape, b.shape])).chain(layouts),
    ),
  );

tape('reduce on wasm: random shapes, dimensions and margins', async t => {
  await holds(t, 'agrees with the reference', 120, call, ([kernel, inputs, output]) =>
    faults(
      renderReduce,
      kernel,
      inputs,
      output,
      inputs.map((l, i) => noise(l.shape, i + 1)),
      1e-6,
    ),
  );
});

tape('reduce on wasm: two partial inputs span the full shape', async t => {
  const inputs = [layoutOf([2, 5, 1, 3]), layoutOf([1, 1, 6, 1])];
  const values = inputs.map((l, i) => noise(l.shape, i + 1));
  for (const output of [
    [1, 1, 1, 1],
    [2, 1, 6, 1],
    [1, 5, 1, 3],
    [2, 5, 6, 3],
  ])
    await agrees(
      t,
      `to [${output}]`,
      renderReduce,
      { family: 'reduce', kind: 'sum', expr: ['mul', 'x0', 'x1'] },
      inputs,
      layoutOf(output),
      values,
      1e-6,
    );
});

tape('reduce on wasm: long sums', async t => {
  const cases: [string, number[], number[]][] = [
    ['everything, one channel', [1, 150, 151, 1], [1, 1, 1, 1]],
    ['everything, three channels', [2, 83, 91, 3], [1, 1, 1, 1]],
    ['rank 1', [40003], [1]],
    ['bias gradient', [2, 61, 60, 5], [1, 1, 1, 5]],
    ['bias gradient, many channels', [1, 40, 41, 67], [1, 1, 1, 67]],
    ['per sample and channel', [3, 45, 45, 6], [3, 1, 1, 6]],
    ['per sample', [3, 45, 45, 6], [3, 1, 1, 1]],
    ['per cell', [1, 45, 45, 18], [1, 45, 45, 1]],
    ['over samples', [5, 31, 31, 6], [1, 31, 31, 6]],
  ];
  for (const [name, shape, output] of cases)
    for (const margin of [false, true]) {
      const layout = layoutOf(
        shape,
        margin ? shape.slice(0, -1).map((_, a) => (a === 0 ? [0, 0] : [1, 2])) : undefined,
      );
      const x = noise(shape).map(v => v + 1.5);
      await agrees(
        t,
        name,
        renderReduce,
        { family: 'reduce', kind: 'sum', expr: 'x0' },
        [layout],
        layoutOf(output),
        [x],
        3e-7,
      );
      await agrees(
        t,
        `${name}, largest`,
        renderReduce,
        { family: 'reduce', kind: 'max', expr: ['neg', 'x0'] },
        [layout],
        layoutOf(output),
        [x],
        0,
      );
    }
});
