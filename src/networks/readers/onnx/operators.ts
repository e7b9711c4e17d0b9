// Every ONNX operator that is read, by name, and what to do about one that is not.

import { convolutionalOperators } from './convolutional.ts';
import { elementwiseOperators } from './elementwise.ts';
import type { Operator } from './node.ts';
import { reductionOperators } from './reductions.ts';
import { resizingOperators } from './resizing.ts';
import { shapeOperators } from './shapes.ts';

const operators: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    ...convolutionalOperators,
    ...elementwiseOperators,
    ...reductionOperators,
    ...resizingOperators,
    ...shapeOperators,
  }),
);

export const operatorOf = (name: string): Operator | undefined => operators.get(name);

/** Names of all operators that are read. */
export const operatorNames = (): string[] => [...operators.keys()].sort();

const replacements: Record<string, string> = {
  ...Object.fromEntries(
    ['LSTM', 'GRU', 'RNN'].map(op => [
      op,
      'recurrence is not read; use convolutions, or ask for a layer before it',
    ]),
  ),
  ...Object.fromEntries(
    ['Loop', 'Scan'].map(op => [
      op,
      'export with fixed sizes, so that the loop is unrolled (torch: trace instead of script)',
    ]),
  ),
  ...Object.fromEntries(
    [
      'QLinearConv',
      'QLinearMatMul',
      'ConvInteger',
      'MatMulInteger',
      'QuantizeLinear',
      'DequantizeLinear',
      'DynamicQuantizeLinear',
    ].map(op => [op, 'export the network before it was quantised']),
  ),
  ...Object.fromEntries(
    ['NonMaxSuppression', 'TopK', 'NonZero', 'RoiAlign', 'Unique', 'Compress'].map(op => [
      op,
      'export the network without its post-processing, or ask for a layer before it',
    ]),
  ),
  Einsum: 'write it as MatMul, Transpose and ReduceSum',
  GridSample: 'use Resize where the grid is regular',
  MaxUnpool: 'use ConvTranspose or Resize',
  GatherElements: 'use Gather with constant indices',
  GatherND: 'use Gather with constant indices',
  ScatterND: 'use Concat or Where',
  ScatterElements: 'use Concat or Where',
  OneHot: 'compute it from the result',
};

/** What could stand in the place of an operator that is not read. */
export const replacementFor = (op: string): string =>
  replacements[op] ??
  'simplify the model (onnxsim), write it with other operators, or read only outputs before it';
