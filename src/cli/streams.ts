// What is particular to standard output and error: colours only where a person reads, and no crash when the reader of a
// pipe goes away.

import type { WriteStream } from 'node:tty';
import { noColours, type Palette } from '../pipeline/diagnostic.ts';

const escape =
  (code: number) =>
  (text: string): string =>
    `\x1b[${code}m${text}\x1b[0m`;
const colours: Palette = { strong: escape(1), bad: escape(31), faint: escape(2), good: escape(36) };

/** Colours for a stream: none where it is no terminal or NO_COLOR is set. */
export function paletteFor(stream: WriteStream): Palette {
  const { NO_COLOR, TERM } = process.env;
  return stream.isTTY && !NO_COLOR && TERM !== 'dumb' ? colours : noColours;
}

let tolerated = false;

/** `ndconv plan x.yaml | head -1` ends quietly, and a run goes on when nobody reads its lines any more. */
export function tolerateClosedPipes(): void {
  if (tolerated) return;
  tolerated = true;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}

/** Prints a line on standard output. */
export const printLine = (text: string): void => void process.stdout.write(`${text}\n`);

/** Prints a line on standard error. */
export const printError = (text: string): void => void process.stderr.write(`${text}\n`);
