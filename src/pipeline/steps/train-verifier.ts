// `train-verifier`: learns a verifier from pairs of embeddings, and measures it beside the plain distance on identities
// that it has not seen.

import { type Embeddings, expectSameEmbedder } from '../../embeddings/embeddings.ts';
import type { AdaptationChoice } from '../../verification/adaptation.ts';
import { calibrate } from '../../verification/calibrate.ts';
import { type UnitName, unitNames } from '../../verification/comparison.ts';
import { crossFit } from '../../verification/cross-fit.ts';
import { type Evaluation, evaluateDistances, evaluateVerifiers } from '../../verification/evaluate.ts';
import {
  type Candidate,
  type LearnChoice,
  type Learned,
  learnVerifier,
  meanRate,
} from '../../verification/learn.ts';
import { choosePairs } from '../../verification/pairs.ts';
import { describeVerifier, verifierDistances } from '../../verification/verifier.ts';
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

/** Share of the identities that each round holds out where no test embeddings are given. */
const usualShare = 1 / 3;
/** Fewest identities that can be learned from. */
const fewestIdentities = 4;
const whitening: AdaptationChoice = { kind: 'whiten', shrinkage: 1 };

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
        description: 'embeddings of other identities to test on; where absent everybody is held out once',
      },
      heldOut: {
        type: 'number',
        minimum: 0,
        exclusiveMaximum: 1,
        description:
          'without test: share of the identities that each round holds out, everybody once (a third where absent); 0 tests on nobody',
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
    const { params: p, note, valueOf, progress, signal } = context;
    const seed = p.seed ?? context.seed;
    const embeddings = valueOf<Embeddings>(p.embeddings);
    const test = p.test === undefined ? undefined : valueOf<Embeddings>(p.test);
    if (test) expectSameEmbedder(embeddings.embedder, test.embedder);
    const breathe = async (fraction: number, message: string): Promise<void> => {
      progress({ fraction, message });
      await new Promise(setImmediate);
      signal.throwIfAborted();
    };
    const choice: LearnChoice = {
      ...choiceOf(p),
      unit: p.unit,
      ...(p.adaptation === 'auto'
        ? {}
        : { adaptation: p.adaptation === 'whiten' ? whitening : { kind: p.adaptation } }),
      ...(p.regularisation === undefined ? {} : { regularisation: p.regularisation }),
      folds: p.folds,
      seed,
    };
    const learned = await learnVerifier(embeddings, choice, (done, folds) =>
      breathe((0.2 * done) / folds, 'cross-validation'),
    );
    note(describeVerifier(learned.verifier));
    reportLearning(context, learned);
    const measured = (fraction: number): Promise<void> =>
      breathe(0.8 + 0.2 * fraction, 'intervals of held-out identities');
    const plain = calibrate(
      { comparison: { kind: 'distance', distance: 'squared-euclidean' } },
      embeddings,
      choosePairs(embeddings.items, { kind: 'all', seed }).pairs,
      choice,
    );
    const rates = { fars: [0.001, 0.01], folds: 10, resamples: p.resamples, seed };
    const share = p.heldOut ?? usualShare;
    const rounds = Math.max(2, Math.round(1 / share));
    const identities = new Set(embeddings.items.map(({ identity }) => identity)).size;
    if (test) {
      const verifiers = [plain, learned.verifier];
      showHeldOut(context, await evaluateVerifiers(test, verifiers, { ...rates, pairs: 'all' }, measured));
    } else if (share > 0 && identities - Math.ceil(identities / rounds) >= fewestIdentities) {
      const { pairs, distances, folds } = await crossFit(embeddings, choice, rounds, fraction =>
        breathe(0.2 + 0.6 * fraction, 'held-out identities'),
      );
      const both = [
        { verifier: plain, distances: verifierDistances(plain, embeddings, pairs) },
        { verifier: learned.verifier, distances },
      ];
      const evaluation = await evaluateDistances(
        embeddings.items,
        pairs,
        both,
        { ...rates, folds },
        measured,
      );
      showHeldOut(context, evaluation, folds);
    } else {
      const why =
        share > 0 ? `${identities} identities are too few to hold some out` : 'no identities are held out';
      note(`${why}: how good it is on others has not been measured`);
    }
    await saveVerifier(context, learned.verifier, p.path);
    return { value: learned.verifier };
  },
};

/** The learned verifier beside the plain distance; `rounds` where everybody was held out once. */
function showHeldOut(
  { note, report }: RunContext<Parameters>,
  evaluation: Evaluation,
  rounds?: number,
): void {
  const { difference } = evaluation.results[1];
  note(`on ${evaluation.identities} identities held out: ${describeDifference(evaluation)}`);
  const how =
    rounds === undefined
      ? ''
      : ` Everybody was held out once, in ${rounds} rounds, each with a verifier learned and chosen without them; pairs across rounds are not counted. The verifier that is kept learned from all.`;
  report({
    title: 'Learned verifier and plain distance on identities held out',
    blocks: [
      { type: 'text', text: `${differenceText(evaluation, difference!)}${how}` },
      ...rateBlocks(evaluation),
    ],
  });
}

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
