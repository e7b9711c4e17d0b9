// A block of curves over a common x as one figure: inline SVG with axes, a legend, a readout under the pointer and a
// table of each curve's first, last and lowest value. No plotting library: those that draw without a DOM (vega,
// echarts) weigh tens of megabytes, and d3-scale would leave all but axes.ts to do here.

import { linearScale, logScale } from './axes.ts';
import { drawAxes, type PlotBox } from './drawn-axes.ts';
import { linePath } from './line-path.ts';
import type { Block } from './section.ts';
import { count, escapeHtml, formatCell } from './text.ts';

type CurvesBlock = Extract<Block, { type: 'curves' }>;

const width = 960;
const height = 380;
const plot: PlotBox = { left: 78, right: 944, top: 14, bottom: 328 };

/** Class of the nth line: eight colours, then the same colours dashed, dotted, … */
export const lineClass = (n: number): string =>
  `line c${n % 8}${n < 8 ? '' : ` dash${Math.floor(n / 8) % 3}`}`;

/** Lowest and highest of the values that `accept` takes; undefined where there is none. */
function range(lists: number[][], accept: (value: number) => boolean): [number, number] | undefined {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const list of lists) {
    for (const value of list) {
      if (!accept(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : undefined;
}

function summarise(curves: CurvesBlock['curves'], xLabel: string): string {
  const rows = curves.map(({ label, x, y }) => {
    const points = y
      .map((value, i) => [x[i], value])
      .filter(([at, value]) => Number.isFinite(at) && Number.isFinite(value));
    if (points.length === 0)
      return `<tr><th scope="row">${escapeHtml(label)}</th><td colspan="4">no finite value</td></tr>`;
    const lowest = points.reduce((best, point) => (point[1] < best[1] ? point : best));
    const highest = points.reduce((best, point) => (point[1] > best[1] ? point : best));
    const at = ([place, value]: number[]) => `${formatCell(value)} <small>at ${formatCell(place)}</small>`;
    const cells = [at(points[0]), at(points[points.length - 1]), at(lowest), at(highest)];
    return `<tr><th scope="row">${escapeHtml(label)}</th>${cells.map(cell => `<td class="number">${cell}</td>`).join('')}</tr>`;
  });
  return `<details><summary>Values</summary><div class="scroll"><table>
<caption class="unseen">First, last, lowest and highest value of each curve, with its ${escapeHtml(xLabel)}</caption>
<thead><tr><th scope="col">curve</th>${['first', 'last', 'lowest', 'highest'].map(name => `<th scope="col" class="number">${name}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></details>`;
}

/** The figure of a `curves` block. Values that are not finite, or not above zero on a log axis, leave gaps and are counted. */
export function renderCurves(block: CurvesBlock): string {
  const curves = block.curves.map(({ label, x, y }) => {
    const length = Math.min(x.length, y.length);
    return { label, x: x.slice(0, length), y: y.slice(0, length) };
  });
  const log = block.log === true;
  const drawable = log ? (value: number) => Number.isFinite(value) && value > 0 : Number.isFinite;
  const xs = range(
    curves.map(({ x, y }) => x.filter((_, i) => drawable(y[i]))),
    Number.isFinite,
  );
  const ys = range(
    curves.map(({ x, y }) => y.filter((_, i) => Number.isFinite(x[i]))),
    drawable,
  );

  const notes: string[] = [];
  let drawing = `<text class="label middle" x="${width / 2}" y="${height / 2}">nothing to draw</text>`;
  let scales = '';
  if (xs && ys) {
    const whole = curves.every(curve =>
      curve.x.every(value => !Number.isFinite(value) || Number.isInteger(value)),
    );
    const x = linearScale(xs[0], xs[1], 8, false, whole);
    const y = log ? logScale(ys[0], ys[1]) : linearScale(ys[0], ys[1]);
    const px = (value: number) => plot.left + x.position(value) * (plot.right - plot.left);
    const py = (value: number) => plot.bottom - y.position(value) * (plot.bottom - plot.top);
    const lines = curves.map((curve, n) => {
      const { path, missing } = linePath(curve.x.length, i => [
        px(curve.x[i]),
        drawable(curve.y[i]) ? py(curve.y[i]) : Number.NaN,
      ]);
      if (missing > 0) {
        const why = log ? 'not finite or not above zero (log axis)' : 'not finite';
        notes.push(`${curve.label}: ${count(missing, 'point')} left out, ${why}.`);
      }
      const title = `<title>${escapeHtml(curve.label)}</title>`;
      return `<g class="curve" data-label="${escapeHtml(curve.label)}"><path class="hit" d="${path}">${title}</path><path class="${lineClass(n)}" d="${path}"/></g>`;
    });
    drawing = `${drawAxes(plot, { scale: x, label: block.xLabel }, { scale: y, label: block.yLabel })}${lines.join('')}<line class="guide" y1="${plot.top}" y2="${plot.bottom}"/>`;
    scales = ` data-plot="${escapeHtml(JSON.stringify({ ...plot, x: [x.low, x.high], y: [y.low, y.high], log }))}"`;
  } else {
    const why =
      curves.length === 0
        ? 'there are no curves'
        : log
          ? 'no value is finite and above zero, as a log axis needs'
          : 'no value is finite';
    notes.push(`Nothing to draw: ${why}.`);
  }

  const legend = curves.map(
    ({ label }, n) =>
      `<li><svg class="swatch" viewBox="0 0 28 8" aria-hidden="true"><path class="${lineClass(n)}" d="M1 4H27"/></svg>${escapeHtml(label)}</li>`,
  );
  const described = `${block.title}: ${count(curves.length, 'curve')} of ${block.yLabel} over ${block.xLabel}${log ? ', logarithmic' : ''}: ${curves.map(({ label }) => label).join(', ')}`;
  return `<figure class="curves">
<figcaption>${escapeHtml(block.title)}</figcaption>
<ul class="legend">${legend.join('')}</ul>
<div class="scroll" tabindex="0" role="group" aria-label="${escapeHtml(block.title)}"${scales}>
<svg class="drawing" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(described)}">${drawing}</svg></div>
<p class="readout" aria-live="polite" hidden></p>
${notes.map(note => `<p class="note">${escapeHtml(note)}</p>`).join('\n')}
${summarise(curves, block.xLabel)}
</figure>`;
}
