// tap-correlate on the wasm backend: random shapes of every rank against the reference, symmetric results, and threads
// that change no bit.

import tape from 'tape';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import type { Random } from '../../src/random.ts';
import { errorOf, randomOf, runOn, type Single, sameBits, valuesFor } from './tap-call.ts';

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
