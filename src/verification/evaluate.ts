// Evaluating verifiers on embeddings whose labels are known: all rates with their confidence intervals, the accuracy by
// folds, curves, and the pairs that are hardest. Several verifiers are resampled alike, so that their difference has an
// interval too, which is narrower than theirs.

import type { Embeddings } from '../embeddings/embeddings.ts';
import { describeComparison } from './comparison.ts';
import { type FoldAccuracy, foldAccuracy } from './fold-accuracy.ts';
import { isMeasurable, type Ranking, type Roc, rankPairs, rocOf } from './metrics.ts';
import { choosePairs, type Pairs } from './pairs.ts';
import type { CalibrationBin } from './probability.ts';
import { drawIdentities, type Interval, identitiesOf, intervalOf, weighPairs } from './resample.ts';
import { describeRule, type ThresholdRule, type Verifier, verifierDistances } from './verifier.ts';
import { binsOf, type RateName, rateTable } from './verifier-rates.ts';

export interface EvaluationChoice {
  pairs: 'all' | 'balanced';
  /** False accept rates at which VAL and FNMR are read. */
  fars: readonly number[];
  folds: number;
  resamples: number;
  seed: number;
}

/** A 95 % band of VAL over false accept rates. */
export interface Band {
  far: number[];
  low: number[];
  high: number[];
}

export interface VerifierResult {
  name: string;
  verifier: Verifier;
  ranking: Ranking;
  roc: Roc;
  rates: (RateName & Interval)[];
  band: Band;
  /** Absent where there are too few identities. */
  folds?: FoldAccuracy;
  /** Of a calibrated verifier, at its prior. */
  bins?: CalibrationBin[];
  /** EER of this one minus that of the first, and the share of resamples in which this one's was lower. */
  difference?: Interval & { lower: number };
}

export interface Evaluation {
  pairs: Pairs;
  /** Whether some different pairs were drawn rather than all taken. */
  drawn: boolean;
  identities: number;
  results: VerifierResult[];
  /** False accept rates that cannot be seen with these pairs. */
  unseen: number[];
}

/** Points of the band over false accept rates. */
const bandPoints = 48;

/** Fewest identities for folds of two. */
const fewestForFolds = 4;

/**
 * Evaluates verifiers on all or some pairs of the embeddings; differences are to the first. `onProgress` may wait. Errors:
 * EmbeddingError where there are no same or no different pairs, a verifier is for another network, or embeddings hold NaN.
 */
export async function evaluateVerifiers(
  embeddings: Embeddings,
  verifiers: readonly Verifier[],
  choice: EvaluationChoice,
  onProgress: (fraction: number) => Promise<void> = async () => {},
): Promise<Evaluation> {
  const { pairs, drawn } = choosePairs(embeddings.items, { kind: choice.pairs, seed: choice.seed });
  const measured = verifiers.map(verifier => ({
    verifier,
    distances: verifierDistances(verifier, embeddings, pairs),
  }));
  return { ...(await evaluateDistances(embeddings.items, pairs, measured, choice, onProgress)), drawn };
}

