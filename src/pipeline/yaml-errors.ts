// Turns what the YAML parser objects to into one message that a person can act on: where the slip was made (which
// is often not where the parser noticed it), what was expected, and what to type instead.

import type { YAMLError } from 'yaml';
import type { Diagnostic, Place } from './diagnostic.ts';

type PlaceOf = (start: number, end: number) => Place;
interface Explanation {
  message: string;
  expected?: string;
  remedy?: string;
  /** Where the slip was made, if not where the parser noticed it: line and column from 1, and a length. */
  at?: [line: number, column: number, length: number];
}

/** All duplicate keys, or else the first fault alone, because the others mostly follow from it. */
export function explainSyntax(faults: readonly YAMLError[], rows: string[], placeOf: PlaceOf): Diagnostic[] {
  const serious = faults.filter(fault => fault.code !== 'DUPLICATE_KEY');
  if (serious.length === 0) return faults.map(fault => explainDuplicate(fault, rows, placeOf));
  const first = serious.reduce((a, b) => (b.pos[0] < a.pos[0] ? b : a));
  const place = placeOf(first.pos[0], first.pos[1]);
  const { at, ...explanation } = explain(first, place, rows);
  return [{ place: at ? placeAt(place.file, rows, at) : place, ...explanation }];
}

const placeAt = (file: string, rows: string[], [line, column, length]: [number, number, number]): Place => ({
  file,
  line,
  column,
  length,
  text: rows[line - 1] ?? '',
});

function explainDuplicate(fault: YAMLError, rows: string[], placeOf: PlaceOf): Diagnostic {
  const { line, column, text, file } = placeOf(fault.pos[0], fault.pos[1]);
  const key = /^("[^"]*"|'[^']*'|[^:\s]+)/.exec(text.slice(column - 1))?.[0] ?? '';
  // The first of the two: the nearest line above that has the key in the same column (or in the same line).
  const earlier = rows.findLastIndex(
    (row, i) => i < line - 1 && row.slice(0, column - 1).trim().length < 2 && row.startsWith(key, column - 1),
  );
  const first = earlier >= 0 ? ` (first in line ${earlier + 1})` : '';
  return {
    place: placeAt(file, rows, [line, column, Math.max(1, key.length)]),
    message: `the key ${key} appears twice in one mapping${first}`,
    remedy: 'keep one of the two, or indent this one under the key it belongs to',
  };
}

