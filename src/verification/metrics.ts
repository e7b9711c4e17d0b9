// How well distances tell same pairs from different ones. Pairs are ranked by distance once; from the ranking follow, for
// any weights of the pairs, the ROC and all that is read off it. A pair is accepted where its distance is at most the
// threshold. FAR (false accept rate, FMR) is the share of different pairs accepted, VAL (validation rate) that of same
// pairs; FNMR is 1 − VAL. Sources: LFW (Huang et al. 2007), FaceNet (Schroff et al. 2015), ISO/IEC 19795-1.

import { NdconvError } from '../errors.ts';

/** Pairs in ascending order of distance. */
export interface Ranking {
  readonly distances: Float64Array;
  /** 1 where the pair is one of the same. */
  readonly same: Uint8Array;
  /** Place of each pair in the list that was ranked. */
  readonly order: Uint32Array;
  /** End (exclusive) of each run of equal distances. */
  readonly ends: Uint32Array;
}

/** Ranks pairs. Errors: EmbeddingError where a distance is NaN, or same or different pairs are missing. */
export function rankPairs(distances: ArrayLike<number>, same: ArrayLike<number | boolean>): Ranking {
  const n = distances.length;
  const order = new Uint32Array(n);
  let [same1, same0] = [0, 0];
  for (let i = 0; i < n; i++) {
    order[i] = i;
    if (Number.isNaN(distances[i]))
      throw new NdconvError(
        'EmbeddingError',
        `the distance of pair ${i + 1} is NaN: its embeddings hold NaN`,
        {
          pair: i,
        },
      );
    if (same[i]) same1++;
    else same0++;
  }
  if (same1 === 0 || same0 === 0)
    throw new NdconvError(
      'EmbeddingError',
      `of ${n} pairs ${same1} are of the same and ${same0} of different ones: rates need both`,
      { same: same1, different: same0 },
    );
  order.sort((a, b) => distances[a] - distances[b] || a - b);
  const sorted = Float64Array.from(order, i => distances[i]);
  const ends: number[] = [];
  for (let i = 1; i <= n; i++) if (i === n || sorted[i] !== sorted[i - 1]) ends.push(i);
  return {
    distances: sorted,
    same: Uint8Array.from(order, i => (same[i] ? 1 : 0)),
    order,
    ends: Uint32Array.from(ends),
  };
}

/** Shares of pairs accepted, point by point: none first, then up to and including each distinct distance. */
export interface Roc {
  /** −∞, then the distinct distances in ascending order. */
  readonly thresholds: Float64Array;
  /** FAR at each threshold, 0 to 1. */
  readonly falseAccepts: Float64Array;
  /** VAL at each threshold, 0 to 1. */
  readonly trueAccepts: Float64Array;
  /** Weights of all different and of all same pairs. */
  readonly different: number;
  readonly same: number;
}

/**
 * The ROC of ranked pairs. `weights` are in the order of the ranking and count a pair that often; 1 each where absent.
 * Rates are NaN where all pairs of a kind weigh nothing.
 */
export function rocOf({ distances, same, ends }: Ranking, weights?: ArrayLike<number>): Roc {
  const points = ends.length + 1;
  const thresholds = new Float64Array(points);
  const falseAccepts = new Float64Array(points);
  const trueAccepts = new Float64Array(points);
  thresholds[0] = Number.NEGATIVE_INFINITY;
  let [rejected, accepted, i] = [0, 0, 0];
  for (let point = 1; point < points; point++) {
    for (const end = ends[point - 1]; i < end; i++) {
      const weight = weights ? weights[i] : 1;
      if (same[i]) accepted += weight;
      else rejected += weight;
    }
    thresholds[point] = distances[i - 1];
    falseAccepts[point] = rejected;
    trueAccepts[point] = accepted;
  }
  for (let point = 0; point < points; point++) {
    falseAccepts[point] /= rejected;
    trueAccepts[point] /= accepted;
  }
  return { thresholds, falseAccepts, trueAccepts, different: rejected, same: accepted };
}

