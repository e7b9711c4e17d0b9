// What does not fit is refused with the operation, the constraint and both values.

import tape from 'tape';
import { NdconvError } from '../../src/errors.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { operations as op } from '../../src/ops/index.ts';

const v = (...shape: number[]): Value =>
  new Graph().constant(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

function pair(a: number[], b: number[]): [Value, Value] {
  const graph = new Graph();
  const make = (shape: number[]) => graph.constant(shape, new Float32Array(shape.reduce((x, y) => x * y, 1)));
  return [make(a), make(b)];
}

const convolve = (x: number[], w: number[], parameters = {}) => {
  const [a, b] = pair(x, w);
  return op.convolution(a, b, undefined, parameters);
};

const refused: Record<string, [() => unknown, RegExp]> = {
  'kernel larger than its input': [
    () => convolve([1, 9, 5, 1], [3, 7, 1, 1]),
    /convolution: kernel size 7 > padded input size 5 in dimension 1/,
  ],
  'kernel larger than its padded input': [
    () => convolve([1, 4, 1], [3, 1, 1], { padding: 1, dilations: 4 }),
    /convolution: kernel size 9 > padded input size 6 in dimension 0/,
  ],
  'weights of another rank': [() => convolve([1, 9, 1], [3, 3, 1, 1]), /2 spatial dimensions.* has 1/],
  'channels that do not fit': [() => convolve([1, 9, 4], [3, 3, 2]), /4 input channels and 2 filters/],
  'groups that do not divide': [
    () => convolve([1, 9, 4], [3, 2, 3], { groups: 2 }),
    /4 input channels and 3 filters in 2 groups/,
  ],
  'strides of another rank': [
    () => convolve([1, 9, 1], [3, 1, 1], { strides: [1, 1] }),
    /convolution: strides: 2 values given, 1 spatial dimension/,
  ],
  'strides of zero': [() => convolve([1, 9, 1], [3, 1, 1], { strides: 0 }), /convolution: strides: .*0/],
  'a fractional dilation': [
    () => convolve([1, 9, 1], [3, 1, 1], { dilations: 1.5 }),
    /convolution: dilations: .*1\.5/,
  ],
  'fractional padding': [
    () => convolve([1, 9, 1], [3, 1, 1], { padding: 0.5 }),
    /padding: 0.5 is not an integer/,
  ],
  'groups of zero': [
    () => convolve([1, 9, 1], [3, 1, 1], { groups: 0 }),
    /1 input channels and 1 filters in 0 groups/,
  ],
  'padding of another rank': [
    () =>
      convolve([1, 9, 1], [3, 1, 1], {
        padding: [
          [1, 1],
          [1, 1],
        ],
      }),
    /padding: 2 pairs given, 1 spatial dimension/,
  ],
  'too much reflection': [
    () => op.pad(v(1, 3, 1), [[3, 0]], 'reflect'),
    /reflecting 3 cells .* the 3 there are/,
  ],
  'cropping everything': [() => op.crop(v(1, 3, 1), [[2, 1]]), /nothing is left of 3 cells/],
  'a window larger than its input': [
    () => op.maxPool(v(1, 3, 1), { window: 5 }),
    /max pool: window 5 > padded input size 3 in dimension 0/,
  ],
  'padding as large as the window': [
    () => op.averagePool(v(1, 9, 1), { window: 2, padding: 2 }),
    /average pool: padding 2 must be smaller than the window 2/,
  ],
  'transposed weights that do not fit': [
    () => op.transposedConvolution(...pair([1, 4, 3], [2, 3, 4]), undefined),
    /transposed convolution: weights \[2,3,4\] do not fit the input \[1,4,3\]/,
  ],
  'a transposed result of nothing': [
    () => op.transposedConvolution(...pair([1, 1, 1], [1, 1, 1]), undefined, { padding: 1 }),
    /transposed convolution: output size -1 in dimension 0/,
  ],
  'shapes that do not broadcast': [() => op.add(...pair([1, 4], [1, 3])), /add: shapes \[1,4\] and \[1,3\]/],
  'concatenation of unlike shapes': [
    () => op.concat(pair([1, 4, 2], [1, 4, 3]), 1),
    /concat: shapes \[1,4,2\], \[1,4,3\] differ outside dimension 1/,
  ],
  'dense weights that do not fit': [() => op.dense(...pair([1, 4], [3, 2])), /dense: input \[1,4\].*\[3,2\]/],
  'a resize to nothing': [() => op.resize(v(1, 4, 1), [0], 'linear'), /resize: size \[0\]/],
  'a reshape of another size': [() => op.reshape(v(2, 3), [4]), /\[2,3\] has 6 elements, \[4\] has 4/],
  'no permutation': [() => op.transpose(v(2, 3), [0, 0]), /\[0,0\] is no permutation of 2/],
  'a slice outside': [() => op.slice(v(2, 3), 1, 2, 4), /slice: 2 to 4 of dimension 1 .* \[2,3\]/],
  'losses of unlike shapes': [
    () => op.meanSquaredError(...pair([2, 3], [3, 2])),
    /mean squared error: shapes \[2,3\] and \[3,2\] differ/,
  ],
  'a triplet without a margin': [
    () => op.triplet(v(1, 2), v(1, 2), v(1, 2), 0),
    /margin must be positive.* 0/,
  ],
};

for (const [name, [attempt, message]] of Object.entries(refused))
  tape(`refused: ${name}`, t => {
    try {
      attempt();
      t.fail('it was accepted');
    } catch (error) {
      t.ok(error instanceof NdconvError && error.tag === 'ShapeError', `a ShapeError (${error})`);
      t.match((error as Error).message, message);
    }
    t.end();
  });
