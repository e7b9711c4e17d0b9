// The networks of face-api against the same networks in PyTorch (test/golden/faces.py), on one small photo.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { embedFields } from '../../src/embeddings/embed.ts';
import { embeddingNetwork } from '../../src/embeddings/embedder.ts';
import { type DetectorName, detectors } from '../../src/faces/detect.ts';
import type { Field } from '../../src/formats/field.ts';
import { readNpy } from '../../src/formats/npy.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import { openNetwork } from '../../src/networks/registry/index.ts';

const folder = join(import.meta.dirname, '../golden/data-faces');
const bytes = readNpy(readFileSync(join(folder, 'face.npy'))).data;
const expected = await readNpz(readFileSync(join(folder, 'expected.npz')), 'expected.npz');
const valuesOf = (name: string): Float32Array => Float32Array.from(expected.get(name)!.data);

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length
    ? Array.from(a, (v, i) => Math.abs(v - b[i])).reduce((x, y) => Math.max(x, y), 0)
    : Number.POSITIVE_INFINITY;

/** Pixels `[from, to)` of the photo, each repeated, in the upper left of a black square. */
function square(from: number, to: number, repeat: number, size: number): Field {
  const data = new Float32Array(size * size * 3);
  const side = Math.min(size, (to - from) * repeat);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      for (let c = 0; c < 3; c++) {
        const at = [y, x].map(v => from + Math.floor(v / repeat));
        data[(y * size + x) * 3 + c] = bytes[(at[0] * 150 + at[1]) * 3 + c] / 255;
      }
  const axes = ['y', 'x'].map(name => ({ name, spacing: 1, unit: 'px' }));
  return {
    kind: 'image',
    shape: [size, size, 3],
    data,
    axes,
    source: 'face.npy',
    valueUnit: '',
    sampleType: 'uint8',
  };
}

test('the embedding is that of the network in PyTorch', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  const embedding = embeddingNetwork(await openNetwork('face-api'));
  const [vector] = await embedFields([square(0, 150, 1, 150)], embedding, backend);
  const error = largestDifference(vector, valuesOf('descriptor'));
  t.ok(error < 1e-4, `128 numbers differ by at most ${error.toExponential(1)}`);
  await backend.close();
});

test('the landmarks are those of the network in PyTorch', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  const found = await evaluateNetwork(
    await openNetwork('face-landmarks'),
    square(19, 131, 1, 112),
    ['points'],
    backend,
  );
  const error = largestDifference(found.get('points')!.data, valuesOf('points'));
  t.ok(error < 1e-5, `136 numbers differ by at most ${error.toExponential(1)}`);
  await backend.close();
});

for (const [name, prefix] of [
  ['face-detector', 'single-shot'],
  ['face-detector-tiny', 'tiny'],
] as [DetectorName, string][])
  test(`${name} finds the boxes that the network in PyTorch finds`, async t => {
    const backend = await createWasmBackend({ threads: 1 });
    const network = await openNetwork(name);
    const [size] = network.sizes!;
    const { outputs, read } = detectors[name];
    const found = await evaluateNetwork(network, square(0, 150, 2, size), [...outputs], backend);
    const priors = network.layers.find(layer => layer.name === 'priors')?.weights?.value.data;
    const candidates = read(
      outputs.map(output => found.get(output)!.data),
      0.05,
      priors,
    );
    const scores = largestDifference(
      candidates.map(({ score }) => score),
      valuesOf(`${prefix}-scores`),
    );
    t.ok(scores < 1e-4, `${candidates.length} scores differ by at most ${scores.toExponential(1)}`);
    const theirs = valuesOf(`${prefix}-boxes`);
    const boxes = candidates.flatMap(({ box: [x, y, width, height] }) => {
      const corners = prefix === 'tiny' ? [x, y, width, height] : [y, x, y + height, x + width];
      return corners.map(v => v / size);
    });
    const error = largestDifference(boxes, theirs);
    t.ok(error < 1e-4, `boxes differ by at most ${error.toExponential(1)} of the side`);
    await backend.close();
  });
