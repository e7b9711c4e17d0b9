// The line of one curve as SVG path data. Points that cannot be drawn leave a gap; a point alone between gaps becomes
// a dot; of the many points that share one column of pixels only the lowest and the highest are kept, which draws the
// same picture. Points are taken in their order; they need not be sorted.

/** A point in drawing units; NaN where it cannot be drawn. */
export type Place = (index: number) => [number, number];

export interface LinePath {
  /** Path data, '' when nothing can be drawn. */
  path: string;
  /** Points that were given and could not be drawn. */
  missing: number;
}

/** Points of one column that are all kept; beyond it the lowest and highest stand for them. */
const columnPoints = 4;

/** The path through `place(0) … place(length − 1)` with coordinates rounded to `decimals`. */
export function linePath(length: number, place: Place, decimals = 2): LinePath {
  const unit = 10 ** decimals;
  const write = (value: number): string => String(Math.round(value * unit) / unit);
  const parts: string[] = [];
  let missing = 0;
  let column: [number, number][] = [];
  let drawn = 0; // points of the current run

  const point = ([x, y]: [number, number]): void => {
    parts.push(`${drawn === 0 ? 'M' : drawn === 1 ? 'L' : ' '}${write(x)} ${write(y)}`);
    drawn++;
  };
  const flushColumn = (isEnd: boolean): void => {
    const isStart = drawn === 0;
    if (column.length <= columnPoints) {
      for (const each of column) point(each);
    } else {
      let low = 0;
      let high = 0;
      for (let i = 1; i < column.length; i++) {
        if (column[i][1] > column[low][1]) low = i;
        if (column[i][1] < column[high][1]) high = i;
      }
      const kept = new Set([Math.min(low, high), Math.max(low, high)]);
      if (isStart) point(column[0]);
      for (const i of kept) if (!(isStart && i === 0)) point(column[i]);
      if (isEnd && !kept.has(column.length - 1)) point(column[column.length - 1]);
    }
    column = [];
  };
  const endRun = (): void => {
    flushColumn(true);
    if (drawn === 1) parts.push('h0.01');
    drawn = 0;
  };

  for (let i = 0; i < length; i++) {
    const [x, y] = place(i);
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      missing++;
      endRun();
      continue;
    }
    if (column.length > 0 && Math.floor(column[0][0]) !== Math.floor(x)) flushColumn(false);
    column.push([x, y]);
  }
  endRun();
  return { path: parts.join(''), missing };
}
