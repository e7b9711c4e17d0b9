// `ndconv schema`: the JSON schema that editors use to complete and check pipeline files.

import { writeFile } from 'node:fs/promises';
import { publishedSchema } from '../../pipeline/schema.ts';
import { steps } from '../../pipeline/steps/index.ts';

export async function schema(path?: string): Promise<void> {
  const text = `${JSON.stringify(publishedSchema(steps), null, 2)}\n`;
  if (path) await writeFile(path, text);
  else process.stdout.write(text);
}
