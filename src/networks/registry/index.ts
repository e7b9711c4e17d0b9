// Networks by name: which there are, where their files lie, how they come here. `get` downloads the weights of a known
// network, `add` takes a file of the user's own: weights of a known network, or a network that describes itself (ONNX,
// TensorFlow.js). Loading never downloads: what is not here is an error that says how to get it.

import { copyFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { NdconvError } from '../../errors.ts';
import { type KnownName, loadKnownNetwork } from '../architectures.ts';
import type { Network } from '../network.ts';
import {
  type CacheRecord,
  forgetNetwork,
  hashOf,
  networkFolder,
  readRecord,
  recordedNetworks,
  writeRecord,
} from './cache.ts';
import { type Downloaded, download, downloadTensors } from './download.ts';
import { entries, type NetworkEntry } from './entries.ts';
import type { OnProgress } from './transfer.ts';

export { cacheFolder } from '../../cache-folder.ts';
export type { CacheRecord } from './cache.ts';
export { entries, type NetworkEntry } from './entries.ts';

/** A network by name, and whether its file is here. */
export interface Listed {
  readonly name: string;
  readonly summary: string;
  /** packaged: it comes with ndconv. */
  readonly state: 'packaged' | 'downloaded' | 'absent' | 'added';
  readonly entry?: NetworkEntry;
  readonly record?: CacheRecord;
  /** File that is read, where it is here. */
  readonly path?: string;
}

const missing = (name: string, known: readonly string[]): NdconvError =>
  new NdconvError(
    'NetworkError',
    `there is no network '${name}'; there are ${known.join(', ')} (ndconv network list)`,
    { name, candidates: known },
  );

/** A name that is a folder of the cache and nothing else. */
export const isNetworkName = (name: string): boolean => /^[A-Za-z0-9][\w.-]*$/.test(name);

const packagedPath = (address: string): string => {
  const [, name, inner] = /^npm:((?:@[^/]+\/)?[^/]+)\/(.+)$/.exec(address)!;
  return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), inner);
};

/** One network by name; undefined where there is none. */
export async function findNetwork(name: string): Promise<Listed | undefined> {
  const entry = entries.get(name);
  if (entry && 'packaged' in entry.origin)
    return {
      name,
      summary: entry.summary,
      state: 'packaged',
      entry,
      path: packagedPath(entry.origin.packaged),
    };
  const record = isNetworkName(name) ? await readRecord(name) : undefined;
  const path = record && join(networkFolder(name), record.file);
  const here = path !== undefined && (await stat(path).catch(() => undefined))?.isFile();
  if (entry)
    return {
      name,
      summary: entry.summary,
      state: here ? 'downloaded' : 'absent',
      entry,
      ...(record ? { record } : {}),
      ...(here ? { path } : {}),
    };
  return here ? { name, summary: `added from ${record!.source}`, state: 'added', record, path } : undefined;
}

/** All networks with weights, those that were added last. */
export async function listNetworks(): Promise<Listed[]> {
  const added = (await recordedNetworks()).filter(name => !entries.has(name));
  const found = await Promise.all([...entries.keys(), ...added].map(findNetwork));
  return found.filter(one => one !== undefined);
}

const namesOf = async (): Promise<string[]> => (await listNetworks()).map(({ name }) => name);

/** The file of a network by name. Errors: NetworkError that says how to get it where it is not here. */
export async function locateNetwork(name: string): Promise<string> {
  const found = await findNetwork(name);
  if (!found) throw missing(name, await namesOf());
  if (found.path !== undefined) return found.path;
  throw new NdconvError(
    'NetworkError',
    `the weights of ${name} are not here; download them with: ndconv network get ${name}`,
    { name },
  );
}

/** Loads a network by name from the file that is here. */
export async function openNetwork(name: string, options: { normalise?: boolean } = {}): Promise<Network> {
  const path = await locateNetwork(name);
  return entries.has(name) ? loadKnownNetwork(name as KnownName, path, options) : readNamed(name, path);
}

async function readNamed(name: string, path: string): Promise<Network> {
  const { readNetwork } = await import('../readers/index.ts');
  return { ...(await readNetwork(path)), name };
}

/** How to get a network. */
export interface GetOptions {
  /** Use what is here; download nothing. */
  readonly offline?: boolean;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
  /** Waits between attempts grow, so that few are enough. */
  readonly retries?: number;
}

/** What came of getting a network. */
export interface Got {
  readonly path: string;
  readonly record?: CacheRecord;
  /** Whether bytes were downloaded now. */
  readonly fresh: boolean;
}

/**
 * Brings the weights of a known network here, unless they are, in which case their hash is checked. Errors: NetworkError
 * where nothing can be downloaded, what came is not what is expected, or the file here was changed.
 */
export async function getNetwork(name: string, options: GetOptions = {}): Promise<Got> {
  const found = await findNetwork(name);
  if (!found) throw missing(name, await namesOf());
  const { path, record } = found;
  if (path !== undefined) {
    if (record) await expectHash(name, path, record.sha256);
    return { path, ...(record ? { record } : {}), fresh: false };
  }
  if (options.offline)
    throw new NdconvError(
      'NetworkError',
      `the weights of ${name} are not here, and --offline forbids to download them; run it without --offline, or bring the file and run: ndconv network add FILE --as ${name}`,
      { name },
    );
  return fetchNetwork(found.entry!, record, options);
}

