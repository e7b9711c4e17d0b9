// `verify`: are these two the same? Distance, decision and, by a calibrated verifier, probability, of one pair or many,
// with the components that weighed most.

import { writeFile } from 'node:fs/promises';
import type { Dataset } from '../../datasets/dataset.ts';
import type { Embedder, Embeddings } from '../../embeddings/embeddings.ts';
import { expectSameEmbedder, selectEmbeddings } from '../../embeddings/embeddings.ts';
import { NdconvError } from '../../errors.ts';
import type { Block } from '../../report/section.ts';
import { type DistanceName, distanceNames } from '../../verification/distances.ts';
import { itemFinder, type NamedPair, readPairList } from '../../verification/pair-list.ts';
import { mostPairs, type Pairs } from '../../verification/pairs.ts';
import { describeVerifier, givenVerifier, type Verifier } from '../../verification/verifier.ts';
import { type Verdict, verifyPairs } from '../../verification/verify.ts';
import type { RunContext, Step } from '../step.ts';
import {
  distanceSchema,
  openVerifier,
  planVerifier,
  publishedVerifier,
  verifierRows,
  verifierSchema,
} from './verification/parameters.ts';
import { type Preview, previewOf } from './verification/preview.ts';

interface Parameters {
  embeddings: string;
  others?: string;
  pairs: 'all' | string | NamedPair[];
  verifier?: string;
  distance?: DistanceName;
  threshold?: number;
  components: number;
  dataset?: string;
  path?: string;
}

/** Pairs that are shown with their pictures. */
const mostShown = 4;

/** The embeddings with those of others behind them, and the pairs asked about. */
async function gather({
  params: p,
  valueOf,
}: RunContext<Parameters>): Promise<{ embeddings: Embeddings; pairs: Pairs }> {
  const own = valueOf<Embeddings>(p.embeddings);
  const others = p.others === undefined ? undefined : valueOf<Embeddings>(p.others);
  if (others) expectSameEmbedder(own.embedder, others.embedder);
  const n = own.items.length;
  const embeddings = others ? joined(own, others) : own;
  const places: [number, number][] = [];
  if (p.pairs === 'all') {
    const count = others ? n * others.items.length : (n * (n - 1)) / 2;
    if (count === 0)
      throw new NdconvError(
        'EmbeddingError',
        `there ${n === 1 ? 'is one embedding' : 'are no embeddings'} and nothing to compare with: give two files, or see what was left out`,
      );
    if (count > mostPairs)
      throw new NdconvError(
        'EmbeddingError',
        `all pairs are ${count}, at most ${mostPairs} are compared: list those that matter under pairs, or use enrol and identify to search`,
        { pairs: count },
      );
    for (let a = 0; a < n; a++)
      for (let b = others ? n : a + 1; b < embeddings.items.length; b++) places.push([a, b]);
  } else {
    const list = typeof p.pairs === 'string' ? await readPairList(p.pairs) : p.pairs;
    const [first, second] = [itemFinder(own.items), others ? itemFinder(others.items) : undefined];
    for (const [a, b] of list) places.push([first(a), second ? n + second(b) : first(b)]);
  }
  const pairs = {
    first: Uint32Array.from(places, ([a]) => a),
    second: Uint32Array.from(places, ([, b]) => b),
    same: new Uint8Array(places.length),
  };
  return { embeddings, pairs };
}

function joined(a: Embeddings, b: Embeddings): Embeddings {
  const vectors = new Float32Array(a.vectors.length + b.vectors.length);
  vectors.set(a.vectors);
  vectors.set(b.vectors, a.vectors.length);
  return { ...a, items: [...a.items, ...b.items], vectors };
}

