// L-BFGS on functions known from textbooks, at every scale of the loss, against walls of values that are not finite, and
// with the few digits that single precision leaves.

import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { NdconvError } from '../../src/errors.ts';
import { Graph } from '../../src/graph/graph.ts';
import { add, mul, scale, sub, sum } from '../../src/ops/arithmetic.ts';
import { slice } from '../../src/ops/shape.ts';
import { lbfgs } from '../../src/optim/lbfgs.ts';
import type { Objective } from '../../src/optim/line-search.ts';
import { minimise, type Problem } from '../../src/optim/minimise.ts';
import { createRandom } from '../../src/random.ts';

/** Value and gradient in double precision. */
type Plain = (x: ArrayLike<number> & Iterable<number>) => [number, number[]];

/** The chained Rosenbrock function, minimum 0 at (1, …, 1). */
const rosenbrock: Plain = x => {
  let value = 0;
  const gradient = new Array<number>(x.length).fill(0);
  for (let i = 0; i + 1 < x.length; i++) {
    const [a, b] = [1 - x[i], x[i + 1] - x[i] ** 2];
    value += a * a + 100 * b * b;
    gradient[i] -= 2 * a + 400 * b * x[i];
    gradient[i + 1] += 200 * b;
  }
  return [value, gradient];
};

/** ½ Σ curvatures·(x − 1)², curvatures from 1 to `condition`. */
const quadratic =
  (condition: number): Plain =>
  x => {
    const curvature = (i: number) => condition ** (i / (x.length - 1));
    const gradient = Array.from(x, (v, i) => curvature(i) * (v - 1));
    return [gradient.reduce((total, g, i) => total + 0.5 * g * (x[i] - 1), 0), gradient];
  };

/** The function as a backend gives it: multiplied by `factor`, in single precision. */
const objectiveOf =
  (f: Plain, factor = 1): Objective<undefined> =>
  async x => {
    const [value, gradient] = f(x);
    return {
      value: Math.fround(factor * value),
      gradient: Float32Array.from(gradient, g => factor * g),
      aside: undefined,
    };
  };

/** Runs it and keeps the accepted points; fails where a value rises. */
async function follow(
  t: test.Test,
  objective: Objective<undefined>,
  start: number[],
  iterations: number,
  history = 10,
) {
  const path: { value: number; x: Float32Array }[] = [];
  let last = (await objective(Float32Array.from(start))).value;
  let rises = 0;
  const outcome = await lbfgs(
    objective,
    Float32Array.from(start),
    { iterations, history },
    ({ value, x }) => {
      if (!(value <= last)) rises++;
      last = value;
      path.push({ value, x });
      return true;
    },
  );
  t.equal(rises, 0, 'no step raises the value');
  return { ...outcome, path };
}

const distanceToOnes = (x: Float32Array) => Math.max(...x.map(v => Math.abs(v - 1)));
const valley = Array.from({ length: 20 }, (_, i) => (i % 2 ? 1 : -1.2));

test('L-BFGS finds the minimum of quadratics and of the Rosenbrock function', async t => {
  // SciPy's L-BFGS-B, remembering as many steps, comes as near to the two quadratics in 49 and 440 steps.
  const cases: [string, Plain, number[], number][] = [
    ['a round quadratic', quadratic(1), [5, -3, 0.5, 100], 4],
    ['a quadratic of condition 100', quadratic(100), new Array(30).fill(-2), 60],
    ['a quadratic of condition 10 000', quadratic(1e4), new Array(30).fill(-2), 500],
    ['Rosenbrock', rosenbrock, [-1.2, 1], 45],
    ['Rosenbrock in 20 dimensions', rosenbrock, valley, 130],
  ];
  for (const [name, f, start, most] of cases) {
    const { x, reason, path, evaluations } = await follow(t, objectiveOf(f), start, 1000);
    const steps = path.findIndex(p => distanceToOnes(p.x) < 1e-3) + 1;
    t.ok(distanceToOnes(x) < 1e-3, `${name}: ends ${distanceToOnes(x).toExponential(1)} from the minimum`);
    t.equal(reason, 'converged', `${name} ended: ${reason}`);
    t.ok(steps <= most, `${steps} steps to within 0.001`);
    t.ok(evaluations <= 1.5 * path.length + 10, `${evaluations} evaluations for ${path.length} steps`);
  }
});

