// What a dataset is made of, without reading it: files below a folder with one subfolder per identity, or a list in CSV
// or JSON with the columns path and label. An identity is whose it is and decides the split; the label is what is to be
// told apart, and the same where a list does not say otherwise.

import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { readWhole } from '../formats/bytes.ts';
import { rowsOf, separatorOf } from '../formats/delimited.ts';
import { dicomFilesIn } from '../formats/dicom.ts';
import { formatError, reasonOf } from '../formats/format.ts';
import { formatOfPath } from '../formats/index.ts';
import { packageFile } from '../formats/package-path.ts';

export const parts = ['train', 'validation', 'test'] as const;
/** One of the parts that a dataset is split into. */
export type Part = (typeof parts)[number];

/** One file of a dataset. */
export interface Item {
  /** Absolute; a folder where it is a DICOM series. */
  path: string;
  /** As messages name it. */
  name: string;
  label: string;
  identity: string;
  /** Where the list says to which part it belongs. */
  part?: Part;
}

export interface Listing {
  items: Item[];
  /** Files below the folder that are of no known format and are left out. */
  others: string[];
}

/** Most files that a dataset may list: a wrong path must not walk a whole disk. */
const mostItems = 1_000_000;

/**
 * The items of a folder or a list, in order of their names. In a folder without subfolders every file is an identity of its
 * own. `files` takes only those whose name matches: * stands for any text, ? for one letter. Errors: FormatError.
 */
export async function listItems(path: string, files?: string): Promise<Listing> {
  const found = await stat(path).catch(cause => {
    throw formatError(path, `cannot be read (${reasonOf(cause)})`, 'check the path', {}, cause);
  });
  const wanted = files === undefined ? undefined : patternOf(files);
  if (found.isDirectory()) return listFolder(path, wanted);
  const items = /\.json$/i.test(path) ? await listJson(path) : await listCsv(path);
  return {
    items: expectItems(path, wanted ? items.filter(item => wanted(item.path)) : items, files),
    others: [],
  };
}

/** Whether the name of a file is as a pattern says. */
function patternOf(files: string): (path: string) => boolean {
  const letters = files
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const pattern = new RegExp(`^${letters}$`, 'i');
  return path => pattern.test(basename(path));
}

const byName = new Intl.Collator('en', { numeric: true });

async function listFolder(path: string, wanted?: (path: string) => boolean): Promise<Listing> {
  const entries = await readdir(path, { withFileTypes: true });
  const names = entries
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
  const items: Item[] = [];
  const others: string[] = [];
  const flat = names.length === 0;
  for (const folder of flat ? ['.'] : names.sort(byName.compare)) {
    const files: string[] = [];
    await walk(join(path, folder), files, others);
    for (const file of files) {
      if (wanted && !wanted(file)) continue;
      const name = relative(path, file).split(sep).join('/');
      const identity = flat ? name : folder;
      items.push({ path: file, name, label: identity, identity });
    }
    if (items.length > mostItems)
      throw formatError(path, `holds more than ${mostItems} files`, 'give the folder of one dataset');
  }
  if (items.length === 0) {
    const where = flat ? 'it holds' : `its ${names.length} folders hold`;
    const what = wanted ? 'no file of a known format and that name' : 'no file of a known format';
    throw formatError(
      path,
      `${where} ${what} (but ${others.length} others)`,
      'convert them, or give another folder: one with a subfolder per identity, or with files alone',
    );
  }
  return { items, others: wanted ? others.filter(wanted) : others };
}

/** Files that can be read below a folder; a folder of DICOM slices within it counts as one. */
async function walk(folder: string, files: string[], others: string[], depth = 0): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => byName.compare(a.name, b.name));
  if (depth > 0 && !entries.some(entry => entry.isDirectory())) {
    const slices = await dicomFilesIn(folder);
    if (slices.length > 1) {
      files.push(folder);
      return;
    }
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (depth < 16) await walk(path, files, others, depth + 1);
    } else if (formatOfPath(entry.name)) files.push(path);
    else if (!/\.(dat|atr|raw|zraw)$|\.raw\.gz$/i.test(entry.name)) others.push(path);
    if (files.length > mostItems) return;
  }
}

/** One line or object of a list. Errors: FormatError naming its place. */
function itemOf(list: string, place: string, found: Record<string, unknown>): Item {
  const text = (key: string): string | undefined => {
    const value = found[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const [path, label, part] = [text('path'), text('label'), text('split') || undefined];
  if (!path || !label)
    throw formatError(list, `${place} has no ${path ? 'label' : 'path'}`, 'give both for every item', {
      place,
    });
  if (part !== undefined && !parts.includes(part as Part))
    throw formatError(list, `${place} has the split "${part}"`, `write one of ${parts.join(', ')}`, {
      place,
    });
  return {
    path: packageFile(path, dirname(list)) ?? resolve(dirname(list), path),
    name: path,
    label,
    identity: text('identity') || label,
    ...(part ? { part: part as Part } : {}),
  };
}

async function listCsv(path: string): Promise<Item[]> {
  const text = Buffer.from(await readWhole(path)).toString('utf8');
  let names: string[] | undefined;
  const items: Item[] = [];
  for (const { line, cells } of rowsOf(text, path, separatorOf(text))) {
    if (!names) {
      names = cells.map(name => name.toLowerCase());
      if (names.includes('path') && names.includes('label')) continue;
      throw formatError(
        path,
        `its first line names the columns ${cells.slice(0, 10).join(', ')}`,
        'it needs path and label; identity and split (train, validation, test) may be beside them',
      );
    }
    items.push(itemOf(path, `line ${line}`, Object.fromEntries(names.map((name, i) => [name, cells[i]]))));
  }
  return expectItems(path, items);
}

async function listJson(path: string): Promise<Item[]> {
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(await readWhole(path)).toString('utf8'));
  } catch (cause) {
    throw formatError(path, `is no JSON (${reasonOf(cause)})`, 'repair it', {}, cause);
  }
  const list = Array.isArray(found) ? found : (found as { items?: unknown } | null)?.items;
  if (!Array.isArray(list))
    throw formatError(
      path,
      'is no list',
      'write [{ "path": "a.png", "label": "ann" }, …], or put that under "items"',
    );
  return expectItems(
    path,
    list.map((entry, at) =>
      itemOf(path, `item ${at + 1}`, typeof entry === 'object' && entry !== null ? { ...entry } : {}),
    ),
  );
}

function expectItems(path: string, items: Item[], files?: string): Item[] {
  if (items.length > 0) return items;
  throw formatError(
    path,
    files === undefined ? 'lists no items' : `lists no item whose file is named as ${files}`,
    'give at least one line with a path and a label',
  );
}
