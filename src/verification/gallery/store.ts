// A gallery on disk: embeddings as src/embeddings/store.ts writes them, whole or not at all, and where there are many an
// index of neighbours beside them. The index is only a shortcut: one that is missing, damaged or of other vectors costs
// time and nothing else.

import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readEmbeddings } from '../../embeddings/store.ts';
import type { Gallery } from './gallery.ts';
import { type IndexMetric, type IndexOptions, indexedFrom, openIndex } from './neighbour-index.ts';

/** Where the index of a gallery lies: `faces-cosine.index` beside `faces.json`. */
export const indexPath = (path: string, metric: IndexMetric): string =>
  join(dirname(path), `${basename(path, '.json')}-${metric}.index`);

/** Reads a gallery and, of many, the index that lies beside it. Errors: FormatError naming the file. */
export async function readGallery(path: string, options: IndexOptions): Promise<Gallery> {
  const embeddings = await readEmbeddings(path);
  const beside = indexPath(path, options.metric);
  if (embeddings.items.length < indexedFrom || !existsSync(beside)) return { embeddings };
  const index = await openIndex(embeddings, { ...options, path: beside });
  return index ? { embeddings, index } : { embeddings };
}
