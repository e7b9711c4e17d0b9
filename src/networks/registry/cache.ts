// The folder in which downloaded and added networks are kept: one folder a network, with its files and a record of where
// they came from. Files appear whole or not at all: they are written aside and renamed.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, writeWhole } from '../../cache-folder.ts';

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

export const writeRecord = (name: string, record: CacheRecord): Promise<void> =>
  writeWhole(recordOf(name), record);

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
