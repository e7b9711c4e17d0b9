// `ndconv formats`: what can be read and written.

import { listFormats } from '../../formats/index.ts';

export function formats(): void {
  for (const f of listFormats())
    console.log(`${f.name.padEnd(14)} ${f.extensions.join(' ').padEnd(24)} ${f.summary}`);
}
