// A texture that grows out of noise in 1, 2 and 3 dimensions: style transfer without a content, called from a program.
// The same network, losses and optimiser whatever the rank. node examples/texture.ts

import { chooseBackend, OPTIMISERS, randomFilters, transferStyle } from '../src/index.ts';

/** Stripes of period 8 along the first axis, `[...spatial, 1]`. */
function stripes(shape: readonly number[]) {
  const count = shape.reduce((a, b) => a * b);
  const row = count / shape[0];
  return {
    shape,
    data: Float32Array.from({ length: count }, (_, i) => Math.sin((Math.floor(i / row) * Math.PI) / 4)),
  };
}

const backend = await chooseBackend('auto', {});
for (const [rank, n] of [
  [1, 64],
  [2, 24],
  [3, 16],
] as const) {
  const style = stripes([...new Array<number>(rank).fill(n), 1]);
  const noise = { shape: style.shape, data: style.data.map((_, i) => Math.sin(i * i)) };
  const { figures, iterations } = await transferStyle(
    {
      network: randomFilters({ rank, channels: 1, kernels: [3, 5], filters: 8, blocks: 2, seed: 7 }),
      content: { grid: noise, layers: { relu2: 1 } },
      styles: [{ grid: style, layers: { relu1: 1, relu2: 1 }, weight: 1 }],
      contentWeight: 0,
      styleWeight: 1,
      totalVariation: 0,
      losses: 'relative',
      start: noise,
      optimiser: OPTIMISERS.lbfgs,
      iterations: 60,
    },
    backend,
    () => true,
  );
  console.log(
    `rank ${rank}: after ${iterations} steps the noise is ${Math.round(1 / figures.style)} times nearer to stripes`,
  );
}
await backend.close();
