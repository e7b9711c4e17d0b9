// Padding and cropping of spatial dimensions, in any rank: a selection per dimension.

import { selectMap } from '../../kernels/gather/spec.ts';
import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { type Margin, product } from '../tensor/layout.ts';

/** What lies outside: zeros, the mirror image without the edge, or the edge repeated. */
export type PaddingMode = 'zeros' | 'reflect' | 'replicate';

/**
 * Pads `[low, high]` cells per spatial dimension; negative numbers crop. Reflect needs less padding than cells; `value`
 * is what 'zeros' puts outside instead of 0.
 */
export function pad(x: Value, padding: readonly Margin[], mode: PaddingMode = 'zeros', value = 0): Value {
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
  const padded = x.graph.kernel(kernel, [x], shape, 'pad');
  if (mode !== 'zeros' || value === 0) return padded;
  return x.graph.map(['add', 'x0', 'x1'], [padded, border(x, padding, value)], 'pad');
}

/** Takes `[low, high]` cells away per spatial dimension. */
export const crop = (x: Value, cells: readonly Margin[]): Value =>
  pad(
    x,
    cells.map(([low, high]) => [-low, -high]),
  );

// `value` in the padding, 0 inside, the same for all samples and channels.
function border(x: Value, padding: readonly Margin[], value: number): Value {
  const spatial = x.shape.slice(1, -1);
  const size = spatial.map((n, a) => n + padding[a][0] + padding[a][1]);
  const data = Float32Array.from({ length: product(size) }, (_, i) => {
    let rest = i;
    let inside = true;
    for (let a = size.length - 1; a >= 0; a--) {
      const at = (rest % size[a]) - padding[a][0];
      rest = Math.floor(rest / size[a]);
      inside &&= at >= 0 && at < spatial[a];
    }
    return inside ? 0 : value;
  });
  return x.graph.constant([1, ...size, 1], data, 'pad value');
}

function source(at: number, n: number, mode: PaddingMode): number {
  if (at >= 0 && at < n) return at;
  if (mode === 'zeros') return -1;
  if (mode === 'replicate') return at < 0 ? 0 : n - 1;
  return at < 0 ? -at : 2 * (n - 1) - at;
}
