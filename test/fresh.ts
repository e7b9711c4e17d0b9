// Checks that generated files are what the code would generate now; `--write` brings all of them up to date, or those
// that are named.

import { readFileSync, writeFileSync } from 'node:fs';
import { createProgram } from '../src/cli/program.ts';
import { referencePage } from '../src/cli/reference-page.ts';
import { publishedSchema } from '../src/pipeline/schema.ts';
import { steps } from '../src/pipeline/steps/index.ts';

const generated: Record<string, { script: string; text: () => string }> = {
  'pipelines/schema.json': {
    script: 'schema',
    text: () => `${JSON.stringify(publishedSchema(steps), null, 2)}\n`,
  },
  'pipelines/README.md': { script: 'docs', text: () => referencePage(createProgram(), steps) },
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

const write = process.argv[2] === '--write';
const named = process.argv.slice(3);
for (const [path, { script, text }] of Object.entries(generated)) {
  if (named.length > 0 && !named.includes(path)) continue;
  if (write) writeFileSync(path, text());
  else if (read(path) !== text()) {
    console.error(`${path} is out of date: run npm run ${script}`);
    process.exitCode = 1;
  }
}
