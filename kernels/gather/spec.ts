// gather: a separable sparse linear map: concatenate, permute, then one small weighted sum per dimension. With V the
// inputs concatenated along `concatAxis` and U[i] = V with dimensions permuted (dimension a of U is dimension
// permutation[a] of V),
//     Y[p1 … pn] = Σ_{j1 … jn} Π_a weight_a[p_a][j_a] · U[index_a[p_a][j_a], …]
// over all dimensions, batch and channels included. Padding (zeros, reflect, replicate), cropping, flipping, splitting,
// concatenating, phases, zero insertion, nearest and linear resizing, average pooling and transposing are all of this
// form, and so is the gradient of each.

/** One dimension's map: `terms` (index, weight) pairs per output position, row-major; index −1 is no term. */
export interface AxisMap {
  readonly size: number;
  readonly terms: number;
  readonly index: Int32Array;
  readonly weight: Float32Array;
}

export interface Gather {
  readonly family: 'gather';
  /** Dimension along which several inputs are put one after the other; 0 where there is one. */
  readonly concatAxis: number;
  readonly permutation: readonly number[];
  /** Per output dimension; null is the identity. */
  readonly maps: readonly (AxisMap | null)[];
}

/** Shape of the concatenated, permuted input. */
export function sourceShape(kernel: Gather, inputs: readonly (readonly number[])[]): number[] {
  const joined = inputs[0].map((n, a) =>
    a === kernel.concatAxis ? inputs.reduce((sum, s) => sum + s[a], 0) : n,
  );
  return kernel.permutation.map(a => joined[a]);
}

/** The map whose matrix is the transpose; `from`/`to` keep only that range of its output positions. */
export function transposeMap(map: AxisMap, inputSize: number, from = 0, to = inputSize): AxisMap {
  const counts = new Int32Array(inputSize);
  for (let e = 0; e < map.index.length; e++) if (map.index[e] >= 0) counts[map.index[e]]++;
  const size = to - from;
  let terms = 1;
  for (let i = from; i < to; i++) terms = Math.max(terms, counts[i]);
  const index = new Int32Array(size * terms).fill(-1);
  const weight = new Float32Array(size * terms);
  const filled = new Int32Array(size);
  for (let p = 0; p < map.size; p++)
    for (let j = 0; j < map.terms; j++) {
      const e = p * map.terms + j;
      const i = map.index[e] - from;
      if (map.index[e] < 0 || i < 0 || i >= size) continue;
      index[i * terms + filled[i]] = p;
      weight[i * terms + filled[i]++] = map.weight[e];
    }
  return { size, terms, index, weight };
}

/** A map with at most one term of weight 1 per position: `source(p)` or −1 for zero. */
export function selectMap(size: number, source: (position: number) => number): AxisMap {
  const index = Int32Array.from({ length: size }, (_, p) => source(p));
  return { size, terms: 1, index, weight: Float32Array.from(index, i => (i < 0 ? 0 : 1)) };
}

/** Whether every position takes at most one source with weight 1 (a pure copy). */
export const isSelection = (map: AxisMap | null): boolean =>
  map === null || (map.terms === 1 && map.weight.every((w, e) => w === 1 || map.index[e] < 0));
