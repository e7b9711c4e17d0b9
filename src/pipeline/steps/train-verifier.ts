// `train-verifier`: learns a verifier from pairs of embeddings, and measures it beside the plain distance on identities
// that it has not seen.

import { type Embeddings, expectSameEmbedder, selectEmbeddings } from '../../embeddings/embeddings.ts';
import { createRandom } from '../../random.ts';
import type { AdaptationChoice } from '../../verification/adaptation.ts';
import { calibrate } from '../../verification/calibrate.ts';
import { type UnitName, unitNames } from '../../verification/comparison.ts';
import { evaluateVerifiers } from '../../verification/evaluate.ts';
import { type Candidate, type Learned, learnVerifier, meanRate } from '../../verification/learn.ts';
import { choosePairs } from '../../verification/pairs.ts';
import { describeVerifier } from '../../verification/verifier.ts';
import type { RunContext, Step } from '../step.ts';
import { describeDifference, differenceText, rateBlocks } from './verification/evaluation-report.ts';
import {
  type CalibrationParameters,
  calibrationSchema,
  checkEmbeddings,
  choiceOf,
  verifierRows,
} from './verification/parameters.ts';
import { checkJsonPath, saveVerifier } from './verification/save-verifier.ts';

interface Parameters extends CalibrationParameters {
  embeddings: string;
  test?: string;
  heldOut?: number;
  unit: UnitName;
  adaptation: 'auto' | 'none' | 'centre' | 'whiten';
  regularisation?: number;
  folds: number;
  resamples: number;
  seed?: number;
  path?: string;
}

/** Share of the identities that is kept for the test where no test embeddings are given. */
const usualShare = 0.3;
const whitening: AdaptationChoice = { kind: 'whiten', shrinkage: 1 };

/** What to learn from and what to test on: other embeddings, or some of the identities, by seed; undefined where none are kept. */
function splitOf(
  { params: p, valueOf }: RunContext<Parameters>,
  seed: number,
): {
  train: Embeddings;
  test?: Embeddings;
} {
  const all = valueOf<Embeddings>(p.embeddings);
  if (p.test !== undefined) {
    const test = valueOf<Embeddings>(p.test);
    expectSameEmbedder(all.embedder, test.embedder);
    return { train: all, test };
  }
  const identities = [...new Set(all.items.map(({ identity }) => identity))].sort();
  const count = Math.round((p.heldOut ?? usualShare) * identities.length);
  if (count === 0) return { train: all };
  const kept = new Set(createRandom(seed, 'held out').shuffle(identities).slice(0, count));
  const part = (isTest: boolean): Embeddings =>
    selectEmbeddings(
      all,
      [...all.items.keys()].filter(i => kept.has(all.items[i].identity) === isTest),
    );
  return { train: part(false), test: part(true) };
}

const describeAdaptation = (adaptation: Candidate['adaptation']): string =>
  adaptation.kind === 'whiten' ? `whiten (shrinkage ${adaptation.shrinkage})` : adaptation.kind;

