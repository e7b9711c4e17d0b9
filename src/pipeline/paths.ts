// Paths in a pipeline: relative to the YAML file, or `npm:package/path` for a file inside an installed package.

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { nearestName } from './nearest.ts';

/** The sibling whose name is nearest to the missing last part of a path. */
export async function nearestSibling(path: string): Promise<string | undefined> {
  const names = await readdir(dirname(path)).catch(() => []);
  const near = nearestName(basename(path), names);
  return near && join(dirname(path), near);
}

/** Absolute path, or what is wrong with it. */
export async function resolveInput(
  path: string,
  directory: string,
): Promise<{ path: string } | { problem: string }> {
  if (path.startsWith('npm:')) {
    const parts = path.slice(4).split('/');
    const name = parts.splice(0, path[4] === '@' ? 2 : 1).join('/');
    const folder = packageFolder(name, directory);
    if (!folder) return { problem: `the package ${name} is not installed; install it with: npm i ${name}` };
    return existing(join(folder, ...parts), path);
  }
  return existing(resolve(directory, path), path);
}

async function existing(absolute: string, shown: string): Promise<{ path: string } | { problem: string }> {
  if (existsSync(absolute)) return { path: absolute };
  const near = await nearestSibling(absolute);
  return { problem: `${shown}: there is no such file${near ? `; did you mean ${basename(near)}?` : ''}` };
}

// The packages ndconv came with first, then those beside the pipeline. Packages may hide their package.json from
// `require.resolve`, so the folders that would be searched are looked at instead.
function packageFolder(name: string, directory: string): string | undefined {
  for (const from of [import.meta.url, join(directory, 'pipeline.yaml')]) {
    const folders = createRequire(from).resolve.paths(name) ?? [];
    const found = folders.map(f => join(f, name)).find(f => existsSync(join(f, 'package.json')));
    if (found) return found;
  }
  return undefined;
}
