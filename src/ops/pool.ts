// Pooling in any rank. The maximum is the `window` family; averages are linear and separable, so an average pool is one
// `gather` whose weights are 1/count per dimension, and its gradient follows from the family.

import type { AxisMap } from '../../kernels/gather/spec.ts';
import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Margin } from '../tensor/layout.ts';
import { outputSize, perDimension } from '../tensor/taps.ts';
import { mean } from './arithmetic.ts';
import { type Padding, resolvePadding } from './convolution.ts';

export interface PoolParameters {
  window: number | readonly number[];
  /** Default: the window. */
  strides?: number | readonly number[];
  padding?: Padding;
  dilations?: number | readonly number[];
  /** 'ceil' keeps a last window that hangs over the end. */
  rounding?: 'floor' | 'ceil';
}

interface Resolved {
  window: number[];
  strides: number[];
  dilations: number[];
  padding: Margin[];
  spatial: number[];
}

function resolve(x: Value, p: PoolParameters, name: string): Resolved {
  const rank = x.shape.length - 2;
  const window = perDimension(p.window, rank, `${name}: window`, 1);
  const strides = perDimension(p.strides ?? window, rank, `${name}: strides`, 1);
  const dilations = perDimension(p.dilations, rank, `${name}: dilations`, 1);
  const input = x.shape.slice(1, -1);
  const padding = resolvePadding(p.padding, input, window, strides, dilations);
  const spatial = input.map((n, a) => {
    const span = dilations[a] * (window[a] - 1) + 1;
    const padded = n + padding[a][0] + padding[a][1];
    if (Math.max(...padding[a]) >= span)
      throw new NdconvError(
        'ShapeError',
        `${name}: padding ${Math.max(...padding[a])} must be smaller than the window ${span} in dimension ${a}`,
      );
    const size = outputSize(n, window[a], strides[a], dilations[a], padding[a], p.rounding);
    if (size < 1)
      throw new NdconvError(
        'ShapeError',
        `${name}: window ${span} > padded input size ${padded} in dimension ${a}; lower the window's size, or give a larger input`,
      );
    return size;
  });
  return { window, strides, dilations, padding, spatial };
}

/** The maximum over windows; cells outside never win. */
export function maxPool(x: Value, parameters: PoolParameters): Value {
  const { window, strides, dilations, padding, spatial } = resolve(x, parameters, 'max pool');
  return x.graph.kernel(
    {
      family: 'window',
      kind: 'max',
      kernelShape: window,
      strides,
      dilations,
      padLow: padding.map(p => p[0]),
      inputDilations: strides.map(() => 1),
    },
    [x],
    [x.shape[0], ...spatial, x.shape.at(-1)!],
    'max-pool',
  );
}

/** The average over windows; `countPadding` counts cells of the padding as zeros, as PyTorch does by default. */
export function averagePool(x: Value, parameters: PoolParameters & { countPadding?: boolean }): Value {
  const { window, strides, dilations, padding, spatial } = resolve(x, parameters, 'average pool');
  const { countPadding = true } = parameters;
  const maps = spatial.map((size, a): AxisMap => {
    const n = x.shape[a + 1];
    const terms = window[a];
    const index = new Int32Array(size * terms).fill(-1);
    const weight = new Float32Array(size * terms);
    for (let p = 0; p < size; p++) {
      const at = Array.from({ length: terms }, (_, t) => p * strides[a] + dilations[a] * t - padding[a][0]);
      const inside = at.filter(q => q >= 0 && q < n);
      const counted = countPadding ? at.filter(q => q < n + padding[a][1]).length : inside.length;
      for (const [t, q] of at.entries())
        if (q >= 0 && q < n) [index[p * terms + t], weight[p * terms + t]] = [q, 1 / counted];
    }
    return { size, terms, index, weight };
  });
  const shape = [x.shape[0], ...spatial, x.shape.at(-1)!];
  const kernel = {
    family: 'gather',
    concatAxis: 0,
    permutation: shape.map((_, a) => a),
    maps: [null, ...maps, null],
  } as const;
  return x.graph.kernel(kernel, [x], shape, 'average-pool');
}

/**
 * Averages over `cells` overlapping parts of every dimension, whatever its size, weighted by triangles as the bins of SIFT are
 * (Lowe 2004), which reach half a part beyond the middles of the neighbouring ones: `[batch, ...cells, C]`.
 */
export function cellPool(x: Value, cells: number | readonly number[]): Value {
  const counts = perDimension(cells, x.shape.length - 2, 'cell pool: cells', 1);
  const maps = counts.map((size, a): AxisMap => {
    const n = x.shape[a + 1];
    if (size > n)
      throw new NdconvError(
        'ShapeError',
        `cell pool: ${size} cells > input size ${n} in dimension ${a}; ask for fewer cells, or give a larger input`,
      );
    const spacing = n / size;
    const reach = 1.5 * spacing;
    const rows = Array.from({ length: size }, (_, p) => {
      const centre = (p + 0.5) * spacing - 0.5;
      return Array.from({ length: n }, (_, q) => [q, 1 - Math.abs(q - centre) / reach]).filter(
        ([, w]) => w > 0,
      );
    });
    const terms = Math.max(...rows.map(row => row.length));
    const index = new Int32Array(size * terms).fill(-1);
    const weight = new Float32Array(size * terms);
    for (const [p, row] of rows.entries()) {
      const sum = row.reduce((total, [, w]) => total + w, 0);
      for (const [t, [q, w]] of row.entries()) [index[p * terms + t], weight[p * terms + t]] = [q, w / sum];
    }
    return { size, terms, index, weight };
  });
  const shape = [x.shape[0], ...counts, x.shape.at(-1)!];
  const kernel = {
    family: 'gather',
    concatAxis: 0,
    permutation: shape.map((_, a) => a),
    maps: [null, ...maps, null],
  } as const;
  return x.graph.kernel(kernel, [x], shape, 'cell-pool');
}

const spatialAxes = (x: Value) => x.shape.map((_, a) => a).slice(1, -1);

/** The average over all cells: `[batch, ...spatial, C]` to `[batch, C]`. */
export const globalAveragePool = (x: Value): Value =>
  x.graph.reshape(mean(x, spatialAxes(x)), [x.shape[0], x.shape.at(-1)!]);

/** The maximum over all cells: `[batch, ...spatial, C]` to `[batch, C]`. */
export const globalMaxPool = (x: Value): Value =>
  x.graph.reshape(maxPool(x, { window: x.shape.slice(1, -1) }), [x.shape[0], x.shape.at(-1)!]);
