// The folder in which downloaded and added networks are kept: one folder a network, with its files and a record of where
// they came from. The folder is the user's cache folder of the platform, or NDCONV_CACHE. Files appear whole or not at
// all: they are written aside and renamed.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { NdconvError } from '../../errors.ts';

/** What is known of a network's files in the cache. */
export interface CacheRecord {
  /** File that is read to load it, within its folder. */
  readonly file: string;
  /** SHA-256 of that file. */
  readonly sha256: string;
  readonly bytes: number;
  /** Where it was downloaded, or the path that it was added from. */
  readonly source: string;
  /** How the hash came about: given by the entry, or that of the first download. */
  readonly trust: 'given' | 'first-use';
}

/** The folder of all networks. Errors: PipelineError where NDCONV_CACHE is no absolute path. */
export function cacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform = process.platform,
): string {
  const { NDCONV_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (NDCONV_CACHE) {
    if (!isAbsolute(NDCONV_CACHE))
      throw new NdconvError(
        'PipelineError',
        `NDCONV_CACHE is '${NDCONV_CACHE}', which is no absolute path; give the whole path of a folder`,
        { NDCONV_CACHE },
      );
    return NDCONV_CACHE;
  }
  // By the XDG base directory specification a path that is not absolute is to be ignored.
  if (XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, 'ndconv');
  if (platform === 'win32')
    return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'ndconv', 'Cache');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'ndconv');
  return join(homedir(), '.cache', 'ndconv');
}

/** The folder of one network. */
export const networkFolder = (name: string): string => join(cacheFolder(), 'networks', name);

const recordOf = (name: string): string => join(networkFolder(name), 'record.json');

/** The record of a network; undefined where there is none or it cannot be read. */
export async function readRecord(name: string): Promise<CacheRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(recordOf(name), 'utf8')) as CacheRecord;
    return typeof record.file === 'string' && typeof record.sha256 === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

export async function writeRecord(name: string, record: CacheRecord): Promise<void> {
  await mkdir(networkFolder(name), { recursive: true });
  const temporary = `${recordOf(name)}.${process.pid}.part`;
  await writeFile(temporary, `${JSON.stringify(record, null, 2)}\n`);
  await rename(temporary, recordOf(name));
}

/** Names of the networks in the cache that have a record. */
export async function recordedNetworks(): Promise<string[]> {
  const folders = await readdir(join(cacheFolder(), 'networks'), { withFileTypes: true }).catch(() => []);
  const names = folders.filter(folder => folder.isDirectory()).map(({ name }) => name);
  const records = await Promise.all(names.map(readRecord));
  return names.filter((_, i) => records[i]).sort();
}

/** Forgets a network and its files. */
export const forgetNetwork = (name: string): Promise<void> =>
  rm(networkFolder(name), { recursive: true, force: true });

/** SHA-256 of a file in hexadecimal. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
