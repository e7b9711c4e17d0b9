// What tells one file from another: a hash of its bytes, with those of what belongs to it (slices of a series, the samples
// beside a header).

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

/** Headers whose samples may lie in files of the same name beside them. */
const headers = new Set(['.hea', '.mhd', '.nhdr', '.hdr']);

/** Bytes of files that are read as a whole, which is quicker. */
const atOnce = 2 ** 24;

/** SHA-256 of an item's bytes in hexadecimal; undefined where there is no such file. */
export async function hashItem(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return undefined;
  const hash = createHash('sha256');
  for (const file of await filesOf(path, found.isDirectory())) {
    try {
      if ((await stat(file)).size <= atOnce) hash.update(await readFile(file));
      else for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    } catch {
      // What cannot be read has no hash; reading it as a field will say why.
      return undefined;
    }
  }
  return hash.digest('hex');
}

async function filesOf(path: string, isFolder: boolean): Promise<string[]> {
  if (!isFolder && !headers.has(extname(path).toLowerCase())) return [path];
  const folder = isFolder ? path : dirname(path);
  const stem = basename(path, extname(path));
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter(entry => entry.isFile() && (isFolder || basename(entry.name).startsWith(`${stem}.`)))
    .map(({ name }) => join(folder, name))
    .sort();
}
