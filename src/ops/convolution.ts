// Convolution and transposed convolution in any rank: parameters, shape rule, and one tap-conv each.

import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Margin } from '../tensor/layout.ts';
import { outputSize, perDimension } from '../tensor/taps.ts';
import { type PaddingMode, pad } from './pad.ts';

/** A number of cells on every side, `[low, high]` per dimension, 'valid' (none) or 'same' (output = ⌈input / stride⌉). */
export type Padding = number | readonly Margin[] | 'same' | 'valid';

export interface ConvolutionParameters {
  strides?: number | readonly number[];
  dilations?: number | readonly number[];
  padding?: Padding;
  paddingMode?: PaddingMode;
  groups?: number;
}

/** Padding as `[low, high]` per dimension; 'same' puts the odd cell at the end, as TensorFlow and ONNX's SAME_UPPER do. */
export function resolvePadding(
  padding: Padding | undefined,
  input: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Margin[] {
  const numbers = typeof padding === 'number' ? [padding] : Array.isArray(padding) ? padding.flat() : [];
  for (const v of numbers)
    if (!Number.isInteger(v)) throw new NdconvError('ShapeError', `padding: ${v} is not an integer`);
  return input.map((n, a) => {
    if (padding === undefined || padding === 'valid') return [0, 0];
    if (typeof padding === 'number') return [padding, padding];
    if (padding !== 'same') {
      if (padding.length !== input.length)
        throw new NdconvError(
          'ShapeError',
          `padding: ${padding.length} pairs given, ${input.length} spatial dimensions`,
        );
      return padding[a];
    }
    const total = Math.max(
      0,
      (Math.ceil(n / strides[a]) - 1) * strides[a] + dilations[a] * (kernel[a] - 1) + 1 - n,
    );
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
}

/**
 * Y = W ∗ X + b for X `[batch, ...spatial, C]`, W `[...kernel, C/groups, K]`, b `[K]`; gives `[batch, ...spatial, K]`.
 * As in all deep learning, W is not mirrored (cross-correlation). Errors: ShapeError where sizes do not fit.
 */
export function convolution(
  given: Value,
  weights: Value,
  bias?: Value,
  parameters: ConvolutionParameters = {},
): Value {
  const rank = given.shape.length - 2;
  const { groups = 1, paddingMode = 'zeros' } = parameters;
  const kernelShape = weights.shape.slice(0, -2);
  if (kernelShape.length !== rank)
    throw new NdconvError(
      'ShapeError',
      `convolution: weights [${weights.shape}] have ${kernelShape.length} spatial dimensions, the input [${given.shape}] has ${rank}`,
    );
  const channels = given.shape.at(-1)!;
  const [depth, filters] = weights.shape.slice(-2);
  if (!Number.isInteger(groups) || depth * groups !== channels || filters % groups !== 0)
    throw new NdconvError(
      'ShapeError',
      `convolution: ${channels} input channels and ${filters} filters in ${groups} groups do not fit weights [${weights.shape}]`,
    );
  const strides = perDimension(parameters.strides, rank, 'convolution: strides', 1);
  const dilations = perDimension(parameters.dilations, rank, 'convolution: dilations', 1);
  let padding = resolvePadding(parameters.padding, given.shape.slice(1, -1), kernelShape, strides, dilations);
  const x = paddingMode === 'zeros' ? given : pad(given, padding, paddingMode);
  if (paddingMode !== 'zeros') padding = padding.map(() => [0, 0]);
  const spatial = x.shape.slice(1, -1).map((n, a) => {
    const padded = n + padding[a][0] + padding[a][1];
    const span = dilations[a] * (kernelShape[a] - 1) + 1;
    if (span > padded)
      throw new NdconvError(
        'ShapeError',
        `convolution: kernel size ${span} > padded input size ${padded} in dimension ${a}; lower the kernel's size, or give a larger input`,
      );
    return outputSize(n, kernelShape[a], strides[a], dilations[a], padding[a]);
  });
  return x.graph.kernel(
    {
      family: 'tap-conv',
      kernelShape,
      strides,
      dilations,
      padLow: padding.map(p => p[0]),
      inputDilations: strides.map(() => 1),
      groups,
      flip: false,
      transpose: false,
      bias: bias !== undefined,
      activation: 'none',
    },
    bias ? [x, weights, bias] : [x, weights],
    [x.shape[0], ...spatial, filters],
    'convolution',
  );
}

/**
 * The input gradient of a convolution as an operation of its own: X `[batch, ...spatial, C]`, W `[...kernel, K/groups, C]`
 * (the weights of the convolution from K to C channels), output size (n − 1)·stride − padding + dilation·(k − 1) + 1 +
 * outputPadding.
 */
export function transposedConvolution(
  x: Value,
  weights: Value,
  bias?: Value,
  parameters: Omit<ConvolutionParameters, 'paddingMode'> & {
    outputPadding?: number | readonly number[];
  } = {},
): Value {
  const rank = x.shape.length - 2;
  const { groups = 1 } = parameters;
  const kernelShape = weights.shape.slice(0, -2);
  const [depth, channels] = weights.shape.slice(-2);
  if (kernelShape.length !== rank || channels !== x.shape.at(-1))
    throw new NdconvError(
      'ShapeError',
      `transposed convolution: weights [${weights.shape}] do not fit the input [${x.shape}]`,
    );
  const strides = perDimension(parameters.strides, rank, 'transposed convolution: strides', 1);
  const dilations = perDimension(parameters.dilations, rank, 'transposed convolution: dilations', 1);
  const extra = perDimension(parameters.outputPadding, rank, 'transposed convolution: outputPadding', 0);
  if (parameters.padding === 'same')
    throw new NdconvError(
      'ShapeError',
      `transposed convolution: padding 'same' is not defined; give numbers`,
    );
  const padding = resolvePadding(parameters.padding, x.shape.slice(1, -1), kernelShape, strides, dilations);
  const spatial = x.shape.slice(1, -1).map((n, a) => {
    const size =
      (n - 1) * strides[a] -
      padding[a][0] -
      padding[a][1] +
      dilations[a] * (kernelShape[a] - 1) +
      1 +
      extra[a];
    if (size < 1)
      throw new NdconvError('ShapeError', `transposed convolution: output size ${size} in dimension ${a}`);
    return size;
  });
  return x.graph.kernel(
    {
      family: 'tap-conv',
      kernelShape,
      strides: strides.map(() => 1),
      inputDilations: strides,
      dilations,
      padLow: kernelShape.map((k, a) => dilations[a] * (k - 1) - padding[a][0]),
      groups,
      flip: true,
      transpose: true,
      bias: bias !== undefined,
      activation: 'none',
    },
    bias ? [x, weights, bias] : [x, weights],
    [x.shape[0], ...spatial, depth * groups],
    'transposed-convolution',
  );
}
