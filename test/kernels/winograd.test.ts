// Winograd's rendering of tap-conv: random shapes, tiles and blocks of every rank against the reference in memory full
// of garbage, the choice of tiles, errors on many channels, and the switch that forbids it.

import fc from 'fast-check';
import tape from 'tape';
import type { KernelCall } from '../../kernels/kernel.ts';
import { runReference } from '../../kernels/reference.ts';
import { explainTapConv, renderTapConv } from '../../kernels/tap-conv/render.ts';
import { marginsOf, type TapConv } from '../../kernels/tap-conv/spec.ts';
import { renderTapConv as renderDirect } from '../../kernels/tap-conv/wasm.ts';
import { type Choice, geometryOf } from '../../kernels/tap-conv/winograd/geometry.ts';
import { chooseWinograd } from '../../kernels/tap-conv/winograd/plan.ts';
import { renderWinograd } from '../../kernels/tap-conv/winograd/wasm.ts';
import type { WasmTarget } from '../../kernels/wasm.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { layoutOf, pack, product } from '../../src/tensor/layout.ts';
import { errorOf, randomOf, runOn, type Single, sameBits, valuesFor } from './tap-call.ts';
import { compileCall, faults, holds, noise } from './wasm-call.ts';
import { dimension } from './winograd-cases.ts';

const plain: WasmTarget = { relaxed: true, wide: false };
const wide: WasmTarget = { relaxed: true, wide: true };

/** A convolution of one sample with outputs as large as the input, and the layouts of its call. */
function callOf(
  size: readonly number[],
  kernelShape: readonly number[],
  channels: number,
  filters: number,
  extra: Partial<TapConv> = {},
): KernelCall {
  const same = (n: number) => kernelShape.map(() => n);
  const kernel: TapConv = {
    family: 'tap-conv',
    kernelShape,
    strides: same(1),
    dilations: same(1),
    inputDilations: same(1),
    padLow: kernelShape.map((k, a) => Math.floor(((k - 1) * (extra.dilations?.[a] ?? 1)) / 2)),
    groups: 1,
    flip: false,
    transpose: false,
    bias: true,
    activation: 'none',
    ...extra,
  };
  const w = kernel.transpose ? [filters, channels] : [channels / kernel.groups, filters];
  const shapes = [[1, ...size, channels], [...kernelShape, ...w], ...(kernel.bias ? [[filters]] : [])];
  const output = [1, ...size.map((n, a) => Math.ceil(n / kernel.strides[a])), filters];
  const margins = marginsOf(kernel, shapes, output);
  return { kernel, inputs: shapes.map((s, i) => layoutOf(s, margins[i])), output: layoutOf(output) };
}

const convolution = fc.integer({ min: 1, max: 4 }).chain(rank =>
  fc.record({
    dimensions: fc.array(dimension([0, 30, 11, 5, 3][rank], true), { minLength: rank, maxLength: rank }),
    batch: fc.integer({ min: 1, max: 3 }),
    together: fc.integer({ min: 1, max: 3 }),
    channels: fc.constantFrom(...[1, 3, 4, 7, 8, 16]),
    filters: fc.constantFrom(...[1, 3, 4, 8, 12, 19, 24, 32]),
    flip: fc.boolean(),
    transpose: fc.boolean(),
    bias: fc.boolean(),
    relu: fc.boolean(),
    relaxed: fc.boolean(),
    wide: fc.boolean(),
    slices: fc.constantFrom(1, 2, 4),
  }),
);

tape('winograd: random shapes, tiles and blocks of rank 1 to 4', async t => {
  await holds(t, 'shapes', 80, convolution, c => faultsOf(c));
});

tape('winograd: random gradients with the weights of their convolution', async t => {
  await holds(t, 'shapes', 40, convolution, c =>
    faultsOf({
      ...c,
      dimensions: c.dimensions.map(d => {
        const k = Math.min(d.k, 3);
        return { ...d, k, taps: k, m: k === 1 ? 1 : Math.min(d.m, 4), stride: 1, inputDilation: 1 };
      }),
      channels: 16 * Math.ceil(c.channels / 8),
      filters: 16 * Math.ceil(c.filters / 8),
      flip: true,
      transpose: true,
      shared: true,
    }),
  );
});

type Convolution = typeof convolution extends fc.Arbitrary<infer C> ? C & { shared?: boolean } : never;

