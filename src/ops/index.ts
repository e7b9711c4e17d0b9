// Every operation under its name. An operation is a function that records nodes of the six kernel families, which are
// closed under differentiation; so parameters, shape rule and composition are all there is to one. The conformance
// suite refuses an operation of this table that has no case there.

import type { Value } from '../graph/graph.ts';
import { elu, leakyRelu, prelu, relu, sigmoid, softplus, tanh } from './activation.ts';
import { add, concat, div, mean, mul, scale, sub, sum } from './arithmetic.ts';
import { convolution, transposedConvolution } from './convolution.ts';
import { dense } from './dense.ts';
import { gram } from './gram.ts';
import {
  binaryCrossEntropy,
  contentLoss,
  crossEntropy,
  meanSquaredError,
  squaredDistance,
  styleLoss,
  totalVariation,
  triplet,
} from './losses.ts';
import { affine, batchNorm, instanceNorm, l2Normalise } from './normalise.ts';
import { crop, pad } from './pad.ts';
import { averagePool, cellPool, globalAveragePool, globalMaxPool, maxPool } from './pool.ts';
import { resize } from './resize.ts';
import { flatten, flip, reshape, slice, transpose } from './shape.ts';
import { logSoftmax, softmax } from './softmax.ts';

/** The operations by name. */
export const operations = {
  add,
  affine,
  averagePool,
  batchNorm,
  binaryCrossEntropy,
  cellPool,
  concat,
  contentLoss,
  convolution,
  crop,
  crossEntropy,
  dense,
  div,
  elu,
  flatten,
  flip,
  globalAveragePool,
  globalMaxPool,
  gram,
  instanceNorm,
  l2Normalise,
  leakyRelu,
  logSoftmax,
  maxPool,
  mean,
  meanSquaredError,
  mul,
  pad,
  prelu,
  relu,
  reshape,
  resize,
  scale,
  sigmoid,
  slice,
  softmax,
  softplus,
  squaredDistance,
  styleLoss,
  sub,
  sum,
  tanh,
  totalVariation,
  transpose,
  transposedConvolution,
  triplet,
} satisfies Record<string, (...parameters: never[]) => Value>;

export type OperationName = keyof typeof operations;