function explain(fault: YAMLError, place: Place, rows: string[]): Explanation {
  const { line, column, text } = place;
  const margin = /^[ \t]*/.exec(text)?.[0] ?? '';
  if (fault.code === 'TAB_AS_INDENT' || (margin.includes('\t') && column <= margin.length + 1)) {
    return {
      message: 'a tab in the indentation',
      expected: 'spaces; YAML allows no tabs there',
      remedy: 'replace the tab (shown as →) by spaces',
      at: [line, margin.indexOf('\t') + 1, 1],
    };
  }
  const rest = text.slice(column - 1);
  switch (fault.code) {
    case 'BAD_INDENT':
    case 'MISSING_CHAR':
    case 'UNEXPECTED_TOKEN':
    case 'BLOCK_IN_FLOW':
      return explainStructure(fault, place, rows);
    case 'BAD_SCALAR_START': {
      const word = /^[^\s,\]}#]*/.exec(rest)?.[0] ?? rest;
      return {
        message: `a value that starts with ${rest[0]} must be in quotes`,
        remedy: `write "${word}"`,
        at: [line, column, Math.max(1, word.length)],
      };
    }
    case 'BLOCK_AS_IMPLICIT_KEY':
      return explainNested(place, rows);
    case 'MULTILINE_IMPLICIT_KEY': {
      const word = rest.trim();
      const glued = /^([^\s:]+):(\S.*)$/.exec(word);
      return {
        message: `${JSON.stringify(word)} is not "key: value"`,
        expected: 'a key, a colon, a space, a value',
        remedy: glued ? `write ${glued[1]}: ${glued[2]}` : 'put the colon after the key, or remove this line',
        at: [line, column, Math.max(1, word.length)],
      };
    }
    case 'TAG_RESOLVE_FAILED':
      return {
        message: `the tag ${rest.split(/\s/)[0]} means nothing here`,
        remedy: 'remove it, or put the text in quotes',
      };
    case 'MULTIPLE_DOCS':
      return {
        message: 'a second document starts here (---)',
        remedy: 'put each pipeline in a file of its own',
      };
    case 'BAD_DQ_ESCAPE':
      return {
        message: `${rest.slice(0, 2)} is no escape of a text in double quotes`,
        remedy: 'write \\\\ for a backslash, or put the text in single quotes',
      };
    case 'NON_STRING_KEY':
      return { message: 'a key must be a plain word', remedy: 'write `name: value`' };
    case 'RESOURCE_EXHAUSTION':
      return { message: 'nested too deep', remedy: 'flatten this' };
    default:
      return { message: lowerFirst(fault.message) };
  }
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** Faults of brackets, quotes, indentation and list markers. */
function explainStructure(fault: YAMLError, place: Place, rows: string[]): Explanation {
  const { line, column, text } = place;
  if (/closing .quote/.test(fault.message)) {
    const quote = fault.message.includes('"') ? '"' : "'";
    const at = rows.slice(0, line).findLastIndex(row => row.split(quote).length % 2 === 0);
    const start = at < 0 ? 0 : rows[at].lastIndexOf(quote);
    return {
      message: `the quote ${quote} is not closed`,
      remedy: `add ${quote} at the end of the text`,
      at: [at + 1, start + 1, Math.max(1, (rows[at]?.length ?? 1) - start)],
    };
  }
  const opened = unclosedBracket(rows, line);
  if (opened && (/^Flow (map|seq)/.test(fault.message) || fault.code === 'BLOCK_IN_FLOW')) {
    const closing = opened.bracket === '{' ? '}' : ']';
    if (fault.code === 'BLOCK_IN_FLOW' || /comma/i.test(fault.message)) {
      return {
        message: `a comma is missing in ${opened.bracket} … ${closing}`,
        expected: `entries separated by commas: ${opened.bracket === '{' ? '{ a: 1, b: 2 }' : '[1, 2]'}`,
      };
    }
    return {
      message: `${opened.bracket} is not closed`,
      remedy: `add ${closing} after the last entry`,
      at: [opened.line, opened.column, 1],
    };
  }
  if (fault.code === 'BAD_INDENT' || /Sequence item without/.test(fault.message)) {
    return explainIndent(line, text, rows);
  }
  if (/followed by map values/.test(fault.message)) {
    return { message: 'a key without a colon', expected: '`key: value`', remedy: 'add ": " and the value' };
  }
  const rest = text.slice(column - 1).trim();
  if (rest === '') return { message: lowerFirst(fault.message) };
  if (/block-seq-ind/.test(fault.message)) {
    return {
      message: 'a list cannot start in the line of its key',
      remedy: 'put "- …" on a line of its own, indented under the key, or write [a, b]',
    };
  }
  const word = /^(\S+)/.exec(rest)?.[1] ?? rest;
  const indent = margin(text);
  if (
    column === indent + 1 &&
    rows.slice(0, line - 1).some(row => margin(row) === indent && /^\s*- /.test(row))
  ) {
    return {
      message: `${JSON.stringify(rest)} stands between the items of a list`,
      expected: 'a line that starts with "- "',
      remedy: 'indent it under the item it belongs to, or start it with "- "',
      at: [line, column, rest.length],
    };
  }
  return {
    message: `${JSON.stringify(word)} is not expected here`,
    remedy: 'if it belongs to the value before it, put the whole value in quotes',
    at: [line, column, word.length],
  };
}

const margin = (row: string): number => row.length - row.trimStart().length;

