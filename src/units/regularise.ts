// What keeps an optimised input smooth and within bounds, on arrays `[...spatial, channels]` of any rank: moved round by
// whole cells, blurred, drawn towards its neighbours (a step against the total variation) and towards a value (L2).

/** Strides of an array `[...spatial, channels]` per spatial dimension. */
const stridesOf = (shape: readonly number[]): number[] =>
  shape.slice(0, -1).map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));

/** Moved by whole cells along every dimension; what leaves at one end comes in at the other. */
export function roll(data: Float32Array, shape: readonly number[], by: readonly number[]): Float32Array {
  let from = data;
  for (const [axis, stride] of stridesOf(shape).entries()) {
    const n = shape[axis];
    const shift = (((by[axis] % n) + n) % n) * stride;
    if (shift === 0) continue;
    const block = n * stride;
    const to = new Float32Array(from.length);
    for (let start = 0; start < from.length; start += block) {
      to.set(from.subarray(start, start + block - shift), start + shift);
      to.set(from.subarray(start + block - shift, start + block), start);
    }
    from = to;
  }
  return from === data ? data.slice() : from;
}

/** Smoothed by a Gaussian of deviation `sigma` cells along every dimension; edges are drawn out. */
export function blur(data: Float32Array, shape: readonly number[], sigma: number): Float32Array {
  const reach = Math.ceil(3 * sigma);
  if (reach < 1) return data.slice();
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - reach) / sigma) ** 2),
  );
  const total = weights.reduce((a, b) => a + b, 0);
  let from = data;
  for (const [axis, stride] of stridesOf(shape).entries()) {
    const n = shape[axis];
    const to = new Float32Array(from.length);
    for (let start = 0; start < from.length; start += n * stride)
      for (let p = 0; p < n; p++) {
        const row = start + p * stride;
        for (const [w, weight] of weights.entries()) {
          const source = start + Math.max(0, Math.min(n - 1, p + w - reach)) * stride;
          for (let k = 0; k < stride; k++) to[row + k] += (weight / total) * from[source + k];
        }
      }
    from = to;
  }
  return from;
}

/**
 * One step against ½ Σ (x_p − x_q)² over neighbours p, q: every value moves by the part `share` of the way towards the mean
 * of its neighbours (cells beyond an edge count as the edge).
 */
export function smooth(data: Float32Array, shape: readonly number[], share: number): void {
  if (share === 0) return;
  const strides = stridesOf(shape);
  const change = new Float32Array(data.length);
  const part = share / (2 * strides.length);
  for (const [axis, stride] of strides.entries()) {
    const n = shape[axis];
    for (let start = 0; start < data.length; start += n * stride)
      for (let i = start; i < start + (n - 1) * stride; i++) {
        const difference = part * (data[i + stride] - data[i]);
        change[i] += difference;
        change[i + stride] -= difference;
      }
  }
  for (let i = 0; i < data.length; i++) data[i] += change[i];
}

/** One step against ½ Σ (x − middle)²: every value moves by the part `share` of the way towards `middle`. */
export function decay(data: Float32Array, middle: number, share: number): void {
  if (share === 0) return;
  for (let i = 0; i < data.length; i++) data[i] += share * (middle - data[i]);
}
