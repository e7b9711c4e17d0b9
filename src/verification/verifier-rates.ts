// The table of rates of a verifier: which there are, and how they are read off weighed pairs.

import {
  areaUnder,
  averagePrecision,
  equalErrorRate,
  isMeasurable,
  type Ranking,
  type Roc,
  ratesAt,
  validationAt,
} from './metrics.ts';
import { type CalibrationBin, calibrationBins, probabilityQuality } from './probability.ts';
import { probabilityOfSame, type Verifier } from './verifier.ts';

/** Short name (the key in JSON: `eer`, `val@0.01`) and what people read. */
export interface RateName {
  key: string;
  label: string;
}

/** Rows of a table of rates, and their values for weights of the pairs, which are in the order of the ranking. */
export interface RateTable {
  rows: RateName[];
  read(roc: Roc, weights: Float64Array): number[];
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

/** The probabilities that a verifier gives ranked pairs. */
const probabilitiesOf = (verifier: Verifier, { distances }: Ranking): Float64Array =>
  Float64Array.from(distances, d => probabilityOfSame(verifier, d)!);

/** Weights that add up to 1 with `prior` of them on same pairs. */
function atPrior({ same }: Ranking, weights: Float64Array, roc: Roc, prior: number): Float64Array {
  const [own, other] = [prior / roc.same, (1 - prior) / roc.different];
  return weights.map((weight, i) => weight * (same[i] ? own : other));
}

/** All rates of a verifier; those at false accept rates that these pairs can show. */
export function rateTable(
  verifier: Verifier,
  ranking: Ranking,
  roc: Roc,
  fars: readonly number[],
): RateTable {
  const seen = fars.filter(far => isMeasurable(roc, far));
  const rows: RateName[] = [
    { key: 'eer', label: 'EER' },
    { key: 'auc', label: 'AUC' },
    { key: 'averagePrecision', label: 'average precision' },
    ...seen.map(far => ({ key: `val@${far}`, label: `VAL at FAR ${percent(far)}` })),
    ...seen.map(far => ({ key: `fnmr@${far}`, label: `FNMR at FMR ${percent(far)}` })),
  ];
  const { threshold, probability, calibration } = verifier;
  const hasThreshold = Number.isFinite(threshold);
  if (hasThreshold)
    rows.push(
      { key: 'accuracy', label: 'accuracy at its threshold' },
      { key: 'far', label: 'FAR at its threshold' },
      { key: 'fnmr', label: 'FNMR at its threshold' },
    );
  const readRates = (weighed: Roc): number[] => {
    const vals = seen.map(far => validationAt(weighed, far).rate);
    const { accuracy, far, val } = ratesAt(weighed, threshold);
    return [
      equalErrorRate(weighed).rate,
      areaUnder(weighed),
      averagePrecision(weighed),
      ...vals,
      ...vals.map(rate => 1 - rate),
      ...(hasThreshold ? [accuracy, far, 1 - val] : []),
    ];
  };
  if (!probability) return { rows, read: readRates };
  rows.push(
    { key: 'brier', label: 'Brier score' },
    { key: 'logLoss', label: 'log loss' },
    { key: 'calibrationError', label: 'calibration error' },
  );
  const said = probabilitiesOf(verifier, ranking);
  return {
    rows,
    read: (weighed, weights) => {
      const own = atPrior(ranking, weights, weighed, calibration?.prior ?? 0.5);
      const { brier, logLoss, calibrationError } = probabilityQuality(said, ranking.same, own);
      return [...readRates(weighed), brier, logLoss, calibrationError];
    },
  };
}

/** Said and seen probabilities of a calibrated verifier at its prior. */
export function binsOf(verifier: Verifier, ranking: Ranking, roc: Roc): CalibrationBin[] {
  const even = new Float64Array(ranking.distances.length).fill(1);
  const weights = atPrior(ranking, even, roc, verifier.calibration?.prior ?? 0.5);
  return calibrationBins(probabilitiesOf(verifier, ranking), ranking.same, weights);
}
