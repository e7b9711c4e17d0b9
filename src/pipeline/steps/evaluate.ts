// `evaluate`: how well embeddings tell their labels apart, by one or several verifiers, with confidence intervals; the
// report shows curves and the hardest pairs.

import { writeFile } from 'node:fs/promises';
import type { Dataset } from '../../datasets/dataset.ts';
import type { Embeddings } from '../../embeddings/embeddings.ts';
import type { Field } from '../../formats/field.ts';
import type { Block } from '../../report/section.ts';
import { distanceNames } from '../../verification/distances.ts';
import { type Evaluation, evaluateVerifiers, hardestPairs } from '../../verification/evaluate.ts';
import { givenVerifier, type Verifier } from '../../verification/verifier.ts';
import type { RunContext, Step } from '../step.ts';
import { evaluationJson } from './verification/evaluation-json.ts';
import { rateBlocks } from './verification/evaluation-report.ts';
import { checkEmbeddings, openVerifier, planVerifier, publishedVerifier } from './verification/parameters.ts';
import { previewOf } from './verification/preview.ts';
import { checkJsonPath } from './verification/save-verifier.ts';

interface Parameters {
  embeddings: string;
  verifiers: string[];
  pairs: 'all' | 'balanced';
  fars: number[];
  folds: number;
  resamples: number;
  hardest: number;
  dataset?: string;
  path?: string;
}

const isDistance = (name: string): name is (typeof distanceNames)[number] =>
  distanceNames.includes(name as never);

/** Verifiers by name of a distance, reference or file; a plain distance without a known threshold has none. */
async function verifiersOf(context: RunContext<Parameters>, { embedder }: Embeddings): Promise<Verifier[]> {
  const opened: Verifier[] = [];
  for (const name of context.params.verifiers)
    opened.push(
      isDistance(name)
        ? (publishedVerifier(name, embedder) ?? givenVerifier(name, Number.NaN, 'none given'))
        : await openVerifier(context, name),
    );
  return opened;
}

export const evaluate: Step<Parameters> = {
  name: 'evaluate',
  summary:
    'how well embeddings tell labels apart: ROC, EER, VAL, calibration with confidence intervals, hardest pairs',
  schema: {
    required: ['embeddings'],
    properties: {
      embeddings: {
        reference: ['embeddings'],
        description: 'at least two labels, and two samples of some; none that a verifier learned from',
      },
      verifiers: {
        type: 'array',
        minItems: 1,
        items: { oneOf: [{ enum: distanceNames }, { reference: ['verifier'] }, { path: 'read' }] },
        default: ['squared-euclidean', 'cosine'],
        description:
          'what compares: plain distances by name, steps calibrate or train-verifier, or files that these wrote; the others are compared with the first',
      },
      pairs: {
        enum: ['all', 'balanced'],
        default: 'all',
        description: 'all pairs (beyond two million some are drawn), or as many different as same ones',
      },
      fars: {
        type: 'array',
        minItems: 1,
        items: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
        default: [0.001, 0.01, 0.1],
        description: 'false accept rates at which VAL and FNMR are read',
      },
      folds: {
        type: 'integer',
        minimum: 2,
        default: 10,
        description: 'folds of identities for the accuracy; fewer where a fold would have less than two',
      },
      resamples: {
        type: 'integer',
        minimum: 50,
        default: 1000,
        description: 'resamples of the identities, for confidence intervals',
      },
      hardest: {
        type: 'integer',
        minimum: 0,
        maximum: 50,
        default: 6,
        description: 'most distant same and closest different pairs to show, of the first verifier',
      },
      dataset: {
        reference: ['dataset'],
        description: 'what the embeddings were made of, to show; the files where absent',
      },
      path: { path: 'write', description: 'a .json for all numbers and curves' },
    },
  },
  outputs: {},
  effect: true,
  async check(context) {
    const { params: p } = context;
    const plan = checkEmbeddings(context, 'embeddings', p.embeddings);
    for (const [i, name] of p.verifiers.entries())
      if (!isDistance(name)) await planVerifier(context, ['verifiers', i], name, plan);
    checkJsonPath(context, p.path);
    const items = plan.items as number | undefined;
    const count = items === undefined ? '' : ` of up to ${(items * (items - 1)) / 2} pairs`;
    return { outputs: {}, lines: [`${p.verifiers.length} verifiers, ${p.resamples} resamples${count}`] };
  },
  async run(context) {
    const { params: p, valueOf, note, progress, signal, seed, report, write } = context;
    const embeddings = valueOf<Embeddings>(p.embeddings);
    const verifiers = await verifiersOf(context, embeddings);
    const { pairs, fars, folds, resamples } = p;
    const evaluation = await evaluateVerifiers(
      embeddings,
      verifiers,
      { pairs, fars: [...fars].sort((a, b) => a - b), folds, resamples, seed },
      async fraction => {
        progress({ fraction });
        await new Promise(setImmediate);
        signal.throwIfAborted();
      },
    );
    for (const { name, rates, folds } of evaluation.results) {
      const [{ value, low, high }] = rates;
      const shown = [value, low, high].map(rate => (100 * rate).toFixed(2));
      note(
        `${name}: EER ${shown[0]} % (95 %: ${shown[1]} to ${shown[2]})${folds ? `, accuracy by folds ${(100 * folds.mean).toFixed(2)} ± ${(100 * folds.error).toFixed(2)} %` : ''}`,
      );
    }
    report({ title: 'Evaluation', blocks: rateBlocks(evaluation) });
    if (p.hardest > 0)
      report({ title: 'Hardest pairs', blocks: await hardestBlocks(context, embeddings, evaluation) });
    if (p.path !== undefined)
      await write(p.path, temporary =>
        writeFile(
          temporary,
          evaluationJson(embeddings, evaluation, hardestPairs(evaluation.results[0].ranking, p.hardest)),
        ),
      );
    return {};
  },
};

/** The pairs with their pictures, hardest first. */
async function hardestBlocks(
  { params: p, valueOf }: RunContext<Parameters>,
  { items }: Embeddings,
  { results: [{ name, ranking, verifier }], pairs }: Evaluation,
): Promise<Block[]> {
  const preview = previewOf(p.dataset === undefined ? undefined : valueOf<Dataset>(p.dataset));
  const distances = new Map(Array.from(ranking.order, (pair, i) => [pair, ranking.distances[i]]));
  const { same, different } = hardestPairs(ranking, p.hardest);
  const blocks: Block[] = [
    {
      type: 'text',
      text: `By ${name}${Number.isFinite(verifier.threshold) ? `, whose threshold is ${Number(verifier.threshold.toPrecision(4))}` : ''}.`,
    },
  ];
  for (const [title, list] of [
    ['The most distant pairs of the same', same],
    ['The closest pairs of different ones', different],
  ] as const) {
    blocks.push({ type: 'text', text: `${title}:` });
    for (const [i, pair] of list.entries()) {
      const two = [items[pairs.first[pair]], items[pairs.second[pair]]];
      const shown: { label: string; field: Field }[] = [];
      for (const item of two) {
        const field = await preview(item);
        if (field) shown.push({ label: item.name, field });
      }
      const distance = Number(distances.get(pair)!.toPrecision(4));
      blocks.push({
        type: 'text',
        text: `${i + 1}. ${two.map(({ name }) => name).join(' and ')}: distance ${distance}`,
      });
      if (shown.length > 0) blocks.push({ type: 'fields', items: shown });
    }
  }
  return blocks;
}
