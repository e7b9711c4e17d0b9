import test from 'tape';
import { renderCurves } from '../../src/report/curves.ts';
import { pointsOf, unbalanced } from './sample-fields.ts';

const block = (curves: { label: string; x: number[]; y: number[] }[], log = false) => ({
  type: 'curves' as const,
  title: 'Loss',
  xLabel: 'iteration',
  yLabel: 'loss',
  log,
  curves,
});

const pathsOf = (html: string): string[] =>
  [...html.matchAll(/<path class="line c[^"]*" d="([^"]*)"\/><\/g>/g)].map(match => match[1]);

const plotOf = (html: string) => JSON.parse(/data-plot="([^"]*)"/.exec(html)![1].replaceAll('&quot;', '"'));

test('a curve passes through its points', t => {
  const html = renderCurves(block([{ label: 'a', x: [0, 1, 2], y: [10, 1000, 100] }], true));
  const plot = plotOf(html);
  t.deepEqual(plot.y, [10, 1000]);
  t.deepEqual(plot.x, [0, 2]);
  const middle = (plot.top + plot.bottom) / 2;
  t.deepEqual(pointsOf(pathsOf(html)[0]), [
    [plot.left, plot.bottom],
    [(plot.left + plot.right) / 2, plot.top],
    [plot.right, middle],
  ]);
  t.deepEqual(unbalanced(html), []);
  t.end();
});

test('values without a place on the axis leave gaps and are counted', t => {
  const html = renderCurves(
    block(
      [
        { label: 'a', x: [0, 1, 2, 3, 4], y: [1, 0, Number.NaN, -5, 8] },
        { label: 'b', x: [0, 4], y: [2, 4] },
      ],
      true,
    ),
  );
  t.ok(
    html.includes('a: 3 points left out, not finite or not above zero (log axis).'),
    'said for the curve with gaps',
  );
  t.notOk(html.includes('b: '), 'not for the other');
  t.deepEqual(
    pathsOf(html).map(path => pointsOf(path).length),
    [2, 2],
  );
  t.notOk(/NaN|Infinity/.test(html.replace(/<details>[\s\S]*/, '')), 'no coordinate is NaN');
  const linear = renderCurves(block([{ label: 'a', x: [0, 1], y: [0, -5] }]));
  t.equal(pointsOf(pathsOf(linear)[0]).length, 2, 'zero and negative values have a place on a linear axis');
  t.end();
});

test('one point is a dot, a constant a line, and nothing is said to be nothing', t => {
  t.ok(pathsOf(renderCurves(block([{ label: 'one', x: [3], y: [7] }])))[0].endsWith('h0.01'));
  t.ok(pathsOf(renderCurves(block([{ label: 'one', x: [3], y: [7] }], true)))[0].endsWith('h0.01'));
  const constant = pointsOf(pathsOf(renderCurves(block([{ label: 'flat', x: [0, 1, 2], y: [0, 0, 0] }])))[0]);
  t.equal(new Set(constant.map(([, y]) => y)).size, 1);
  for (const html of [
    renderCurves(block([{ label: 'bad', x: [0, 1], y: [Number.NaN, Infinity] }])),
    renderCurves(block([{ label: 'neg', x: [0, 1], y: [0, -1] }], true)),
    renderCurves(block([])),
  ]) {
    t.ok(html.includes('nothing to draw') && html.includes('Nothing to draw: '), 'says why');
    t.notOk(html.includes('data-plot'), 'and offers no readout');
    t.deepEqual(unbalanced(html), []);
  }
  t.end();
});

test('thousands of points make a small drawing; legend, titles and the table of values are complete', t => {
  const x = Array.from({ length: 50_000 }, (_, i) => i);
  const curves = Array.from({ length: 12 }, (_, n) => ({
    label: `layer <${n}>`,
    x,
    y: x.map(i => Math.exp(-i / 9000) * (2 + Math.sin(i)) + n),
  }));
  const html = renderCurves(block(curves));
  t.ok(html.length < 12 * 60_000, `${Math.round(html.length / 1024)} kB for 600 000 points`);
  t.equal(html.match(/<title>layer &lt;\d+&gt;<\/title>/g)?.length, 12);
  t.equal(html.match(/class="swatch"/g)?.length, 12);
  t.equal(
    new Set([...html.matchAll(/class="(line c[^"]*)"/g)].map(match => match[1])).size,
    12,
    'twelve different looks',
  );
  const lowest = Math.min(...curves[0].y);
  t.ok(
    html.includes(`${Number(lowest.toPrecision(6))} <small>at ${curves[0].y.indexOf(lowest)}</small>`),
    'the lowest value is in the table',
  );
  t.end();
});
