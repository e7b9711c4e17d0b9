import test from 'tape';
import { linePath } from '../../src/report/line-path.ts';
import { pointsOf } from './sample-fields.ts';

test('points that cannot be drawn leave gaps, and a point alone becomes a dot', t => {
  const y = [1, 2, Number.NaN, 3, Number.POSITIVE_INFINITY, 4, 5];
  const { path, missing } = linePath(y.length, i => [10 * i, y[i]]);
  t.equal(missing, 2);
  t.equal(path, 'M0 1L10 2M30 3h0.01M50 4L60 5');
  t.deepEqual(
    linePath(0, () => [0, 0]),
    { path: '', missing: 0 },
  );
  t.deepEqual(
    linePath(3, () => [0, Number.NaN]),
    { path: '', missing: 3 },
  );
  t.end();
});

test('many points in a column keep its lowest and highest, and the ends of the line', t => {
  const length = 100_000;
  const spike = 77_777;
  const y = (i: number) => (i === spike ? 500 : i === length - 1 ? 42 : Math.sin(i / 7) * 10);
  const { path } = linePath(length, i => [(i / length) * 800, y(i)]);
  const points = pointsOf(path);
  t.ok(points.length <= 2 * 800 + 2, `${points.length} points remain of ${length}`);
  t.ok(
    points.some(([, at]) => at === 500),
    'a single spike stays',
  );
  t.deepEqual(points[0], [0, 0], 'first point');
  t.equal(points[points.length - 1][1], 42, 'last point');
  const columns = new Map<number, [number, number]>();
  for (let i = 0; i < length; i++) {
    const column = Math.floor((i / length) * 800);
    const [low, high] = columns.get(column) ?? [Infinity, -Infinity];
    columns.set(column, [Math.min(low, y(i)), Math.max(high, y(i))]);
  }
  const drawn = new Map<number, [number, number]>();
  for (const [x, at] of points) {
    const [low, high] = drawn.get(Math.floor(x)) ?? [Infinity, -Infinity];
    drawn.set(Math.floor(x), [Math.min(low, at), Math.max(high, at)]);
  }
  // Rounding to two decimals may carry a point into the next column; every extreme must still be somewhere near.
  let worst = 0;
  for (const [column, [low, high]] of columns) {
    const near = [column, column + 1].flatMap(c => drawn.get(c) ?? []);
    worst = Math.max(worst, Math.min(...near) - low, high - Math.max(...near));
  }
  t.ok(worst < 0.01, `extremes of all columns are drawn (off by ${worst})`);
  t.ok(
    points.every(([x], i) => i === 0 || x >= points[i - 1][0]),
    'in order',
  );
  t.end();
});

test('points out of order are drawn in their order', t => {
  const x = [0, 100, 50, 50, 0];
  const { path } = linePath(5, i => [x[i], i]);
  t.deepEqual(
    pointsOf(path).map(([at]) => at),
    x,
  );
  t.end();
});
