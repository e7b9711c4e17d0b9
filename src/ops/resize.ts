// Resizing of spatial dimensions, nearest or (multi)linear, in any rank: one small map per dimension.

import { type AxisMap, selectMap } from '../../kernels/gather/spec.ts';
import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';

/** 'nearest' takes ⌊p·n/m⌋; 'linear' interpolates at (p + ½)·n/m − ½, or with corners aligned at p·(n−1)/(m−1). */
export function resize(
  x: Value,
  size: readonly number[],
  mode: 'nearest' | 'linear',
  { alignCorners = false } = {},
): Value {
  const spatial = x.shape.slice(1, -1);
  if (size.length !== spatial.length || size.some(n => !(Number.isInteger(n) && n > 0)))
    throw new NdconvError('ShapeError', `resize: size [${size}] must be ${spatial.length} positive integers`);
  const maps = spatial.map((n, a) =>
    n === size[a] ? null : mode === 'nearest' ? nearest(n, size[a]) : linear(n, size[a], alignCorners),
  );
  const shape = [x.shape[0], ...size, x.shape.at(-1)!];
  const kernel = {
    family: 'gather',
    concatAxis: 0,
    permutation: shape.map((_, a) => a),
    maps: [null, ...maps, null],
  } as const;
  return x.graph.kernel(kernel, [x], shape, 'resize');
}

const nearest = (n: number, size: number): AxisMap =>
  selectMap(size, p => Math.min(n - 1, Math.floor((p * n) / size)));

function linear(n: number, size: number, alignCorners: boolean): AxisMap {
  const index = new Int32Array(2 * size);
  const weight = new Float32Array(2 * size);
  for (let p = 0; p < size; p++) {
    const at = alignCorners
      ? size > 1
        ? (p * (n - 1)) / (size - 1)
        : 0
      : Math.max(0, ((p + 0.5) * n) / size - 0.5);
    const low = Math.min(n - 1, Math.floor(at));
    const fraction = low === n - 1 ? 0 : at - low;
    index.set([low, fraction > 0 ? low + 1 : -1], 2 * p);
    weight.set([1 - fraction, fraction], 2 * p);
  }
  return { size, terms: 2, index, weight };
}
