// Lines over scales of their own, with bands behind them: ROC and DET curves, calibration curves. Inline SVG, with a table
// of the values at the ticks of x, so that nothing has to be read off a drawing.

import { formatRate, linearScale, logScale, probitScale, type Scale } from './axes.ts';
import { lineClass } from './curves.ts';
import { drawAxes, type PlotBox, placesOf } from './drawn-axes.ts';
import { linePath } from './line-path.ts';
import type { PlotAxis, PlotBlock, PlotLine } from './section.ts';
import { count, escapeHtml, formatCell } from './text.ts';

export const plotSize = { width: 520, height: 420 };
export const plotBox: PlotBox = { left: 72, right: 492, top: 14, bottom: 368 };

function scaleOf({ scale, low, high, rates }: PlotAxis): Scale {
  if (scale === 'probit') return probitScale(low, high);
  const made = scale === 'log' ? logScale(low, high, 5, false) : linearScale(low, high, 5, false);
  return rates
    ? { ...made, labels: made.ticks.map((tick, i) => (made.labels[i] ? formatRate(tick) : '')) }
    : made;
}

/** Value of a line at `x`: that of its last point up to there; undefined before the first. */
function valueAt({ x, y }: PlotLine, at: number): number | undefined {
  let found: number | undefined;
  for (let i = 0; i < x.length && x[i] <= at * (1 + 1e-9); i++) found = y[i];
  return found;
}

function valuesTable({ lines, x, y }: PlotBlock, ticks: readonly number[]): string {
  const write = (value: number | undefined, rates?: true): string =>
    value === undefined || !Number.isFinite(value) ? '–' : rates ? formatRate(value) : formatCell(value);
  const rows = ticks.map(
    tick =>
      `<tr><th scope="row" class="number">${write(tick, x.rates)}</th>${lines.map(line => `<td class="number">${write(valueAt(line, tick), y.rates)}</td>`).join('')}</tr>`,
  );
  const head = lines.map(({ label }) => `<th scope="col" class="number">${escapeHtml(label)}</th>`).join('');
  return `<details><summary>Values</summary><div class="scroll"><table>
<caption class="unseen">${escapeHtml(`${y.label} by ${x.label}`)}</caption>
<thead><tr><th scope="col" class="number">${escapeHtml(x.label)}</th>${head}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></details>`;
}

/** The legend of a figure: a line or, with `area`, a filled box for each. */
export const renderLegend = (labels: readonly string[], area = false): string =>
  `<ul class="legend">${labels
    .map((label, n) => {
      const filled = area ? `<rect class="area f${n % 8}" width="28" height="8"/>` : '';
      return `<li><svg class="swatch" viewBox="0 0 28 8" aria-hidden="true">${filled}<path class="${lineClass(n)}" d="M1 4H27"/></svg>${escapeHtml(label)}</li>`;
    })
    .join('')}</ul>`;

/** The figure of a `plot` block; what lies outside its scales is not drawn. */
export function renderPlot(block: PlotBlock): string {
  const [x, y] = [scaleOf(block.x), scaleOf(block.y)];
  const { px, py } = placesOf(plotBox, x, y);
  const within = (scale: Scale, value: number): number => Math.max(scale.low, Math.min(scale.high, value));
  const place = (xs: readonly number[], ys: readonly number[], i: number): [number, number] =>
    Number.isFinite(xs[i]) && Number.isFinite(ys[i])
      ? [px(within(x, xs[i])), py(within(y, ys[i]))]
      : [Number.NaN, Number.NaN];
  const bands = block.lines.map(({ band }, n) => {
    if (!band) return '';
    const there = [...band.x.keys()].filter(
      i => band.x[i] >= x.low * (1 - 1e-9) && Number.isFinite(band.low[i]) && Number.isFinite(band.high[i]),
    );
    const point = (ys: readonly number[], i: number): string =>
      place(band.x, ys, i)
        .map(value => value.toFixed(1))
        .join(' ');
    const corners = [...there.map(i => point(band.high, i)), ...there.reverse().map(i => point(band.low, i))];
    return corners.length > 2 ? `<path class="area f${n % 8}" d="M${corners.join('L')}Z"/>` : '';
  });
  const lines = block.lines.map((line, n) => {
    const { path } = linePath(line.x.length, i => place(line.x, line.y, i));
    const dots = line.points
      ? line.x.map((_, i) => {
          const [cx, cy] = place(line.x, line.y, i);
          return Number.isFinite(cx)
            ? `<circle class="f${n % 8}" cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="4"/>`
            : '';
        })
      : [];
    return `<g><path class="${lineClass(n)}" d="${path}"><title>${escapeHtml(line.label)}</title></path>${dots.join('')}</g>`;
  });
  const low = Math.max(x.low, y.low);
  const high = Math.min(x.high, y.high);
  const diagonal = block.diagonal
    ? `<line class="equal" x1="${px(low).toFixed(1)}" y1="${py(low).toFixed(1)}" x2="${px(high).toFixed(1)}" y2="${py(high).toFixed(1)}"/>`
    : '';
  const described = `${block.title}: ${count(block.lines.length, 'line')} of ${block.y.label} over ${block.x.label}: ${block.lines.map(({ label }) => label).join(', ')}`;
  return `<figure class="plot">
<figcaption>${escapeHtml(block.title)}</figcaption>
${renderLegend(block.lines.map(({ label }) => label))}
<svg class="drawing" viewBox="0 0 ${plotSize.width} ${plotSize.height}" role="img" aria-label="${escapeHtml(described)}">${drawAxes(plotBox, { scale: x, label: block.x.label }, { scale: y, label: block.y.label })}${diagonal}${bands.join('')}${lines.join('')}</svg>
${block.note ? `<p class="note">${escapeHtml(block.note)}</p>` : ''}
${valuesTable(block, x.ticks)}
</figure>`;
}
