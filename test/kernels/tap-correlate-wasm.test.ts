// tap-correlate on the wasm backend: random shapes of every rank against the reference, symmetric results, and threads
// that change no bit; and its direct rendering for every kind of engine, in memory full of garbage.

import fc from 'fast-check';
import tape from 'tape';
import { marginsOf, type TapCorrelate } from '../../kernels/tap-correlate/spec.ts';
import { renderTapCorrelate } from '../../kernels/tap-correlate/wasm.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import type { Random } from '../../src/random.ts';
import { layoutOf } from '../../src/tensor/layout.ts';
import { errorOf, randomOf, runOn, type Single, sameBits, valuesFor } from './tap-call.ts';
import { faults, holds, noise } from './wasm-call.ts';

function randomCorrelation(random: Random, rank: number): Single {
  const each = (low: number, high: number) =>
    Array.from({ length: rank }, () => low + random.integer(high - low + 1));
  const pick = <T>(...values: T[]): T => values[random.integer(values.length)];
  const groups = pick(1, 1, 2, 5);
  const [depth, width] = [pick(1, 2, 3, 5, 8), pick(1, 2, 3, 5, 8, 16, 19)];
  const kernelShape = each(1, 3);
  const batch = pick(1, 2, 7);
  const top = [1, 300, 17, 6, 4][rank];
  return {
    kernel: {
      family: 'tap-correlate',
      kernelShape,
      strides: each(1, 3),
      dilations: each(1, 3),
      padLow: each(-2, 4),
      inputDilations: each(1, 1),
      groups,
      symmetric: false,
    },
    shapes: [
      [batch, ...each(1, top), depth * groups],
      [batch, ...each(1, top), width * groups],
    ],
    output: [...kernelShape, depth, width * groups],
  };
}

for (const rank of [0, 1, 2, 3, 4])
  tape(`tap-correlate on wasm: rank ${rank}`, async t => {
    const random = randomOf(`tap-correlate ${rank}`);
    const [one, two] = [await createWasmBackend({ threads: 1 }), await createWasmBackend({ threads: 2 })];
    const compare = async (single: Single, same: boolean) => {
      const inputs = valuesFor(single, random, same);
      const got = await runOn(one, single, inputs);
      const error = errorOf(single, inputs, got);
      if (!(error < 1e-5)) t.fail(`differs by ${error}: ${JSON.stringify(single)}`);
      if (!sameBits(got, await runOn(two, single, inputs)))
        t.fail(`threads differ: ${JSON.stringify(single)}`);
      return got;
    };
    for (let i = 0; i < 20; i++) await compare(randomCorrelation(random, rank), false);
    t.pass('20 shapes');

    const one1 = new Array<number>(rank).fill(1);
    for (const channels of [1, 3, 6, 17, 40]) {
      const shape = [2, ...new Array<number>(rank).fill(rank === 1 ? 200 : 4), channels];
      const taps = { kernelShape: one1, strides: one1, dilations: one1, inputDilations: one1 };
      const gram: Single = {
        kernel: {
          family: 'tap-correlate',
          ...taps,
          padLow: one1.map(() => 0),
          groups: 1,
          symmetric: true,
        },
        shapes: [shape, shape],
        output: [...one1, channels, channels],
      };
      const got = await compare(gram, true);
      t.ok(
        got.every((v, i) => v === got[(i % channels) * channels + Math.floor(i / channels)]),
        `${channels} channels: symmetric to the bit`,
      );
    }
    await Promise.all([one.close(), two.close()]);
  });

/** Up to some 2000 cells, so that there are several parts and blocks, whose rows join or do not. */
const drawn = fc.integer({ min: 1, max: 3 }).chain(rank => {
  const each = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: rank, maxLength: rank });
  const size = (most: number) => fc.integer({ min: 1, max: most });
  return fc.record({
    batch: size(3),
    size: each(size([0, 600, 26, 8][rank])),
    taps: each(fc.constantFrom(1, 1, 2, 3)),
    strides: each(size(2)),
    dilations: each(size(2)),
    padLow: each(fc.integer({ min: -1, max: 2 })),
    margin: each(fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 2 }))),
    groups: fc.constantFrom(...[1, 1, 1, 2, 3]),
    depth: fc.constantFrom(...[1, 2, 3, 4, 7, 12, 13, 24]),
    width: fc.constantFrom(...[1, 2, 3, 4, 5, 8, 11, 16, 17, 20, 40]),
    symmetric: fc.boolean(),
    relaxed: fc.boolean(),
    wide: fc.boolean(),
    threads: size(3),
  });
});

tape(
  'tap-correlate in WebAssembly: random shapes for every kind of engine and number of threads',
  async t => {
    await holds(t, 'shapes', 150, drawn, faultsOf);
  },
);

/** So many channels that blocks are packed. */
const many = drawn.chain(c =>
  fc
    .constantFrom([64, 256], [259, 70], [256, 272])
    .map(([depth, width]) => ({ ...c, depth, width, groups: 1, size: c.size.map(n => Math.ceil(n / 2)) })),
);

tape('tap-correlate in WebAssembly: packed blocks', async t => {
  await holds(t, 'shapes', 60, many, faultsOf);
});

/** What is wrong with a rendering of a random correlation. */
async function faultsOf(c: typeof drawn extends fc.Arbitrary<infer C> ? C : never): Promise<string[]> {
  const one = c.size.map(() => 1);
  const symmetric = c.symmetric && c.groups === 1;
  const kernel: TapCorrelate = {
    family: 'tap-correlate',
    kernelShape: symmetric ? one : c.taps,
    strides: symmetric ? one : c.strides,
    dilations: symmetric ? one : c.dilations,
    inputDilations: one,
    padLow: symmetric ? c.size.map(() => 0) : c.padLow,
    groups: c.groups,
    symmetric,
  };
  const [depth, width] = [symmetric ? c.width : c.depth, c.width].map(n => n * c.groups);
  const sizes = c.size.map((n, a) => Math.ceil(n / kernel.strides[a]));
  const shapes = [
    [c.batch, ...c.size, depth],
    [c.batch, ...sizes, width],
  ];
  // Larger margins than needed on both.
  const layouts = shapes.map((shape, i) =>
    layoutOf(
      shape,
      marginsOf(kernel, shapes)[i].map(([low, high], a) => {
        const [l, h] = a ? c.margin[a - 1] : [0, 0];
        return [low + l, high + h] as const;
      }),
    ),
  );
  const values = shapes.map((s, i) => noise(s, symmetric ? 1 : i + 1).map(v => v / 4));
  return faults(
    call => renderTapCorrelate(call, { relaxed: c.relaxed, wide: c.wide, threads: c.threads }),
    kernel,
    layouts,
    layoutOf([...kernel.kernelShape, depth / c.groups, width]),
    values,
    1e-5,
  );
}