async function expectHash(name: string, path: string, sha256: string): Promise<void> {
  const found = await hashOf(path);
  if (found === sha256) return;
  throw new NdconvError(
    'NetworkError',
    `${path}: has the SHA-256 ${found}, and it was ${sha256} when it came; it was changed or damaged: remove it and run ndconv network get ${name}`,
    { name, path, sha256: found, expected: sha256 },
  );
}

/** Downloads by an entry; a hash that was recorded before is expected again. */
export async function fetchNetwork(
  entry: NetworkEntry,
  before: CacheRecord | undefined,
  { onProgress, signal, retries }: GetOptions = {},
): Promise<Got> {
  const { name, origin } = entry;
  if (!('url' in origin)) throw new Error(`${name} comes with a package`);
  const folder = networkFolder(name);
  const path = join(folder, origin.file);
  await mkdir(folder, { recursive: true });
  const recorded = before?.source === origin.url ? before.sha256 : undefined;
  // The hash of a whole file says nothing of one with a part of its tensors.
  const job = {
    url: origin.url,
    path,
    check: (part: string) => loadKnownNetwork(name, part),
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
    ...(retries === undefined ? {} : { retries }),
  };
  let got: Downloaded & { whole?: boolean };
  if (origin.tensors)
    got = await downloadTensors({ ...job, ...(recorded ? { sha256: recorded } : {}) }, origin.tensors);
  else {
    const sha256 = recorded ?? origin.sha256;
    got = await download({ ...job, ...(sha256 ? { sha256 } : {}) });
  }
  const record: CacheRecord = {
    file: origin.file,
    sha256: got.sha256,
    bytes: got.bytes,
    source: origin.url,
    trust: origin.sha256 !== undefined && !origin.tensors ? 'given' : 'first-use',
  };
  await writeRecord(name, record);
  return { path, record, fresh: true };
}

/** What is added, and under which name. */
export interface AddOptions {
  /** Known network whose weights the file holds. */
  readonly as?: string;
  /** Name of a network that describes itself; that of the file where absent. */
  readonly name?: string;
}

/**
 * Copies a file into the cache: the weights of a known network, or a network that describes itself. Returns the name.
 * Errors: NetworkError or FormatError where it is neither, or the name is taken.
 */
export async function addNetwork(file: string, { as, name: wanted }: AddOptions = {}): Promise<Listed> {
  const source = resolve(file);
  if (as !== undefined && !entries.has(as)) throw missing(as, [...entries.keys()]);
  const name = as ?? wanted ?? basename(source, extname(source));
  if (as === undefined) await expectFree(name);
  if (as !== undefined && 'packaged' in entries.get(as)!.origin)
    throw new NdconvError('NetworkError', `${as} comes with ndconv; name your file with weights instead`, {
      name: as,
    });
  const read = (path: string) =>
    as === undefined ? readNamed(name, path) : loadKnownNetwork(as as KnownName, path);
  await read(source);
  const folder = networkFolder(name);
  const aside = `${folder}.${process.pid}.part`;
  try {
    for (const part of [basename(source), ...(await partsOf(source))]) {
      await mkdir(dirname(join(aside, part)), { recursive: true });
      await copyFile(join(dirname(source), part), join(aside, part));
    }
    const path = join(aside, basename(source));
    await read(path).catch(cause => {
      throw new NdconvError(
        'NetworkError',
        `${source}: reads files beside it that cannot be taken along (${(cause as Error).message}); save it as one file`,
        { path: source },
        cause,
      );
    });
    const record: CacheRecord = {
      file: basename(source),
      sha256: await hashOf(path),
      bytes: (await stat(path)).size,
      source,
      trust: 'first-use',
    };
    await forgetNetwork(name);
    await rename(aside, folder);
    await writeRecord(name, record);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return (await findNetwork(name))!;
}

async function expectFree(name: string): Promise<void> {
  const fault = !isNetworkName(name)
    ? `'${name}' cannot be the name of a network: use letters, digits, dots, - and _`
    : entries.has(name)
      ? `${name} is a known network; to give its weights: ndconv network add FILE --as ${name}`
      : ['random-filters', 'layers', 'file'].includes(name)
        ? `'${name}' means something else in a pipeline; choose another with --name`
        : (await readRecord(name))
          ? `there is a network ${name} already; choose another with --name`
          : undefined;
  if (fault) throw new NdconvError('NetworkError', fault, { name });
}

/** Files below that of a TensorFlow.js model or of a weight manifest, which holds their names. */
async function partsOf(path: string): Promise<string[]> {
  if (extname(path) !== '.json') return [];
  const json = JSON.parse(await readFile(path, 'utf8')) as { weightsManifest?: unknown } | unknown[];
  const groups = (Array.isArray(json) ? json : (json.weightsManifest ?? [])) as { paths?: string[] }[];
  return [...new Set(groups.flatMap(({ paths }) => paths ?? []))];
}
