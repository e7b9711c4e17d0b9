// Rank 4 against the definitions, written out as nested loops over padded arrays without anything of the engine's
// arithmetic; and rank 5 against sums that can be done in the head.

import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { operations as op } from '../../src/ops/index.ts';
import { normals, once, relativeError } from '../conformance/evaluate.ts';

const SIZE = [5, 4, 3, 6];
const LOW = [1, 0, 2, 1];
const HIGH = [0, 2, 1, 1];
const KERNEL = [2, 3, 2, 1];
const STRIDES = [2, 1, 2, 3];
const DILATIONS = [1, 1, 2, 1];
const [CHANNELS, FILTERS] = [4, 6];
const padding = LOW.map((low, a) => [low, HIGH[a]] as [number, number]);

/** Calls `visit` for every position of a box of four dimensions. */
function each([a, b, c, d]: number[], visit: (at: number[]) => void): void {
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++) for (let k = 0; k < c; k++) for (let l = 0; l < d; l++) visit([i, j, k, l]);
}

const OUT = SIZE.map((n, a) =>
  Math.floor((n + LOW[a] + HIGH[a] - DILATIONS[a] * (KERNEL[a] - 1) - 1) / STRIDES[a] + 1),
);
const cell = (at: number[], size: number[]) =>
  ((at[0] * size[1] + at[1]) * size[2] + at[2]) * size[3] + at[3];
const source = (p: number[], t: number[]) => p.map((v, a) => v * STRIDES[a] + t[a] * DILATIONS[a] - LOW[a]);
const inside = (q: number[]) => q.every((v, a) => v >= 0 && v < SIZE[a]);

for (const groups of [1, 2])
  tape(`definition: convolution in rank 4 with its gradients, groups ${groups}`, async t => {
    const [depth, perGroup] = [CHANNELS / groups, FILTERS / groups];
    const shapes = [[1, ...SIZE, CHANNELS], [...KERNEL, depth, FILTERS], [FILTERS]];
    const [x, w, b] = shapes.map((s, i) => normals(s, `definition ${i}`));
    const yShape = [1, ...OUT, FILTERS];
    const dy = normals(yShape, 'definition dy');
    const y = new Float64Array(dy.length);
    const [gx, gw, gb] = [x, w, b].map(v => new Float64Array(v.length));
    each(OUT, p => {
      for (let k = 0; k < FILTERS; k++) {
        const o = cell(p, OUT) * FILTERS + k;
        y[o] = b[k];
        gb[k] += dy[o];
        each(KERNEL, tap => {
          const q = source(p, tap);
          if (!inside(q)) return;
          for (let c = 0; c < depth; c++) {
            const i = cell(q, SIZE) * CHANNELS + Math.floor(k / perGroup) * depth + c;
            const j = (cell(tap, KERNEL) * depth + c) * FILTERS + k;
            y[o] += x[i] * w[j];
            gx[i] += dy[o] * w[j];
            gw[j] += dy[o] * x[i];
          }
        });
      }
    });
    const got = await once(
      await createReferenceBackend(),
      shapes,
      [x, w, b],
      (a, v, c) => op.convolution(a, v, c, { padding, strides: STRIDES, dilations: DILATIONS, groups }),
      { probe: dy },
    );
    t.deepEqual(got.shape, yShape, `shape [${got.shape}]`);
    for (const [name, a, wanted] of [
      ['result', got.y, y],
      ['input gradient', got.gradients[0], gx],
      ['weight gradient', got.gradients[1], gw],
      ['bias gradient', got.gradients[2], gb],
    ] as const)
      t.ok(relativeError(a, Float32Array.from(wanted)) < 1e-5, name);

    // The transposed convolution with these weights is that input gradient.
    const back = await once(
      await createReferenceBackend(),
      [yShape, shapes[1]],
      [dy, w],
      (a, v) =>
        op.transposedConvolution(a, v, undefined, {
          padding,
          strides: STRIDES,
          dilations: DILATIONS,
          groups,
          outputPadding: SIZE.map(
            (n, a) => n + LOW[a] + HIGH[a] - DILATIONS[a] * (KERNEL[a] - 1) - 1 - (OUT[a] - 1) * STRIDES[a],
          ),
        }),
      { withGradients: false },
    );
    t.deepEqual(back.shape, shapes[0], 'transposed convolution: shape');
    t.ok(relativeError(back.y, Float32Array.from(gx)) < 1e-5, 'transposed convolution');
  });