test('the path does not depend on the scale of the loss', async t => {
  for (const [name, f, start] of [
    ['Rosenbrock', rosenbrock, [-1.2, 1]],
    ['a quadratic', quadratic(100), new Array(30).fill(-2)],
  ] as const) {
    const plain = await follow(t, objectiveOf(f), [...start], 100);
    // Powers of two change no digit.
    for (const factor of [2 ** -60, 2 ** -40, 2 ** 40, 2 ** 60]) {
      const scaled = await follow(t, objectiveOf(f, factor), [...start], 100);
      const same = scaled.path.filter(({ x }, i) => x.every((v, j) => v === plain.path[i]?.x[j])).length;
      t.equal(same, plain.path.length, `${name} · ${factor.toExponential(0)}: all ${same} points the same`);
      t.equal(scaled.reason, plain.reason);
    }
    for (const factor of [1e-12, 1e12, 1e-25, 1e25]) {
      const scaled = await follow(t, objectiveOf(f, factor), [...start], 100);
      t.ok(distanceToOnes(scaled.x) < 1e-3, `${name} · ${factor}: the same minimum`);
      t.equal(scaled.reason, 'converged');
      t.ok(
        Math.abs(scaled.path.length - plain.path.length) <= 5,
        `${scaled.path.length} and ${plain.path.length} steps`,
      );
      const apart = plain.path
        .slice(0, 12)
        .flatMap(({ x }, i) => Array.from(x, (v, j) => Math.abs(v - scaled.path[i].x[j])));
      t.ok(Math.max(...apart) < 1e-3, `the first steps differ by ${Math.max(...apart).toExponential(1)}`);
    }
  }
});

test('values and gradients that are not finite are walked around', async t => {
  const barrier: Plain = ([x, y]) => [
    x * x + 4 * y * y - 1e-3 * Math.log(1.5 - x) - 1e-3 * Math.log(y + 0.01),
    [2 * x + 1e-3 / (1.5 - x), 8 * y - 1e-3 / (y + 0.01)],
  ];
  // The logarithm is NaN beyond the wall; here Infinity, a gradient of NaN alone, and minus infinity.
  const walls: Record<string, (found: [number, number[]]) => [number, number[]]> = {
    NaN: found => found,
    Infinity: ([value, gradient]) => [Number.isNaN(value) ? Number.POSITIVE_INFINITY : value, gradient],
    'minus infinity': ([value, gradient]) => [
      Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value,
      gradient,
    ],
    'a gradient of NaN': ([value, gradient]) =>
      Number.isNaN(value) ? [-1, gradient.map(() => Number.NaN)] : [value, gradient],
  };
  for (const [name, wall] of Object.entries(walls)) {
    let walled = 0;
    const f: Plain = x => {
      const found = barrier(x);
      if (Number.isNaN(found[0])) walled++;
      return wall(found);
    };
    const { x, reason } = await follow(t, objectiveOf(f), [1.4, 5], 200);
    t.ok(walled > 0, `${name}: met ${walled} times`);
    t.ok(Math.hypot(...barrier(x)[1]) < 1e-3, `ended at (${x}), where the gradient vanishes: ${reason}`);
    t.equal(reason, 'converged');
  }
});

test('a first step that is far too long or too short is mended', async t => {
  for (const width of [1e-9, 1e9]) {
    const f: Plain = x => {
      const [value, gradient] = quadratic(10)(Array.from(x, v => v / width));
      return [value, gradient.map(g => g / width)];
    };
    const { x } = await follow(t, objectiveOf(f), [3 * width, -2 * width, 0], 100);
    const off = Math.max(...x.map(v => Math.abs(v / width - 1)));
    t.ok(off < 1e-3, `a bowl ${width} wide: ${off.toExponential(1)} of it from the minimum`);
  }
});

test('with a large constant in the loss it goes as far as single precision sees', async t => {
  const f: Plain = x => {
    const [value, gradient] = quadratic(10)(x);
    return [value + 1e4, gradient];
  };
  const { x, reason, evaluations } = await follow(t, objectiveOf(f), [4, 4, 4, 4], 500);
  t.ok(distanceToOnes(x) < 0.05, `${distanceToOnes(x).toExponential(1)} from the minimum`);
  t.equal(reason, 'converged');
  t.ok(evaluations < 100, `${evaluations} evaluations`);
});

