// Reads a pipeline file: YAML 1.2 into plain values, with the place of every key and value kept for messages.
// It knows YAML, not the pipeline language: what the keys mean is for validate.ts and resolve.ts. The file's size,
// its nesting and what its aliases expand to are bounded, so that a hostile file costs no more than an honest one.

import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
} from 'yaml';
import { NdconvError } from '../errors.ts';
import { type Diagnostic, PipelineError, type Place } from './diagnostic.ts';
import { shortPath } from './short-path.ts';
import { explainSyntax } from './yaml-errors.ts';

/** Where a value lies: keys and indices from the root. */
export type Path = readonly (string | number)[];

/** A parsed file. */
export interface Source {
  /** For messages: relative to the current folder where it lies below it. */
  file: string;
  /** Absolute folder against which the file's paths are resolved. */
  directory: string;
  text: string;
  /** What the file says, as plain values. */
  value: unknown;
  /** The place of a value (or of its key); of the nearest enclosing value where the file has no such path. */
  place(path: Path, part?: 'key' | 'value'): Place;
}

const largestFile = 1 << 20;
const mostValues = 50_000;
const deepest = 60;

/** Reads and parses a file; a `PipelineError` lists what is wrong, a `FormatError` says why it cannot be read. */
export async function loadSource(path: string, cwd = process.cwd()): Promise<Source> {
  const absolute = resolve(cwd, path);
  const shown = shortPath(absolute, cwd);
  let bytes: Buffer;
  try {
    const { size } = await stat(absolute);
    if (size > largestFile)
      throw new NdconvError(
        'PipelineError',
        `${shown}: a pipeline has at most ${largestFile} bytes, this file has ${size}; is it the file you meant?`,
        { path, size },
      );
    bytes = await readFile(absolute);
  } catch (error) {
    throw await explainUnreadable(error, absolute, shown);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const message = `${shown}: not a YAML file: it is no UTF-8 text; give the pipeline file (.yaml)`;
    throw new NdconvError('PipelineError', message, { path }, error);
  }
  return parseSource(text, shown, dirname(absolute));
}

async function explainUnreadable(error: unknown, absolute: string, shown: string): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException)?.code;
  if (code === undefined) return error;
  const fields = { path: shown, code };
  if (code === 'EISDIR') {
    return new NdconvError(
      'PipelineError',
      `${shown} is a folder; give the pipeline file (.yaml) in it`,
      fields,
    );
  }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const { nearestSibling } = await import('./paths.ts');
    const near = await nearestSibling(absolute);
    const hint = near ? `; did you mean ${basename(near)}?` : '';
    return new NdconvError('PipelineError', `${shown}: there is no such file${hint}`, fields, error);
  }
  return new NdconvError('PipelineError', `${shown}: cannot be read (${code})`, fields, error);
}

// `{ size: ${params.size} }` is no YAML, because braces end plain text inside `{ }`. For the parser the braces of a
// parameter become two private characters, so that every position stays what it is in the file.
const [open, close] = ['\uE0F0', '\uE0F1'];
const hideBraces = (text: string): string => text.replace(/\$\{([\w.-]*)\}/g, `$$${open}$1${close}`);
const showBraces = (text: string): string => text.replace(/\$\uE0F0([\w.-]*)\uE0F1/g, '${$1}');

/** Parses the text of a pipeline; paths in it are relative to `directory`. */
export function parseSource(text: string, file: string, directory: string): Source {
  const hidden = hideBraces(text);
  const lines = new LineCounter();
  const rows = text.split(/\r?\n/);
  const placeOf = (start: number, end: number): Place => {
    const { line, col } = lines.linePos(Math.min(start, text.length));
    const row = rows[line - 1] ?? '';
    const length = Math.max(1, Math.min(end - start, row.length - col + 1));
    return { file, line, column: col, length, text: row };
  };
  const document = parseDocument(hidden, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    resolveKnownTags: false,
    logLevel: 'error',
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) throw new PipelineError(explainSyntax(faults, rows, placeOf));

  const { value, places } = readTree(document, placeOf);
  return {
    file,
    directory,
    text,
    value,
    place(path, part = 'value') {
      for (let length = path.length; length >= 0; length--) {
        const found = places.get(pathKey(path.slice(0, length)));
        if (found) return length === path.length && part === 'value' ? found.value : found.key;
      }
      return placeOf(0, rows[0].length);
    },
  };
}

/** A path as a key of a map. */
export const pathKey = (path: Path): string => JSON.stringify(path);

interface Places {
  key: Place;
  value: Place;
}

/** Plain values of the document, and the places of all of them. */
function readTree(document: Document.Parsed, placeOf: (start: number, end: number) => Place) {
  const places = new Map<string, Places>();
  const anchors = new Map<string, Node>();
  const open = new Set<Node>();
  let count = 0;
  let outerAlias: Place | undefined;
  const range = (node: Node): Place => placeOf(node.range?.[0] ?? 0, node.range?.[1] ?? 0);
  const fail = (place: Place, message: string, remedy: string): never => {
    throw new PipelineError([{ place, message, remedy } satisfies Diagnostic]);
  };

  function read(node: Node | null, path: Path, key: Place): unknown {
    if (node === null) {
      places.set(pathKey(path), { key, value: key });
      return null;
    }
    const place = range(node);
    // An empty value has no extent of its own: point at its key.
    const empty = isScalar(node) && node.range !== undefined && node.range?.[0] === node.range?.[1];
    places.set(pathKey(path), { key, value: empty ? key : place });
    if (++count > mostValues) {
      fail(
        outerAlias ?? place,
        `the file expands to more than ${mostValues} values`,
        'use fewer aliases (*name), or write less',
      );
    }
    if (path.length > deepest) fail(place, `nested more than ${deepest} deep`, 'flatten this');
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (!target) {
        return fail(
          place,
          `the alias *${node.source} stands for nothing: no anchor &${node.source} before it`,
          `write &${node.source} at the value it repeats, or put the text in quotes`,
        );
      }
      if (open.has(target)) return fail(place, `the alias *${node.source} contains itself`, 'remove it');
      const outermost = outerAlias === undefined;
      if (outermost) outerAlias = place;
      const value = read(target, path, key);
      if (outermost) outerAlias = undefined;
      return value;
    }
    if (node.anchor) anchors.set(node.anchor, node);
    open.add(node);
    try {
      if (isMap(node)) return readMap(node.items, path);
      if (isSeq(node)) {
        return node.items.map((item, i) => {
          const itemNode = item as Node | null;
          return read(itemNode, [...path, i], itemNode ? range(itemNode) : place);
        });
      }
      const { value } = node as Scalar;
      return typeof value === 'string' ? showBraces(value) : value;
    } finally {
      open.delete(node);
    }
  }

  function readMap(items: readonly { key: unknown; value: unknown }[], path: Path): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const pair of items) {
      const keyNode = pair.key as Scalar | null;
      const name = showBraces(String(keyNode instanceof Scalar ? keyNode.value : ''));
      const keyPlace = keyNode?.range ? range(keyNode) : placeOf(0, 0);
      if (name === '') fail(keyPlace, 'a key without a name', 'write `name: value`');
      if (name === '__proto__') fail(keyPlace, 'unknown key "__proto__"', 'remove it');
      out[name] = read(pair.value as Node | null, [...path, name], keyPlace);
    }
    return out;
  }

  const root = document.contents as Node | null;
  return { value: read(root, [], root ? range(root) : placeOf(0, 0)), places };
}
