// Networks written out with mistakes: each is refused at its place, with what was expected.

import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import { type LayerDescription, layeredNetwork, planLayers } from '../../src/networks/layered.ts';
import type { LayerTypeName } from '../../src/networks/layers.ts';
import { file, noise, tensorsOutFirst } from './written-out.ts';

test('descriptions with mistakes are refused, each at its place', t => {
  const image = { rank: 2, channels: 3 };
  const conv: LayerDescription = { type: 'convolution', kernel: 3, filters: 4 };
  const weights = file({ ...tensorsOutFirst, 'b.bias': noise([3], 1) });
  type Mistake = [layers: any[], at: (string | number)[], says: RegExp, near?: string];
  const mistakes: Mistake[] = [
    [[{ type: 'relo' }], [0, 'type'], /no layer type 'relo'/, 'relu'],
    [
      [{ ...conv, stride: 2 }],
      [0, 'stride'],
      /a convolution layer has no 'stride'; it takes kernel, filters, strides/,
    ],
    [[{ type: 'relu', slope: 2 }], [0, 'slope'], /a relu layer has no 'slope'; it takes no parameters/],
    [[{ ...conv, kernel: 0 }], [0, 'kernel'], /kernel must be an integer from 1, .* but is 0/],
    [[{ ...conv, kernel: 2.5 }], [0, 'kernel'], /but is 2.5/],
    [[{ ...conv, kernel: [3] }], [0, 'kernel'], /kernel has 1 entries, but the network has rank 2/],
    [[{ ...conv, padding: [[1, 1]] }], [0, 'padding'], /padding has 1 entries/],
    [
      [{ ...conv, padding: [1, 1] }],
      [0, 'padding'],
      /padding must be an integer from 0, or same or valid, or a list/,
    ],
    [[{ ...conv, padding: 'some' }], [0, 'padding'], /but is "some"/],
    [[{ ...conv, paddingMode: 'mirror' }], [0, 'paddingMode'], /must be zeros or reflect or replicate/],
    [[{ ...conv, groups: 2 }], [0, 'groups'], /2 groups do not divide the 3 channels/],
    [
      [{ type: 'convolution', filters: 4 }],
      [0, 'type'],
      /convolution1 \(convolution\) needs 'kernel': size of the kernel/,
    ],
    [[{ type: 'max-pool' }], [0, 'type'], /a max-pool layer needs 'window'/],
    [[{ type: 'batch-norm' }], [0, 'type'], /needs weights from a weights file/],
    [[{ type: 'affine' }], [0, 'type'], /needs scale or shift, or weights/],
    [[{ type: 'affine', scale: [1, 2] }], [0, 'scale'], /scale has 2 numbers, the layer reads 3 channels/],
    [
      [
        { ...conv, name: 'x' },
        { type: 'relu', name: 'x' },
      ],
      [1, 'name'],
      /two layers are named 'x'/,
    ],
    [[{ ...conv, name: 'input' }], [0, 'name'], /'input' is the network's input/],
    [
      [conv, { type: 'relu', from: 'convolution2' }],
      [1, 'from'],
      /no layer before relu1 is named/,
      'convolution1',
    ],
    [
      [conv, { type: 'add', from: ['input', 'conv'] }],
      [1, 'from', 1],
      /no layer before add1 is named 'conv'/,
    ],
    [[conv, { type: 'add' }], [1, 'type'], /reads two layers or more: name them with from/],
    [[conv, { type: 'relu', from: ['input', 'convolution1'] }], [1, 'from'], /reads one layer, not 2/],
    [[{ type: 'dense', filters: 3 }], [0, 'type'], /put flatten or global-average-pool before it/],
    [[{ type: 'flatten' }, { type: 'dense', filters: 3 }], [1, 'type'], /needs 'inputs'/],
    [[{ type: 'flatten' }, conv], [1, 'type'], /reads cells in space, but flatten1 gives one row/],
    [[{ ...conv, weights: 'a' }], [0, 'weights'], /takes its weights from a file, but none is given/],
  ];
  const withFile: Mistake[] = [
    [[{ ...conv, weights: 'aa' }], [0, 'weights'], /holds no tensor 'aa.weight'/, 'a'],
    [
      [conv],
      [0],
      /holds no tensor 'convolution1.weight' .* name its tensors with weights, or write weights: random/,
    ],
    [
      [{ type: 'convolution', weights: 'a' }],
      [0, 'weights'],
      /'a.weight' of weights.npz is \[6, 2, 3, 2\], but \[any, 3, any, any\]/,
    ],
    [[{ type: 'convolution', weights: 'c' }], [0, 'weights'], /\[3, 288\], .* the network has rank 2/],
    [
      [{ type: 'batch-norm', weights: 'a' }],
      [0, 'weights'],
      /no tensor 'a.running_mean'.*it holds a.weight, a.bias/,
    ],
    [[{ ...conv, weights: { weight: 'a' } }], [0, 'weights'], /has no 'weight'; it has weights, bias/],
    [[{ ...conv, weights: { bias: 'a.bias' } }], [0, 'weights'], /weights names no 'weights'/],
    [[{ ...conv, weights: { weights: 'a' } }], [0, 'weights'], /holds no tensor 'a'/],
    [[{ type: 'affine', scale: 2, weights: 'a' }], [0, 'weights'], /from one place only/],
  ];
  const check = ([layers, at, says, near]: Mistake, given?: typeof weights) => {
    const { problems } = planLayers({ ...image, layers }, 0, given);
    t.deepEqual(problems[0]?.at, at, `${JSON.stringify(layers)}`);
    t.match(problems[0]?.message ?? '', says);
    if (near) t.ok(problems[0]?.candidates?.includes(near), `${near} is named`);
    t.equal(problems.length, 1, 'and nothing else');
  };
  for (const mistake of mistakes) check(mistake);
  for (const mistake of withFile) check(mistake, weights);
  const bias = planLayers(
    { rank: 2, channels: 6, layers: [{ name: 'b', type: 'transposed-convolution' }] },
    0,
    weights,
  );
  t.match(bias.problems[0].message, /its bias in weights.npz has 3 numbers, 4 are wanted/);

  try {
    layeredNetwork({ ...image, layers: [conv, { type: 'relo' as LayerTypeName }, { type: 'max-pool' }] }, 0);
    t.fail('it was not refused');
  } catch (error) {
    t.ok(error instanceof NdconvError && error.tag === 'NetworkError', String(error));
    t.match(
      String(error),
      /layers\[1\]\.type: there is no layer type 'relo'; there are convolution, .*1 more problem/,
    );
  }
  t.end();
});
