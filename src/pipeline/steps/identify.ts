// `identify`: who somebody is, by the nearest labels of a gallery, or unknown where even those are too far. Where items
// carry the labels of the gallery, the report says how often they were named rightly.

import type { Embeddings } from '../../embeddings/embeddings.ts';
import { expectSameEmbedder } from '../../embeddings/embeddings.ts';
import { parseStored } from '../../embeddings/store.ts';
import { NdconvError } from '../../errors.ts';
import { type DistanceName, distanceNames, expectFinite } from '../../verification/distances.ts';
import type { Gallery } from '../../verification/gallery/gallery.ts';
import { identifyItems, thresholdAtRate } from '../../verification/gallery/identify.ts';
import { openSearcher, type SearchWay, searchWays } from '../../verification/gallery/search.ts';
import { readGallery } from '../../verification/gallery/store.ts';
import type { CheckContext, RunContext, Step, ValuePlan } from '../step.ts';
import { identificationTable, reportIdentification } from './identify/report.ts';

interface Parameters {
  gallery: string;
  embeddings: string;
  distance: DistanceName;
  by: SearchWay;
  candidates: number;
  threshold?: number;
  falsePositives?: number;
  path?: string;
}

const isReference = (gallery: string): boolean => gallery.startsWith('@');

const metricOf = ({ distance }: Parameters) => (distance === 'cosine' ? 'cosine' : 'squared-euclidean');

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
        default: 'squared-euclidean',
        description: 'how embeddings are compared',
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
          'instead of threshold: the share of strangers that may be taken for somebody (0.01); the threshold is then found from the gallery, by comparing everybody with all the others. Without either nobody is unknown',
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
          : 'nobody is unknown';
    return {
      outputs: {},
      lines: [
        `${number(probes.items)}items among ${number(known.labels)}labels (${number(known.items)}items) by ${p.distance}, ${unknown}`,
      ],
    };
  },
  async run(context) {
    const { params: p, valueOf, note, write, report, progress, signal } = context;
    const probes = valueOf<Embeddings>(p.embeddings);
    const gallery = await galleryOf(context);
    expectSameEmbedder(gallery.embeddings.embedder, probes.embedder);
    for (const embeddings of [gallery.embeddings, probes]) expectFinite(embeddings);
    const searcher = await openSearcher(gallery, { name: p.distance }, { by: p.by, note, signal });
    const threshold = p.threshold ?? (await thresholdOf(context, gallery, searcher));
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
        const text = identificationTable(found, gallery, /\.json$/i.test(path) ? 'json' : 'csv');
        await writeFile(temporary, text);
      });
    report(await reportIdentification(found, gallery, { searcher, ...p, threshold }));
    return {};
  },
};

async function galleryOf({
  params: p,
  valueOf,
  note,
  signal,
  progress,
}: RunContext<Parameters>): Promise<Gallery> {
  if (isReference(p.gallery)) return valueOf<Gallery>(p.gallery);
  return readGallery(p.gallery, {
    metric: metricOf(p),
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