/** The last bracket opened above the end of `line` that is not closed by then. */
function unclosedBracket(
  rows: string[],
  line: number,
): { bracket: string; line: number; column: number } | undefined {
  const stack: { bracket: string; line: number; column: number }[] = [];
  for (let i = 0; i < line; i++) {
    const row = rows[i].replace(/\$\{[\w.-]*\}/g, found => '_'.repeat(found.length));
    let quote = '';
    for (let c = 0; c < row.length; c++) {
      const letter = row[c];
      if (quote !== '') quote = letter === quote ? '' : quote;
      else if ((letter === '"' || letter === "'") && /[\s[{,:]/.test(row[c - 1] ?? ' ')) quote = letter;
      else if (letter === '#' && /\s/.test(row[c - 1] ?? ' ')) break;
      else if (letter === '{' || letter === '[') stack.push({ bracket: letter, line: i + 1, column: c + 1 });
      else if ((letter === '}' || letter === ']') && stack.length > 0) stack.pop();
    }
  }
  return stack.pop() ?? lastBracket(rows, line);
}

/** The last opening bracket of the line itself, for faults inside a bracket that the line closes. */
function lastBracket(rows: string[], line: number) {
  const row = rows[line - 1] ?? '';
  const column = Math.max(row.lastIndexOf('{'), row.lastIndexOf('['));
  return column < 0 ? undefined : { bracket: row[column], line, column: column + 1 };
}

/** A line whose indentation fits nothing above it. */
function explainIndent(line: number, text: string, rows: string[]): Explanation {
  const indent = margin(text);
  const fitting = new Map<number, string>();
  let least = Number.POSITIVE_INFINITY;
  for (let i = line - 2; i >= 0; i--) {
    const row = rows[i];
    if (row.trim() === '' || row.trim().startsWith('#')) continue;
    for (const at of [
      margin(row),
      ...(/^\s*- +/.test(row) ? [/^\s*- +/.exec(row)![0].length] : []),
    ].reverse()) {
      if (at >= least) continue;
      least = at;
      const name = row.slice(at).split(/:(\s|$)/)[0];
      fitting.set(at, name.startsWith('- ') ? 'the "-"' : name);
    }
  }
  const nearest = [...fitting].sort((a, b) => Math.abs(a[0] - indent) - Math.abs(b[0] - indent)).slice(0, 2);
  const choices = nearest.map(([at, name]) => `${at} (as ${name})`).join(' or ');
  return {
    message: `indented by ${indent} ${indent === 1 ? 'space' : 'spaces'}, which fits nothing above`,
    expected: choices === '' ? 'the indentation of the lines above' : `an indentation of ${choices}`,
    at: [line, indent + 1, Math.max(1, text.trim().length)],
  };
}

/** `a: b: c`, or an indented key below a key that already has a value. */
function explainNested(place: Place, rows: string[]): Explanation {
  const { line, column, text } = place;
  const rest = text.slice(column - 1).replace(/\s+(#.*)?$/, '');
  if (/^\s*- /.test(rest)) {
    return {
      message: 'an item of a list among the keys of a mapping',
      remedy: 'start every item of the list with "- ", the ones above too',
      at: [line, column + margin(rest), rest.trim().length],
    };
  }
  if (/:(\s|$)/.test(rest)) {
    return {
      message: 'a second ": " in one value',
      remedy: `if it is text, put it in quotes: "${rest}"; else start the inner mapping on the next line`,
      at: [line, column, Math.max(1, rest.length)],
    };
  }
  const next = rows.findIndex((row, i) => i >= line && row.trim() !== '');
  const key = text
    .slice(0, column - 1)
    .replace(/^\s*(- +)?/, '')
    .replace(/:\s*$/, '');
  if (next < 0) return { message: `${key} has a value and keys below it` };
  return {
    message: `indented under ${key}, which already has the value ${rest}`,
    expected: `the indentation of ${key}, or no value after "${key}:"`,
    at: [next + 1, margin(rows[next]) + 1, Math.max(1, rows[next].trim().length)],
  };
}
