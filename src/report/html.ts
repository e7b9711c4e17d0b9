// The HTML report of a run: one page that holds everything it shows, opens from a file without a network, and says
// the same with and without script. The blocks are drawn by the files beside this one; here is the page around them.

import { createHash } from 'node:crypto';
import { renderCurves } from './curves.ts';
import { renderFields } from './fields.ts';
import { renderHistogram } from './histogram.ts';
import { bytesPerField, limits } from './limits.ts';
import { renderPlot } from './plot.ts';
import { script } from './script.ts';
import type { Block, Section } from './section.ts';
import { style } from './style.ts';
import { escapeHtml, formatCell } from './text.ts';
import { renderUnits, unitsStyle } from './units-view.ts';

type TableBlock = Extract<Block, { type: 'table' }>;

/** Paragraphs are parted by empty lines; single line breaks stay. */
const renderText = (text: string): string =>
  text
    .split(/\r?\n\s*\r?\n/)
    .filter(paragraph => paragraph.trim() !== '')
    .map(paragraph => `<p class="text">${escapeHtml(paragraph.trim())}</p>`)
    .join('\n');

function renderTable({ columns, rows }: TableBlock, section: string): string {
  const isNumeric = columns.map((_, i) => rows.length > 0 && rows.every(row => typeof row[i] === 'number'));
  const open = (tag: string, i: number, scope = '') =>
    `<${tag}${scope}${isNumeric[i] ? ' class="number"' : ''}>`;
  const head = columns.map((name, i) => `${open('th', i, ' scope="col"')}${escapeHtml(name)}</th>`).join('');
  const body = rows.slice(0, limits.tableRows).map(row => {
    const cells = row.map((cell, i) => {
      const text = escapeHtml(typeof cell === 'number' ? formatCell(cell) : cell);
      return i === 0 && !isNumeric[0] ? `<th scope="row">${text}</th>` : `${open('td', i)}${text}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  const left = rows.length - body.length;
  return `<div class="scroll" tabindex="0" role="group" aria-label="${escapeHtml(`Table in ${section}`)}"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div>${left > 0 ? `\n<p class="note">The first ${body.length} of ${rows.length} rows.</p>` : ''}`;
}

/** One block; `name` is unique on the page. */
async function renderBlock(block: Block, section: string, name: string, bytes: number): Promise<string> {
  switch (block.type) {
    case 'text':
      return renderText(block.text);
    case 'table':
      return renderTable(block, section);
    case 'curves':
      return renderCurves(block);
    case 'plot':
      return renderPlot(block);
    case 'histogram':
      return renderHistogram(block);
    case 'fields':
      return renderFields(block, bytes, name);
    case 'units':
      return renderUnits(block, section);
  }
}

/**
 * The report as one HTML page.
 *
 * @param title heading and window title.
 * @param sections in the order to be shown; a table of contents appears from three on.
 * @param meta facts about the run (pipeline, backend, seed, time …), shown under the heading in their order.
 * @returns the page; about `limits.pageBytes` at most, with pictures and sounds reduced to that, each saying so. The
 *   same arguments give the same page.
 */
export async function renderReport(
  title: string,
  sections: Section[],
  meta: Record<string, string>,
): Promise<string> {
  const bytes = bytesPerField(sections);
  const parts: string[] = [];
  for (const [s, section] of sections.entries()) {
    const blocks: string[] = [];
    for (const [b, block] of section.blocks.entries()) {
      blocks.push(await renderBlock(block, section.title, `${s}.${b}`, bytes));
    }
    parts.push(`<section id="section-${s + 1}" aria-labelledby="heading-${s + 1}">
<h2 id="heading-${s + 1}">${escapeHtml(section.title)}</h2>
${blocks.join('\n')}
</section>`);
  }
  const hasUnits = sections.some(({ blocks }) => blocks.some(({ type }) => type === 'units'));
  const contents = sections.map(
    (section, s) => `<li><a href="#section-${s + 1}">${escapeHtml(section.title)}</a></li>`,
  );
  const facts = Object.entries(meta).map(
    ([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`,
  );
  // Nothing is loaded from anywhere, and no script runs but ours, whatever the texts of a run contain.
  const hash = createHash('sha256').update(script).digest('base64');
  const policy = `default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="ndconv">
<title>${escapeHtml(title)}</title>
<style>${style}${hasUnits ? `\n${unitsStyle}` : ''}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the results</a>
<header>
<h1>${escapeHtml(title)}</h1>
${facts.length > 0 ? `<dl class="meta">${facts.join('\n')}</dl>` : ''}
${contents.length > 2 ? `<nav aria-label="Contents"><ol>${contents.join('')}</ol></nav>` : ''}
</header>
<main id="content" tabindex="-1">
${parts.join('\n')}
</main>
<script>${script}</script>
</body>
</html>
`;
}
