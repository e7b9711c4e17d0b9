// gather on wasm against the reference: random separable maps, permutations and concatenations, and the forms that
// operations use: padding, cropping, flipping, pooling, resizing, transposing, and the transposes of these.

import fc from 'fast-check';
import tape from 'tape';
import {
  type AxisMap,
  type Gather,
  selectMap,
  sourceShape,
  transposeMap,
} from '../../kernels/gather/spec.ts';
import { renderGather } from '../../kernels/gather/wasm.ts';
import { type Layout, layoutOf } from '../../src/tensor/layout.ts';
import { agrees, faults, holds, layouts, noise, shapes } from './wasm-call.ts';

/** Any map of a dimension: some positions empty, weights of both signs. */
const axisMaps = (inputSize: number): fc.Arbitrary<AxisMap | null> =>
  fc.oneof(
    fc.constant(null),
    fc
      .array(fc.integer({ min: -1, max: inputSize - 1 }), { minLength: 1, maxLength: inputSize + 2 })
      .map(from => selectMap(from.length, p => from[p])),
    fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: inputSize + 1 }))
      .chain(([terms, size]) =>
        fc
          .array(fc.tuple(fc.integer({ min: -1, max: inputSize - 1 }), fc.integer({ min: -4, max: 4 })), {
            minLength: terms * size,
            maxLength: terms * size,
          })
          .map(pairs => ({
            size,
            terms,
            index: Int32Array.from(pairs, p => p[0]),
            weight: Float32Array.from(pairs, p => p[1] / 4),
          })),
      ),
  );

const call = shapes
  .chain(shape =>
    fc.tuple(
      fc.constant(shape),
      fc.shuffledSubarray(
        shape.map((_, a) => a),
        { minLength: shape.length },
      ),
      fc.boolean(),
      fc.integer({ min: 0, max: shape.length - 1 }),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 0, maxLength: 2 }),
    ),
  )
  .chain(([shape, shuffled, permute, axis, more]) => {
    const parts = [shape, ...more.map(n => shape.map((v, a) => (a === axis ? n : v)))];
    const plain = {
      family: 'gather' as const,
      concatAxis: axis,
      permutation: permute ? shuffled : shape.map((_, a) => a),
      maps: shape.map(() => null),
    };
    const source = sourceShape(plain, parts);
    return fc
      .tuple(...source.map(axisMaps))
      .chain(maps =>
        fc.tuple(
          fc.constant<Gather>({ ...plain, maps }),
          fc.tuple(...parts.map(layouts)),
          layouts(maps.map((m, a) => m?.size ?? source[a])),
        ),
      );
  });

tape('gather on wasm: random maps, permutations and concatenations', async t => {
  await holds(t, 'agrees with the reference', 150, call, ([kernel, inputs, output]) =>
    faults(
      renderGather,
      kernel,
      inputs,
      output,
      inputs.map((l, i) => noise(l.shape, i + 1)),
      1e-6,
    ),
  );
});

const flip = (n: number) => selectMap(n, p => n - 1 - p);
const crop = (n: number) => selectMap(n - 3, p => p + 1);
const reflect = (n: number) =>
  selectMap(n + 5, p => (p < 2 ? 2 - p : p > n + 1 ? 2 * (n - 1) - (p - 2) : p - 2));
const zeros = (n: number) => selectMap(n + 3, p => (p < 2 || p > n + 1 ? -1 : p - 2));
const insert = (n: number) => selectMap(2 * n - 1, p => (p % 2 ? -1 : p / 2));
const average = (n: number): AxisMap => {
  const size = Math.floor(n / 2);
  return {
    size,
    terms: 2,
    index: Int32Array.from({ length: 2 * size }, (_, e) => e),
    weight: new Float32Array(2 * size).fill(0.5),
  };
};
const linear = (n: number): AxisMap => {
  const size = Math.floor(1.6 * n);
  const index = new Int32Array(2 * size);
  const weight = new Float32Array(2 * size);
  for (let p = 0; p < size; p++) {
    const at = Math.min(n - 1, Math.max(0, ((p + 0.5) * n) / size - 0.5));
    const low = Math.floor(at);
    index.set([low, Math.min(n - 1, low + 1)], 2 * p);
    weight.set([1 - (at - low), at - low], 2 * p);
  }
  return { size, terms: 2, index, weight };
};

