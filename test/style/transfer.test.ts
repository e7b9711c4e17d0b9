// Style transfer in ranks 1 to 4 by the same code: its gradient against differences of the loss, its effect, its options.

import test from 'tape';
import { forecastFor } from '../../src/backends/forecast.ts';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { createRandom } from '../../src/random.ts';
import { foam } from '../../src/signal/foam.ts';
import type { Grid, StyleFigures, StyleProblem } from '../../src/style/problem.ts';
import { noiseLike } from '../../src/style/start.ts';
import { planStyle, transferStyle } from '../../src/style/transfer.ts';
import { noise, problemOf, waves } from './problems.ts';

const sizes = [40, 9, 6, 5];
const plainDescent = { name: 'sgd', rate: 1, momentum: 0 } as const;

test('the gradient agrees with differences of the loss in every rank', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  for (const rank of [1, 2, 3, 4]) {
    const size = sizes[rank - 1];
    const start = noise(rank, size, 5);
    // The loss at the start is computed apart from the one that is differentiated.
    const lossAt = async (grid: Grid, losses: StyleProblem['losses']): Promise<number> => {
      let total = 0;
      const given = problemOf(rank, size, { start: grid, totalVariation: 0.3, contentWeight: 0.5, losses });
      await transferStyle(given, backend, figures => {
        total = figures.total;
        return false;
      });
      return total;
    };
    for (const losses of ['relative', 'plain'] as const) {
      const given = problemOf(rank, size, {
        start,
        totalVariation: 0.3,
        contentWeight: 0.5,
        losses,
        optimiser: plainDescent,
        iterations: 1,
      });
      const { grid } = await transferStyle(given, backend, () => true);
      const gradient = start.data.map((v, i) => v - grid.data[i]);
      const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
      const random = createRandom(rank);
      for (const name of ['along the gradient', 'along a random direction']) {
        const raw = name.includes('random')
          ? gradient.map((g, i) => g + (i % 2 ? norm : -norm) * random.uniform())
          : gradient;
        const length = Math.sqrt(raw.reduce((sum, v) => sum + v * v, 0));
        const direction = raw.map(v => v / length);
        const step = 0.01;
        const moved = (by: number): Grid => ({
          shape: start.shape,
          data: start.data.map((v, i) => v + by * direction[i]),
        });
        const slope =
          ((await lossAt(moved(step), losses)) - (await lossAt(moved(-step), losses))) / (2 * step);
        const expected = direction.reduce((sum, d, i) => sum + d * gradient[i], 0);
        t.ok(
          Math.abs(slope - expected) < 0.01 * Math.abs(norm),
          `rank ${rank}, ${losses}, ${name}: ${slope.toPrecision(5)} and ${expected.toPrecision(5)}`,
        );
      }
    }
  }
  await backend.close();
});

test('the style loss falls at least 20-fold in every rank, and the content is kept the more the more it weighs', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  try {
    for (const rank of [1, 2, 3, 4]) {
      const size = [200, 24, 12, 7][rank - 1];
      const run = async (contentWeight: number) => {
        const history: StyleFigures[] = [];
        const outcome = await transferStyle(problemOf(rank, size, { contentWeight }), backend, figures => {
          history.push(figures);
          return true;
        });
        t.equal(outcome.grid.data.length, size ** rank);
        return { first: history[0], last: history[history.length - 1], history };
      };
      const { first, last, history } = await run(0.001);
      t.equal(first.iteration, 0);
      t.ok(Math.abs(first.style - 1) < 1e-6, 'the content is one content away from the style');
      t.equal(first.content, 0);
      t.ok(last.style < first.style / 20, `rank ${rank}: ${first.style} → ${last.style}`);
      t.ok(
        history.every((h, i) => i === 0 || h.total <= history[i - 1].total * (1 + 1e-6)),
        'no step up',
      );
      const faithful = await run(1);
      t.ok(faithful.last.content < 0.5 * last.content, `content ${faithful.last.content} < ${last.content}`);
    }
  } finally {
    await backend.close();
  }
});

test('plain losses are the sums of Gatys et al.; relative ones are those in relation to the content', async t => {
  const backend = await createReferenceBackend();
  const figuresOf = async (losses: StyleProblem['losses']) => {
    let first: StyleFigures | undefined;
    const start = noise(2, 9, 5);
    const { scales } = await transferStyle(problemOf(2, 9, { start, losses }), backend, figures => {
      first = figures;
      return false;
    });
    return { first: first!, scales };
  };
  const plain = await figuresOf('plain');
  const relative = await figuresOf('relative');
  t.deepEqual(plain.scales, { content: 1, style: 1, tv: 1 });
  for (const name of ['content', 'style', 'tv'] as const)
    t.ok(Math.abs(plain.first[name] / relative.scales[name] / relative.first[name] - 1) < 1e-9, name);
});

