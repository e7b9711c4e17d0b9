// The suite that every backend passes: each case forward and with gradients against the reference backend, and
// properties that need no reference: a linear operation and its gradient are adjoint, and a dimension of size 1 changes
// nothing.

import fc from 'fast-check';
import tape from 'tape';
import type { Backend } from '../../src/backends/backend.ts';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { operations as op } from '../../src/ops/index.ts';
import { cases, valuesOf } from './cases.ts';
import { type Build, compile, dot, normals, once, relativeError } from './evaluate.ts';

const TOLERANCE = 2e-4;

/** How much of the suite runs; slow backends take every `every`-th case and `runs` random shapes a property. */
export interface Extent {
  every?: number;
  runs?: number;
}

/** Declares the suite for one backend. */
export function conformance(name: string, create: () => Promise<Backend>, extent: Extent = {}): void {
  const { every = 1, runs = 12 } = extent;
  let backend: Backend;
  let reference: Backend;

  tape(`${name}: starts`, async t => {
    [backend, reference] = [await create(), await createReferenceBackend()];
    t.ok(backend.description.length > 0, backend.description);
  });

  for (const c of cases.filter((_, i) => i % every === 0))
    tape(`${name}: ${c.name}`, async t => {
      const [tested, oracle] = await Promise.all(
        [backend, reference].map(b => compile(b, c.shapes, c.build)),
      );
      // The second round sees what the first left behind in memory.
      for (const round of [0, 1]) {
        const values = valuesOf(c, round);
        const [got, wanted] = [await tested.run(values), await oracle.run(values)];
        const pairs = [
          [got.y, wanted.y] as const,
          ...got.gradients.map((g, i) => [g, wanted.gradients[i]] as const),
        ];
        const errors = pairs.map(([a, b]) => relativeError(a, b));
        t.ok(
          errors.every(e => e < TOLERANCE),
          `round ${round}: result and gradients differ by ${errors.map(e => e.toExponential(1)).join(', ')}`,
        );
      }
      await tested.dispose();
    });

  tape(`${name}: convolutions of random shapes`, async t => {
    await property(t, runs, async g => {
      const inputs = [g.x, g.w, g.b];
      const build: Build = (x, w, b) => op.convolution(x, w, b, g.parameters);
      const values = inputs.map((shape, i) => normals(shape, `random ${i}`));
      const [got, wanted] = await Promise.all([backend, reference].map(b => once(b, inputs, values, build)));
      const pairs = [
        [got.y, wanted.y] as const,
        ...got.gradients.map((v, i) => [v, wanted.gradients[i]] as const),
      ];
      return Math.max(...pairs.map(([a, b]) => relativeError(a, b))) < TOLERANCE;
    });
  });

  tape(`${name}: linear operations and their gradients are adjoint`, async t => {
    for (const [label, of] of Object.entries(linear))
      await property(
        t,
        Math.ceil(runs / 3),
        async g => {
          const { shapes, build } = of(g);
          const values = shapes.map((shape, i) => normals(shape, `adjoint ${i}`));
          // With the probe as y: ⟨Ax, y⟩ against ⟨x, Aᵀy⟩, for each input with the others held.
          const { y, gradients, shape } = await once(backend, shapes, values, build);
          const probe = normals(shape, 'probe');
          const scale = Math.sqrt(dot(y, y) * dot(probe, probe)) + 1e-6;
          return gradients.every((v, i) => Math.abs(dot(y, probe) - dot(v, values[i])) < 1e-4 * scale);
        },
        label,
      );
  });

  tape(`${name}: a dimension of size 1 equals the lower rank`, async t => {
    for (const [label, { build, weights }] of Object.entries(ranked))
      await property(
        t,
        Math.ceil(runs / 3),
        async (g, axis) => {
          const at = axis % (g.rank + 1);
          const insert = (shape: readonly number[], from: number) => [
            ...shape.slice(0, from + at),
            1,
            ...shape.slice(from + at),
          ];
          const shapes = weights ? [g.x, g.w] : [g.x];
          const higher = weights ? [insert(g.x, 1), insert(g.w, 0)] : [insert(g.x, 1)];
          const values = shapes.map((shape, i) => normals(shape, `ranks ${i}`));
          const probe = normals([1000], 'long probe');
          const count = (await once(reference, shapes, values, build, { withGradients: false })).y.length;
          const options = { probe: Float32Array.from({ length: count }, (_, i) => probe[i % 1000]) };
          const low = await once(backend, shapes, values, build, options);
          const high = await once(backend, higher, values, build, options);
          return (
            relativeError(high.y, low.y) < TOLERANCE &&
            high.gradients.every((v, i) => relativeError(v, low.gradients[i]) < TOLERANCE)
          );
        },
        label,
      );
  });

  tape(`${name}: closes`, async t => {
    await backend.close();
    t.pass('closed');
  });
}

