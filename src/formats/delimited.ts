// Rows of delimited text (CSV, TSV): cells between separators, quoted where they hold one, with the line each row began
// at. Knows nothing of what the cells mean. Source: RFC 4180; separators other than the comma as spreadsheets write them.

import { formatError } from './format.ts';

export interface Row {
  /** Line of the file it begins at, from 1. */
  line: number;
  cells: string[];
}

export type Separator = ',' | ';' | '\t';

/** The separator that the first line with cells has most of; a comma where it has none. */
export function separatorOf(text: string): Separator {
  const first =
    /^[ \t]*(?![#\s]).+$/m.exec(text.replace(/^\ufeff/, ''))?.[0].replaceAll(/"[^"]*"/g, '') ?? '';
  const count = (separator: string): number => first.split(separator).length - 1;
  return ([',', ';', '\t'] as const).reduce((best, next) => (count(next) > count(best) ? next : best));
}

/**
 * The rows of a text, one after the other. Empty lines and lines that begin with # are left out; cells are trimmed
 * unless quoted. Errors: FormatError naming `path` and the line where a quote is not closed or something follows it.
 */
export function* rowsOf(text: string, path: string, separator: Separator): Generator<Row> {
  let line = 1;
  for (let at = text.charCodeAt(0) === 0xfeff ? 1 : 0; at < text.length; ) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const plain = text.slice(at, end).trim();
    const start = line;
    line++;
    if (plain === '' || plain.startsWith('#')) {
      at = end + 1;
      continue;
    }
    if (!plain.includes('"')) {
      // Separators at the ends count: only the line break is taken away.
      const cells = text.slice(at, end).replace(/\r$/, '').split(separator);
      for (let i = 0; i < cells.length; i++) cells[i] = cells[i].trim();
      yield { line: start, cells };
      at = end + 1;
      continue;
    }
    const cells: string[] = [];
    for (;;) {
      const { cell, next } = cellAt(text, at, separator, path, start);
      cells.push(cell);
      at = next + 1;
      if (text[next] !== separator) break;
    }
    // Quoted cells may hold line breaks.
    for (let i = end; i >= 0 && i < at - 1; i = text.indexOf('\n', i + 1)) line++;
    yield { line: start, cells };
  }
}

/** One cell, and where it ends: at a separator, a line break or the end of the text. */
function cellAt(
  text: string,
  from: number,
  separator: string,
  path: string,
  line: number,
): { cell: string; next: number } {
  let at = from;
  while (text[at] === ' ' || (text[at] === '\t' && separator !== '\t')) at++;
  if (text[at] !== '"') {
    while (at < text.length && text[at] !== separator && text[at] !== '\n') at++;
    return { cell: text.slice(from, at).trim(), next: at };
  }
  let cell = '';
  for (at++; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0)
      throw formatError(path, `the quote in line ${line} is not closed`, 'close it or leave it out', {
        line,
      });
    cell += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') break;
    cell += '"';
    at++;
  }
  while (text[at] === ' ' || text[at] === '\r') at++;
  if (at < text.length && text[at] !== separator && text[at] !== '\n')
    throw formatError(
      path,
      `something follows a closed quote in line ${line}`,
      'double quotes inside a cell',
      {
        line,
      },
    );
  return { cell, next: at };
}

/** A cell as it is written: in quotes where it holds the separator, a quote or a line break. */
export const quoted = (cell: string, separator: string): string =>
  cell.includes(separator) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
