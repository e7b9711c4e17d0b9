// What is wrong with a pipeline and where: a message tied to a place in the YAML file (or in a `--set` argument),
// with what was expected and the remedy. Stages add to one list; `PipelineError` carries the whole list to the user.

import { NdconvError } from '../errors.ts';

/** A stretch of one line of the file, or of a command-line argument (then `line` is 0). Counted from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
  length: number;
  /** The whole line (or argument). */
  text: string;
}

/** One thing that is wrong. */
export interface Diagnostic {
  place: Place;
  message: string;
  /** What would have been right there. */
  expected?: string;
  /** What the key is for, or where the value comes from if not from that place. */
  note?: string;
  /** What to do about it. */
  remedy?: string;
}

/** Functions that colour a piece of text; the identity where there are no colours. */
export interface Palette {
  strong(text: string): string;
  bad(text: string): string;
  faint(text: string): string;
  good(text: string): string;
}

const plain = (text: string): string => text;
/** No colours. */
export const noColours: Palette = { strong: plain, bad: plain, faint: plain, good: plain };

/** The user's file or arguments are wrong; `problems` lists everything found, in order of place. */
export class PipelineError extends NdconvError {
  readonly problems: readonly Diagnostic[];

  constructor(problems: readonly Diagnostic[], cause?: unknown) {
    const sorted = sortDiagnostics(problems);
    super('PipelineError', renderDiagnostics(sorted), { problems: sorted }, cause);
    this.problems = sorted;
  }
}

/** In order of place; of two that say the same of the same place, one. */
export function sortDiagnostics(problems: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return [...problems]
    .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
    .filter(({ place, message }) => {
      const key = [place.file, place.line, place.column, message].join('\n');
      return !seen.has(key) && seen.add(key);
    });
}

/** `file:line:column`, or the argument. */
export const placeName = (place: Place): string =>
  place.line === 0 ? place.file : `${place.file}:${place.line}:${place.column}`;

const widest = 110;

/** The line with a caret under the place; long lines are cut around it, tabs shown as `→`. */
function renderSnippet(place: Place, colours: Palette): string[] {
  const start = place.column - 1 > widest - 30 ? place.column - 30 : 0;
  let text = place.text.slice(start, start + widest).replace(/\t/g, '→');
  if (start > 0) text = `…${text.slice(1)}`;
  if (place.text.length > start + widest) text += '…';
  const gutter = place.line === 0 ? '' : String(place.line);
  const caretAt = place.column - 1 - start;
  const length = Math.max(1, Math.min(place.length, text.length - caretAt));
  return [
    `  ${colours.faint(`${gutter} |`)} ${text}`,
    `  ${colours.faint(`${' '.repeat(gutter.length)} |`)} ${' '.repeat(caretAt)}${colours.bad('^'.repeat(length))}`,
  ];
}

/** One diagnostic as lines of text. */
export function renderDiagnostic(problem: Diagnostic, colours: Palette = noColours): string {
  const lines = [`${colours.strong(placeName(problem.place))}: ${problem.message}`];
  if (problem.place.text !== '') lines.push(...renderSnippet(problem.place, colours));
  if (problem.note) lines.push(`    ${problem.note}`);
  if (problem.expected) lines.push(`    expected: ${problem.expected}`);
  if (problem.remedy) lines.push(`    ${colours.good(problem.remedy)}`);
  return lines.join('\n');
}

const most = 25;

/** All diagnostics, at most 25 of them in full. */
export function renderDiagnostics(problems: readonly Diagnostic[], colours: Palette = noColours): string {
  const shown = problems.slice(0, most).map(problem => renderDiagnostic(problem, colours));
  if (problems.length > most) shown.push(`… and ${problems.length - most} more problems`);
  return shown.join('\n\n');
}
