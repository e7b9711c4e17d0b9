// Tap arithmetic shared by convolution, correlation and windows, for every rank: where a tap reads, how large a margin
// it needs, and how large the output is. Convolution here is the general form (JAX's conv_general_dilated): with
// stride s, dilation δ, low padding P and input dilation u,
//     Y[p] = Σ_t W[t] · X̂[s·p + δ·t − P],   X̂[q] = X[q/u] where u divides q and q/u lies inside X, else 0.

import { NdconvError } from '../errors.ts';
import { type Margin, product } from './layout.ts';

/** How taps walk over the spatial dimensions; one entry per spatial dimension in each list. */
export interface Taps {
  readonly kernelShape: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** May be negative: the input is cropped. */
  readonly padLow: readonly number[];
  /** Zeros between input cells plus one; 1 except in input gradients of strided and in transposed convolutions. */
  readonly inputDilations: readonly number[];
}

export const tapCount = (taps: Taps): number => product(taps.kernelShape);

/** Tap indices `[t1 … td]` in row-major order. */
export function tapIndices(kernelShape: readonly number[]): number[][] {
  let indices: number[][] = [[]];
  for (const size of kernelShape)
    indices = indices.flatMap(head => Array.from({ length: size }, (_, t) => [...head, t]));
  return indices;
}

/** Size of a convolution or window output along one dimension. */
export function outputSize(
  input: number,
  kernel: number,
  stride: number,
  dilation: number,
  padding: Margin,
  rounding: 'floor' | 'ceil' = 'floor',
): number {
  const room = input + padding[0] + padding[1] - dilation * (kernel - 1) - 1;
  if (rounding === 'floor') return Math.floor(room / stride) + 1;
  const size = Math.ceil(room / stride) + 1;
  // A last window that would start in the high padding is dropped (as PyTorch and ONNX do).
  return (size - 1) * stride >= input + padding[0] ? size - 1 : size;
}

/** The margin a kernel needs on its input so that no tap of the given output leaves the buffer. */
export function reach(taps: Taps, input: readonly number[], output: readonly number[]): Margin[] {
  return input.map((size, a) => {
    const u = taps.inputDilations[a];
    const last =
      taps.strides[a] * (output[a] - 1) + taps.dilations[a] * (taps.kernelShape[a] - 1) - taps.padLow[a];
    const low = Math.max(0, Math.floor(taps.padLow[a] / u));
    const high = Math.max(0, Math.floor(last / u) - (size - 1));
    return [low, high] as const;
  });
}

/** The taps whose convolution is the input gradient of a convolution with `taps` (weights mirrored, c and k swapped). */
export const gradientTaps = (taps: Taps): Taps => ({
  kernelShape: taps.kernelShape,
  strides: taps.inputDilations,
  inputDilations: taps.strides,
  dilations: taps.dilations,
  padLow: taps.padLow.map((p, a) => taps.dilations[a] * (taps.kernelShape[a] - 1) - p),
});

/** An integer or one per dimension, as n integers; refuses other lengths, fractions and what lies below `fallback`. */
export function perDimension(
  value: number | readonly number[] | undefined,
  rank: number,
  name: string,
  fallback: number,
): number[] {
  if (value === undefined) return new Array(rank).fill(fallback);
  const values = typeof value === 'number' ? new Array<number>(rank).fill(value) : [...value];
  if (values.length !== rank)
    throw new NdconvError(
      'ShapeError',
      `${name}: ${values.length} values given, ${rank} spatial dimensions; give one number or one per dimension`,
    );
  for (const v of values)
    if (!Number.isInteger(v) || v < fallback)
      throw new NdconvError('ShapeError', `${name}: ${v} is not an integer of at least ${fallback}`);
  return values;
}
