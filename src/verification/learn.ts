// Learning a verifier from pairs: the adaptation of the embeddings, the weights of a unit over their components, and, by
// cross-validation over identities, how much of both is worth having. Threshold and probabilities come from the distances
// of pairs that each fold's unit had not seen; the final unit learns from all pairs.

import { type Embeddings, selectEmbeddings } from '../embeddings/embeddings.ts';
import { NdconvError } from '../errors.ts';
import { type AdaptationChoice, adaptationOf, mostWhitened, spreadOf } from './adaptation.ts';
import { type CalibrationChoice, verifierFrom } from './calibrate.ts';
import { comparisonDistances, type LearnedComparison, type UnitName } from './comparison.ts';
import { expectFinite } from './distances.ts';
import { hasBothKinds, type IdentityFolds, identityFolds, splitPairs } from './identity-folds.ts';
import { eer } from './metrics.ts';
import { choosePairs, type Pairs, pairsOf } from './pairs.ts';
import { fitPlatt, type PlattCurve } from './probability.ts';
import { fitUnits } from './unit-fit.ts';
import type { Verifier } from './verifier.ts';

export interface LearnChoice extends CalibrationChoice {
  unit: UnitName;
  /** L2 on the weights of standardised components, pairs weighing 1 in all; chosen by cross-validation where absent. */
  regularisation?: number;
  /** Chosen by cross-validation where absent. */
  adaptation?: AdaptationChoice;
  folds: number;
  seed: number;
}

/** A setting, and what it gave on the folds left out. */
export interface Candidate {
  adaptation: AdaptationChoice;
  regularisation: number;
  /** EER of each fold. */
  foldRates: number[];
}

export interface Learned {
  verifier: Verifier;
  chosen: Candidate;
  candidates: Candidate[];
}

const regularisations = [100, 10, 1, 0.1, 0.01];
const shrinkages = [3, 1, 0.3];

/** Numbers that a table of features may hold; of more pairs some are drawn. */
const mostFeatures = 16e6;
/** Different pairs for one same pair while candidates are compared: enough to tell them apart, and quick. */
const differentPerSame = 4;

/** Adaptations to try. */
function adaptationsFor({ size }: Embeddings, { adaptation }: LearnChoice): AdaptationChoice[] {
  if (adaptation) return [adaptation];
  const whitened =
    size > mostWhitened ? [] : shrinkages.map(shrinkage => ({ kind: 'whiten' as const, shrinkage }));
  return [{ kind: 'none' }, { kind: 'centre' }, ...whitened];
}

const whitens = (choices: readonly AdaptationChoice[]): boolean =>
  choices.some(({ kind }) => kind === 'whiten');

/**
 * Learns a verifier. Told of each fold by `onFold`, which may wait. Errors: EmbeddingError where there are fewer than four
 * identities, no fold has both same and different pairs, or embeddings hold NaN.
 */
