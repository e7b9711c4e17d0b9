// Histograms of the activations of every unit while inputs stream past. What values will come is not known, so that the
// range grows: it doubles towards a value beyond it, and bins are joined in pairs; nothing is looked at twice.

/**
 * Counts of values in even bins over `[low, high]`; all values are `low` where that equals `high`. A value between two bins
 * is counted in either.
 */
export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** Bins of a histogram. */
export const binCount = 32;

/** Histograms of the units of one layer. */
export interface Histograms {
  /**
   * Counts values `[cells, units]`; `least` and `most` are the extremes of every unit among them.
   */
  add(data: Float32Array, least: Float32Array, most: Float32Array): void;
  /** The histogram of a unit, without the empty bins at its ends. */
  of(unit: number): Histogram;
}

/** Empty histograms. */
export function createHistograms(units: number): Histograms {
  const lows = new Float64Array(units);
  const highs = new Float64Array(units);
  const counts = new Float64Array(units * binCount);
  const scales = new Float64Array(units);
  let seen = 0;

  /** Joins bins in pairs; what was counted moves to the low or the high half of twice the range. */
  const double = (unit: number, upwards: boolean): void => {
    const own = counts.subarray(unit * binCount, (unit + 1) * binCount);
    const half = binCount / 2;
    const joined = Array.from({ length: half }, (_, i) => own[2 * i] + own[2 * i + 1]);
    own.fill(0);
    own.set(joined, upwards ? 0 : half);
    const width = highs[unit] - lows[unit];
    if (upwards) highs[unit] += width;
    else lows[unit] -= width;
  };
  const widen = (unit: number, low: number, high: number): void => {
    if (seen === 0) [lows[unit], highs[unit]] = [low, high];
    else if (lows[unit] === highs[unit]) {
      // So far one value, counted in the first bin.
      const before = lows[unit];
      const count = counts[unit * binCount];
      [lows[unit], highs[unit]] = [Math.min(before, low), Math.max(before, high)];
      const width = highs[unit] - lows[unit];
      if (width === 0) return;
      counts[unit * binCount] = 0;
      const bin = Math.floor(((before - lows[unit]) / width) * binCount);
      counts[unit * binCount + Math.min(binCount - 1, bin)] = count;
    } else {
      while (high > highs[unit]) double(unit, true);
      while (low < lows[unit]) double(unit, false);
    }
    const width = highs[unit] - lows[unit];
    scales[unit] = width > 0 ? binCount / width : 0;
  };
  return {
    add(data, least, most) {
      for (let unit = 0; unit < units; unit++) widen(unit, least[unit], most[unit]);
      for (let i = 0; i < data.length; i += units)
        for (let unit = 0; unit < units; unit++) {
          const bin = ((data[i + unit] - lows[unit]) * scales[unit]) | 0;
          counts[unit * binCount + (bin < binCount ? bin : binCount - 1)]++;
        }
      seen += data.length / units;
    },
    of(unit) {
      const own = [...counts.subarray(unit * binCount, (unit + 1) * binCount)];
      const first = own.findIndex(count => count > 0);
      const last = own.findLastIndex(count => count > 0);
      const width = (highs[unit] - lows[unit]) / binCount;
      return {
        low: lows[unit] + first * width,
        high: lows[unit] + (last + 1) * width,
        counts: own.slice(first, last + 1),
      };
    },
  };
}
