// The gradient rule of each kernel family, as nodes of the same graph. Algebra (taps.ts has the notation):
//   tap-conv       dX = tap-conv(dY, W mirrored and transposed, gradientTaps);  dW = tap-correlate;  dB = sum
//   tap-correlate  dA, dB = tap-conv with the incoming gradient as weights
//   map, reduce    the expression's derivative, summed back over broadcast dimensions
//   gather         the transposed maps;   window   unpool at the remembered position

import {
  type AxisMap,
  type Gather,
  selectMap,
  sourceShape,
  transposeMap,
} from '../../kernels/gather/spec.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { derivative, type Expr, inputsIn, mul, substitute, usesResult } from '../../kernels/map/expr.ts';
import type { MapKernel } from '../../kernels/map/spec.ts';
import { fullShape, type Reduce } from '../../kernels/reduce/spec.ts';
import type { TapConv } from '../../kernels/tap-conv/spec.ts';
import type { TapCorrelate } from '../../kernels/tap-correlate/spec.ts';
import type { Window } from '../../kernels/window/spec.ts';
import { product, sameShape } from '../tensor/layout.ts';
import { gradientTaps } from '../tensor/taps.ts';
import type { Graph, Node, Value } from './graph.ts';

type Gradients = (Value | undefined)[];

/** Gradients with respect to the node's inputs, given the gradient of its output; only those `wanted` are recorded. */
export function gradientOf(graph: Graph, node: Node, dY: Value, wanted: readonly boolean[]): Gradients {
  const inputs = node.inputs.map(i => graph.value(i));
  const kernel = node.kernel!;
  switch (kernel.family) {
    case 'tap-conv':
      return tapConvGradient(graph, kernel, inputs, graph.value(node.id), dY, wanted);
    case 'tap-correlate':
      return tapCorrelateGradient(graph, kernel, inputs, dY, wanted);
    case 'map':
      return mapGradient(graph, kernel, inputs, graph.value(node.id), dY, wanted);
    case 'reduce':
      return reduceGradient(graph, kernel, inputs, dY, wanted, node.label);
    case 'gather':
      return gatherGradient(graph, kernel, inputs, dY, wanted);
    case 'window':
      return windowGradient(graph, kernel, inputs, dY, wanted);
  }
}

function tapConvGradient(
  graph: Graph,
  k: TapConv,
  inputs: Value[],
  y: Value,
  incoming: Value,
  wanted: readonly boolean[],
): Gradients {
  const [x, w] = inputs;
  const dY =
    k.activation === 'relu' ? graph.map(['mul', 'x0', ['step', 'x1']], [incoming, y], 'relu') : incoming;
  const taps = gradientTaps(k);
  const mirrored: TapConv = {
    ...k,
    ...taps,
    flip: !k.flip,
    transpose: !k.transpose,
    bias: false,
    activation: 'none',
  };
  const dX = wanted[0] ? graph.kernel(mirrored, [dY, w], x.shape, 'tap-conv') : undefined;
  const dW = wanted[1] ? filterGradient(graph, k, x, w, dY) : undefined;
  const dB = wanted[2]
    ? sumTo(graph, 'x0', [dY], [...dY.shape.map((n, a) => (a === dY.shape.length - 1 ? n : 1))])
    : undefined;
  return [dX, dW, dB && graph.reshape(dB, inputs[2].shape)];
}