export const trainVerifier: Step<Parameters> = {
  name: 'train-verifier',
  summary:
    'a verifier learned from pairs: σ(Σ w·u + b) over the components, tested on identities it has not seen',
  schema: {
    required: ['embeddings'],
    properties: {
      embeddings: {
        reference: ['embeddings'],
        description: 'what to learn from: at least four identities, and two samples of each label or more',
      },
      test: {
        reference: ['embeddings'],
        description:
          'embeddings of other identities to test on; some of those given are kept for it where absent',
      },
      heldOut: {
        type: 'number',
        minimum: 0,
        exclusiveMaximum: 1,
        description:
          'without test: share of the identities kept for it (0.3 where absent); 0 learns from all, untested',
      },
      unit: {
        enum: unitNames,
        default: 'chi-square',
        description: 'u of two components: |x − y|, (x − y)², or (x − y)² / (|x| + |y|)',
      },
      adaptation: {
        enum: ['auto', 'none', 'centre', 'whiten'],
        default: 'auto',
        description:
          'what is done to embeddings before: their mean taken away and length 1 (centre), also what differs within a label weakened (whiten); auto takes what is best on identities left out',
      },
      regularisation: {
        type: 'number',
        exclusiveMinimum: 0,
        description:
          'L2 on the weights of standardised components; by cross-validation over identities where absent',
      },
      folds: {
        type: 'integer',
        minimum: 2,
        default: 5,
        description: 'folds of identities for choosing, and for threshold and probabilities',
      },
      ...calibrationSchema,
      resamples: {
        type: 'integer',
        minimum: 50,
        default: 1000,
        description: 'resamples of the identities tested, for confidence intervals',
      },
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'other identities held out and other folds, whatever the seed of the pipeline',
      },
      path: { path: 'write', description: 'a .json to keep the verifier in' },
    },
  },
  outputs: { value: 'verifier' },
  effect: true,
  check(context) {
    const { params: p, planOf, problem } = context;
    const plan = checkEmbeddings(context, 'embeddings', p.embeddings);
    const { identities } = plan;
    if (p.test !== undefined) {
      const test = planOf(p.test);
      if (p.heldOut !== undefined)
        problem({
          at: ['heldOut'],
          message: 'has no effect beside test, which says what is tested on; remove one',
        });
      if (test.embedder !== undefined && plan.embedder !== undefined && test.embedder !== plan.embedder)
        problem({
          at: ['test'],
          message: `is by network ${test.embedder} and embeddings by ${plan.embedder}: embed both with the same`,
        });
    }
    if (typeof identities === 'number' && identities > 1 && identities < 4)
      problem({
        at: ['embeddings'],
        message: `there are ${identities} identities; cross-validation needs two folds of two each: give at least four, or use calibrate`,
      });
    checkJsonPath(context, p.path);
    const size = plan.size as number | undefined;
    return {
      outputs: { value: { kind: 'verifier', embedder: plan.embedder } },
      lines: [
        `unit ${p.unit}${size === undefined ? '' : ` over ${size} components`}, ${p.folds} folds of identities`,
      ],
    };
  },
  async run(context) {
    const { params: p, note, report, progress, signal } = context;
    const seed = p.seed ?? context.seed;
    const { train, test } = splitOf(context, seed);
    const breathe = async (fraction: number, message: string): Promise<void> => {
      progress({ fraction, message });
      await new Promise(setImmediate);
      signal.throwIfAborted();
    };
    const learned = await learnVerifier(
      train,
      {
        ...choiceOf(p),
        unit: p.unit,
        ...(p.adaptation === 'auto'
          ? {}
          : { adaptation: p.adaptation === 'whiten' ? whitening : { kind: p.adaptation } }),
        ...(p.regularisation === undefined ? {} : { regularisation: p.regularisation }),
        folds: p.folds,
        seed,
      },
      (done, folds) => breathe((0.8 * done) / folds, 'cross-validation'),
    );
    note(describeVerifier(learned.verifier));
    reportLearning(context, learned);
    if (test) {
      const plain = calibrate(
        { comparison: { kind: 'distance', distance: 'squared-euclidean' } },
        train,
        choosePairs(train.items, { kind: 'all', seed }).pairs,
        choiceOf(p),
      );
      const evaluation = await evaluateVerifiers(
        test,
        [plain, learned.verifier],
        { pairs: 'all', fars: [0.001, 0.01], folds: 10, resamples: p.resamples, seed },
        fraction => breathe(0.8 + 0.2 * fraction, 'held-out identities'),
      );
      const { difference } = evaluation.results[1];
      note(`on ${evaluation.identities} identities held out: ${describeDifference(evaluation)}`);
      report({
        title: 'Learned verifier and plain distance on identities held out',
        blocks: [{ type: 'text', text: differenceText(evaluation, difference!) }, ...rateBlocks(evaluation)],
      });
    } else note('no identities are held out: how good it is on others has not been measured');
    await saveVerifier(context, learned.verifier, p.path);
    return { value: learned.verifier };
  },
};

function reportLearning({ report }: RunContext<Parameters>, { verifier, chosen, candidates }: Learned): void {
  const { comparison } = verifier;
  if (comparison.kind !== 'learned') return;
  const strengths = [...new Set(candidates.map(({ regularisation }) => regularisation))].sort(
    (a, b) => a - b,
  );
  const kinds = [...new Set(candidates.map(({ adaptation }) => adaptation))];
  report({
    title: 'Learned verifier',
    blocks: [
      {
        type: 'table',
        columns: ['', ''],
        rows: [
          ...verifierRows(verifier),
          ['adaptation', describeAdaptation(chosen.adaptation)],
          ['regularisation', chosen.regularisation],
        ],
      },
      {
        type: 'text',
        text: `EER of pairs of identities left out, mean of ${chosen.foldRates.length} folds; chosen: ${describeAdaptation(chosen.adaptation)} with ${chosen.regularisation}, the strongest regularisation whose rate is within one standard error of the lowest.`,
      },
      {
        type: 'table',
        columns: ['adaptation', ...strengths.map(strength => `λ ${strength}`)],
        rows: kinds.map(kind => [
          describeAdaptation(kind),
          ...strengths.map(strength => {
            const own = candidates.find(c => c.adaptation === kind && c.regularisation === strength)!;
            return `${(100 * meanRate(own)).toFixed(2)} %`;
          }),
        ]),
      },
      {
        type: 'curves',
        title: 'Weights of the components',
        xLabel: 'component',
        yLabel: 'weight',
        curves: [
          {
            label: `w of the ${comparison.unit} unit`,
            x: comparison.weights.map((_, k) => k + 1),
            y: [...comparison.weights],
          },
        ],
      },
    ],
  });
}
