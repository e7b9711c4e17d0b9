// Paths as people are shown them.

import { relative, sep } from 'node:path';

/** The path relative to the current folder where it lies below it, else absolute. */
export function shortPath(absolute: string, cwd = process.cwd()): string {
  const short = relative(cwd, absolute);
  return short === '' || short.startsWith('..') ? absolute : short;
}

/** A file as a pipeline would name it: `npm:package/path` inside a package, else as `shortPath` has it. */
export function sourceName(absolute: string): string {
  const packages = `${sep}node_modules${sep}`;
  const at = absolute.lastIndexOf(packages);
  if (at < 0) return shortPath(absolute);
  return `npm:${absolute
    .slice(at + packages.length)
    .split(sep)
    .join('/')}`;
}
