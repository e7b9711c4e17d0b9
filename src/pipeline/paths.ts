// Paths in a pipeline. Those to read are relative to the YAML file, absolute, or `npm:package/path` for a file inside an
// installed package; those to write lie below the output folder, whatever the pipeline says.

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path';
import { packageFolders } from '../formats/package-path.ts';
import { listNames, nearestName } from './nearest.ts';
import { shortPath } from './short-path.ts';

/** An absolute path, or what is wrong with the one given. */
export type FoundPath = { path: string } | { message: string; expected?: string; remedy?: string };

/** The sibling whose name is nearest to the missing last part of a path. */
export async function nearestSibling(path: string): Promise<string | undefined> {
  const names = await readdir(dirname(path)).catch(() => []);
  const near = nearestName(basename(path), names) ?? sameStem(basename(path), names);
  return near && join(dirname(path), near);
}

const stem = (name: string): string => name.toLowerCase().replace(/(\.nii\.gz|\.[^.]*)$/, '');
const sameStem = (name: string, names: string[]): string | undefined =>
  names.find(other => stem(other) === stem(name));

/** Finds a file or folder to read. */
export async function findInput(path: string, directory: string): Promise<FoundPath> {
  if (path.startsWith('npm:')) return findInPackage(path, directory);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) {
    return {
      message: `${path} is a web address; only files are read`,
      remedy: 'download it and give the path',
    };
  }
  const absolute = resolve(directory, path);
  if (existsSync(absolute)) return { path: absolute };
  if (path.startsWith('~')) {
    return { message: `${path}: ~ means nothing here`, remedy: `write ${join(homedir(), path.slice(1))}` };
  }
  return missing(path, absolute, directory);
}

/** Says of a missing path which part of it is missing and what there is instead; `before` is put before paths. */
async function missing(path: string, absolute: string, root: string, before = ''): Promise<FoundPath> {
  // The first part that does not exist.
  let lost = absolute;
  while (dirname(lost) !== lost && !existsSync(dirname(lost))) lost = dirname(lost);
  const near = await nearestSibling(lost);
  const shown = (place: string) => before + shortPath(place, root);
  const tail = absolute.slice(lost.length);
  const message =
    lost === absolute ? `there is no file ${path}` : `there is no file ${path}, nor a folder ${shown(lost)}`;
  // Relative paths start at the YAML file, which people who start at the current folder do not expect.
  const fromHere = resolve(path);
  if (!isAbsolute(path) && fromHere !== absolute && existsSync(fromHere)) {
    return { message, expected: 'a path relative to the YAML file', remedy: `write ${fromHere}` };
  }
  if (near) return { message, remedy: `did you mean "${shown(near) + tail}"?` };
  const names = (await readdir(dirname(lost)).catch(() => [])).filter(name => !name.startsWith('.'));
  const where = shown(dirname(lost));
  return { message, expected: names.length > 0 ? `in ${where}: ${listNames(names, 8)}` : undefined };
}

async function findInPackage(path: string, directory: string): Promise<FoundPath> {
  const parts = path.slice(4).split('/');
  const name = parts.splice(0, path[4] === '@' ? 2 : 1).join('/');
  const inner = normalize(parts.join('/') || '.');
  if (!/^(@[\w.-]+\/)?[\w.-]+$/.test(name) || name.startsWith('.') || inner.split(sep).includes('..')) {
    return {
      message: `${path} names no file of a package`,
      expected: 'npm:package/path or npm:@scope/package/path',
    };
  }
  const searched = packageFolders(directory);
  const folder = searched.map(modules => join(modules, name)).find(candidate => existsSync(candidate));
  if (!folder) {
    const scope = name.includes('/') ? dirname(name) : '.';
    const installed = await Promise.all(
      searched.map(modules => readdir(join(modules, scope)).catch(() => [])),
    );
    const near = nearestName(basename(name), installed.flat());
    const meant = near && (scope === '.' ? near : `${scope}/${near}`);
    return {
      message: `the package ${name} is not installed`,
      remedy: meant ? `did you mean "npm:${[meant, ...parts].join('/')}"?` : `npm i ${name}`,
    };
  }
  const absolute = join(folder, inner);
  if (existsSync(absolute)) return { path: absolute };
  return missing(path, absolute, folder, `npm:${name}/`);
}

/** Files that every run writes itself. */
const reserved = ['report.html', 'run.json'];

/** Checks a path to write and brings it to its plain form, relative to the output folder. */
export function findOutput(path: string): FoundPath {
  const plain = normalize(path);
  if (isAbsolute(plain) || plain.split(sep)[0] === '..') {
    return {
      message: `${path} lies outside the output folder`,
      expected: 'a path below the output folder, such as result.png',
      remedy: `write ${basename(plain)} and choose the folder with --out`,
    };
  }
  if (plain === '.' || plain.endsWith(sep)) {
    return { message: `${path} is a folder`, expected: 'the name of a file to write, such as result.png' };
  }
  if (reserved.includes(plain)) {
    return { message: `${path} is a file that every run writes itself`, remedy: 'choose another name' };
  }
  return { path: plain };
}
