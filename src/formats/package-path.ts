// Files inside installed packages, written as `npm:package/path` or `npm:@scope/package/path`.

import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The node_modules folders in which Node.js would look for a package from a folder. */
function moduleFolders(folder: string): string[] {
  const found: string[] = [];
  for (let at = folder; ; at = dirname(at)) {
    if (basename(at) !== 'node_modules') found.push(join(at, 'node_modules'));
    if (dirname(at) === at) break;
  }
  return found.filter(modules => existsSync(modules));
}

/** Where packages are looked for: those that ndconv came with first, then those beside a folder. */
export const packageFolders = (directory: string): string[] => [
  ...moduleFolders(dirname(fileURLToPath(import.meta.url))),
  ...moduleFolders(directory),
];

/** The file of an address, where its package is installed; undefined for anything else. */
export function packageFile(address: string, directory: string): string | undefined {
  const [, name, inner] = /^npm:((?:@[\w.-]+\/)?[\w-][\w.-]*)\/(.+)$/.exec(address) ?? [];
  if (!name || inner.split('/').includes('..')) return undefined;
  const folder = packageFolders(directory).find(modules => existsSync(join(modules, name)));
  return folder && join(folder, name, inner);
}
