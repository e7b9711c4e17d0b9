// Tensors known while a network is read: weights, and the small integers of shape arithmetic. They keep the order in which
// their origin has them, row-major, and whole numbers up to 2^53 exactly. Nothing here runs on a backend.

import { NdconvError } from '../../errors.ts';
import { product, sameShape } from '../../tensor/layout.ts';

/** What the numbers of a constant are. A float constant may hold float64 until it becomes weights. */
export type ElementKind = 'float' | 'int' | 'bool';

/** A tensor known on reading. A scalar has shape []. */
export interface Constant {
  readonly kind: ElementKind;
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

export const constantOf = (
  kind: ElementKind,
  shape: readonly number[],
  data: ArrayLike<number> & Iterable<number>,
): Constant => ({
  kind,
  shape,
  data: data instanceof Float32Array || data instanceof Float64Array ? data : Float64Array.from(data),
});

/** A list of integers, as shapes and axes are given. */
export const integers = (values: readonly number[]): Constant => constantOf('int', [values.length], values);

/** Sizes of a NumPy broadcast of shapes. Throws ShapeError where they do not fit. */
export function broadcastShapes(shapes: readonly (readonly number[])[], what: string): number[] {
  const rank = Math.max(0, ...shapes.map(s => s.length));
  return Array.from({ length: rank }, (_, a) => {
    let size = 1;
    for (const shape of shapes) {
      const n = shape[a - rank + shape.length] ?? 1;
      if (n === 1 || n === size) continue;
      if (size !== 1)
        throw new NdconvError(
          'ShapeError',
          `${what}: shapes ${shapes.map(s => `[${s}]`).join(' and ')} do not broadcast (sizes must be equal or 1)`,
        );
      size = n;
    }
    return size;
  });
}

/** Row-major strides of a shape. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let a = shape.length - 2; a >= 0; a--) strides[a] = strides[a + 1] * shape[a + 1];
  return strides;
}

/**
 * Copies `data` to a new array of `shape`, where a step along dimension `a` of the result is `steps[a]` elements of the
 * source and the first element is at `start`: transposing, broadcasting and slicing in one.
 */
export function strided<T extends Float32Array | Float64Array>(
  data: T,
  shape: readonly number[],
  steps: readonly number[],
  start = 0,
): T {
  const out = new (data.constructor as new (n: number) => T)(product(shape));
  const index = shape.map(() => 0);
  let from = start;
  const last = shape.length - 1;
  for (let at = 0; at < out.length; ) {
    if (last < 0) {
      out[at++] = data[from];
      continue;
    }
    const [size, step] = [shape[last], steps[last]];
    for (let i = 0, q = from; i < size; i++, q += step) out[at++] = data[q];
    for (let a = last - 1; a >= 0; a--) {
      from += steps[a];
      if (++index[a] < shape[a]) break;
      from -= steps[a] * shape[a];
      index[a] = 0;
    }
  }
  return out;
}

const permuted = new WeakMap<Constant, Map<string, Constant>>();

/** Dimension `a` of the result is dimension `permutation[a]`; made once for each permutation of a constant. */
export function permute(constant: Constant, permutation: readonly number[]): Constant {
  if (permutation.every((p, a) => p === a)) return constant;
  const known = permuted.get(constant) ?? new Map<string, Constant>();
  permuted.set(constant, known);
  const found = known.get(permutation.join());
  if (found) return found;
  const strides = stridesOf(constant.shape);
  const shape = permutation.map(p => constant.shape[p]);
  const data = strided(
    constant.data,
    shape,
    permutation.map(p => strides[p]),
  );
  const made = { kind: constant.kind, shape, data };
  known.set(permutation.join(), made);
  return made;
}

/** The same elements under another shape. */
export function reshapeConstant(constant: Constant, shape: readonly number[]): Constant {
  if (product(shape) !== constant.data.length)
    throw new NdconvError(
      'ShapeError',
      `reshape: [${constant.shape}] has ${constant.data.length} elements, [${shape}] has ${product(shape)}`,
    );
  return sameShape(shape, constant.shape) ? constant : { ...constant, shape };
}

/** A constant repeated to `shape`, by NumPy's rules. */
export function broadcastConstant(constant: Constant, shape: readonly number[]): Constant {
  if (sameShape(constant.shape, shape)) return constant;
  const lead = shape.length - constant.shape.length;
  const strides = stridesOf(constant.shape);
  const steps = shape.map((_, a) => (a < lead || constant.shape[a - lead] === 1 ? 0 : strides[a - lead]));
  return { kind: constant.kind, shape, data: strided(constant.data, shape, steps) };
}

/** `f` of the elements of constants, broadcast. */
export function mapConstants(
  f: (...values: number[]) => number,
  constants: readonly Constant[],
  kind: ElementKind,
  shape: readonly number[],
): Constant {
  const spread = constants.map(c => broadcastConstant(c, shape).data);
  const data = new Float64Array(product(shape));
  for (let i = 0; i < data.length; i++) data[i] = f(...spread.map(values => values[i]));
  return { kind, shape, data };
}

const singles = new WeakMap<Constant, Float32Array>();

/** The numbers as weights. */
export function float32Of(constant: Constant): Float32Array {
  if (constant.data instanceof Float32Array) return constant.data;
  const known = singles.get(constant) ?? Float32Array.from(constant.data);
  singles.set(constant, known);
  return known;
}