// Correlating X (strided) with dY gives the gradient in the frame of a plain convolution; where the input is dilated
// instead, correlating dY with X gives it mirrored and transposed, which is how transposed convolutions store W.
function filterGradient(graph: Graph, k: TapConv, x: Value, w: Value, dY: Value): Value {
  const ones = k.strides.map(() => 1);
  const dilated = k.inputDilations.some(u => u > 1);
  const strided = k.strides.some(s => s > 1);
  const [...kernelShape] = k.kernelShape;
  const group = (channels: number) => channels / k.groups;
  if (k.flip && k.transpose && !strided) {
    const taps = gradientTaps(k);
    const kernel: TapCorrelate = {
      family: 'tap-correlate',
      ...taps,
      inputDilations: ones,
      groups: k.groups,
      symmetric: false,
    };
    return graph.kernel(kernel, [dY, x], [...kernelShape, group(dY.shape.at(-1)!), x.shape.at(-1)!]);
  }
  const source = dilated ? insertZeros(graph, x, k.inputDilations) : x;
  const kernel: TapCorrelate = {
    family: 'tap-correlate',
    kernelShape,
    strides: k.strides,
    dilations: k.dilations,
    padLow: k.padLow,
    inputDilations: ones,
    groups: k.groups,
    symmetric: false,
  };
  const plain = graph.kernel(
    kernel,
    [source, dY],
    [...kernelShape, group(x.shape.at(-1)!), dY.shape.at(-1)!],
  );
  if (!k.flip && !k.transpose) return plain;
  if (k.groups > 1) throw new Error('tap-conv: no filter gradient for grouped weights read mirrored');
  const rank = kernelShape.length;
  const identity = Array.from({ length: rank + 2 }, (_, a) => a);
  const permutation = k.transpose ? [...identity.slice(0, rank), rank + 1, rank] : identity;
  const maps = kernelShape.map(n => (k.flip ? selectMap(n, p => n - 1 - p) : null));
  return graph.kernel(
    { family: 'gather', concatAxis: 0, permutation, maps: [...maps, null, null] },
    [plain],
    w.shape,
  );
}

function insertZeros(graph: Graph, x: Value, dilations: readonly number[]): Value {
  const maps = x.shape.map((n, a) => {
    const u = dilations[a - 1] ?? 1;
    return u === 1 ? null : selectMap((n - 1) * u + 1, p => (p % u === 0 ? p / u : -1));
  });
  const shape = x.shape.map((n, a) => maps[a]?.size ?? n);
  return graph.kernel(
    { family: 'gather', concatAxis: 0, permutation: x.shape.map((_, a) => a), maps },
    [x],
    shape,
  );
}

// R[t][i][j] = Σ A[s·p + δ·t − P][i]·B[p][j]. dB[p][j] = Σ_t Σ_i dR[t][i][j]·A[…][i] is a convolution of A with weights
// dR; dA is the input gradient of that same convolution, applied to B.
function tapCorrelateGradient(
  graph: Graph,
  k: TapCorrelate,
  inputs: Value[],
  dR: Value,
  wanted: readonly boolean[],
): Gradients {
  const [a, b] = inputs;
  const forward: TapConv = {
    family: 'tap-conv',
    kernelShape: k.kernelShape,
    strides: k.strides,
    dilations: k.dilations,
    padLow: k.padLow,
    inputDilations: k.inputDilations,
    groups: k.groups,
    flip: false,
    transpose: false,
    bias: false,
    activation: 'none',
  };
  if (k.symmetric && wanted[0]) {
    // A = B: one product with dR + dRᵀ instead of two.
    return [graph.kernel(forward, [a, symmetrised(graph, dR)], a.shape)];
  }
  const dB = wanted[1] ? graph.kernel(forward, [a, dR], b.shape) : undefined;
  const back: TapConv = { ...forward, ...gradientTaps(k), flip: true, transpose: true };
  const dA = wanted[0] ? graph.kernel(back, [b, dR], a.shape) : undefined;
  return [dA, dB];
}

// A matrix and its transpose, which is the matrix itself where it was made of symmetric ones.
function symmetrised(graph: Graph, matrix: Value): Value {
  if (isSymmetric(graph, matrix.id, matrix.shape.at(-1)!))
    return graph.map(['mul', 2, 'x0'], [matrix], 'symmetrise');
  const rank = matrix.shape.length;
  const permutation = [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2];
  const kernel: Kernel = { family: 'gather', concatAxis: 0, permutation, maps: matrix.shape.map(() => null) };
  const transposed = graph.kernel(kernel, [matrix], matrix.shape, 'transpose');
  return graph.map(['add', 'x0', 'x1'], [matrix, transposed], 'symmetrise');
}

// Whether a node is known to be a symmetric n × n matrix: a Gram matrix, a constant that is one, elements of such.
function isSymmetric(graph: Graph, id: number, n: number): boolean {
  const { kind, shape, kernel, inputs, data } = graph.nodes[id];
  if (product(shape) !== n * n || shape.at(-1) !== n) return false;
  const scalar = (i: number) => product(graph.nodes[i].shape) === 1;
  if (kernel?.family === 'tap-correlate') return kernel.symmetric;
  if (kind === 'alias' || kernel?.family === 'map')
    return inputs.every(i => scalar(i) || isSymmetric(graph, i, n));
  if (kind !== 'constant') return false;
  for (let i = 1; i < n; i++)
    for (let j = 0; j < i; j++) if (data![i * n + j] !== data![j * n + i]) return false;
  return true;
}

