// Keeping what a step of verification found in a JSON file.

import { writeFile } from 'node:fs/promises';
import type { Verifier } from '../../../verification/verifier.ts';
import { verifierToJson } from '../../../verification/verifier-file.ts';
import type { CheckContext, RunContext } from '../../step.ts';

/** Reports a path that is not that of a JSON file. */
export function checkJsonPath(
  { problem }: Pick<CheckContext<unknown>, 'problem'>,
  path: string | undefined,
): void {
  if (path !== undefined && !/\.json$/i.test(path))
    problem({ at: ['path'], message: `${path} is to end in .json` });
}

/** Writes a verifier where a path is given. */
export async function saveVerifier(
  { write }: Pick<RunContext<unknown>, 'write'>,
  verifier: Verifier,
  path: string | undefined,
): Promise<void> {
  if (path !== undefined) await write(path, temporary => writeFile(temporary, verifierToJson(verifier)));
}
