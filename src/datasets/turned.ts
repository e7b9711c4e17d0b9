// A field turned and enlarged about its middle, in any rank: new samples between old ones, interpolated linearly along every
// axis; beyond the ends lies the end itself. For small changes: where it makes a field smaller it does not average.

import type { Field } from '../formats/field.ts';
import type { AxisMap } from '../prepare/grid.ts';

/** A turn in the plane of two axes by an angle in radians. */
export interface Turn {
  axes: readonly [number, number];
  angle: number;
}

/**
 * Samples at the places of `maps`, turned and brought apart by `zoom` about the middle of the old grid; distances along axes
 * count in their spacing, so that a picture of unequal pixels is turned and not sheared.
 */
export function turnSamples(
  { data, shape, axes }: Pick<Field, 'data' | 'shape' | 'axes'>,
  maps: readonly AxisMap[],
  turn: Turn | undefined,
  zoom: number,
): Float32Array {
  const rank = maps.length;
  const sizes = shape.slice(0, rank);
  const channels = shape[rank];
  const matrix = matrixOf(rank, turn, zoom, (a, b) => axes[b].spacing / axes[a].spacing);
  const middle = sizes.map(n => (n - 1) / 2);
  // Old place of the first new sample, and how far it moves with each step along a new axis.
  const first = middle.map((c, a) =>
    maps.reduce((sum, { start }, b) => sum + matrix[a][b] * (start - middle[b]), c),
  );
  const moves = maps.map(({ step }, b) => middle.map((_, a) => matrix[a][b] * step));
  const pitches = sizes.map((_, a) => sizes.slice(a + 1).reduce((x, y) => x * y, channels));

  const out = new Float32Array(maps.reduce((n, { size }) => n * size, channels));
  const at = [...first];
  const index = new Array<number>(rank).fill(0);
  const low = new Array<number>(rank);
  const high = new Array<number>(rank);
  const part = new Array<number>(rank);
  for (let to = 0; to < out.length; to += channels) {
    for (let a = 0; a < rank; a++) {
      const inside = Math.max(0, Math.min(sizes[a] - 1, at[a]));
      const whole = Math.floor(inside);
      part[a] = inside - whole;
      low[a] = whole * pitches[a];
      high[a] = Math.min(whole + 1, sizes[a] - 1) * pitches[a];
    }
    for (let corner = 0; corner < 1 << rank; corner++) {
      let weight = 1;
      let from = 0;
      for (let a = 0; a < rank; a++) {
        const upper = (corner >> a) & 1;
        weight *= upper ? part[a] : 1 - part[a];
        from += upper ? high[a] : low[a];
      }
      if (weight !== 0) for (let c = 0; c < channels; c++) out[to + c] += weight * data[from + c];
    }
    // The next new sample, last axis first.
    for (let b = rank - 1; b >= 0; b--) {
      index[b]++;
      for (let a = 0; a < rank; a++) at[a] += moves[b][a];
      if (index[b] < maps[b].size) break;
      for (let a = 0; a < rank; a++) at[a] -= index[b] * moves[b][a];
      index[b] = 0;
    }
  }
  return out;
}

/** Turn and zoom in samples; `ratio(a, b)` is the spacing of axis b in that of axis a. */
function matrixOf(
  rank: number,
  turn: Turn | undefined,
  zoom: number,
  ratio: (a: number, b: number) => number,
): number[][] {
  const matrix = Array.from({ length: rank }, (_, a) =>
    Array.from({ length: rank }, (_, b) => (a === b ? 1 / zoom : 0)),
  );
  if (!turn) return matrix;
  const [a, b] = turn.axes;
  const [cos, sin] = [Math.cos(turn.angle) / zoom, Math.sin(turn.angle) / zoom];
  matrix[a][a] = matrix[b][b] = cos;
  matrix[a][b] = -sin * ratio(a, b);
  matrix[b][a] = sin * ratio(b, a);
  return matrix;
}
