// `ndconv formats`: what can be read and written.

import { listFormats } from '../../formats/index.ts';
import { printLine } from '../streams.ts';

export function formats(): void {
  const rows = listFormats().map(({ name, extensions, reads, writes, summary }) => [
    name,
    extensions.join(' '),
    [reads ? 'read' : '', writes ? 'write' : ''].filter(text => text !== '').join(', '),
    summary,
  ]);
  const widths = [0, 1, 2].map(column => Math.max(...rows.map(row => row[column].length)));
  for (const row of rows) {
    printLine(row.map((cell, column) => (column < 3 ? cell.padEnd(widths[column]) : cell)).join('  '));
  }
}
