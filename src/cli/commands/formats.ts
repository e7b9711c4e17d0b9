// `ndconv formats`: what can be read and written.

import { listFormats } from '../../formats/index.ts';
import { printLine } from '../streams.ts';
import { tableLines } from '../table.ts';

export function formats({ json }: { json?: boolean } = {}): void {
  const known = listFormats();
  if (json) {
    printLine(JSON.stringify({ event: 'formats', formats: known }));
    return;
  }
  const rows = known.map(({ name, extensions, reads, writes, summary }) => [
    name,
    extensions.join(' '),
    [...(reads ? ['read'] : []), ...(writes ? ['write'] : [])].join(', '),
    summary,
  ]);
  for (const line of tableLines(rows, process.stdout.columns)) printLine(line);
}