function mapGradient(
  graph: Graph,
  k: MapKernel,
  inputs: Value[],
  y: Value,
  dY: Value,
  wanted: readonly boolean[],
): Gradients {
  const n = inputs.length;
  const result: Expr | undefined = usesResult(k.expr) ? `x${n + 1}` : undefined;
  return inputs.map((input, i) => {
    if (!wanted[i]) return undefined;
    const slope = derivative(k.expr, i, result);
    if (slope === 0) return undefined;
    const expr: Expr = slope === 1 ? `x${n}` : ['mul', `x${n}`, slope];
    return sumTo(graph, expr, [...inputs, dY, y], input.shape);
  });
}

function reduceGradient(
  graph: Graph,
  k: Reduce,
  inputs: Value[],
  dY: Value,
  wanted: readonly boolean[],
  label: string,
): Gradients {
  if (k.kind === 'max')
    throw new Error(`${label}: the maximum over dimensions has no gradient rule; detach it`);
  const n = inputs.length;
  const full = fullShape(inputs.map(v => v.shape));
  return inputs.map((input, i) => {
    if (!wanted[i]) return undefined;
    const slope = derivative(k.expr, i);
    if (slope === 0) return undefined;
    const expr: Expr = slope === 1 ? `x${n}` : ['mul', `x${n}`, slope];
    return sumTo(graph, expr, [...inputs, dY], input.shape, full);
  });
}

/**
 * Σ of an expression over `span` (the full shape of the call it came from) down to `shape`. Inputs not read are dropped;
 * a dimension that none of the others spans is summed by multiplying, or kept by broadcasting.
 */
function sumTo(
  graph: Graph,
  expr: Expr,
  inputs: Value[],
  shape: readonly number[],
  span = fullShape(inputs.map(v => v.shape)),
): Value {
  const read = [...inputsIn(expr)].sort((a, b) => a - b);
  const used = read.map(i => inputs[i]);
  const seen = fullShape(used.map(v => v.shape));
  const factor = product(span.filter((_, a) => shape[a] === 1 && seen[a] === 1));
  const body = mul(
    factor,
    substitute(expr, i => `x${read.indexOf(i)}`),
  );
  const summed = seen.map((n, a) => (shape[a] === 1 ? 1 : n));
  if (sameShape(summed, seen)) return graph.map(body, used, 'map', shape);
  const sum = graph.reduce('sum', body, used, summed);
  return sameShape(summed, shape) ? sum : graph.map('x0', [sum], 'broadcast', shape);
}

function gatherGradient(
  graph: Graph,
  k: Gather,
  inputs: Value[],
  dY: Value,
  wanted: readonly boolean[],
): Gradients {
  const source = sourceShape(
    k,
    inputs.map(v => v.shape),
  );
  const inverse = k.permutation.map((_, a) => k.permutation.indexOf(a));
  let start = 0;
  return inputs.map((input, i) => {
    const from = start;
    start += input.shape[k.concatAxis];
    if (!wanted[i]) return undefined;
    // Dimension a of the input is dimension inverse[a] of dY.
    const maps = input.shape.map((size, a): AxisMap | null => {
      const map = k.maps[inverse[a]];
      const cropped = inputs.length > 1 && a === k.concatAxis;
      if (!map) return cropped ? selectMap(size, p => from + p) : null;
      return cropped ? transposeMap(map, source[inverse[a]], from, from + size) : transposeMap(map, size);
    });
    return graph.kernel(
      { family: 'gather', concatAxis: 0, permutation: inverse, maps },
      [dY],
      input.shape,
      'gather',
    );
  });
}

function windowGradient(
  graph: Graph,
  k: Window,
  inputs: Value[],
  dY: Value,
  wanted: readonly boolean[],
): Gradients {
  if (k.kind !== 'max' || !wanted[0]) return [undefined, undefined];
  const where = graph.kernel({ ...k, kind: 'argmax' }, [inputs[0]], dY.shape, 'argmax');
  return [graph.kernel({ ...k, kind: 'unpool' }, [dY, where], inputs[0].shape, 'unpool')];
}