export async function learnVerifier(
  embeddings: Embeddings,
  choice: LearnChoice,
  onFold: (done: number, folds: number) => Promise<void> = async () => {},
): Promise<Learned> {
  expectFinite(embeddings);
  const { unit, seed } = choice;
  const most = Math.floor(mostFeatures / embeddings.size);
  const { pairs } = choosePairs(embeddings.items, { kind: 'all', seed, most });
  const adaptations = adaptationsFor(embeddings, choice);
  const strengths = choice.regularisation === undefined ? regularisations : [choice.regularisation];
  const candidates: Candidate[] = adaptations.flatMap(adaptation =>
    strengths.map(regularisation => ({ adaptation, regularisation, foldRates: [] })),
  );
  /** By candidate: distances of the pairs left out, fold after fold. */
  const leftOut: Float64Array[][] = candidates.map(() => []);
  const leftSame: Uint8Array[] = [];
  const folds = identityFolds(embeddings.items, choice.folds, seed);
  for (let fold = 0; fold < folds.count; fold++) {
    const { test, train } = partsOf(embeddings, pairs, folds, fold);
    if (hasBothKinds(test.pairs) && hasBothKinds(train.pairs)) {
      leftSame.push(test.pairs.same);
      const spread = spreadOf(train.embeddings, whitens(adaptations));
      for (const [a, kind] of adaptations.entries()) {
        const adaptation = adaptationOf(spread, kind);
        const fits = fitUnits(train.embeddings, train.pairs, { unit, adaptation, strengths, exact: false });
        for (const [s, comparison] of fits.entries()) {
          const distances = comparisonDistances(comparison, test.embeddings, test.pairs);
          leftOut[a * strengths.length + s].push(distances);
          candidates[a * strengths.length + s].foldRates.push(eer(distances, test.pairs.same));
        }
        await onFold(fold + (a + 1) / adaptations.length, folds.count);
      }
    }
  }
  if (leftSame.length === 0)
    throw new NdconvError(
      'EmbeddingError',
      `none of ${folds.count} folds of identities has both same and different pairs: give more identities, or at least two samples of more of them`,
    );
  const chosen = chooseCandidate(candidates);
  const adaptation = adaptationOf(spreadOf(embeddings, whitens([chosen.adaptation])), chosen.adaptation);
  const [comparison] = fitUnits(embeddings, pairs, {
    unit,
    adaptation,
    strengths: [chosen.regularisation],
    exact: true,
  });
  const same = Uint8Array.from(leftSame.flatMap(list => [...list]));
  const held = Float64Array.from(leftOut[candidates.indexOf(chosen)].flatMap(list => [...list]));
  // Platt's curve goes into w and b, so that ŷ = σ(Σ w·u + b) is a probability as it stands: strong regularisation makes
  // weights small and ŷ unsure.
  const scaled = rescale(comparison, fitPlatt(held, same, choice.prior));
  const distances = held.map(distance => scaled.slope * distance - scaled.offset);
  const verifier = verifierFrom(scaled.comparison, embeddings, { same, distances }, choice, true);
  return { verifier, chosen, candidates };
}

/** A learned unit whose logit is that of a calibration curve. */
const rescale = (comparison: LearnedComparison, { slope, offset }: PlattCurve) => ({
  slope,
  offset,
  comparison: {
    ...comparison,
    weights: comparison.weights.map(w => slope * w),
    bias: slope * comparison.bias + offset,
  },
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean EER of a candidate over the folds. */
export const meanRate = ({ foldRates }: Candidate): number => mean(foldRates);

/**
 * The lowest mean EER; of the candidates with its adaptation the most regularised one whose EER is worse by no more than
 * one standard error of the difference, which is noise (Breiman et al. 1984). Those of one adaptation stand strongest first.
 */
function chooseCandidate(candidates: readonly Candidate[]): Candidate {
  const best = candidates.reduce((a, b) => (meanRate(b) < meanRate(a) ? b : a));
  return candidates.find(({ adaptation, foldRates }) => {
    if (adaptation !== best.adaptation) return false;
    const worse = foldRates.map((rate, f) => rate - best.foldRates[f]);
    const deviation = Math.sqrt(mean(worse.map(w => (w - mean(worse)) ** 2)));
    return mean(worse) <= deviation / Math.sqrt(Math.max(1, worse.length - 1));
  })!;
}

/** A fold and what does not touch it, as embeddings of their own; of the latter's different pairs some. */
function partsOf(embeddings: Embeddings, pairs: Pairs, folds: IdentityFolds, fold: number) {
  const { within, without } = splitPairs(pairs, folds, fold);
  const part = (isTest: boolean, places: readonly number[]) => {
    const items = [...embeddings.items.keys()].filter(item => (folds.foldOf[item] === fold) === isTest);
    const placeOf = new Map(items.map((item, at) => [item, at]));
    const own = selectEmbeddings(embeddings, items);
    const among = places.map(i => [placeOf.get(pairs.first[i])!, placeOf.get(pairs.second[i])!] as const);
    return { embeddings: own, pairs: pairsOf(own.items, among) };
  };
  return { test: part(true, within), train: part(false, thin(pairs, without)) };
}

/** All same pairs of a list, and evenly spread different ones. */
function thin({ same }: Pairs, places: readonly number[]): number[] {
  const kept = places.filter(i => same[i]);
  const different = places.filter(i => !same[i]);
  const count = Math.min(different.length, Math.max(1000, differentPerSame * kept.length));
  for (let i = 0; i < count; i++) kept.push(different[Math.floor((i * different.length) / count)]);
  return kept;
}
