// Files that a run writes: each aside, in the folder where it will stand, and renamed when it is complete, so that no
// file is ever half-written. Folders that were made for a file that failed go again.

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { mkdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { NdconvError } from '../errors.ts';
import type { WriteFile } from './step.ts';

/** A complete file of a run; `path` is relative to the output folder, with `/`. */
export interface Artefact {
  path: string;
  bytes: number;
  sha256: string;
}

/** Writes files below a folder. */
export interface ArtefactFolder {
  /** Absolute path of the folder. */
  readonly root: string;
  /** Everything written so far, each path once. */
  readonly written: readonly Artefact[];
  /** Absolute path below the folder; a defect of a step where it is not. */
  pathOf(path: string): string;
  /**
   * Has `produce` write a file under a temporary path with the same extension and renames it. `produce` may return
   * files that it completed beside it, which are recorded too.
   */
  write(path: string, produce: WriteFile): Promise<Artefact[]>;
}

/** Temporary files, and the topmost folder that was made for each. */
const unfinished = new Map<string, string | undefined>();

/** Removes what is being written in this moment, and folders that were made for it alone; for leaving the process at once. */
export function removeUnfinished(): void {
  for (const [temporary, made] of unfinished) {
    const [folder, start] = [dirname(temporary), basename(temporary)];
    try {
      // Writers may have put their own temporary file beside.
      for (const name of readdirSync(folder))
        if (name.startsWith(start)) rmSync(join(folder, name), { force: true });
      for (let at = folder; made !== undefined && at.startsWith(made); at = dirname(at)) rmdirSync(at);
    } catch {
      // The folder is gone, and the file with it; or it holds other files, and stays.
    }
  }
}

/** Opens an output folder; nothing is made on disk before the first file is written. */
export function openArtefacts(folder: string): ArtefactFolder {
  const root = resolve(folder);
  const written = new Map<string, Artefact>();
  const pathOf = (path: string): string => {
    const target = resolve(root, path);
    if (target !== root && target.startsWith(root.endsWith(sep) ? root : root + sep)) return target;
    throw new Error(`a step writes ${path}, which lies outside the output folder ${root}`);
  };
  const record = async (target: string): Promise<Artefact> => {
    const path = relative(root, target).split(sep).join('/');
    const artefact = { path, bytes: (await stat(target)).size, sha256: await hashFile(target) };
    written.set(path, artefact);
    return artefact;
  };
  return {
    root,
    get written() {
      return [...written.values()];
    },
    pathOf,
    async write(path, produce) {
      const target = pathOf(path);
      const temporary = join(
        dirname(target),
        `.partial-${randomBytes(4).toString('hex')}-${basename(target)}`,
      );
      const made = await makeFolder(dirname(target));
      unfinished.set(temporary, made);
      try {
        const beside = (await produce(temporary)) ?? [];
        await rename(temporary, target).catch(error => {
          throw explainRename(error, target);
        });
        return await Promise.all([target, ...beside].map(record));
      } catch (error) {
        await rm(temporary, { force: true, recursive: true });
        await removeEmpty(dirname(target), made);
        throw error;
      } finally {
        unfinished.delete(temporary);
      }
    },
  };
}

/** Makes a folder and those above it; returns the topmost that was made. */
async function makeFolder(folder: string): Promise<string | undefined> {
  try {
    return await mkdir(folder, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' || code === 'ENOTDIR' ? 'there is a file in its place' : code;
    throw new NdconvError(
      'RunError',
      `the folder ${folder} cannot be made: ${reason}; choose another with --out`,
      { path: folder, code },
      error,
    );
  }
}

/** Removes folders from the innermost to the topmost one that was made, as far as they are empty. */
async function removeEmpty(folder: string, topmost: string | undefined): Promise<void> {
  if (topmost === undefined) return;
  for (let at = folder; at.startsWith(topmost); at = dirname(at)) {
    const gone = await rmdir(at).then(
      () => true,
      () => false,
    );
    if (!gone) return;
  }
}

function explainRename(error: unknown, target: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new Error(`a step was to write ${target} and did not`, { cause: error });
  const reason = code === 'EISDIR' || code === 'ENOTEMPTY' ? 'there is a folder of that name' : code;
  return new NdconvError('RunError', `${target} cannot be written: ${reason}`, { path: target, code }, error);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