/** What is wrong with a rendering of a random convolution. */
async function faultsOf(c: Convolution): Promise<string[]> {
  // One dimension has to be transformed.
  const ds = c.dimensions.some(d => d.m > 1)
    ? c.dimensions
    : [{ ...c.dimensions[0], k: 3, taps: 3, m: 4, stride: 1, inputDilation: 1 }, ...c.dimensions.slice(1)];
  const of = <T>(pick: (d: (typeof ds)[number]) => T) => ds.map(pick);
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
  const choice: Choice = {
    tile: [1, ...of(d => d.m)],
    taps: [1, ...of(d => d.taps)],
    block: [c.together, ...of(d => d.block)],
    shared: c.shared,
    // Only whole blocks of weights can be cut into slices.
    slices: (c.filters / (c.wide ? 16 : 8)) % c.slices ? 1 : c.slices,
  };
  const w = c.transpose ? [c.filters, c.channels] : [c.channels, c.filters];
  const shapes = [
    [c.batch, ...of(d => d.input), c.channels],
    [...kernel.kernelShape, ...w],
    ...(c.bias ? [[c.filters]] : []),
  ];
  const output = [c.batch, ...of(d => d.output), c.filters];
  const margins = marginsOf(kernel, shapes, output);
  // Larger margins than needed on the input, and some on the output.
  const more = margins[0].map(([low, high], a) => {
    const [l, h] = a ? ds[a - 1].margin : [0, 0];
    return [low + l, high + h] as const;
  });
  const inputs = shapes.map((s, i) => layoutOf(s, i ? margins[i] : more));
  const y = layoutOf(output, [[0, 0] as const, ...of(d => d.margin)]);
  const values = shapes.map((s, i) => noise(s, i + 1).map(v => v / 4));
  return faults(
    call => renderWinograd(call, { relaxed: c.relaxed, wide: c.wide }, choice),
    kernel,
    inputs,
    y,
    values,
    1e-4,
  );
}

tape('winograd: samples of a batch do not touch each other', async t => {
  const call = callOf([6, 6], [3, 3], 8, 8);
  const two = (l: KernelCall['output']) => ({ ...l, shape: [2, ...l.shape.slice(1)] });
  const batch = { ...call, inputs: [two(call.inputs[0]), ...call.inputs.slice(1)], output: two(call.output) };
  const choice = { tile: [1, 4, 4], taps: [1, 3, 3], block: [2, 2, 2] };
  const compiled = await compileCall(c => renderWinograd(c, plain, choice), batch);
  const values = batch.inputs.map((l, i) => noise(l.shape, i + 1));
  const half = values[0].length / 2;
  const clean = pack(batch.output, compiled.run(values, 1).laid);
  values[0].fill(Number.NaN, half);
  const mixed = pack(batch.output, compiled.run(values, 1).laid);
  t.ok(
    clean.subarray(0, clean.length / 2).every((v, i) => v === mixed[i]),
    'the first is as it was',
  );
  t.ok(mixed.subarray(clean.length / 2).every(Number.isNaN), 'the second is not');
});

tape('winograd: chosen where it pays', t => {
  const chosen = (call: KernelCall, target = plain) => chooseWinograd(call, target);
  for (const target of [plain, wide]) {
    const name = target.wide ? 'wide' : 'plain';
    t.ok(chosen(callOf([64, 64], [3, 3], 64, 64), target), `64 to 64 channels, rank 2, ${name}`);
    t.ok(chosen(callOf([16, 32, 32], [3, 3, 3], 32, 32), target), `rank 3, ${name}`);
    t.ok(chosen(callOf([4096], [9], 64, 64), target), `nine taps, ${name}`);
    const strided = chosen(callOf([128, 128], [5, 5], 64, 64, { strides: [2, 2] }), target);
    t.ok(strided, `strides, ${name}`);
    t.notOk(chosen(callOf([16, 16, 16], [3, 3, 3], 1, 16), target), `one channel, ${name}`);
  }
  const refused: [string, Partial<TapConv>][] = [
    ['strides of the whole kernel', { strides: [3, 1] }],
    ['groups', { groups: 2 }],
    ['an input dilation and a dilation', { inputDilations: [1, 2], dilations: [1, 2] }],
  ];
  for (const [name, extra] of refused) t.notOk(chosen(callOf([64, 64], [3, 3], 64, 64, extra)), name);
  t.notOk(chosen(callOf([64, 64], [1, 1], 64, 64)), 'one tap');
  t.notOk(chosen(callOf([4096], [64], 16, 16, { strides: [2] })), 'parts of many taps');
  const deep = callOf([14, 14], [3, 3], 512, 512);
  t.ok(chooseWinograd(deep, plain, true), 'deep and small with constant weights');
  t.notOk(chooseWinograd(deep, plain, false), 'but not where they change with every run');
  const large = callOf([56, 56], [3, 3], 256, 256);
  for (const threads of [2, 4]) {
    const choice = chooseWinograd(large, { ...plain, threads })!;
    const pieces = geometryOf(large, choice).blocks * (choice.slices ?? 1);
    t.ok(pieces >= threads, `${pieces} pieces of work for ${threads} threads`);
  }
  t.end();
});

