// A block of units of one layer: each with its numbers, the histogram of its activations, and the parts of the inputs
// that it responded to, best first, over what was sent back to them.

import { escapeHtml, formatCell, formatNumber, formatPercent } from './text.ts';

/** One unit. Its parts were drawn when they were cut out, so that no input has to be kept. */
export interface UnitEntry {
  name: string;
  /** Short facts, shown on one line. */
  facts: string[];
  histogram: { low: number; high: number; counts: readonly number[] };
  /** Mean response by label, best first. */
  responses: { label: string; mean: number; inputs: number }[];
  /** What the rows of a part show: `input`, `deconvolution` … */
  rows: string[];
  /** The parts, best first; as many drawings (HTML) as there are rows. */
  parts: { value: number; source: string; place: string; drawings: string[] }[];
}

const bars = { width: 128, height: 36 };

/** The histogram as bars whose heights go with the square root of the counts, so that few high values are seen. */
function renderHistogram({ low, high, counts }: UnitEntry['histogram'], name: string): string {
  const most = Math.max(...counts, 1);
  const total = counts.reduce((a, b) => a + b, 0);
  const width = bars.width / counts.length;
  const shapes = counts.map((count, i) => {
    const height = Math.max(count > 0 ? 1 : 0, Math.sqrt(count / most) * bars.height);
    return `M${(i * width).toFixed(1)} ${bars.height}v-${height.toFixed(1)}h${(width - 0.6).toFixed(1)}V${bars.height}`;
  });
  const fullest = counts.indexOf(Math.max(...counts));
  const alt = `${name}: activations from ${formatNumber(low, 3)} to ${formatNumber(high, 3)}; ${formatPercent(counts[fullest], total)} of them in the fullest bin`;
  return `<figure class="histogram"><svg viewBox="0 0 ${bars.width} ${bars.height}" role="img" aria-label="${escapeHtml(alt)}"><path d="${shapes.join('')}"/></svg><figcaption><span>${formatNumber(low, 3)}</span><span>${formatNumber(high, 3)}</span></figcaption></figure>`;
}

/** Labels listed beside a unit. */
const mostLabels = 12;

function renderResponses({ responses, name }: UnitEntry): string {
  if (responses.length < 2) return '';
  const shown = responses.slice(0, mostLabels);
  const most = Math.max(...shown.map(({ mean }) => mean));
  const rows = shown.map(({ label, mean, inputs }) => {
    const share = most > 0 ? (100 * mean) / most : 0;
    return `<tr><th scope="row">${escapeHtml(label)}</th><td><i class="share" style="width:${share.toFixed(1)}%"></i></td><td class="number">${formatCell(Number(mean.toPrecision(4)))}</td><td class="number">${inputs}</td></tr>`;
  });
  const left = responses.length - shown.length;
  return `<details><summary>response by label</summary><table class="responses"><caption class="unseen">${escapeHtml(name)}: mean response by label</caption><thead><tr><th scope="col">label</th><td></td><th scope="col" class="number">mean response</th><th scope="col" class="number">inputs</th></tr></thead><tbody>${rows.join('')}</tbody></table>${left > 0 ? `<p class="note">… and ${left} more labels.</p>` : ''}</details>`;
}

function renderUnit(unit: UnitEntry, section: string): string {
  const { name, facts, rows, parts } = unit;
  const head = parts.map((_, i) => `<th scope="col">${i + 1}</th>`).join('');
  const body = rows.map(
    (row, r) =>
      `<tr><th scope="row">${escapeHtml(row)}</th>${parts.map(({ drawings }) => `<td>${drawings[r]}</td>`).join('')}</tr>`,
  );
  const captions = parts.map(
    ({ value, source, place }) =>
      `<td><b>${formatNumber(value, 3)}</b><small>${escapeHtml(source)}</small><small>${escapeHtml(place)}</small></td>`,
  );
  const table =
    parts.length === 0
      ? '<p class="note">No input excites it.</p>'
      : `<div class="scroll" tabindex="0" role="group" aria-label="${escapeHtml(`Parts of inputs, ${name} of ${section}`)}"><table class="nine"><thead class="unseen"><tr><td></td>${head}</tr></thead><tbody>
${body.join('\n')}
<tr class="captions"><th scope="row">activation</th>${captions.join('')}</tr></tbody></table></div>`;
  return `<article class="unit"><div class="unit-head">${renderHistogram(unit.histogram, name)}<div><h3>${escapeHtml(name)}</h3><p class="facts">${facts.map(escapeHtml).join(' · ')}</p>${renderResponses(unit)}</div></div>
${table}</article>`;
}

/** The block as HTML. */
export const renderUnits = ({ units }: { units: readonly UnitEntry[] }, section: string): string =>
  units.map(unit => renderUnit(unit, section)).join('\n');

/** The rules of its style sheet. */
export const unitsStyle = `
.unit{border-top:1px solid var(--grid);padding-top:1rem;content-visibility:auto;contain-intrinsic-size:auto 22rem}
.unit-head{display:flex;gap:1rem;align-items:flex-start;margin-bottom:.6rem}
.unit h3{margin:0;font-size:1.05rem}
.histogram{flex:none;width:8rem}
.histogram svg{display:block;width:100%;height:2.25rem;border-bottom:1px solid var(--soft)}
.histogram path{fill:var(--c0)}
.histogram figcaption{display:flex;justify-content:space-between;margin:0;font-weight:400;font-size:.72rem;color:var(--soft)}
.responses{font-size:.8rem;margin:.3rem 0}
.responses td:nth-child(2){width:8rem}
.share{display:block;height:.7em;margin-top:.35em;background:var(--c0)}
.nine{table-layout:fixed;width:100%;min-width:56rem}
.nine th,.nine td{border:0;padding:.15rem;vertical-align:top}
.nine tbody th{width:5.6rem;font-size:.75rem;color:var(--soft);text-align:right;padding-right:.5rem}
.nine td:first-child{padding:0}
.captions td{font-size:.72rem;line-height:1.3;overflow-wrap:anywhere}
.captions small{display:block;color:var(--soft);font-size:.95em}
.patch{position:relative;width:100%;overflow:hidden;background:repeating-linear-gradient(45deg,var(--grid) 0 3px,var(--panel) 3px 6px)}
.patch+.patch{margin-top:2px}
.patch>div{position:absolute}
.patch img{display:block;width:100%;height:100%}
.sound-patch{aspect-ratio:3/2}
.field-edge{position:absolute;top:0;bottom:0;width:1px;background:#fff;mix-blend-mode:difference}
.field-frame{position:absolute;border:1.5px solid var(--a0);min-width:3px;min-height:3px}
.field-band{fill:var(--a2);opacity:.2}
.part-curve{display:block;width:100%;height:auto;background:var(--panel)}
.part-curve .line{stroke-width:1.1}
.nine audio{height:2rem;margin:.15rem 0 0;min-width:0}
.goto{display:none;width:100%;margin-top:.2rem;padding:.15rem;font:inherit;font-size:.7rem;color:var(--accent);background:none;border:1px solid var(--rule);border-radius:3px;cursor:pointer}
.js .goto{display:block}
@media print{.nine audio,.js .goto{display:none}.nine{min-width:0}.unit{content-visibility:visible}}
`.trim();
