// The transform along one dimension, strides and input dilations included. A convolution with stride s is a sum of s plain
// ones, each of every s-th tap over every s-th input; with the inputs dilated by u (the gradient of a stride, a transposed
// convolution) every u-th output is a plain one of every u-th tap. So their transforms are those of the parts side by side:
// the points of a tile are the points of all parts, q·(m − 1) + k of them instead of m·k products, where q is s or u.

import { type Transform, transformOf } from './transforms.ts';

/** One dimension of a convolution but its padding. */
export interface Sizes {
  readonly k: number;
  /** One of the two is 1. */
  readonly stride: number;
  readonly inputDilation: number;
}

/** One dimension of a convolution. */
export interface Axis extends Sizes {
  readonly padLow: number;
}

/** A transform of a dimension: B `[n][inputs]`, G `[n][k]`, A `[outputs][n]`. */
export interface Phased extends Omit<Transform, 'm' | 'unit'> {
  readonly inputs: number;
  readonly outputs: number;
  /** Inputs from a tile to the next. */
  readonly step: number;
  /** The first input of the first tile: minus the padding, in inputs that are not dilated. */
  readonly low: number;
  /** Points whose values, all 1, A takes to outputs of 1. */
  readonly units: readonly number[];
}

/**
 * Points, inputs and outputs of a tile, and inputs to the next, without the matrices; of inputs there may be one more, by
 * where the padding puts the parts.
 */
export function extentOf(m: number, { k, stride, inputDilation }: Sizes) {
  return {
    points: stride * inputDilation * (m - 1) + k,
    inputs: stride * (m - 1) + Math.ceil(k / inputDilation),
    outputs: m * inputDilation,
    step: m * stride,
  };
}

/** Taps of the largest part. */
export const mostTaps = ({ k, stride, inputDilation }: Sizes): number =>
  Math.ceil(k / (stride * inputDilation));

/** Whether there is a transform that saves anything: some part has more than one tap, and none is without. */
export const phasesFit = (axis: Sizes): boolean =>
  (axis.stride === 1 || axis.inputDilation === 1) && axis.k > axis.stride * axis.inputDilation;

/** `m` outputs of every part at a time. Throws where a part needs more points than there are. */
export function phasedTransform(m: number, axis: Axis): Phased {
  const { k, stride, inputDilation, padLow } = axis;
  const q = stride * inputDilation;
  const mod = (v: number) => ((v % q) + q) % q;
  // Of each part: its first tap, and the input that its first output begins with.
  const parts = Array.from({ length: q }, (_, r) => {
    if (inputDilation === 1) return { tap: r, input: r - padLow, output: 0 };
    const tap = mod(padLow - r);
    return { tap, input: (r + tap - padLow) / q, output: r };
  });
  const low = Math.min(...parts.map(p => p.input));
  const found = parts.map(({ tap, input, output }) => ({
    tap,
    input: input - low,
    output,
    transform: partOf(m, Math.ceil((k - tap) / q)),
  }));
  const n = found.reduce((sum, { transform }) => sum + transform.n, 0);
  const inputs = Math.max(...found.map(p => p.input + stride * (p.transform.n - 1) + 1));
  const outputs = m * inputDilation;
  const zeros = (rows: number, columns: number) =>
    Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
  const [B, G, A] = [zeros(n, inputs), zeros(n, k), zeros(outputs, n)];
  const units: number[] = [];
  let start = 0;
  for (const { tap, input, output, transform } of found) {
    for (let p = 0; p < transform.n; p++) {
      transform.B[p].forEach((v, j) => {
        B[start + p][input + stride * j] = v;
      });
      transform.G[p].forEach((v, j) => {
        G[start + p][tap + q * j] = v;
      });
      for (let i = 0; i < m; i++) A[output + inputDilation * i][start + p] = transform.A[i][p];
    }
    // Parts of a stride are added: the units of the first will do.
    if (inputDilation > 1 || start === 0) units.push(...transform.units.map(unit => start + unit));
    start += transform.n;
  }
  return { k, n, B, G, A, inputs, outputs, step: m * stride, low, units };
}

// F(m, k); with a single tap there is nothing to transform.
function partOf(m: number, k: number): Pick<Transform, 'n' | 'B' | 'G' | 'A'> & { units: number[] } {
  if (k > 1) {
    const transform = transformOf(m, k);
    return { ...transform, units: [transform.unit] };
  }
  const identity = Array.from({ length: m }, (_, i) => Array.from({ length: m }, (_, j) => Number(i === j)));
  return { n: m, B: identity, G: identity.map(() => [1]), A: identity, units: identity.map((_, i) => i) };
}
