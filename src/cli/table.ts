// Plain tables for the terminal: columns padded to their widest cell, the last one wrapped where the terminal ends.

/** Lines of a table; `width` is that of the terminal, and where it is absent nothing is wrapped. */
export function tableLines(rows: readonly (readonly string[])[], width?: number): string[] {
  const last = Math.max(...rows.map(row => row.length)) - 1;
  const widths = Array.from({ length: last }, (_, column) =>
    Math.max(...rows.map(row => row[column]?.length ?? 0)),
  );
  const indent = widths.reduce((sum, cell) => sum + cell + 2, 0);
  const room = width === undefined || width - indent < 20 ? Number.POSITIVE_INFINITY : width - indent;
  return rows.flatMap(row => {
    const start = widths.map((size, column) => `${(row[column] ?? '').padEnd(size)}  `).join('');
    return wrap(row[last] ?? '', room).map((part, i) =>
      `${i === 0 ? start : ' '.repeat(indent)}${part}`.trimEnd(),
    );
  });
}

/** A text in lines of at most `room` letters, broken between words. */
function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
