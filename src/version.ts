// The version of ndconv, as package.json has it.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version of ndconv; 'unknown' where its package.json is not there. */
export function readVersion(): string {
  // package.json lies above the sources, and one folder further above what is compiled from them.
  for (let at = dirname(fileURLToPath(import.meta.url)); dirname(at) !== at; at = dirname(at)) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
      if (name === 'ndconv') return String(version);
    } catch {
      // No package.json here: look further up.
    }
  }
  return 'unknown';
}