/** Area under the ROC: the chance that a same pair is closer than a different one, ties counting half. */
export function areaUnder({ falseAccepts: x, trueAccepts: y }: Roc): number {
  let area = 0;
  for (let i = 1; i < x.length; i++) area += ((x[i] - x[i - 1]) * (y[i] + y[i - 1])) / 2;
  return area;
}

/** A rate and the threshold that gives it. */
export interface RateAt {
  rate: number;
  threshold: number;
}

/** Threshold between point `i` of a ROC and the next, at a share of the way; finite wherever a distance is. */
function thresholdBetween({ thresholds }: Roc, i: number, share: number): number {
  const [low, high] = [thresholds[i], thresholds[Math.min(i + 1, thresholds.length - 1)]];
  // Before the first distance there is nothing to be between.
  return Number.isFinite(low) ? low + share * (high - low) : high - 1e-9 * (Math.abs(high) || 1);
}

/** Equal error rate: where FAR = FNMR on the straight lines between the points of the ROC. */
export function equalErrorRate(roc: Roc): RateAt {
  const { falseAccepts: x, trueAccepts: y } = roc;
  for (let i = 1; i < x.length; i++) {
    if (x[i] < 1 - y[i]) continue;
    const [dx, dy] = [x[i] - x[i - 1], y[i] - y[i - 1]];
    const share = (1 - x[i - 1] - y[i - 1]) / (dx + dy);
    // Perfectly parted pairs: the middle of the gap.
    if (share >= 1 && x[i] === 0) return { rate: 0, threshold: thresholdBetween(roc, i, 0.5) };
    return { rate: x[i - 1] + share * dx, threshold: thresholdBetween(roc, i - 1, share) };
  }
  return { rate: Number.NaN, threshold: Number.NaN };
}

/** Equal error rate of distances in any order; for one number during training. */
export const eer = (distances: ArrayLike<number>, same: ArrayLike<number | boolean>): number =>
  equalErrorRate(rocOf(rankPairs(distances, same))).rate;

/**
 * VAL at the largest threshold whose FAR is at most `far` (no interpolation: a rate that some threshold does give), and
 * that threshold, in the middle of the gap above. FNMR@FMR is 1 minus it.
 */
export function validationAt(roc: Roc, far: number): RateAt {
  const { falseAccepts: x, trueAccepts: y } = roc;
  let i = 0;
  while (i + 1 < x.length && x[i + 1] <= far) i++;
  return { rate: y[i], threshold: thresholdBetween(roc, i, 0.5) };
}

/** Fewest different pairs with which a FAR can be seen at all: one accepted is no more than that. */
export const isMeasurable = ({ different }: Roc, far: number): boolean => different * far >= 1;

/**
 * Best accuracy, same and different pairs counting alike (balanced accuracy, as on LFW's balanced lists), and its
 * threshold, in the middle of the gap above; the first of equals.
 */
export function bestAccuracy(roc: Roc): RateAt {
  const { falseAccepts: x, trueAccepts: y } = roc;
  let best = 0;
  for (let i = 1; i < x.length; i++) if (y[i] - x[i] > y[best] - x[best]) best = i;
  return { rate: (1 + y[best] - x[best]) / 2, threshold: thresholdBetween(roc, best, 0.5) };
}

/** FAR, VAL and balanced accuracy of a threshold set beforehand. */
export function ratesAt(roc: Roc, threshold: number): { far: number; val: number; accuracy: number } {
  const { thresholds, falseAccepts, trueAccepts } = roc;
  let [low, high] = [0, thresholds.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (thresholds[middle] <= threshold) low = middle;
    else high = middle - 1;
  }
  const [far, val] = [falseAccepts[low], trueAccepts[low]];
  return { far, val, accuracy: (1 + val - far) / 2 };
}

/** Average precision Σ (R_n − R_{n−1})·P_n of accepting the closest first; depends on how many pairs are same. */
export function averagePrecision({ falseAccepts, trueAccepts, same, different }: Roc): number {
  let sum = 0;
  for (let i = 1; i < trueAccepts.length; i++) {
    const rise = trueAccepts[i] - trueAccepts[i - 1];
    if (rise === 0) continue;
    const accepted = same * trueAccepts[i];
    sum += (rise * accepted) / (accepted + different * falseAccepts[i]);
  }
  return sum;
}