tape('gather on wasm: the forms operations use', async t => {
  const forms = { flip, crop, reflect, zeros, insert, average, linear };
  const grounds = [
    [2, 29, 3],
    [1, 12, 11, 5],
    [2, 9, 14, 16],
    [1, 7, 6, 5, 1],
    [1, 6, 8, 7, 17],
  ];
  for (const [name, form] of Object.entries(forms))
    for (const shape of grounds) {
      const maps = shape.map((n, a) => (a === 0 || a === shape.length - 1 ? null : form(n)));
      const permutation = shape.map((_, a) => a);
      const out = maps.map((m, a) => m?.size ?? shape[a]);
      const forward: Gather = { family: 'gather', concatAxis: 0, permutation, maps };
      const back: Gather = { ...forward, maps: maps.map((m, a) => m && transposeMap(m, shape[a])) };
      const margin = shape.slice(0, -1).map((_, a): [number, number] => (a === 0 ? [0, 0] : [1, 2]));
      const grow = (s: number[]): Layout[] => [layoutOf(s), layoutOf(s, margin)];
      for (const [i, x] of grow(shape).entries())
        for (const y of [grow(out)[i], grow(out)[1 - i]]) {
          await agrees(t, `${name} [${shape}]`, renderGather, forward, [x], y, [noise(shape)], 1e-6);
          await agrees(
            t,
            `${name} [${shape}], transposed`,
            renderGather,
            back,
            [y],
            x,
            [noise(out, 2)],
            1e-6,
          );
        }
    }
});

tape('gather on wasm: large copies', async t => {
  const identity = {
    family: 'gather' as const,
    concatAxis: 1,
    permutation: [0, 1, 2],
    maps: [null, null, null],
  };
  const [a, b] = [
    [1, 9001, 3],
    [1, 8000, 3],
  ];
  await agrees(
    t,
    'end to end',
    renderGather,
    identity,
    [layoutOf(a), layoutOf(b)],
    layoutOf([1, 17001, 3]),
    [noise(a), noise(b, 2)],
    0,
  );
  const joined = { ...identity, concatAxis: 2 };
  await agrees(
    t,
    'along the channels',
    renderGather,
    joined,
    [layoutOf([1, 5001, 3]), layoutOf([1, 5001, 4])],
    layoutOf([1, 5001, 7]),
    [noise([1, 5001, 3]), noise([1, 5001, 4], 2)],
    0,
  );
  const turned = { ...identity, permutation: [0, 2, 1] };
  await agrees(
    t,
    'channels first',
    renderGather,
    turned,
    [layoutOf(a)],
    layoutOf([1, 3, 9001]),
    [noise(a)],
    0,
  );
});

tape('gather on wasm: matrices transposed', async t => {
  for (const [outer, rows, columns, margin] of [
    [[], 16, 16, []],
    [[1], 37, 50, []],
    [[2, 3], 64, 19, [1, 2]],
    [[3], 16, 33, [0, 3]],
  ] as [number[], number, number, number[]][]) {
    const rank = outer.length + 2;
    const permutation = [...outer.map((_, a) => a), rank - 1, rank - 2];
    const kernel = {
      family: 'gather' as const,
      concatAxis: 0,
      permutation,
      maps: permutation.map(() => null),
    };
    // Channels have no margin, and the batch neither.
    const layout = (shape: number[]) =>
      layoutOf(
        shape,
        shape.slice(0, -1).map((_, a) => [a && margin[0] ? 1 : 0, a ? (margin[1] ?? 0) : 0] as const),
      );
    const from = [...outer, rows, columns];
    await agrees(
      t,
      `[${from}]`,
      renderGather,
      kernel,
      [layout(from)],
      layout([...outer, columns, rows]),
      [noise(from)],
      0,
    );
  }
});
