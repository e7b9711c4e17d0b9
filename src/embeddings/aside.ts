// Replaces a file so that whatever interrupts it leaves the old one or the new one: written aside, brought to disk, renamed.

import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Writes a file at an absolute path; makes missing folders. */
export async function replaceFile(target: string, content: Uint8Array | string): Promise<void> {
  const folder = dirname(target);
  await mkdir(folder, { recursive: true });
  const unfinished = join(folder, `.partial-${randomBytes(4).toString('hex')}-${basename(target)}`);
  try {
    await writeFile(unfinished, content, { flush: true });
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
