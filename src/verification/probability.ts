// From distances to the probability of being the same. Platt: a logistic curve with Platt's targets, which are not quite 0
// and 1 (Platt 1999; Lin, Lin & Weng 2007). Isotonic: the falling steps that fit best (pool adjacent violators; Zadrozny &
// Elkan 2002), joined by straight lines. Pairs are weighed so that a share `prior` of them is same: a probability holds
// for one such share, and lists of all pairs have far too many different ones. Also: how good probabilities are.

import { NdconvError } from '../errors.ts';
import { crossEntropyAt, fitLogistic, sigmoid } from './logistic.ts';
import { rankPairs } from './metrics.ts';

/** p = σ(−slope·distance + offset). */
export interface PlattCurve {
  readonly kind: 'platt';
  readonly slope: number;
  readonly offset: number;
}

/** p over ascending distances, linear between them and level beyond. */
export interface IsotonicCurve {
  readonly kind: 'isotonic';
  readonly distances: readonly number[];
  readonly probabilities: readonly number[];
}

export type ProbabilityCurve = PlattCurve | IsotonicCurve;

/** Weights that add up to 1, with `prior` of them on same pairs. */
export function priorWeights(same: ArrayLike<number>, prior: number): Float64Array {
  let count = 0;
  for (let i = 0; i < same.length; i++) if (same[i]) count++;
  return Float64Array.from(same, s => (s ? prior / count : (1 - prior) / (same.length - count)));
}

/** Platt's curve. Errors: EmbeddingError where same or different pairs are missing, or closer pairs are rather different. */
export function fitPlatt(distances: Float64Array, same: ArrayLike<number>, prior = 0.5): PlattCurve {
  const ranking = rankPairs(distances, same);
  const n = distances.length;
  let [positives, mean] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (same[i]) positives++;
    mean += distances[i] / n;
  }
  const range = ranking.distances[n - 1] - ranking.distances[0] || 1;
  const high = (positives + 1) / (positives + 2);
  const low = 1 / (n - positives + 2);
  const { weights, bias } = fitLogistic(
    {
      features: distances.map(d => (d - mean) / range),
      size: 1,
      targets: Float64Array.from(same, s => (s ? high : low)),
      weights: priorWeights(same, prior),
    },
    0,
  );
  const slope = -weights[0] / range;
  if (!(slope > 0))
    throw new NdconvError(
      'EmbeddingError',
      `pairs of the same are not closer than different ones: distances of this network say nothing about these labels, and no probability can be made of them`,
      { slope },
    );
  return { kind: 'platt', slope, offset: bias + slope * mean };
}

/**
 * The isotonic curve; probabilities stay `1/(pairs of a kind + 2)` away from 0 and 1, which no number of pairs proves.
 * Errors: EmbeddingError where same or different pairs are missing.
 */
export function fitIsotonic(distances: Float64Array, same: ArrayLike<number>, prior = 0.5): IsotonicCurve {
  const { order, ends, distances: sorted } = rankPairs(distances, same);
  const weights = priorWeights(same, prior);
  const positives = Array.prototype.reduce.call(same, (sum: any, s) => sum + (s ? 1 : 0), 0) as number;
  // Blocks of falling probability: weight, weighted sum of targets, first and last distance.
  const blocks: { weight: number; sum: number; from: number; to: number }[] = [];
  let at = 0;
  for (const end of ends) {
    let block = { weight: 0, sum: 0, from: sorted[at], to: sorted[at] };
    for (; at < end; at++) {
      block.weight += weights[order[at]];
      block.sum += same[order[at]] ? weights[order[at]] : 0;
    }
    for (
      let last = blocks.at(-1);
      last && last.sum * block.weight <= block.sum * last.weight;
      last = blocks.at(-1)
    ) {
      blocks.pop();
      block = {
        weight: last.weight + block.weight,
        sum: last.sum + block.sum,
        from: last.from,
        to: block.to,
      };
    }
    blocks.push(block);
  }
  const lowest = 1 / (distances.length - positives + 2);
  const highest = 1 - 1 / (positives + 2);
  const knots = blocks.flatMap(({ weight, sum, from, to }) => {
    const p = Math.max(lowest, Math.min(highest, sum / weight));
    return from === to
      ? [[from, p]]
      : [
          [from, p],
          [to, p],
        ];
  });
  return { kind: 'isotonic', distances: knots.map(([d]) => d), probabilities: knots.map(([, p]) => p) };
}

export function probabilityAt(curve: ProbabilityCurve, distance: number): number {
  if (curve.kind === 'platt') return sigmoid(curve.offset - curve.slope * distance);
  const { distances: x, probabilities: y } = curve;
  let [low, high] = [0, x.length - 1];
  if (distance <= x[low]) return y[low];
  if (distance >= x[high]) return y[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] <= distance) low = middle;
    else high = middle;
  }
  return y[low] + ((distance - x[low]) / (x[high] - x[low])) * (y[high] - y[low]);
}

/** How good probabilities are, pairs weighed. */
export interface ProbabilityQuality {
  /** Mean squared error (Brier 1950): 0 is best, 0.25 is no better than a coin at equal shares. */
  brier: number;
  /** Mean cross-entropy in nats. */
  logLoss: number;
  /** Expected calibration error over `bins` of equal width: mean distance of said and seen probability (Naeini et al. 2015). */
  calibrationError: number;
}

/** One bin of a calibration curve. */
export interface CalibrationBin {
  /** Mean probability said, and share that was same. */
  said: number;
  seen: number;
  weight: number;
}

/** Bins of equal width, empty ones left out. */
export function calibrationBins(
  probabilities: ArrayLike<number>,
  same: ArrayLike<number>,
  weights: ArrayLike<number>,
  bins = 10,
): CalibrationBin[] {
  const found = Array.from({ length: bins }, () => ({ said: 0, seen: 0, weight: 0 }));
  for (let i = 0; i < probabilities.length; i++) {
    const bin = found[Math.min(bins - 1, Math.floor(probabilities[i] * bins))];
    bin.weight += weights[i];
    bin.said += weights[i] * probabilities[i];
    if (same[i]) bin.seen += weights[i];
  }
  return found
    .filter(({ weight }) => weight > 0)
    .map(({ said, seen, weight }) => ({ said: said / weight, seen: seen / weight, weight }));
}

/** Quality of probabilities; weights need not add up to 1. */
export function probabilityQuality(
  probabilities: ArrayLike<number>,
  same: ArrayLike<number>,
  weights: ArrayLike<number>,
  bins = 10,
): ProbabilityQuality {
  let [total, brier, logLoss] = [0, 0, 0];
  for (let i = 0; i < probabilities.length; i++) {
    const [p, t, w] = [probabilities[i], same[i] ? 1 : 0, weights[i]];
    if (w === 0) continue;
    total += w;
    brier += w * (p - t) ** 2;
    // By way of the logit where p is not 0 or 1, as probabilities that are shown.
    logLoss +=
      w *
      (p > 0 && p < 1 ? crossEntropyAt(Math.log(p / (1 - p)), t) : p === t ? 0 : Number.POSITIVE_INFINITY);
  }
  const calibrationError = calibrationBins(probabilities, same, weights, bins).reduce(
    (sum, { said, seen, weight }) => sum + (weight / total) * Math.abs(said - seen),
    0,
  );
  return { brier: brier / total, logLoss: logLoss / total, calibrationError };
}
