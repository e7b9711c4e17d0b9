// Winograd's rendering of tap-correlate: random shapes, tiles, blocks and parts of every rank against the reference in
// memory full of garbage, the choice, errors over many cells, and the backend on one and two threads.

import fc from 'fast-check';
import tape from 'tape';
import type { KernelCall } from '../../kernels/kernel.ts';
import { explainTapCorrelate, renderTapCorrelate } from '../../kernels/tap-correlate/render.ts';
import { marginsOf, type TapCorrelate } from '../../kernels/tap-correlate/spec.ts';
import { chooseWinograd } from '../../kernels/tap-correlate/winograd/plan.ts';
import { renderWinograd } from '../../kernels/tap-correlate/winograd/wasm.ts';
import type { WasmTarget } from '../../kernels/wasm.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { layoutOf } from '../../src/tensor/layout.ts';
import { errorOf, randomOf, runOn, type Single, sameBits, valuesFor } from './tap-call.ts';
import { faults, holds, noise } from './wasm-call.ts';
import { dimension } from './winograd-cases.ts';

const plain: WasmTarget = { relaxed: true, wide: false };
const wide: WasmTarget = { relaxed: true, wide: true };

const correlation = fc.integer({ min: 1, max: 4 }).chain(rank =>
  fc.record({
    dimensions: fc.array(dimension([0, 30, 11, 5, 3][rank], false), { minLength: rank, maxLength: rank }),
    batch: fc.integer({ min: 1, max: 3 }),
    together: fc.integer({ min: 1, max: 3 }),
    channels: fc.constantFrom(1, 3, 4, 7, 8, 16),
    filters: fc.constantFrom(1, 3, 4, 8, 12, 19, 24, 32),
    slices: fc.constantFrom(1, 2, 4),
    parts: fc.integer({ min: 1, max: 5 }),
    relaxed: fc.boolean(),
    wide: fc.boolean(),
  }),
);

tape('winograd correlation: random shapes, tiles, blocks and parts of rank 1 to 4', async t => {
  await holds(t, 'shapes', 80, correlation, async c => {
    // One dimension has to be transformed.
    const ds = c.dimensions.some(d => d.m > 1)
      ? c.dimensions
      : [{ ...c.dimensions[0], k: 3, taps: 3, m: 4, stride: 1 }, ...c.dimensions.slice(1)];
    const of = <T>(pick: (d: (typeof ds)[number]) => T) => ds.map(pick);
    const kernel: TapCorrelate = {
      family: 'tap-correlate',
      kernelShape: of(d => d.k),
      strides: of(d => d.stride),
      dilations: of(d => d.dilation),
      inputDilations: of(() => 1),
      padLow: of(d => d.low),
      groups: 1,
      symmetric: false,
    };
    const shapes = [
      [c.batch, ...of(d => d.input), c.channels],
      [c.batch, ...of(d => d.output), c.filters],
    ];
    const choice = {
      tile: [1, ...of(d => d.m)],
      taps: [1, ...of(d => d.taps)],
      block: [c.together, ...of(d => d.block)],
      parts: c.parts,
      // Only whole blocks of channels can be cut into slices.
      slices: (c.filters / (c.wide ? 16 : 8)) % c.slices ? 1 : c.slices,
    };
    // Larger margins than needed on both.
    const inputs = shapes.map((shape, i) =>
      layoutOf(
        shape,
        marginsOf(kernel, shapes)[i].map(([low, high], a) => {
          const [l, h] = a ? ds[a - 1].margin : [0, 0];
          return [low + l, high + h] as const;
        }),
      ),
    );
    const values = shapes.map((s, i) => noise(s, i + 1).map(v => v / 4));
    return faults(
      call => renderWinograd(call, { relaxed: c.relaxed, wide: c.wide }, choice),
      kernel,
      inputs,
      layoutOf([...kernel.kernelShape, c.channels, c.filters]),
      values,
      1e-4,
    );
  });
});

