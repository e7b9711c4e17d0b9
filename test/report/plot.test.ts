// Plots over logarithmic and probit scales, and histograms.

import test from 'tape';
import { probit, probitScale } from '../../src/report/axes.ts';
import { renderHistogram } from '../../src/report/histogram.ts';
import { plotBox, renderPlot } from '../../src/report/plot.ts';
import { pointsOf, unbalanced } from './sample-fields.ts';

test('normal quantiles', t => {
  const known: [number, number][] = [
    [0.5, 0],
    [0.975, 1.959963984540054],
    [0.01, -2.3263478740408408],
    [0.999, 3.090232306167813],
    [1e-6, -4.753424308822899],
  ];
  for (const [p, z] of known) t.ok(Math.abs(probit(p) - z) < 1e-8, `${p}: ${probit(p)}`);
  const scale = probitScale(0.01, 0.99);
  t.ok(Math.abs(scale.position(0.5) - 0.5) < 1e-9);
  t.deepEqual([scale.position(0.01), Math.round(1e9 * scale.position(0.99))], [0, 1e9]);
  t.equal(scale.labels[0], '1 %');
  t.end();
});

test('a line over logarithmic rates passes through its points, its band around it', t => {
  const html = renderPlot({
    type: 'plot',
    title: 'ROC',
    x: { label: 'FAR', scale: 'log', low: 0.01, high: 1, rates: true },
    y: { label: 'VAL', scale: 'linear', low: 0, high: 1, rates: true },
    lines: [
      {
        label: 'a <b>',
        x: [0.001, 0.1, 1],
        y: [0.25, 0.5, 1],
        band: { x: [0.01, 1], low: [0, 0.5], high: [0.5, 1] },
        points: true,
      },
    ],
    diagonal: true,
  });
  const { left, right, top, bottom } = plotBox;
  const [path] = [...html.matchAll(/<path class="line c0" d="(M[^"]*)"><title>/g)].map(match => match[1]);
  t.deepEqual(pointsOf(path), [
    [left, bottom - (bottom - top) / 4],
    [(left + right) / 2, (bottom + top) / 2],
    [right, top],
  ]);
  t.equal([...html.matchAll(/<circle/g)].length, 3);
  t.ok(html.includes('class="area f0"') && html.includes('class="equal"'));
  t.ok(html.includes('a &lt;b&gt;') && html.includes('10 %') && html.includes('50 %'));
  t.deepEqual(unbalanced(html), []);
  t.end();
});

test('a histogram has a step for each bin and its marks', t => {
  const html = renderHistogram({
    type: 'histogram',
    title: 'Distances',
    xLabel: 'distance',
    yLabel: 'share',
    edges: [0, 1, 2, 4],
    groups: [
      { label: 'same', heights: [0.5, 0.5, 0] },
      { label: 'different', heights: [0, 0.2, 0.8] },
    ],
    marks: [{ label: 'threshold', x: 2 }],
  });
  const outlines = [...html.matchAll(/<path class="line c\d" d="(M[^"]*)"><title>/g)].map(match => match[1]);
  t.equal(outlines.length, 2);
  t.equal([...outlines[0].matchAll(/H/g)].length, 3);
  const middle = ((plotBox.left + plotBox.right) / 2).toFixed(1);
  t.ok(outlines[0].includes(`H${middle}`), 'the border at 2 is in the middle');
  t.ok(html.includes(`<line class="mark" x1="${middle}"`));
  t.deepEqual(unbalanced(html), []);
  t.end();
});
