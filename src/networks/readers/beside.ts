// Files that belong to a file that is read: shards of weights, external tensors. A file may name only what lies in its own
// folder or below, links followed; everything else is refused.

import { realpathSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { formatError, reasonOf } from '../../formats/format.ts';

/** The path of `name` beside `file`, given its folder. Errors: FormatError naming both. */
export function besidePath(file: string, folder: string, name: string): string {
  const outside = () =>
    formatError(
      file,
      `names the file '${name}', which is no path inside its own folder`,
      'put all files of the model into one folder, or export it again',
      { name },
    );
  if (name === '' || isAbsolute(name) || name.includes('\0') || /^[a-z]+:/i.test(name)) throw outside();
  const path = join(folder, name);
  let inside: string;
  try {
    inside = relative(realpathSync(folder), realpathSync(path));
  } catch (cause) {
    throw formatError(
      file,
      `needs ${path}, which cannot be read (${reasonOf(cause)})`,
      'put all files of the model into one folder',
      { name },
      cause,
    );
  }
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside))
    throw outside();
  return path;
}
