// tap-conv on the wasm backend: random shapes of every rank against the reference, and threads that change no bit; and
// its direct rendering for every kind of engine, in memory full of garbage.

import tape from 'tape';
import { marginsOf, type TapConv } from '../../kernels/tap-conv/spec.ts';
import { renderTapConv } from '../../kernels/tap-conv/wasm.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import type { Random } from '../../src/random.ts';
import { layoutOf } from '../../src/tensor/layout.ts';
import { errorOf, randomOf, runOn, type Single, sameBits, valuesFor } from './tap-call.ts';
import { faults } from './wasm-call.ts';

function randomConvolution(random: Random, rank: number): Single {
  const each = (low: number, high: number) =>
    Array.from({ length: rank }, () => low + random.integer(high - low + 1));
  const pick = <T>(...values: T[]): T => values[random.integer(values.length)];
  const groups = pick(1, 1, 1, 2, 3, 8, 21);
  const depthwise = random.integer(4) === 0;
  const depth = depthwise ? 1 : pick(1, 2, 3, 4, 5, 8);
  const width = depthwise ? 1 : pick(1, 2, 3, 5, 8, 16, 19, 34);
  const kernelShape = each(1, [1, 9, 4, 3, 2][rank]);
  const transpose = random.integer(2) === 0;
  const bias = random.integer(2) === 0;
  const [input, output] = [depth * groups, width * groups];
  const top = [1, 40, 13, 6, 4][rank];
  const w = transpose ? [...kernelShape, width, input] : [...kernelShape, depth, output];
  return {
    kernel: {
      family: 'tap-conv',
      kernelShape,
      strides: each(1, 3),
      dilations: each(1, 3),
      padLow: each(-2, 4),
      inputDilations: random.integer(2) ? each(1, 1) : each(1, 3),
      groups,
      flip: random.integer(2) === 0,
      transpose,
      bias,
      activation: pick('none', 'relu'),
    },
    shapes: [[pick(1, 2, 7), ...each(1, top), input], w, ...(bias ? [[output]] : [])],
    output: [0, ...each(1, top), output],
  };
}

for (const rank of [0, 1, 2, 3, 4])
  tape(`tap-conv on wasm: rank ${rank}`, async t => {
    const random = randomOf(`tap-conv ${rank}`);
    const [one, two] = [await createWasmBackend({ threads: 1 }), await createWasmBackend({ threads: 2 })];
    for (let i = 0; i < 24; i++) {
      const single = randomConvolution(random, rank);
      single.output[0] = single.shapes[0][0];
      const inputs = valuesFor(single, random);
      const got = await runOn(one, single, inputs);
      const error = errorOf(single, inputs, got);
      if (!(error < 1e-5)) t.fail(`differs by ${error}: ${JSON.stringify(single)}`);
      if (!sameBits(got, await runOn(two, single, inputs)))
        t.fail(`threads differ: ${JSON.stringify(single)}`);
    }
    t.pass('24 shapes');
    await Promise.all([one.close(), two.close()]);
  });

for (const rank of [0, 1, 2, 3, 4])
  tape(`tap-conv in WebAssembly: rank ${rank}, every kind of engine and number of threads`, async t => {
    const random = randomOf(`tap-conv rendered ${rank}`);
    const pick = <T>(...values: T[]): T => values[random.integer(values.length)];
    for (let i = 0; i < 30; i++) {
      const single = randomConvolution(random, rank);
      single.output[0] = single.shapes[0][0];
      const kernel = single.kernel as TapConv;
      const margins = marginsOf(kernel, single.shapes, single.output);
      const target = { relaxed: pick(true, false), wide: pick(true, false), threads: 1 + random.integer(4) };
      const output = single.output.map((_, a) =>
        a && a < rank + 1 ? ([pick(0, 1), pick(0, 2)] as const) : ([0, 0] as const),
      );
      const found = await faults(
        call => renderTapConv(call, target),
        kernel,
        single.shapes.map((shape, n) => layoutOf(shape, margins[n])),
        layoutOf(single.output, output.slice(0, -1)),
        valuesFor(single, random).map(v => v.data as Float32Array),
        1e-4,
      );
      if (found.length > 0) t.fail(`${found.join('; ')}: ${JSON.stringify({ single, target })}`);
    }
    t.pass('30 shapes');
  });
