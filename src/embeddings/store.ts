// Embeddings on disk: a JSON that lists the items and names an npy file beside it with the vectors, one row an item. The
// vectors' file has their hash in its name and is complete before the JSON that names it takes the place of the one before,
// so that whatever is interrupted leaves the old pair or the new one.

import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { NdconvError } from '../errors.ts';
import { readWhole } from '../formats/bytes.ts';
import { formatError, reasonOf } from '../formats/format.ts';
import { readNpy, writeNpy } from '../formats/npy.ts';
import { replaceFile } from './aside.ts';
import type { EmbeddedItem, Embeddings } from './embeddings.ts';

const version = 1;

interface Stored {
  ndconv: 'embeddings';
  version: number;
  embedder: Embeddings['embedder'];
  size: number;
  vectors: { file: string; sha256: string };
  items: (Omit<EmbeddedItem, 'path'> & { file: string })[];
}

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const stemOf = (path: string): string => basename(path, extname(path));

/**
 * Writes embeddings as `path` (.json) and an npy file beside it; returns the absolute path of that. With `temporary` the
 * JSON is written there, for a caller who renames it.
 */
export async function writeEmbeddings(
  { embedder, size, items, vectors }: Embeddings,
  path: string,
  temporary?: string,
): Promise<string> {
  const folder = dirname(resolve(path));
  const bytes = writeNpy({ shape: [items.length, size], data: vectors });
  const sha256 = sha256Of(bytes);
  const file = `${stemOf(path)}-${sha256.slice(0, 8)}.npy`;
  await replaceFile(join(folder, file), bytes);
  const { items: _, ...head }: Omit<Stored, 'items'> & { items?: unknown } = {
    ndconv: 'embeddings',
    version,
    embedder,
    size,
    vectors: { file, sha256 },
  };
  const lines = items.map(({ path: own, ...item }) =>
    JSON.stringify({ file: relative(folder, own).split(sep).join('/'), ...item }),
  );
  const text = `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "items": [\n    ${lines.join(',\n    ')}\n  ]\n}\n`;
  if (temporary === undefined) await replaceFile(resolve(path), text);
  else await writeFile(temporary, text, { flush: true });
  return join(folder, file);
}

/** Removes the vectors of earlier embeddings of this path, which no JSON names any more. */
export async function removeStale(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  const { vectors } = JSON.parse(await readFile(path, 'utf8')) as Stored;
  for (const name of await readdir(folder)) {
    const [, stem] = /^(.*)-[0-9a-f]{8}\.npy$/.exec(name) ?? [];
    if (stem === stemOf(path) && name !== vectors.file) await rm(join(folder, name), { force: true });
  }
}

/** Reads embeddings that were written. Errors: FormatError naming the file. */
export async function readEmbeddings(path: string): Promise<Embeddings> {
  const folder = dirname(resolve(path));
  const stored = await parseStored(path);
  const file = join(folder, stored.vectors.file);
  const bytes = await readWhole(file);
  if (sha256Of(bytes) !== stored.vectors.sha256)
    throw formatError(file, `is not the file that ${basename(path)} was written with`, 'embed again', {
      path,
    });
  const { shape, data } = readNpy(bytes, file);
  const { embedder, size } = stored;
  if (shape.join() !== [stored.items.length, size].join())
    throw formatError(
      path,
      `lists ${stored.items.length} items of ${size} numbers, and ${stored.vectors.file} holds ${shape.join('×')}`,
      'embed again',
      { path },
    );
  const items = stored.items.map(({ file: own, ...item }) => ({ path: resolve(folder, own), ...item }));
  return { embedder, size, items, vectors: data };
}

/** The JSON alone: what is known without reading the vectors. Errors: FormatError. */
export async function parseStored(path: string): Promise<Stored> {
  let found: Partial<Stored> | null;
  try {
    found = JSON.parse(Buffer.from(await readWhole(path)).toString('utf8'));
  } catch (cause) {
    if (cause instanceof NdconvError) throw cause;
    throw formatError(path, `is no JSON (${reasonOf(cause)})`, 'embed again', {}, cause);
  }
  const fault = faultOf(found);
  if (fault) throw formatError(path, fault, 'give the .json that a step embed wrote', {});
  return found as Stored;
}

function faultOf(found: Partial<Stored> | null): string | undefined {
  if (found?.ndconv !== 'embeddings') return 'holds no embeddings';
  if (found.version !== version) return `is of version ${found.version}, and this is for version ${version}`;
  const { embedder, size, vectors, items } = found;
  const text = (value: unknown): value is string => typeof value === 'string';
  if (!text(embedder?.name) || !text(embedder?.sha256))
    return 'does not say what the embeddings were made with';
  if (!Number.isInteger(size) || !text(vectors?.sha256) || !Array.isArray(items)) return 'is not complete';
  // A name, so that nothing outside the folder is read.
  if (!text(vectors?.file) || vectors.file !== basename(vectors.file))
    return 'names no file of vectors beside it';
  const wrong = items.findIndex(
    item => !(['file', 'name', 'label', 'identity'] as const).every(key => text(item?.[key])),
  );
  return wrong < 0 ? undefined : `item ${wrong + 1} has no file, name, label and identity`;
}
