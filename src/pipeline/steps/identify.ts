// `identify`: who somebody is, by the nearest labels of a gallery, or unknown where even those are too far. Where items
// carry the labels of the gallery, the report says how often they were named rightly.

import type { Embeddings } from '../../embeddings/embeddings.ts';
import { expectSameEmbedder, vectorOf } from '../../embeddings/embeddings.ts';
import { parseStored } from '../../embeddings/store.ts';
import { NdconvError } from '../../errors.ts';
import {
  type Comparer,
  type Comparison,
  comparerOf,
  describeComparison,
} from '../../verification/comparison.ts';
import { type DistanceName, distanceNames, expectFinite } from '../../verification/distances.ts';
import type { Gallery } from '../../verification/gallery/gallery.ts';
import { identifyItems, thresholdAtRate } from '../../verification/gallery/identify.ts';
import { openSearcher, type SearchWay, searchWays } from '../../verification/gallery/search.ts';
import { readGallery } from '../../verification/gallery/store.ts';
import { expectComparable } from '../../verification/verifier.ts';
import type { CheckContext, RunContext, Step, ValuePlan } from '../step.ts';
import { identificationTable, reportIdentification } from './identify/report.ts';
import { openVerifier, planVerifier } from './verification/parameters.ts';

interface Parameters {
  gallery: string;
  embeddings: string;
  distance?: DistanceName;
  verifier?: string;
  by: SearchWay;
  candidates: number;
  threshold?: number;
  falsePositives?: number;
  path?: string;
}

/** What embeddings are compared by where nothing is said. */
const plainDistance = 'squared-euclidean';

const isReference = (gallery: string): boolean => gallery.startsWith('@');

async function planGallery({ params: p, planOf, problem }: CheckContext<Parameters>): Promise<ValuePlan> {
  if (isReference(p.gallery)) return planOf(p.gallery);
  try {
    const { embedder, items, size } = await parseStored(p.gallery);
    const labels = new Set(items.map(({ label }) => label)).size;
    return { kind: 'gallery', embedder: embedder.name, items: items.length, labels, size };
  } catch (error) {
    if (!(error instanceof NdconvError)) throw error;
    problem({ at: ['gallery'], message: error.message });
    return { kind: 'gallery' };
  }
}

