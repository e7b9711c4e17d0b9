// A block of curves over a common x as one figure: inline SVG with axes, a legend, a readout under the pointer and a
// table of each curve's first, last and lowest value. No plotting library: those that draw without a DOM (vega,
// echarts) weigh tens of megabytes, and d3-scale would leave all but axes.ts to do here.

import { linearScale, logScale, type Scale } from './axes.ts';
import { linePath } from './line-path.ts';
import type { Block } from './section.ts';
import { count, escapeHtml, formatCell } from './text.ts';

type CurvesBlock = Extract<Block, { type: 'curves' }>;

const width = 960;
const height = 380;
const plot = { left: 78, right: 944, top: 14, bottom: 328 };

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

/** Grid lines and tick labels of both axes, and their names. */
function drawAxes(
  x: Scale,
  y: Scale,
  xLabel: string,
  yLabel: string,
  px: (v: number) => number,
  py: (v: number) => number,
): string {
  const parts: string[] = [];
  y.ticks.forEach((tick, i) => {
    const at = py(tick).toFixed(1);
    parts.push(
      `<line class="grid${y.labels[i] ? '' : ' minor'}" x1="${plot.left}" x2="${plot.right}" y1="${at}" y2="${at}"/>`,
    );
    if (y.labels[i])
      parts.push(`<text class="tick end" x="${plot.left - 8}" y="${at}" dy="0.35em">${y.labels[i]}</text>`);
  });
  x.ticks.forEach((tick, i) => {
    const at = px(tick).toFixed(1);
    parts.push(`<line class="axis" x1="${at}" x2="${at}" y1="${plot.bottom}" y2="${plot.bottom + 5}"/>`);
    parts.push(`<text class="tick middle" x="${at}" y="${plot.bottom + 21}">${x.labels[i]}</text>`);
  });
  const middle = (plot.top + plot.bottom) / 2;
  parts.push(
    `<line class="axis" x1="${plot.left}" x2="${plot.right}" y1="${plot.bottom}" y2="${plot.bottom}"/>`,
    `<text class="label middle" x="${(plot.left + plot.right) / 2}" y="${height - 8}">${escapeHtml(xLabel)}</text>`,
    `<text class="label middle" transform="translate(16 ${middle}) rotate(-90)">${escapeHtml(yLabel)}</text>`,
  );
  return parts.join('');
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
    drawing = `${drawAxes(x, y, block.xLabel, block.yLabel, px, py)}${lines.join('')}<line class="guide" y1="${plot.top}" y2="${plot.bottom}"/>`;
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