/** The filter gradient of a convolution whose outputs are as large as its inputs. */
function gradientOf(
  size: readonly number[],
  taps: number,
  channels: number,
  filters: number,
  batch = 1,
): Single {
  const same = (n: number) => size.map(() => n);
  return {
    kernel: {
      family: 'tap-correlate',
      kernelShape: same(taps),
      strides: same(1),
      dilations: same(1),
      inputDilations: same(1),
      padLow: same((taps - 1) / 2),
      groups: 1,
      symmetric: false,
    },
    shapes: [
      [batch, ...size, channels],
      [batch, ...size, filters],
    ],
    output: [...same(taps), channels, filters],
  };
}

function callOf({ kernel, shapes, output }: Single): KernelCall {
  const margins = marginsOf(kernel as TapCorrelate, shapes);
  return { kernel, inputs: shapes.map((s, i) => layoutOf(s, margins[i])), output: layoutOf(output) };
}

tape('winograd correlation: chosen where it pays, and may be forbidden', t => {
  for (const target of [plain, wide]) {
    const name = target.wide ? 'wide' : 'plain';
    const chosen = (single: Single) => chooseWinograd(callOf(single), target);
    t.ok(chosen(gradientOf([64, 64], 3, 64, 64)), `64 channels, rank 2, ${name}`);
    t.ok(chosen(gradientOf([16, 32, 32], 3, 32, 32)), `rank 3, ${name}`);
    t.ok(chosen(gradientOf([12, 14], 3, 64, 64, 32)), `a batch of small pictures, ${name}`);
    t.notOk(chosen(gradientOf([16, 16], 3, 1, 16)), `one channel, ${name}`);
    t.notOk(chosen(gradientOf([16, 16], 1, 64, 64)), `one tap, ${name}`);
  }
  const call = callOf(gradientOf([64, 64], 3, 64, 64));
  const choices = [1, 2, 7].map(threads => chooseWinograd(call, { ...wide, threads })!);
  const cut = choices.map(({ tile, block, parts }) => JSON.stringify({ tile, block, parts }));
  t.equal(new Set(cut).size, 1, 'the same for any number of threads');
  const text = (target: WasmTarget) => renderTapCorrelate(call, target).text.replace(/l\d+/g, '');
  t.notEqual(text(plain), text({ ...plain, winograd: false }), 'a direct kernel where it is forbidden');
  const [found, direct] = [true, false].map(winograd => explainTapCorrelate(call, { ...wide, winograd }));
  t.ok(/^Winograd F\(\d, 3\)×F\(\d, 3\), blocks of 1×\d+×\d+ tiles$/.test(found.method), found.method);
  t.equal(direct.method, 'direct');
  t.ok(found.seconds < direct.seconds, `${found.seconds} s instead of ${direct.seconds} s`);
  t.end();
});

tape('winograd correlation: in the backend, the same bits on one and two threads, errors small', async t => {
  const backends = await Promise.all([
    createWasmBackend({ threads: 1 }),
    createWasmBackend({ threads: 2 }),
    createWasmBackend({ threads: 2, winograd: false }),
  ]);
  const random = randomOf('winograd correlation');
  for (const [size, taps, channels, batch] of [
    [[90, 101], 3, 9, 1],
    [[12, 14], 3, 16, 20],
    [[10, 24, 26], 3, 16, 1],
    [[3000], 9, 16, 2],
  ] as const) {
    const single = gradientOf(size, taps, channels, channels + 3, batch);
    const values = valuesFor(single, random);
    const name = `${batch} × ${size.join('×')}`;
    if (!chooseWinograd(callOf(single), plain)) t.fail(`${name}: not chosen`);
    const [one, two, direct] = await Promise.all(backends.map(b => runOn(b, single, values)));
    const error = errorOf(single, values, one);
    t.ok(error < 2e-5, `${name}: ${error.toExponential(1)}`);
    t.ok(sameBits(one, two), 'one thread or two');
    t.notOk(sameBits(one, direct), 'not the direct kernel');
    t.ok(errorOf(single, values, direct) < 3e-6, 'which is there if Winograd is forbidden');
  }
  await Promise.all(backends.map(b => b.close()));
});
