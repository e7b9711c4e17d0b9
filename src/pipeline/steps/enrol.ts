// `enrol`: who is known, by their embeddings: a gallery to identify others with. Kept in a file where wished, to which later
// runs add, and from which they remove, without anything being computed again.

import { existsSync } from 'node:fs';
import type { Embeddings } from '../../embeddings/embeddings.ts';
import { readEmbeddings, removeStale, writeEmbeddings } from '../../embeddings/store.ts';
import {
  type EarlierChoice,
  earlierChoices,
  enrolItems,
  type Gallery,
  removeLabels,
} from '../../verification/gallery/gallery.ts';
import { type IndexMetric, indexedFrom, openIndex } from '../../verification/gallery/neighbour-index.ts';
import { indexPath } from '../../verification/gallery/store.ts';
import type { CheckContext, RunContext, Step, ValuePlan } from '../step.ts';

interface Parameters {
  embeddings?: string;
  path?: string;
  gallery?: string;
  as: 'label' | 'name';
  earlier?: EarlierChoice;
  remove?: string[];
  index: IndexMetric;
}

export const enrol: Step<Parameters> = {
  name: 'enrol',
  summary: 'a gallery of those who are known, by their embeddings, to identify others with; adds and removes',
  schema: {
    properties: {
      embeddings: {
        reference: ['embeddings'],
        description: 'whom to enrol, by label; of one content (the same file and box) the last stays',
      },
      path: {
        path: 'write',
        description:
          'a .json that keeps the gallery; what a run before put there is added to. Above 10,000 embeddings an index of neighbours is kept beside it',
      },
      gallery: {
        path: 'read',
        description: 'a gallery elsewhere to begin with, instead of what lies at path',
      },
      as: {
        enum: ['label', 'name'],
        default: 'label',
        description:
          'under what: label enrols the items of a label together; name enrols each by itself, as the faces of a group photo',
      },
      earlier: {
        enum: earlierChoices,
        description:
          'what becomes of those enrolled before: keep (where absent), replace those whose label is enrolled now, or drop all',
      },
      remove: {
        type: 'array',
        minItems: 1,
        items: { type: 'string' },
        description: 'labels to take out; before the others are enrolled',
      },
      index: {
        enum: ['squared-euclidean', 'cosine'],
        default: 'squared-euclidean',
        description: 'above 10,000 embeddings: the distance that the index is for',
      },
    },
  },
  effect: true,
  outputs: { value: 'gallery' },
  async check({ params: p, planOf, problem }: CheckContext<Parameters>) {
    const unknown = { outputs: { value: { kind: 'gallery' as const } } };
    if (p.embeddings === undefined && p.remove === undefined) {
      problem({ at: [], message: 'give embeddings to enrol, or labels to remove' });
      return unknown;
    }
    const kept = p.path !== undefined || p.gallery !== undefined;
    if (!kept && p.embeddings === undefined)
      problem({ at: ['remove'], message: 'give gallery or path: where they are to be removed from' });
    for (const key of ['earlier', 'remove'] as const)
      if (!kept && p[key] !== undefined && p.embeddings !== undefined)
        problem({
          at: [key],
          message: `'${key}' has no effect without path or gallery: nobody is enrolled before`,
        });
    if (p.earlier === 'drop' && p.remove !== undefined)
      problem({ at: ['remove'], message: "'remove' has no effect with earlier: drop" });
    if (p.path !== undefined && !/\.json$/i.test(p.path))
      problem({
        at: ['path'],
        message: `${p.path} is to end in .json; the vectors are put beside it as .npy`,
      });
    const plan: ValuePlan = p.embeddings === undefined ? { kind: 'gallery' } : planOf(p.embeddings);
    const { items, size, embedder } = plan;
    const labels = p.as === 'name' ? items : plan.labels;
    const number = (value: unknown): string => (value === undefined ? 'the' : String(value));
    return {
      outputs: { value: { kind: 'gallery', size, embedder, ...(kept ? {} : { items, labels }) } },
      lines: [
        ...(p.embeddings === undefined
          ? []
          : [`enrols ${number(items)} embeddings of ${number(labels)} labels`]),
        ...(p.remove === undefined ? [] : [`removes ${p.remove.length} labels`]),
      ],
    };
  },
  async run(context) {
    const { params: p, valueOf, note, outputPath, report } = context;
    const stored = p.path === undefined ? undefined : outputPath(p.path);
    const before = await earlierOf(context, stored);
    let embeddings = before;
    if (p.remove !== undefined && embeddings) {
      embeddings = removeLabels(embeddings, p.remove);
      note(`${before!.items.length - embeddings.items.length} items of ${p.remove.join(', ')} removed`);
    }
    if (p.embeddings !== undefined) {
      const found = enrolItems(embeddings, named(valueOf<Embeddings>(p.embeddings), p.as), p.earlier);
      embeddings = found.embeddings;
      const { added, replaced, dropped } = found;
      note(`${added} items enrolled, ${replaced} replaced, ${dropped} dropped`);
    }
    const gallery = await finish(context, embeddings!, before, stored);
    const counts = new Map<string, number>();
    for (const { label } of gallery.embeddings.items) counts.set(label, (counts.get(label) ?? 0) + 1);
    report({
      title: 'Gallery',
      blocks: [
        {
          type: 'text',
          text: `${counts.size} labels, ${gallery.embeddings.items.length} items, embedded by ${gallery.embeddings.embedder.name}.`,
        },
        { type: 'table', columns: ['label', 'items'], rows: [...counts].slice(0, mostListed) },
      ],
    });
    return { value: gallery };
  },
};

/** Labels that the report lists. */
const mostListed = 200;

/** Items under their label, or each under its name. */
const named = (embeddings: Embeddings, as: Parameters['as']): Embeddings =>
  as === 'label'
    ? embeddings
    : { ...embeddings, items: embeddings.items.map(item => ({ ...item, label: item.name })) };

/** Who is enrolled already. */
async function earlierOf(
  { params: p }: RunContext<Parameters>,
  stored: string | undefined,
): Promise<Embeddings | undefined> {
  if (p.gallery !== undefined) return readEmbeddings(p.gallery);
  return stored !== undefined && existsSync(stored) ? readEmbeddings(stored) : undefined;
}

/** Writes the gallery, and brings its index to what it holds now. */
async function finish(
  { params: p, write, note, progress, signal }: RunContext<Parameters>,
  embeddings: Embeddings,
  before: Embeddings | undefined,
  stored: string | undefined,
): Promise<Gallery> {
  // The gallery first: an index that is not there yet can be made again.
  if (p.path !== undefined && stored !== undefined) {
    await write(p.path, async temporary => [await writeEmbeddings(embeddings, stored, temporary)]);
    await removeStale(stored);
  }
  if (embeddings.items.length < indexedFrom) return { embeddings };
  const source = p.gallery ?? stored;
  const index = await openIndex(embeddings, {
    metric: p.index,
    ...(source === undefined ? {} : { path: indexPath(source, p.index) }),
    ...(before ? { before } : {}),
    note,
    signal,
    progress: fraction => progress({ fraction }),
  });
  if (!index) return { embeddings };
  note(`index of neighbours: ${index.added} added, ${index.removed} removed`);
  if (p.path !== undefined) {
    const file = indexPath(p.path, p.index);
    await write(file, temporary => index.save(temporary));
  }
  return { embeddings, index };
}
