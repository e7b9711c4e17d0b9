// Scales of a drawing: from a range of values to round tick values, their labels and positions in [0, 1]. Linear,
// logarithmic, and for rates probit. Ranges of a single value, and ranges too small or too large to subtract, are widened
// or limited.

import { formatNumber, powerOfTen } from './text.ts';

export interface Scale {
  low: number;
  high: number;
  ticks: number[];
  /** Labels of the ticks, '' for a tick that is drawn without one. */
  labels: string[];
  /** Where a value lies: 0 at `low`, 1 at `high`; not limited to them. */
  position(value: number): number;
}

const largest = 1e300;

/** The step of 1, 2 or 5 times a power of ten that cuts `span` into about `pieces`. */
function roundStep(span: number, pieces: number, whole: boolean): number {
  const rough = span / pieces;
  const power = 10 ** Math.floor(Math.log10(rough));
  const mantissa = rough / power;
  const step = (mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10) * power;
  return whole ? Math.max(1, step) : step;
}

function linearTicks(low: number, high: number, step: number): number[] {
  const ticks: number[] = [];
  const first = Math.ceil(low / step - 1e-6);
  for (let i = first; i * step <= high + step * 1e-6 && ticks.length < 100; i++)
    ticks.push(i === 0 ? 0 : i * step);
  return ticks;
}

/** Labels with the same number of decimals for all ticks, as many as the step needs. */
function linearLabels(ticks: number[], step: number): string[] {
  const largestTick = Math.max(...ticks.map(Math.abs), step);
  if (largestTick >= 1e6 || step < 1e-4) {
    const digits = Math.min(15, Math.max(1, Math.ceil(Math.log10(largestTick / step) + 1e-9) + 1));
    return ticks.map(tick => formatNumber(tick, digits));
  }
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return ticks.map(tick => (tick < 0 ? '−' : '') + Math.abs(tick).toFixed(decimals));
}

/**
 * A linear scale over `[low, high]`. With `round` the range grows to the next ticks (a value axis); without it stays
 * as it is (a time axis). `pieces` is about how many intervals the ticks make; with `whole` they are whole numbers.
 */
export function linearScale(low: number, high: number, pieces = 5, round = true, whole = false): Scale {
  low = Math.max(-largest, Math.min(largest, low));
  high = Math.max(-largest, Math.min(largest, high));
  if (!(high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high)))) {
    const room = Math.abs(low) * 0.1 || 1;
    [low, high] = [low - room, high + room];
  }
  if (round) {
    const step = roundStep(high - low, pieces, whole);
    low = Math.floor(low / step + 1e-6) * step;
    high = Math.ceil(high / step - 1e-6) * step;
  }
  const step = roundStep(high - low, pieces, whole);
  const ticks = linearTicks(low, high, step);
  const span = high - low;
  const labels = linearLabels(ticks, step);
  return { low, high, ticks, labels, position: value => (value - low) / span };
}

/**
 * A logarithmic scale; `0 < low <= high`. With `round` the range grows to the next ticks: decades, or 1-2-5 within a
 * few of them.
 */
export function logScale(low: number, high: number, pieces = 5, round = true): Scale {
  low = Math.max(1 / largest, Math.min(largest, low));
  high = Math.max(low, Math.min(largest, high));
  if (high / low < 3) {
    // Too narrow for decades: the ticks of a linear scale, in logarithmic places.
    const linear = linearScale(low, high, pieces, round);
    const [start, span] = [Math.log10(linear.low), Math.log10(linear.high / linear.low)];
    return { ...linear, position: value => (Math.log10(value) - start) / span };
  }
  const floor = Math.floor(Math.log10(low) + 1e-9);
  const ceil = Math.ceil(Math.log10(high) - 1e-9);
  const every = Math.max(1, Math.ceil((ceil - floor) / 8));
  const steps = Math.log10(high / low) <= 3 ? [1, 2, 5] : [1];
  const candidates: number[] = [];
  for (let exponent = floor; exponent <= ceil; exponent++) {
    if (every > 2 && exponent < ceil && (exponent - floor) % every !== 0) continue;
    for (const step of steps) candidates.push(Number(`${step}e${exponent}`));
  }
  const below = round ? Math.max(...candidates.filter(tick => tick <= low * (1 + 1e-9))) : low;
  const above = round ? Math.min(...candidates.filter(tick => tick >= high * (1 - 1e-9))) : high;
  const ticks = candidates.filter(tick => tick >= below && tick <= above);
  const plain = ticks[0] >= 1e-3 && ticks[ticks.length - 1] < 1e5;
  const labels = ticks.map(tick => {
    const exponent = Math.floor(Math.log10(tick) + 1e-9);
    if ((exponent - floor) % every !== 0) return '';
    return plain ? formatNumber(tick) : logLabel(tick, exponent);
  });
  const [start, span] = [Math.log10(below), Math.log10(above) - Math.log10(below)];
  return { low: below, high: above, ticks, labels, position: value => (Math.log10(value) - start) / span };
}

function logLabel(tick: number, exponent: number): string {
  const mantissa = Math.round(tick / 10 ** exponent);
  return (mantissa === 1 ? '' : mantissa + '×') + powerOfTen(exponent);
}

/** The standard normal quantile of `p` in (0, 1), with a relative error below 1.2e-9 (Acklam 2003). */
export function probit(p: number): number {
  const ratio = (above: readonly number[], below: readonly number[], x: number): number =>
    above.reduce((sum, c) => sum * x + c, 0) / below.reduce((sum, c) => sum * x + c, 0);
  if (p > 0.97575) return -probit(1 - p);
  if (p < 0.02425) return ratio(tailAbove, tailBelow, Math.sqrt(-2 * Math.log(p)));
  const q = p - 0.5;
  return q * ratio(middleAbove, middleBelow, q * q);
}

const middleAbove = [
  -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
  2.506628277459239,
];
const middleBelow = [
  -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1,
];
const tailAbove = [
  -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
];
const tailBelow = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];

/** Least distance of labels, as a part of the axis. */
const labelRoom = 0.09;

const probitTicks = [
  0.00001, 0.0001, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98,
  0.99, 0.999,
];

/** A scale of rates by normal quantiles, as DET curves are drawn on; `0 < low < high < 1`. */
export function probitScale(low: number, high: number): Scale {
  const [start, span] = [probit(low), probit(high) - probit(low)];
  const position = (value: number): number =>
    (probit(Math.max(1e-300, Math.min(1 - 1e-16, value))) - start) / span;
  const ticks = probitTicks.filter(tick => tick >= low && tick <= high);
  // Ticks that stand close are labelled as far as there is room.
  let last = Number.NEGATIVE_INFINITY;
  const labels = ticks.map(tick => {
    if (position(tick) - last < labelRoom) return '';
    last = position(tick);
    return formatRate(tick);
  });
  return { low, high, ticks, labels, position };
}

/** A rate at an axis: `0.1 %`. */
export const formatRate = (rate: number): string => `${formatNumber(100 * rate)} %`;