tape('winograd: a convolution and its gradient share heavy weights', t => {
  const gradient = { bias: false, flip: true, transpose: true };
  for (const target of [plain, wide])
    for (const [channels, filters, heavy] of [
      [256, 512, true],
      [64, 96, false],
    ] as const) {
      const forward = renderTapConv(callOf([32, 32], [3, 3], channels, filters), target, [false, true, true]);
      const call = callOf([32, 32], [3, 3], filters, channels, gradient);
      const back = renderTapConv(call, target, [false, true]);
      t.equal(forward.form === back.form, heavy, `${channels} to ${filters} channels`);
      if (heavy) t.equal(forward.scratch, back.scratch, 'in as many bytes');
      const changing = renderTapConv(call, target, [false, false]);
      t.notEqual(changing.form, forward.form, 'not weights that change');
    }
  t.end();
});

tape('winograd: may be forbidden', t => {
  const call = callOf([64, 64], [3, 3], 64, 64);
  const text = (target: WasmTarget) => renderTapConv(call, target).text.replace(/l\d+/g, '');
  const direct = renderDirect(call, plain).text.replace(/l\d+/g, '');
  t.equal(text({ ...plain, winograd: false }), direct);
  t.notEqual(text(plain), direct);
  t.end();
});

// Tiles as chosen for as many filters as channels, on few filters to keep the reference short.
for (const [name, size, kernelShape, channels] of [
  ['512 channels, rank 2', [14, 14], [3, 3], 512],
  ['256 channels, rank 3', [8, 8, 8], [3, 3, 3], 256],
  ['64 channels, rank 4', [6, 6, 6, 6], [3, 3, 3, 3], 64],
  ['64 channels, nine taps', [96], [9], 64],
  ['64 channels, seven taps, rank 2', [16, 16], [7, 7], 64],
] as const)
  tape(`winograd: error on ${name}`, async t => {
    const large = callOf(
      size.map(n => n * 4),
      kernelShape,
      channels,
      channels,
    );
    const { tile, taps } = chooseWinograd(large, plain)!;
    const call = callOf(size, kernelShape, channels, 2);
    const choice = { tile, taps, block: [1, ...size.map(() => 2)] };
    const random = randomOf(name);
    // Activations as they come out of a ReLU.
    const values = call.inputs.map((l, i) =>
      Float32Array.from({ length: product(l.shape) }, () => {
        const v = random.uniform() - 0.5;
        return i ? v : Math.max(0, v);
      }),
    );
    const compiled = await compileCall(c => renderWinograd(c, plain, choice), call);
    const got = pack(call.output, compiled.run(values, 1).laid);
    const inputs = call.inputs.map((l, i) => ({ shape: l.shape, data: values[i] }));
    const wanted = runReference(call.kernel, inputs, call.output.shape);
    const scale = wanted.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    const error = wanted.reduce((a, v, i) => Math.max(a, Math.abs(v - got[i])), 0) / scale;
    t.ok(error < 1e-4, `F(${tile.slice(1)}; ${taps.slice(1)}): ${error.toExponential(1)}`);
  });

tape('winograd: in the backend, the same bits on one and two threads', async t => {
  const backends = await Promise.all([
    createWasmBackend({ threads: 1 }),
    createWasmBackend({ threads: 2 }),
    createWasmBackend({ threads: 2, winograd: false }),
  ]);
  const random = randomOf('winograd threads');
  for (const [size, channels] of [
    [[30, 33], 24],
    [[9, 14, 11], 12],
  ] as const) {
    const threes = size.map(() => 3);
    const { kernel, inputs, output } = callOf(size, threes, channels, channels);
    const single: Single = { kernel, shapes: inputs.map(l => [...l.shape]), output: [...output.shape] };
    const values = valuesFor(single, random);
    const [one, two, direct] = await Promise.all(backends.map(b => runOn(b, single, values)));
    t.ok(errorOf(single, values, one) < 1e-5, 'as the reference');
    t.ok(sameBits(one, two), 'one thread or two');
    t.notOk(sameBits(one, direct), 'not the direct kernel');
    t.ok(errorOf(single, values, direct) < 1e-6, 'which is there if Winograd is forbidden');
  }
  await Promise.all(backends.map(b => b.close()));
});

tape('winograd: explained to people', t => {
  const call = callOf([64, 64], [3, 3], 64, 64);
  const found = explainTapConv(call, plain);
  t.ok(/^Winograd F\(\d, 3\)×F\(\d, 3\), blocks of 1×\d+×\d+ tiles$/.test(found.method), found.method);
  const direct = explainTapConv(call, { ...plain, winograd: false });
  t.equal(direct.method, 'direct');
  const strided = explainTapConv(callOf([16384], [9], 64, 64, { strides: [4] }), { ...plain, threads: 1 });
  t.ok(/^Winograd F\(\d, 9 \/ 4\), blocks of 1×\d+ tiles$/.test(strided.method), strided.method);
  const deep = explainTapConv(callOf([8, 8], [3, 3], 256, 256), { ...plain, threads: 2 }, [false, true]);
  t.ok(/, 2 slices of channels$/.test(deep.method), deep.method);
  t.ok(found.seconds < direct.seconds, `${found.seconds} s instead of ${direct.seconds} s`);
  t.end();
});
