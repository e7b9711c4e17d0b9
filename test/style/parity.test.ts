// A whole style transfer against the same written in PyTorch (test/golden/style-parity.py): VGG-19 to conv3_1, 50 steps of
// Adam from the same start. The losses before every step must agree within 1 %.

import { readFileSync } from 'node:fs';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { readField } from '../../src/formats/index.ts';
import { loadKnownNetwork } from '../../src/networks/architectures.ts';
import type { Grid, StyleFigures } from '../../src/style/problem.ts';
import { transferStyle } from '../../src/style/transfer.ts';
import { realData, testWith } from '../formats/support.ts';

interface Part {
  image: string;
  at: number[];
  layers: Record<string, number>;
}

const names = ['content', 'style', 'tv', 'total'] as const;
type Curves = Record<(typeof names)[number], number[]>;

const golden: {
  settings: {
    size: number;
    every: number;
    content: Part;
    style: Part;
    contentWeight: number;
    styleWeight: number;
    totalVariation: number;
    rate: number;
    iterations: number;
  };
  sums: Record<'content' | 'style' | 'start', number>;
  single: Curves;
  double: Curves;
} = JSON.parse(readFileSync(new URL('../golden/data-style/vgg19-adam.json', import.meta.url), 'utf8'));

const { settings } = golden;

/** Every n-th pixel of a piece of a photograph. */
async function crop({ image, at: [y0, x0] }: Part): Promise<Grid> {
  const { size, every } = settings;
  const { shape, data } = await readField(realData(`images/${image}`));
  const out = new Float32Array(size * size * 3);
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const from = ((y0 + y * every) * shape[1] + x0 + x * every) * 3;
      out.set(data.subarray(from, from + 3), (y * size + x) * 3);
    }
  return { shape: [size, size, 3], data: out };
}

/** The noise of the golden: a linear congruential generator over [y, x, channel]. */
function noise(): Grid {
  let state = 12345;
  const data = Float32Array.from({ length: settings.size ** 2 * 3 }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return 0.25 + (0.5 * (state >>> 16)) / 65536;
  });
  return { shape: [settings.size, settings.size, 3], data };
}

const weights = 'models/vgg19_normalised/vgg19_normalised_to_conv3_1.safetensors';

testWith(weights, 'fifty steps of Adam through VGG-19 follow the loss curves of PyTorch', async (t, path) => {
  const grids = { content: await crop(settings.content), style: await crop(settings.style), start: noise() };
  for (const [name, { data }] of Object.entries(grids)) {
    const sum = data.reduce((a, b) => a + b, 0);
    const expected = golden.sums[name as keyof typeof grids];
    t.ok(Math.abs(sum - expected) < 1e-5 * expected, `the ${name} is that of the golden (sum ${sum})`);
  }
  const history: StyleFigures[] = [];
  const backend = await createWasmBackend({ threads: 1 });
  try {
    await transferStyle(
      {
        network: await loadKnownNetwork('vgg19', path),
        content: { grid: grids.content, layers: settings.content.layers },
        styles: [{ grid: grids.style, layers: settings.style.layers, weight: 1 }],
        contentWeight: settings.contentWeight,
        styleWeight: settings.styleWeight,
        totalVariation: settings.totalVariation,
        losses: 'plain',
        start: grids.start,
        optimiser: { name: 'adam', rate: settings.rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
        iterations: settings.iterations,
      },
      backend,
      figures => {
        history.push(figures);
        return true;
      },
    );
  } finally {
    await backend.close();
  }
  const steps = history.slice(1);
  t.equal(steps.length, settings.iterations);
  for (const precision of ['single', 'double'] as const)
    for (const name of names) {
      const apart = steps.map((step, i) => Math.abs(step[name] / golden[precision][name][i] - 1));
      const worst = Math.max(...apart);
      t.ok(
        worst < 0.01,
        `${name}: at most ${worst.toExponential(1)} from PyTorch in ${precision} precision (step ${apart.indexOf(worst) + 1})`,
      );
    }
  for (const name of names)
    t.ok(
      Math.abs(history[0][name] / golden.double[name][0] - 1) < 1e-4,
      `${name} before the first step, as reported at the start`,
    );
});