/** A random convolution. */
interface Geometry {
  rank: number;
  x: number[];
  w: number[];
  b: number[];
  parameters: { strides: number[]; dilations: number[]; padding: [number, number][]; groups: number };
}

const geometry = fc.integer({ min: 1, max: 4 }).chain(rank => {
  const each = (min: number, max: number) =>
    fc.array(fc.integer({ min, max }), { minLength: rank, maxLength: rank });
  return fc
    .record({
      batch: fc.integer({ min: 1, max: 2 }),
      size: each(1, [40, 9, 6, 4][rank - 1]),
      kernel: each(1, rank > 2 ? 2 : 4),
      strides: each(1, 3),
      dilations: each(1, 3),
      low: each(0, 3),
      high: each(0, 3),
      groups: fc.constantFrom(1, 1, 2, 3),
      // Widths around the vectors' lengths.
      depth: fc.integer({ min: 1, max: 9 }),
      filters: fc.integer({ min: 1, max: 18 }),
    })
    .map(({ batch, size, kernel, strides, dilations, low, high, groups, depth, filters }): Geometry => {
      const padding = size.map((n, a): [number, number] => {
        const span = dilations[a] * (kernel[a] - 1) + 1;
        return [low[a], Math.max(high[a], span - n - low[a])];
      });
      return {
        rank,
        x: [batch, ...size, depth * groups],
        w: [...kernel, depth, filters * groups],
        b: [filters * groups],
        parameters: { strides, dilations, padding, groups },
      };
    });
});

async function property(
  t: tape.Test,
  numRuns: number,
  holds: (g: Geometry, axis: number) => Promise<boolean>,
  label = 'holds',
): Promise<void> {
  const checked = await fc.check(fc.asyncProperty(geometry, fc.nat(11), holds), { numRuns, seed: 7 });
  t.notOk(checked.failed, checked.failed ? fc.defaultReportMessage(checked) : `${label}: ${numRuns} shapes`);
}

type Linear = (g: Geometry) => { shapes: number[][]; build: Build };
const linear: Record<string, Linear> = {
  convolution: g => ({
    shapes: [g.x, g.w],
    build: (x, w) => op.convolution(x, w, undefined, g.parameters),
  }),
  'transposed convolution': g => ({
    shapes: [[...g.x.slice(0, -1), g.w.at(-1)!], g.w],
    build: (x, w) =>
      op.transposedConvolution(x, w, undefined, {
        ...g.parameters,
        padding: 0,
        outputPadding: g.parameters.strides.map(s => s - 1),
      }),
  }),
  'padding with zeros': g => ({ shapes: [g.x], build: x => op.pad(x, g.parameters.padding) }),
  'padding with the edge': g => ({
    shapes: [g.x],
    build: x => op.pad(x, g.parameters.padding, 'replicate'),
  }),
  'average pool': g => ({
    shapes: [g.x],
    build: x => op.averagePool(x, { window: g.x.slice(1, -1).map(n => Math.min(n, 3)), strides: 1 }),
  }),
  'linear resize': g => ({
    shapes: [g.x],
    build: x =>
      op.resize(
        x,
        g.x.slice(1, -1).map((n, a) => Math.max(1, n + g.parameters.padding[a][1] - 1)),
        'linear',
      ),
  }),
  transpose: g => ({ shapes: [g.x], build: x => op.transpose(x, [...g.x.keys()].reverse()) }),
  'concatenation of slices': g => ({
    shapes: [g.x],
    build: x => op.concat([op.slice(x, 0, 0, 1), x], 0),
  }),
  mean: g => ({ shapes: [g.x], build: x => op.mean(x, [0, g.rank]) }),
};

// Operations whose parameters say nothing of the rank.
const ranked: Record<string, { build: Build; weights?: boolean }> = {
  convolution: {
    build: (x, w) =>
      op.convolution(x, w, undefined, { padding: 'same', groups: x.shape.at(-1)! / w.shape.at(-2)! }),
    weights: true,
  },
  'max pool': { build: x => op.maxPool(x, { window: 2, strides: 1, padding: 'same' }) },
  'average pool': {
    build: x => op.averagePool(x, { window: 2, strides: 1, padding: 'same', countPadding: false }),
  },
  'instance norm': { build: x => op.instanceNorm(x) },
  gram: { build: x => op.gram(x) },
  'total variation': { build: x => op.totalVariation(x) },
  'global average': { build: x => op.globalAveragePool(x) },
};