test('several styles: weights decide which one the result is like', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  const layers = { relu1: 1, relu2: 1 };
  const [a, b] = [foam(2, 24, 4, 1), { shape: [24, 24, 1], data: waves(2, 24).data.map(v => 1.5 * v) }];
  const distanceTo = async (result: Grid, style: Grid): Promise<number> => {
    let first = 0;
    const styles = [{ grid: style, layers, weight: 1 }];
    await transferStyle(problemOf(2, 24, { start: result, styles, losses: 'plain' }), backend, figures => {
      first = figures.style;
      return false;
    });
    return first;
  };
  try {
    const mix = async (weights: [number, number]): Promise<number> => {
      const styles = [a, b].map((grid, i) => ({ grid, layers, weight: weights[i] }));
      const start = noise(2, 24, 9);
      const { grid } = await transferStyle(
        problemOf(2, 24, { styles, start, contentWeight: 0, iterations: 30 }),
        backend,
        () => true,
      );
      return (await distanceTo(grid, a)) / (await distanceTo(grid, b));
    };
    const [mostlyA, both, mostlyB] = [await mix([1, 0.02]), await mix([1, 1]), await mix([0.02, 1])];
    t.ok(mostlyA < both && both < mostlyB, `${mostlyA} < ${both} < ${mostlyB}`);
  } finally {
    await backend.close();
  }
});

test('total variation makes the result smoother', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  try {
    const roughness = async (totalVariation: number): Promise<number> => {
      let tv = 0;
      const given = problemOf(2, 24, { totalVariation, start: noise(2, 24, 2), iterations: 30 });
      const { grid } = await transferStyle(given, backend, () => true);
      await transferStyle({ ...given, start: grid }, backend, figures => {
        tv = figures.tv;
        return false;
      });
      return tv;
    };
    const [without, withIt] = [await roughness(0), await roughness(0.05)];
    t.ok(withIt < 0.7 * without, `${withIt} < ${without}`);
  } finally {
    await backend.close();
  }
});

test('the same problem gives the same bytes, however many threads', async t => {
  const results: Float32Array[] = [];
  for (const threads of [1, 1, 2]) {
    const backend = await createWasmBackend({ threads });
    const start = noiseLike(waves(3, 10), 4);
    const { grid } = await transferStyle(problemOf(3, 10, { start, iterations: 10 }), backend, () => true);
    results.push(grid.data);
    await backend.close();
  }
  t.deepEqual(results[1], results[0], 'twice the same');
  t.deepEqual(results[2], results[0], 'on two threads');
  t.notDeepEqual(
    noiseLike(waves(3, 10), 5).data,
    noiseLike(waves(3, 10), 4).data,
    'another seed, other noise',
  );
});

test('adam and sgd lower the loss too, and a step can be read', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  try {
    for (const optimiser of [
      { name: 'adam', rate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
      { name: 'sgd', rate: 0.5, momentum: 0.9 },
    ] as const) {
      const totals: number[] = [];
      let read: Float32Array = new Float32Array();
      const outcome = await transferStyle(
        problemOf(1, 100, { optimiser, iterations: 40 }),
        backend,
        async (figures, readNow) => {
          totals.push(figures.total);
          if (figures.iteration === 40) read = await readNow();
          return true;
        },
      );
      t.ok(totals[40] < 0.5 * totals[0], `${optimiser.name}: ${totals[0]} → ${totals[40]}`);
      t.deepEqual(read, outcome.grid.data, 'the last step is the result');
    }
  } finally {
    await backend.close();
  }
});

test('steps in rounds: each goes on from what the one before settled to', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  try {
    // Only grids of two levels are things here.
    const calls: boolean[] = [];
    const coarse = async (grid: Grid, last: boolean): Promise<Grid> => {
      calls.push(last);
      return { shape: grid.shape, data: grid.data.map(v => (v > 0.5 ? 0.8 : 0.2)) };
    };
    const settle = { rounds: 3, of: coarse };
    const seen: StyleFigures[] = [];
    const given = problemOf(2, 16, { settle, iterations: 10 });
    const { grid, figures, iterations } = await transferStyle(given, backend, f => {
      seen.push(f);
      return true;
    });
    t.deepEqual(calls, [false, false, true]);
    t.deepEqual(
      seen.map(f => f.iteration),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    t.equal(iterations, 10);
    t.ok(
      grid.data.every(v => v === Math.fround(0.8) || v === Math.fround(0.2)),
      'the result is one of them',
    );
    let first = 0;
    await transferStyle({ ...given, start: grid }, backend, f => {
      first = f.style;
      return false;
    });
    t.ok(Math.abs(first - figures.style) < 1e-6 * first, 'and its losses are its own');

    calls.length = 0;
    await transferStyle(given, backend, f => f.iteration < 5);
    t.deepEqual(calls, [false, true], 'stopping settles too');
  } finally {
    await backend.close();
  }
});

test('a plan says what it takes: more for more cells', async t => {
  const forecast = await forecastFor('reference');
  const [small, large] = [16, 32].map(size => planStyle(problemOf(2, size), forecast));
  t.ok(large.peak > 3 * small.peak && large.peak < 5 * small.peak, `${small.peak} and ${large.peak} bytes`);
  t.ok(small.calls > 10);
  t.end();
});
