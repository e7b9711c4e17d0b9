// Remembers where the check of wide vectors passed, so that it need not be repeated at every start: a file in the user's
// cache folder, with what the outcome depends on. Only what is the same in all of it is trusted, and only that kernels
// were right: a failure is found anew every time. Without the file, or with a damaged one, the check is made.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, writeWhole } from '../../cache-folder.ts';
import { debug } from '../../debug.ts';
import { readVersion } from '../../version.ts';

/** What the outcome of the check depends on. */
export interface Circumstances {
  readonly ndconv: string;
  /** SHA-256 of the sources that kernels are made by. */
  readonly kernels: string;
  readonly node: string;
  readonly v8: string;
  readonly processor: string;
}

interface Passed extends Circumstances {
  /** When the check passed, in ISO 8601. */
  readonly passed: string;
}

/** Entries that are kept, the latest first: versions of Node, and machines that share a home folder. */
const MOST = 8;

/** The file; undefined where there is no place for it. */
export function recordPath(): string | undefined {
  try {
    return join(cacheFolder(), 'wide-vectors.json');
  } catch {
    return undefined;
  }
}

/** Those of this process; undefined where the sources are not to be found, as in a bundle. */
export function circumstances(): Circumstances | undefined {
  const kernels = hashSources();
  if (kernels === undefined) return undefined;
  const { node, v8 } = process.versions;
  return { ndconv: readVersion(), kernels, node, v8, processor: cpus()[0]?.model ?? 'unknown' };
}

/** When the check passed under these circumstances; undefined where it is not known to have. */
export async function recall(path: string, now: Circumstances): Promise<string | undefined> {
  return (await readEntries(path)).find(entry => sameAs(entry, now))?.passed;
}

/** Adds that the check passed, or takes away that it did. A file that cannot be written stays as it is. */
export async function remember(path: string, now: Circumstances, right: boolean): Promise<void> {
  const before = await readEntries(path);
  const others = before.filter(entry => !sameAs(entry, now));
  if (!right && others.length === before.length) return;
  const entries = right ? [{ passed: new Date().toISOString(), ...now }, ...others] : others;
  try {
    await writeWhole(path, entries.slice(0, MOST));
  } catch (error) {
    debug(1, () => [`wide vectors: ${path} cannot be written: ${(error as Error).message}`]);
  }
}

const sameAs = (entry: Passed, now: Circumstances): boolean =>
  (Object.keys(now) as (keyof Circumstances)[]).every(key => entry[key] === now[key]);

async function readEntries(path: string): Promise<Passed[]> {
  try {
    const entries: unknown = JSON.parse(await readFile(path, 'utf8'));
    return Array.isArray(entries) ? entries.filter(isPassed) : [];
  } catch {
    return [];
  }
}

const isPassed = (entry: unknown): entry is Passed =>
  typeof entry === 'object' && entry !== null && 'passed' in entry && typeof entry.passed === 'string';

function hashSources(): string | undefined {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const ending = extname(import.meta.url);
  const hash = createHash('sha256');
  try {
    for (const folder of ['kernels', 'src/backends/wasm', 'src/tensor'].map(name => join(root, name))) {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      for (const file of files.filter(name => extname(name) === ending).sort())
        hash.update(readFileSync(join(folder, file)));
    }
    return hash.digest('hex');
  } catch {
    return undefined;
  }
}
