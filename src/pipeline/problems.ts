// Collects what is wrong with a pipeline while it is resolved, and knows where each value came from: the YAML file,
// a parameter, or a `--set` on the command line.

import type { Diagnostic, Place } from './diagnostic.ts';
import { type Path, pathKey, type Source } from './load.ts';

/** What to say of a place; the place itself is found from the path. */
export interface Complaint {
  message: string;
  /** Whether the key or its value is wrong; the value where absent. */
  part?: 'key' | 'value';
  expected?: string;
  note?: string;
  remedy?: string;
}

/** A list of problems tied to paths of the document. */
export interface Problems {
  readonly found: Diagnostic[];
  /** Adds a problem at a path of the document. */
  add(path: Path, complaint: Complaint): void;
  /** Adds a problem of a `--set` argument; `at` is a piece of it to point at. */
  addArgument(text: string, at: string, complaint: Complaint): void;
  /** Remembers that `--set` gave the value at a path. */
  overridden(path: Path, argument: string): void;
  /** Remembers that the value at a path is that of a parameter. */
  substituted(path: Path, parameter: string): void;
  /** Whether a problem was added at the path or inside it. */
  touches(path: Path): boolean;
}

/** An empty list for the document of `source`. */
export function createProblems(source: Source): Problems {
  const found: Diagnostic[] = [];
  const paths: string[] = [];
  const overrides = new Map<string, string>();
  const substitutions = new Map<string, string>();
  const nearest = <T>(map: Map<string, T>, path: Path): T | undefined => {
    for (let length = path.length; length > 0; length--) {
      const value = map.get(pathKey(path.slice(0, length)));
      if (value !== undefined) return value;
    }
    return undefined;
  };

  return {
    found,
    add(path, { part, ...complaint }) {
      paths.push(pathKey(path).slice(0, -1));
      const argument = nearest(overrides, path);
      if (argument !== undefined) {
        const key = String(path.at(-1) ?? '');
        const at = part === 'key' && argument.includes(key) ? key : argument.slice(argument.indexOf('=') + 1);
        found.push({ place: argumentPlace(argument, at), ...complaint });
        return;
      }
      const parameter = nearest(substitutions, path);
      let note: string | undefined;
      if (parameter !== undefined) {
        const from = ['params', ...parameter.split('.')];
        const given = nearest(overrides, from);
        const where = given ? `--set ${given}` : `line ${source.place(from).line}`;
        note = `the value comes from params.${parameter} (${where})`;
      }
      found.push({ place: source.place(path, part), ...complaint, ...(note ? { note } : {}) });
    },
    addArgument(text, at, complaint) {
      const { part: _, ...rest } = complaint;
      found.push({ place: argumentPlace(text, at), ...rest });
    },
    overridden: (path, argument) => void overrides.set(pathKey(path), argument),
    substituted: (path, parameter) => void substitutions.set(pathKey(path), parameter),
    touches(path) {
      const start = pathKey(path).slice(0, -1);
      return paths.some(at => at === start || at.startsWith(`${start},`));
    },
  };
}

/** A place in a `--set` argument. */
function argumentPlace(argument: string, at: string): Place {
  const text = `--set ${argument}`;
  const start = Math.max(0, argument.indexOf(at));
  return { file: text, line: 0, column: start + 7, length: Math.max(1, at.length), text };
}
