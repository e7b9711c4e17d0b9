// Checks that generated files are what the code would generate now; `--write` brings them up to date.

import { readFileSync, writeFileSync } from 'node:fs';
import { publishedSchema } from '../src/pipeline/schema.ts';
import { steps } from '../src/pipeline/steps/index.ts';

const path = 'pipelines/schema.json';
const text = `${JSON.stringify(publishedSchema(steps), null, 2)}\n`;
if (process.argv.includes('--write')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error(`${path} is out of date: run npm run schema`);
  process.exit(1);
}
