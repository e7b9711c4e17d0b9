// window on wasm against the reference: maximum, its place, and the gradient, for windows that overlap, leave gaps,
// and are clipped at the borders.

import fc from 'fast-check';
import tape from 'tape';
import { runReference } from '../../kernels/reference.ts';
import type { Window } from '../../kernels/window/spec.ts';
import { renderWindow } from '../../kernels/window/wasm.ts';
import { product } from '../../src/tensor/layout.ts';
import { faults, holds, layouts, noise } from './wasm-call.ts';

/** One dimension: input size, window, stride, dilation and padding such that every window meets the input. */
const dimension = fc
  .tuple(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 2 }),
    fc.integer({ min: 0, max: 3 }),
    fc.integer({ min: 0, max: 3 }),
  )
  .map(([size, window, stride, dilation, low, high]) => {
    const padLow = Math.min(low, window - 1);
    const meets = (p: number) =>
      Array.from({ length: window }, (_, t) => stride * p + dilation * t - padLow).some(
        v => v >= 0 && v < size,
      );
    const fits =
      Math.floor((size + padLow + Math.min(high, window - 1) - dilation * (window - 1) - 1) / stride) + 1;
    let out = 0;
    while (out < Math.max(1, fits) && meets(out)) out++;
    return { size, window, stride, dilation, padLow, out };
  })
  .filter(d => d.out > 0);

/** Windows side by side, with cells left over at the end. */
const pooled = fc
  .tuple(
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 0, max: 5 }),
    fc.boolean(),
  )
  .map(([out, window, left, odd]) => ({
    size: out * window + (odd ? left : 0),
    window,
    stride: window,
    dilation: 1,
    padLow: 0,
    out,
  }));

const callOf = (one: typeof dimension, least: number) =>
  fc
    .integer({ min: least, max: 3 })
    .chain(n =>
      fc.tuple(
        fc.integer({ min: 1, max: 2 }),
        fc.array(one, { minLength: n, maxLength: n }),
        fc.constantFrom(1, 3, 4, 5, 8, 17),
      ),
    )
    .filter(([, ds]) => product(ds.map(d => d.size)) < 800)
    .chain(([batch, ds, channels]) => {
      const x = [batch, ...ds.map(d => d.size), channels];
      const y = [batch, ...ds.map(d => d.out), channels];
      const kernel: Omit<Window, 'kind'> = {
        family: 'window',
        kernelShape: ds.map(d => d.window),
        strides: ds.map(d => d.stride),
        dilations: ds.map(d => d.dilation),
        inputDilations: ds.map(() => 1),
        padLow: ds.map(d => d.padLow),
      };
      return fc.tuple(fc.constant(kernel), layouts(x), layouts(y), layouts(y), fc.boolean());
    });

for (const [name, runs, call] of [
  ['random windows', 150, callOf(dimension, 0)],
  ['windows side by side', 80, callOf(pooled, 1)],
] as const)
  tape(`window on wasm: max, argmax and unpool of ${name}`, async t => {
    await holds(t, 'agrees with the reference', runs, call, async ([shared, x, y, a, ties]) => {
      // Few distinct values make ties: the first tap wins, also where all it sees is −∞.
      const values = noise(x.shape).map(v =>
        !ties ? v - 5 : v < 1 ? Number.NEGATIVE_INFINITY : Math.floor(4 * v) - 6,
      );
      const argmax: Window = { ...shared, kind: 'argmax' };
      const positive: Window = { ...argmax, positive: true };
      const where = runReference(ties ? positive : argmax, [{ shape: x.shape, data: values }], y.shape);
      return [
        ...(await faults(renderWindow, { ...shared, kind: 'max' }, [x], y, [values], 0)),
        ...(await faults(renderWindow, argmax, [x], a, [values], 0)),
        ...(await faults(renderWindow, positive, [x], a, [values], 0)),
        ...(await faults(
          renderWindow,
          { ...shared, kind: 'unpool' },
          [y, a],
          x,
          [noise(y.shape, 2), where],
          1e-6,
        )),
      ];
    });
  });
