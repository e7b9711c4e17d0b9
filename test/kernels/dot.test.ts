// tap-conv with few output channels as dot products: random shapes of rank 0 to 3 against the reference, for every
// combination of strides, input dilations, mirrored and transposed weights, bias and ReLU.

import fc from 'fast-check';
import tape from 'tape';
import { dotFits, renderDot } from '../../kernels/tap-conv/dot.ts';
import { marginsOf, type TapConv } from '../../kernels/tap-conv/spec.ts';
import { layoutOf } from '../../src/tensor/layout.ts';
import { faults, holds, noise } from './wasm-call.ts';

const dimension = fc.record({
  k: fc.integer({ min: 1, max: 3 }),
  stride: fc.constantFrom(1, 1, 2),
  dilation: fc.constantFrom(1, 1, 2),
  inputDilation: fc.constantFrom(1, 1, 2),
  low: fc.integer({ min: -1, max: 3 }),
  input: fc.integer({ min: 1, max: 9 }),
  output: fc.integer({ min: 1, max: 15 }),
});

const convolution = fc.integer({ min: 0, max: 3 }).chain(rank =>
  fc.record({
    dimensions: fc.array(dimension, { minLength: rank, maxLength: rank }),
    batch: fc.integer({ min: 1, max: 3 }),
    channels: fc.constantFrom(8, 12, 16, 20, 64),
    filters: fc.integer({ min: 1, max: 4 }),
    flip: fc.boolean(),
    transpose: fc.boolean(),
    bias: fc.boolean(),
    relu: fc.boolean(),
    relaxed: fc.boolean(),
    wide: fc.boolean(),
  }),
);

tape('tap-conv as dot products: random shapes', async t => {
  await holds(t, 'shapes', 100, convolution, async c => {
    const of = <T>(pick: (d: (typeof c.dimensions)[number]) => T) => c.dimensions.map(pick);
    const kernel: TapConv = {
      family: 'tap-conv',
      kernelShape: of(d => d.k),
      strides: of(d => d.stride),
      dilations: of(d => d.dilation),
      inputDilations: of(d => d.inputDilation),
      padLow: of(d => d.low),
      groups: 1,
      flip: c.flip,
      transpose: c.transpose,
      bias: c.bias,
      activation: c.relu ? 'relu' : 'none',
    };
    const shapes = [
      [c.batch, ...of(d => d.input), c.channels],
      [...kernel.kernelShape, ...(c.transpose ? [c.filters, c.channels] : [c.channels, c.filters])],
      ...(c.bias ? [[c.filters]] : []),
    ];
    const output = [c.batch, ...of(d => d.output), c.filters];
    const margins = marginsOf(kernel, shapes, output);
    const inputs = shapes.map((s, i) => layoutOf(s, margins[i]));
    const target = { relaxed: c.relaxed, wide: c.wide };
    const call = { kernel, inputs, output: layoutOf(output) };
    const found = await faults(
      () => renderDot(call, target),
      kernel,
      inputs,
      call.output,
      shapes.map((s, i) => noise(s, i + 1).map(v => v / 4)),
      1e-5,
    );
    if (!dotFits(call, target) && (c.filters < 4 || c.wide)) found.push('was not to be taken');
    return found;
  });
});
