// Gradients of every operation against central differences on the reference backend, ranks 1 to 4.

import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { operations } from '../../src/ops/index.ts';
import { cases, valuesOf } from '../conformance/cases.ts';
import { compile, dot, normals } from '../conformance/evaluate.ts';

// Small enough that few sums cross the kink of a ReLU, large enough for values in single precision.
const STEP = 5e-4;

tape('every operation has a case', t => {
  const covered = new Set<string>(cases.map(c => c.operation));
  t.deepEqual(
    Object.keys(operations).filter(name => !covered.has(name)),
    [],
    'none is left out',
  );
  t.equal(new Set(cases.map(c => c.name)).size, cases.length, 'names differ');
  t.end();
});

for (const c of cases)
  tape(`gradient: ${c.name}`, async t => {
    const backend = await createReferenceBackend();
    const forward = await compile(backend, c.shapes, c.build, { withGradients: false });
    const both = await compile(backend, c.shapes, c.build);
    const values = valuesOf(c);
    const { gradients } = await both.run(values);
    for (const [i, gradient] of gradients.entries()) {
      // A random direction tests every element at once.
      let worst = 0;
      for (let trial = 0; trial < 2; trial++) {
        const direction = normals(c.shapes[i], `direction ${trial}`);
        const at = async (sign: number) => {
          const moved = values.map((v, j) => (j === i ? v.map((n, e) => n + sign * STEP * direction[e]) : v));
          return (await forward.run(moved)).y;
        };
        const [up, down] = [await at(1), await at(-1)];
        const probe = normals(forward.shape, 'probe');
        // The difference is taken element by element, before summing, to lose fewer digits.
        const wanted = up.reduce((sum, v, e) => sum + ((v - down[e]) * probe[e]) / (2 * STEP), 0);
        const size = Math.sqrt(dot(gradient, gradient)) + 0.05;
        worst = Math.max(worst, Math.abs(wanted - dot(gradient, direction)) / size);
      }
      t.ok(worst < 1e-2, `input ${i}: off by ${worst.toExponential(1)}`);
    }
  });
