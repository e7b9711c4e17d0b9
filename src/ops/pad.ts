// Padding and cropping of spatial dimensions, in any rank: a selection per dimension.

import { selectMap } from '../../kernels/gather/spec.ts';
import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Margin } from '../tensor/layout.ts';

/** What lies outside: zeros, the mirror image without the edge, or the edge repeated. */
export type PaddingMode = 'zeros' | 'reflect' | 'replicate';

/** Pads `[low, high]` cells per spatial dimension; negative numbers crop. Reflect needs less padding than cells. */
export function pad(x: Value, padding: readonly Margin[], mode: PaddingMode = 'zeros'): Value {
  const spatial = x.shape.slice(1, -1);
  if (padding.length !== spatial.length)
    throw new NdconvError(
      'ShapeError',
      `pad: ${padding.length} pairs given, ${spatial.length} spatial dimensions`,
    );
  if (padding.every(([low, high]) => low === 0 && high === 0)) return x;
  const maps = spatial.map((n, a) => {
    const [low, high] = padding[a];
    if (n + low + high < 1)
      throw new NdconvError(
        'ShapeError',
        `pad: nothing is left of ${n} cells after [${low}, ${high}] in dimension ${a}`,
      );
    if (mode === 'reflect' && Math.max(low, high) >= n)
      throw new NdconvError(
        'ShapeError',
        `pad: reflecting ${Math.max(low, high)} cells needs more than the ${n} there are in dimension ${a}`,
      );
    return low === 0 && high === 0 ? null : selectMap(n + low + high, p => source(p - low, n, mode));
  });
  const shape = [x.shape[0], ...spatial.map((n, a) => n + padding[a][0] + padding[a][1]), x.shape.at(-1)!];
  const kernel = {
    family: 'gather',
    concatAxis: 0,
    permutation: shape.map((_, a) => a),
    maps: [null, ...maps, null],
  } as const;
  return x.graph.kernel(kernel, [x], shape, 'pad');
}

function source(at: number, n: number, mode: PaddingMode): number {
  if (at >= 0 && at < n) return at;
  if (mode === 'zeros') return -1;
  if (mode === 'replicate') return at < 0 ? 0 : n - 1;
  return at < 0 ? -at : 2 * (n - 1) - at;
}
