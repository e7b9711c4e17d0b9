// The folder in which ndconv keeps what it need not find out or download again: the user's cache folder of the platform,
// or NDCONV_CACHE. Files in it appear whole or not at all.

import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { NdconvError } from './errors.ts';

/** The folder. Errors: PipelineError where NDCONV_CACHE is no absolute path. */
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

/** Writes a file of JSON, aside first and then renamed; whoever reads meanwhile sees the old one. */
export async function writeWhole(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${randomUUID()}.part`;
  try {
    await writeFile(aside, `${JSON.stringify(value, null, 2)}\n`);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