tape('definition: pools in rank 4', async t => {
  const shape = [1, ...SIZE, 2];
  const x = normals(shape, 'pool');
  const window = [2, 2, 3, 2];
  const out = SIZE.map((n, a) => n - window[a] + 1);
  const [most, average] = [
    new Float32Array(out.reduce((a, b) => a * b) * 2),
    new Float64Array(out.reduce((a, b) => a * b) * 2),
  ];
  most.fill(Number.NEGATIVE_INFINITY);
  each(out, p => {
    each(window, tap => {
      for (let c = 0; c < 2; c++) {
        const v =
          x[
            cell(
              p.map((n, a) => n + tap[a]),
              SIZE,
            ) *
              2 +
              c
          ];
        const o = cell(p, out) * 2 + c;
        most[o] = Math.max(most[o], v);
        average[o] += v / 24;
      }
    });
  });
  const backend = await createReferenceBackend();
  const none = { withGradients: false };
  const max = await once(backend, [shape], [x], a => op.maxPool(a, { window, strides: 1 }), none);
  const mean = await once(backend, [shape], [x], a => op.averagePool(a, { window, strides: 1 }), none);
  t.deepEqual([...max.y], [...most], 'maximum');
  t.ok(relativeError(mean.y, Float32Array.from(average)) < 1e-5, 'average');
});

tape('definition: total variation and Gram matrix in rank 4', async t => {
  const shape = [1, ...SIZE, 2];
  const x = normals(shape, 'variation');
  let variation = 0;
  const products = new Float64Array(4);
  each(SIZE, p => {
    for (let c = 0; c < 2; c++) {
      for (let d = 0; d < 2; d++) products[c * 2 + d] += x[cell(p, SIZE) * 2 + c] * x[cell(p, SIZE) * 2 + d];
      for (let a = 0; a < 4; a++) {
        const next = p.map((v, b) => v + (a === b ? 1 : 0));
        if (inside(next)) variation += (x[cell(next, SIZE) * 2 + c] - x[cell(p, SIZE) * 2 + c]) ** 2;
      }
    }
  });
  const backend = await createReferenceBackend();
  const none = { withGradients: false };
  const tv = await once(backend, [shape], [x], op.totalVariation, none);
  t.ok(Math.abs(tv.y[0] / variation - 1) < 1e-5, `total variation ${variation.toFixed(3)}`);
  const gram = await once(backend, [shape], [x], op.gram, none);
  t.ok(relativeError(gram.y, Float32Array.from(products)) < 1e-5, 'Gram matrix');
});

tape('definition: ones in rank 5', async t => {
  const x = new Float32Array(2 ** 5 * 2).fill(1);
  const w = new Float32Array(2 ** 5 * 2 * 3).fill(1);
  const shapes = [
    [1, 2, 2, 2, 2, 2, 2],
    [2, 2, 2, 2, 2, 2, 3],
  ];
  const { y, shape } = await once(
    await createReferenceBackend(),
    shapes,
    [x, w],
    (a, v) => op.convolution(a, v, undefined, { padding: 1 }),
    { withGradients: false },
  );
  t.deepEqual(shape, [1, 3, 3, 3, 3, 3, 3], 'shape');
  t.equal(y[0], 2, 'a corner meets one cell of two channels');
  t.equal(y[Math.floor(3 ** 5 / 2) * 3], 64, 'the middle meets all 32 cells');
});