test('kinks do not stop it early', async t => {
  // Σ|x − 1|^1.1 has no second derivative where it is least.
  const random = createRandom(4);
  const start = Array.from({ length: 40 }, () => 3 * random.normal());
  const f: Plain = x => [
    Array.from(x).reduce((total, v) => total + Math.abs(v - 1) ** 1.1, 0),
    Array.from(x, v => 1.1 * Math.sign(v - 1) * Math.abs(v - 1) ** 0.1),
  ];
  const { value, path } = await follow(t, objectiveOf(f), start, 300);
  const first = f(start)[0];
  t.ok(
    value < 1e-3 * first,
    `from ${first.toPrecision(3)} to ${value.toExponential(1)} in ${path.length} steps`,
  );
});

test('it says why it ended', async t => {
  const run = (objective: Objective<undefined>, iterations: number, onStep = () => true) =>
    lbfgs(objective, Float32Array.from([-1.2, 1]), { iterations, history: 5 }, onStep);
  t.equal((await run(objectiveOf(rosenbrock), 3)).reason, 'iterations');
  t.equal((await run(objectiveOf(rosenbrock), 3, () => false)).reason, 'stopped');
  t.equal(
    (
      await run(
        objectiveOf(() => [7, [0, 0]]),
        3,
      )
    ).reason,
    'converged',
    'no gradient',
  );
  const uphill: Plain = x => {
    const [value, gradient] = rosenbrock(x);
    return [value, gradient.map(g => -g)];
  };
  const lost = await run(objectiveOf(uphill), 3);
  t.equal(lost.reason, 'stalled', 'a gradient of the wrong sign');
  t.deepEqual([...lost.x], [...Float32Array.from([-1.2, 1])], 'and stays where it was');
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
    for (const f of [() => [bad, [1, 1]], () => [1, [bad, 1]]] as Plain[])
      try {
        await run(objectiveOf(f), 3);
        t.fail('it was not refused');
      } catch (error) {
        t.ok(error instanceof NdconvError && error.tag === 'RunError', String(error));
      }
});

/** The Rosenbrock function of two variables as a recorded loss, and its two terms as figures. */
function recordRosenbrock(factor: number): Problem {
  const graph = new Graph();
  const x = graph.variable('x', [2], Float32Array.of(-1.2, 1));
  const [a, b] = [slice(x, 0, 0, 1), slice(x, 0, 1, 2)];
  const one = graph.constant([1], Float32Array.of(1));
  const [near, bent] = [sub(one, a), sub(b, mul(a, a))];
  const figures = { near: sum(mul(near, near)), bent: scale(sum(mul(bent, bent)), 100) };
  return { loss: scale(add(figures.near, figures.bent), factor), variables: { x }, figures };
}

test('minimise with L-BFGS reports the accepted points, at any scale of the loss', async t => {
  const backend = await createReferenceBackend();
  const counts: number[] = [];
  for (const factor of [1, 2 ** -40, 1e-12, 1e12]) {
    let wrong = 0;
    const { values, losses, reason } = await minimise(
      recordRosenbrock(factor),
      { name: 'lbfgs', history: 10 },
      200,
      backend,
      async ({ loss, figures, read }) => {
        const [value] = rosenbrock(await read('x'));
        const told = figures.near + figures.bent;
        if (
          Math.abs(told - value) > 1e-4 * value + 1e-9 ||
          Math.abs(loss / factor - told) > 1e-5 * told + 1e-20
        )
          wrong++;
        return true;
      },
    );
    t.equal(wrong, 0, `· ${factor}: figures and loss belong to the point that is read`);
    t.ok(distanceToOnes(values.x) < 1e-3, `reached (${values.x})`);
    t.equal(reason, 'converged');
    counts.push(losses.length);
  }
  t.equal(counts[1], counts[0], 'a power of two changes nothing');
  t.ok(Math.max(...counts) - Math.min(...counts) <= 5, `steps: ${counts}`);
});