/** What decides. Errors: EmbeddingError where no threshold is known. */
async function verifierFor(context: RunContext<Parameters>, embedder: Embedder): Promise<Verifier> {
  const { params: p, note } = context;
  if (p.verifier !== undefined) return openVerifier(context, p.verifier);
  const distance = p.distance ?? 'squared-euclidean';
  if (p.threshold !== undefined) return givenVerifier(distance, p.threshold, 'given in the pipeline');
  const published = publishedVerifier(distance, embedder);
  if (!published)
    throw new NdconvError(
      'EmbeddingError',
      `no threshold is known for the ${distance} distance of embeddings by ${embedder.name}: calibrate one (step calibrate) and give it as verifier, or give a threshold`,
      { embedder, distance },
    );
  note(
    `${published.threshold} is the threshold that was published for ${embedder.name}; nothing says that it suits your data, and there is no probability: calibrate a verifier on some of them`,
  );
  return published;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const partsText = ({ parts }: Verdict, isShare: boolean): string =>
  parts.map(({ component, part }) => `${component}: ${isShare ? percent(part) : part.toFixed(3)}`).join(', ');

export const verify: Step<Parameters> = {
  name: 'verify',
  summary:
    'are two items the same? distance, probability and decision of pairs, and the components that weighed most',
  schema: {
    required: ['embeddings'],
    properties: {
      embeddings: { reference: ['embeddings'], description: 'the items, at least two' },
      others: {
        reference: ['embeddings'],
        description: 'the second of each pair is one of these, by the same network',
      },
      pairs: {
        oneOf: [
          { enum: ['all'] },
          {
            type: 'array',
            minItems: 1,
            items: { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 2 },
          },
          { path: 'read' },
        ],
        default: 'all',
        description:
          'which: all, a list [[a.jpg, b.jpg], …] of names of items, or a .csv (columns first and second) or .json with such a list',
      },
      verifier: {
        ...verifierSchema,
        description: `${verifierSchema.description}; without it a plain distance decides, without probability`,
      },
      distance: distanceSchema(
        'without a verifier: how embeddings are compared; squared-euclidean where absent',
      ),
      threshold: {
        type: 'number',
        description:
          'without a verifier: same up to this distance; the published one where absent (face-api: 0.36 squared, 0.6 euclidean)',
      },
      components: {
        type: 'integer',
        minimum: 0,
        maximum: 64,
        default: 5,
        description: 'how many of the components that weighed most are named',
      },
      dataset: {
        reference: ['dataset'],
        description: 'what the embeddings were made of, to show; the files where absent',
      },
      path: { path: 'write', description: 'a .csv or .json for the result of every pair' },
    },
  },
  outputs: {},
  effect: true,
  async check(context) {
    const { params: p, planOf, problem } = context;
    const plan = planOf(p.embeddings);
    if (p.others !== undefined) {
      const { embedder } = planOf(p.others);
      if (embedder !== undefined && plan.embedder !== undefined && embedder !== plan.embedder)
        problem({
          at: ['others'],
          message: `is by network ${embedder} and embeddings by ${plan.embedder}: their distances mean nothing; embed both with the same`,
        });
    } else if (plan.items === 1)
      problem({
        at: ['embeddings'],
        message: 'there is one item, and nothing to compare it with; give two, or others',
      });
    if (p.verifier !== undefined) {
      await planVerifier(context, ['verifier'], p.verifier, plan);
      for (const key of ['distance', 'threshold'] as const)
        if (p[key] !== undefined)
          problem({
            at: [key],
            message: `'${key}' has no effect beside verifier, which has its own; remove one`,
          });
    } else if (p.threshold === undefined && plan.embedder !== undefined) {
      const distance = p.distance ?? distanceNames[0];
      if (!publishedVerifier(distance, { name: String(plan.embedder), sha256: '' }))
        problem({
          at: [p.distance === undefined ? 'embeddings' : 'distance'],
          message: `no threshold is known for the ${distance} distance of embeddings by ${plan.embedder}: give verifier (of a step calibrate), or threshold`,
        });
    }
    if (p.path !== undefined && !/\.(csv|json)$/i.test(p.path))
      problem({ at: ['path'], message: `${p.path} is to end in .csv or .json` });
    if (typeof p.pairs === 'string' && p.pairs !== 'all') {
      try {
        await readPairList(p.pairs);
      } catch (error) {
        if (!(error instanceof NdconvError)) throw error;
        problem({ at: ['pairs'], message: error.message });
      }
    }
    return { outputs: {} };
  },
  async run(context) {
    const { params: p, note, report, valueOf, write } = context;
    const { embeddings, pairs } = await gather(context);
    const verifier = await verifierFor(context, embeddings.embedder);
    const verdicts = verifyPairs(verifier, embeddings, pairs, p.components);
    const isShare = verifier.comparison.kind === 'distance';
    for (const verdict of verdicts.slice(0, mostShown)) note(sentence(verdict, verifier));
    if (verdicts.length > mostShown) {
      const same = verdicts.filter(({ same }) => same).length;
      note(`… ${verdicts.length} pairs in all: ${same} the same, ${verdicts.length - same} different`);
    }
    const preview = previewOf(p.dataset === undefined ? undefined : valueOf<Dataset>(p.dataset));
    report({
      title: 'Verification',
      blocks: [
        ...(await shownBlocks(verdicts, verifier, embeddings, preview)),
        {
          type: 'table',
          columns: [
            'first',
            'second',
            'distance',
            ...(isShare ? [] : ['squared distance']),
            'probability',
            'decision',
            isShare ? 'share of components' : 'components, + for different',
          ],
          rows: verdicts.map(verdict => [
            verdict.first,
            verdict.second,
            verdict.distance,
            ...(isShare ? [] : [verdict.squaredDistance]),
            verdict.probability === undefined ? '–' : percent(verdict.probability),
            verdict.same ? 'same' : 'different',
            partsText(verdict, isShare),
          ]),
        },
        { type: 'table', columns: ['', ''], rows: verifierRows(verifier) },
      ],
    });
    if (p.path !== undefined) {
      const { path } = p;
      await write(path, temporary =>
        writeFile(temporary, /\.json$/i.test(path) ? toJson(verdicts, verifier) : toCsv(verdicts)),
      );
    }
    return {};
  },
};

const sentence = ({ first, second, distance, probability, same }: Verdict, { threshold }: Verifier): string =>
  `${first} and ${second}: ${same ? 'the same' : 'different'}${probability === undefined ? '' : `, probability of the same ${percent(probability)}`} (distance ${Number(distance.toPrecision(4))}, same up to ${Number(threshold.toPrecision(4))})`;

/** The first pairs with their pictures. */
async function shownBlocks(
  verdicts: readonly Verdict[],
  verifier: Verifier,
  embeddings: Embeddings,
  preview: Preview,
): Promise<Block[]> {
  const blocks: Block[] = [];
  for (const verdict of verdicts.slice(0, mostShown)) {
    const { items } = selectEmbeddings(embeddings, verdict.places);
    const shown = [];
    for (const item of items) {
      const field = await preview(item);
      if (field) shown.push({ label: item.name, field });
    }
    blocks.push({ type: 'text', text: sentence(verdict, verifier) });
    if (shown.length > 0) blocks.push({ type: 'fields', items: shown });
  }
  return blocks;
}

/** A cell of CSV, quoted where it must be. */
const cell = (text: string): string => (/[",\n;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function toCsv(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ first, second, distance, squaredDistance, probability, same, parts }) => [
    cell(first),
    cell(second),
    distance,
    squaredDistance,
    probability ?? '',
    same ? 'same' : 'different',
    parts.map(({ component, part }) => `${component}:${part.toPrecision(4)}`).join(' '),
  ]);
  const head = ['first', 'second', 'distance', 'squared distance', 'probability', 'decision', 'components'];
  return `${[head, ...rows].map(row => row.join(',')).join('\n')}\n`;
}

const toJson = (verdicts: readonly Verdict[], verifier: Verifier): string =>
  `${JSON.stringify({ verifier: describeVerifier(verifier), threshold: verifier.threshold, pairs: verdicts.map(({ places, ...rest }) => rest) }, undefined, 1)}\n`;