export const identify: Step<Parameters> = {
  name: 'identify',
  summary: 'names items by the nearest labels of a gallery, or unknown where these are too far',
  schema: {
    required: ['gallery', 'embeddings'],
    properties: {
      gallery: {
        oneOf: [{ reference: ['gallery'] }, { path: 'read' }],
        description: 'who is known: a step enrol, or the .json that one wrote',
      },
      embeddings: {
        reference: ['embeddings'],
        description: 'whom to identify; by the network of the gallery',
      },
      distance: {
        enum: distanceNames,
        description: 'how embeddings are compared; squared-euclidean where absent',
      },
      verifier: {
        oneOf: [{ reference: ['verifier'] }, { path: 'read' }],
        description:
          'instead of distance: a step calibrate or train-verifier, or a file that one wrote: a distance or learned unit with its threshold and probability. Its threshold is one for two items; among many labels strangers come nearer, which falsePositives takes into account',
      },
      by: {
        enum: searchWays,
        default: 'item',
        description:
          'the distance to a label is that to the nearest of its items, which suits varied photos, or to the mean of its items, which suits noisy ones',
      },
      candidates: { type: 'integer', minimum: 1, default: 5, description: 'nearest labels that are listed' },
      threshold: {
        type: 'number',
        minimum: 0,
        description: 'largest distance at which somebody is recognised; farther ones are unknown',
      },
      falsePositives: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        description:
          'instead of threshold: the share of strangers that may be taken for somebody (0.01); the threshold is then found from the gallery, by comparing everybody with all the others. Without threshold, verifier and this nobody is unknown',
      },
      path: { path: 'write', description: 'a .csv or .json with who was found' },
    },
  },
  effect: true,
  outputs: {},
  async check(context) {
    const { params: p, planOf, problem } = context;
    if (p.threshold !== undefined && p.falsePositives !== undefined)
      problem({ at: ['falsePositives'], message: "'falsePositives' has no effect beside threshold" });
    if (p.distance !== undefined && p.verifier !== undefined)
      problem({
        at: ['distance'],
        message: "'distance' has no effect beside verifier, which brings its own",
      });
    if (p.path !== undefined && !/\.(csv|json)$/i.test(p.path))
      problem({ at: ['path'], message: `${p.path} is to end in .csv or .json` });
    const [known, probes] = [await planGallery(context), planOf(p.embeddings)];
    for (const key of ['embedder', 'size'] as const) {
      const [own, theirs] = [probes[key], known[key]];
      if (own === undefined || theirs === undefined || own === theirs) continue;
      const by = key === 'size' ? (value: unknown) => `${value} numbers` : (value: unknown) => `by ${value}`;
      problem({
        at: ['embeddings'],
        message: `these embeddings are ${by(own)} and those of the gallery ${by(theirs)}: they cannot be compared; embed both with the same network`,
      });
      break;
    }
    if (p.verifier !== undefined) await planVerifier(context, ['verifier'], p.verifier, probes);
    if (p.falsePositives !== undefined && known.labels === 1)
      problem({
        at: ['falsePositives'],
        message: 'the gallery has one label, so nothing says how near strangers come; give threshold',
      });
    const number = (value: unknown): string => (value === undefined ? '' : `${value} `);
    const unknown =
      p.threshold !== undefined
        ? `unknown beyond ${p.threshold}`
        : p.falsePositives !== undefined
          ? `unknown beyond the distance at which ${100 * p.falsePositives} % of strangers come`
          : p.verifier !== undefined
            ? 'unknown beyond the threshold of the verifier'
            : 'nobody is unknown';
    return {
      outputs: {},
      lines: [
        `${number(probes.items)}items among ${number(known.labels)}labels (${number(known.items)}items) by ${p.verifier === undefined ? (p.distance ?? plainDistance) : 'the verifier'}, ${unknown}`,
      ],
    };
  },
  async run(context) {
    const { params: p, valueOf, note, write, report, progress, signal } = context;
    const verifier = p.verifier === undefined ? undefined : await openVerifier(context, p.verifier);
    const comparison: Comparison = verifier?.comparison ?? {
      kind: 'distance',
      distance: p.distance ?? plainDistance,
    };
    const given = valueOf<Embeddings>(p.embeddings);
    const enrolled = await galleryOf(context, comparison);
    expectSameEmbedder(enrolled.embeddings.embedder, given.embedder);
    for (const embeddings of [enrolled.embeddings, given]) {
      if (verifier) expectComparable(verifier, embeddings);
      else expectFinite(embeddings);
    }
    const comparer = comparerOf(comparison);
    const probes = preparedBy(comparer, given);
    const gallery =
      comparison.kind === 'distance' ? enrolled : { embeddings: preparedBy(comparer, enrolled.embeddings) };
    // Of a learned unit the nearest by plain distance are candidates.
    const name = comparison.kind === 'distance' ? comparison.distance : plainDistance;
    const measure = { name, distance: comparer.distance };
    const searcher = await openSearcher(gallery, measure, { by: p.by, note, signal });
    const threshold = p.threshold ?? (await thresholdOf(context, gallery, searcher)) ?? verifier?.threshold;
    const found = await identifyItems(gallery, searcher, probes, {
      candidates: p.candidates,
      ...(threshold === undefined ? {} : { threshold }),
      progress: (done, all) => progress({ fraction: done / all, iteration: done, iterations: all }),
      signal,
    });
    if (found.length === 0) throw signal.reason;
    const named = found.filter(({ label }) => label !== undefined).length;
    note(`${named} of ${found.length} items recognised, ${found.length - named} unknown`);
    const { path } = p;
    if (path !== undefined)
      await write(path, async temporary => {
        const { writeFile } = await import('node:fs/promises');
        const text = identificationTable(found, gallery, /\.json$/i.test(path) ? 'json' : 'csv', verifier);
        await writeFile(temporary, text);
      });
    const how = describeComparison(comparison);
    report(await reportIdentification(found, gallery, { searcher, how, by: p.by, threshold, verifier }));
    return {};
  },
};

/** Embeddings as a comparer takes them. */
function preparedBy(comparer: Comparer, embeddings: Embeddings): Embeddings {
  const rows = embeddings.items.map((_, i) => comparer.prepare(vectorOf(embeddings, i)));
  const size = rows[0]?.length ?? 0;
  const vectors = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) vectors.set(row, i * size);
  return { ...embeddings, size, vectors };
}

async function galleryOf(
  { params: p, valueOf, note, signal, progress }: RunContext<Parameters>,
  comparison: Comparison,
): Promise<Gallery> {
  if (isReference(p.gallery)) return valueOf<Gallery>(p.gallery);
  return readGallery(p.gallery, {
    metric: comparison.kind === 'distance' && comparison.distance === 'cosine' ? 'cosine' : plainDistance,
    note,
    signal,
    progress: fraction => progress({ fraction, message: 'index' }),
  });
}

async function thresholdOf(
  { params: p, note, seed, signal }: RunContext<Parameters>,
  gallery: Gallery,
  searcher: Awaited<ReturnType<typeof openSearcher>>,
): Promise<number | undefined> {
  if (p.falsePositives === undefined) return undefined;
  const found = await thresholdAtRate(gallery, searcher, p.falsePositives, { seed, signal });
  if (found === undefined)
    throw new NdconvError(
      'EmbeddingError',
      'the gallery has one label, so nothing says how near strangers come; give threshold instead of falsePositives',
    );
  note(
    `threshold ${found.toPrecision(4)}: ${100 * p.falsePositives} % of those enrolled come nearer to another label${p.falsePositives * gallery.embeddings.items.length < 1 ? ', or none, as so few cannot show that share' : ''}`,
  );
  return found;
}
