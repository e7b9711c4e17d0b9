// How values are spread, group by group over the same bins: stepped outlines with a light filling, so that groups are seen
// through each other. Inline SVG.

import { linearScale } from './axes.ts';
import { lineClass } from './curves.ts';
import { drawAxes, placesOf } from './drawn-axes.ts';
import { plotBox, plotSize, renderLegend } from './plot.ts';
import type { HistogramBlock } from './section.ts';
import { escapeHtml, formatCell } from './text.ts';

/** The figure of a `histogram` block. */
export function renderHistogram({
  title,
  xLabel,
  yLabel,
  edges,
  groups,
  marks = [],
  note,
}: HistogramBlock): string {
  const x = linearScale(edges[0], edges[edges.length - 1], 5, false);
  const y = linearScale(0, Math.max(...groups.flatMap(({ heights }) => heights)), 5);
  const { px, py } = placesOf(plotBox, x, y);
  const drawn = groups.map(({ label, heights }, n) => {
    const steps = heights
      .map((height, i) => `V${py(height).toFixed(1)}H${px(edges[i + 1]).toFixed(1)}`)
      .join('');
    const outline = `M${px(edges[0]).toFixed(1)} ${py(0).toFixed(1)}${steps}V${py(0).toFixed(1)}`;
    return `<path class="area f${n % 8}" d="${outline}Z"/><path class="${lineClass(n)}" d="${outline}"><title>${escapeHtml(label)}</title></path>`;
  });
  const lines = marks.map(({ label, x: value }, i) => {
    const at = px(Math.max(x.low, Math.min(x.high, value)));
    // Names stand on the side that has room, below each other.
    const isRight = at > (plotBox.left + plotBox.right) / 2;
    return `<line class="mark" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${plotBox.top}" y2="${plotBox.bottom}"/><text class="tick lane${isRight ? ' end' : ''}" x="${(at + (isRight ? -6 : 6)).toFixed(1)}" y="${plotBox.top + 14 + 16 * i}">${escapeHtml(label)}</text>`;
  });
  const rows = groups[0].heights.map(
    (_, i) =>
      `<tr><th scope="row" class="number">${formatCell(edges[i])} to ${formatCell(edges[i + 1])}</th>${groups.map(({ heights }) => `<td class="number">${formatCell(heights[i])}</td>`).join('')}</tr>`,
  );
  const head = groups.map(({ label }) => `<th scope="col" class="number">${escapeHtml(label)}</th>`).join('');
  const described = `${title}: ${yLabel} over ${xLabel} of ${groups.map(({ label }) => label).join(' and ')}`;
  return `<figure class="plot">
<figcaption>${escapeHtml(title)}</figcaption>
${renderLegend(
  groups.map(({ label }) => label),
  true,
)}
<svg class="drawing" viewBox="0 0 ${plotSize.width} ${plotSize.height}" role="img" aria-label="${escapeHtml(described)}">${drawAxes(plotBox, { scale: x, label: xLabel }, { scale: y, label: yLabel })}${drawn.join('')}${lines.join('')}</svg>
${note ? `<p class="note">${escapeHtml(note)}</p>` : ''}
<details><summary>Values</summary><div class="scroll"><table>
<caption class="unseen">${escapeHtml(described)}</caption>
<thead><tr><th scope="col" class="number">${escapeHtml(xLabel)}</th>${head}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></details>
</figure>`;
}
