// Values of a tensor as users and the reference see them: packed, row-major, no margins; and how coordinates become
// indices in them.

/** Packed values, row-major. */
export interface Packed {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Coordinates of a row-major index. */
export function coordinatesOf(index: number, shape: readonly number[]): number[] {
  const at = new Array<number>(shape.length);
  let rest = index;
  for (let a = shape.length - 1; a >= 0; a--) {
    at[a] = rest % shape[a];
    rest = Math.floor(rest / shape[a]);
  }
  return at;
}

/** Row-major index of coordinates. */
export const indexOf = (at: readonly number[], shape: readonly number[]): number =>
  at.reduce((index, v, a) => index * shape[a] + v, 0);

/** Index into a tensor whose dimensions of size 1 are broadcast. */
export const broadcastIndex = (at: readonly number[], shape: readonly number[]): number =>
  at.reduce((index, v, a) => index * shape[a] + (shape[a] === 1 ? 0 : v), 0);