/** The same from distances that verifiers gave to pairs, each perhaps by one that had not learned from them. */
export async function evaluateDistances(
  items: Embeddings['items'],
  pairs: Pairs,
  measured: readonly { verifier: Verifier; distances: Float64Array }[],
  choice: Omit<EvaluationChoice, 'pairs'>,
  onProgress: (fraction: number) => Promise<void> = async () => {},
): Promise<Evaluation> {
  const verifiers = measured.map(({ verifier }) => verifier);
  const identities = new Set(items.map(({ identity }) => identity)).size;
  const draws = drawIdentities(identities, choice.resamples, choice.seed);
  const names = namesOf(verifiers);
  const results: VerifierResult[] = [];
  let firstRates = new Float64Array(0);
  for (const [v, { verifier, distances }] of measured.entries()) {
    const ranking = rankPairs(distances, pairs.same);
    const roc = rocOf(ranking);
    const { rows, read } = rateTable(verifier, ranking, roc, choice.fars);
    const grid = farGrid(roc);
    const resampled = rows.map(() => new Float64Array(draws.length));
    const vals = grid.map(() => new Float64Array(draws.length));
    const own = identitiesOf(items, pairs, ranking.order);
    const weights = new Float64Array(distances.length);
    for (const [r, counts] of draws.entries()) {
      weighPairs(own, counts, weights);
      const weighed = rocOf(ranking, weights);
      for (const [m, value] of read(weighed, weights).entries()) resampled[m][r] = value;
      for (const [g, val] of validationsAt(weighed, grid).entries()) vals[g][r] = val;
      if (r % 20 === 19) await onProgress((v + (r + 1) / draws.length) / verifiers.length);
    }
    const values = read(roc, weights.fill(1));
    const bands = vals.map(list => intervalOf(Number.NaN, list));
    const eers = resampled[0];
    results.push({
      name: names[v],
      verifier,
      ranking,
      roc,
      rates: rows.map((row, m) => ({ ...row, ...intervalOf(values[m], resampled[m]) })),
      band: { far: grid, low: bands.map(({ low }) => low), high: bands.map(({ high }) => high) },
      ...(identities >= fewestForFolds ? { folds: foldAccuracy(items, pairs, distances, choice) } : {}),
      ...(verifier.probability ? { bins: binsOf(verifier, ranking, roc) } : {}),
      ...(v > 0 ? { difference: differenceOf(values[0] - results[0].rates[0].value, eers, firstRates) } : {}),
    });
    if (v === 0) firstRates = eers;
  }
  const unseen = choice.fars.filter(far => !isMeasurable(results[0].roc, far));
  return { pairs, drawn: false, identities, results, unseen };
}

const shortRule = (rule: ThresholdRule): string =>
  rule.at === 'given' ? 'threshold given' : `threshold at ${describeRule(rule)}`;

function differenceOf(value: number, rates: Float64Array, first: Float64Array): Interval & { lower: number } {
  const changes = rates.map((rate, r) => rate - first[r]).filter(change => !Number.isNaN(change));
  const lower = changes.filter(change => change < 0).length / changes.length;
  return { ...intervalOf(value, changes), lower };
}

/** Names of verifiers, made different where two are alike: by how their thresholds were found, else by number. */
function namesOf(verifiers: readonly Verifier[]): string[] {
  const plain = verifiers.map(({ comparison }) => describeComparison(comparison));
  const names = verifiers.map(({ rule }, i) =>
    plain.filter(other => other === plain[i]).length > 1 ? `${plain[i]}, ${shortRule(rule)}` : plain[i],
  );
  return names.map((name, i) => {
    const before = names.slice(0, i).filter(other => other === name).length;
    return before > 0 ? `${name} (${before + 1})` : name;
  });
}

/** False accept rates from the smallest that can be seen to 1, evenly on a logarithmic scale. */
function farGrid({ different }: Roc): number[] {
  const least = 1 / different;
  return Array.from({ length: bandPoints }, (_, i) => least ** (1 - i / (bandPoints - 1)));
}

/** VAL at ascending false accept rates, in one pass. */
function validationsAt({ falseAccepts, trueAccepts }: Roc, fars: readonly number[]): number[] {
  let i = 0;
  return fars.map(far => {
    while (i + 1 < falseAccepts.length && falseAccepts[i + 1] <= far + 1e-12) i++;
    return trueAccepts[i];
  });
}

/** Places in the list of pairs of the most distant same and of the closest different ones, hardest first. */
export function hardestPairs(
  { same, order }: Ranking,
  count: number,
): { same: number[]; different: number[] } {
  const [farthest, closest]: number[][] = [[], []];
  for (let i = 0; i < order.length && closest.length < count; i++) if (!same[i]) closest.push(order[i]);
  for (let i = order.length - 1; i >= 0 && farthest.length < count; i--) if (same[i]) farthest.push(order[i]);
  return { same: farthest, different: closest };
}
