// `ndconv schema`: the JSON schema that editors use to complete and check pipeline files.

import { rename, writeFile } from 'node:fs/promises';
import { NdconvError } from '../../errors.ts';
import { publishedSchema, type StepTable } from '../../pipeline/schema.ts';
import { steps as builtin } from '../../pipeline/steps/index.ts';
import { printLine } from '../streams.ts';

export async function schema(file: string | undefined, steps: StepTable): Promise<void> {
  const text = JSON.stringify(publishedSchema({ ...builtin, ...steps }), null, 2);
  if (file === undefined) return printLine(text);
  try {
    await writeFile(`${file}.partial`, `${text}\n`);
    await rename(`${file}.partial`, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'its folder does not exist' : code;
    throw new NdconvError('PipelineError', `${file} cannot be written: ${reason}`, { file, code }, error);
  }
}
