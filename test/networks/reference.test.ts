// Known networks with real weights against outputs that PyTorch computed, on every backend that is quick enough.

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createGpujsBackend } from '../../src/backends/gpujs.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { readNpy } from '../../src/formats/npy.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { type KnownName, loadKnownNetwork } from '../../src/networks/architectures.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import { readWeights } from '../../src/networks/weights.ts';
import type { Packed } from '../../src/tensor/packed.ts';
import { relativeError } from '../conformance/evaluate.ts';
import { temporaryFolder, testWith } from '../formats/support.ts';

/** `[1, channels, ...spatial]` of PyTorch to `[...spatial, channels]`. */
function channelsLast(path: string): Packed {
  const { shape, data } = readNpy(readFileSync(path), path);
  const [, channels, ...spatial] = shape;
  const cells = data.length / channels;
  const out = Float32Array.from(data, (_, i) => data[(i % channels) * cells + Math.floor(i / channels)]);
  return { shape: [...spatial, channels], data: out };
}

const cases: { name: KnownName; file: string; layer: string; output: string }[] = [
  {
    name: 'vgg19',
    file: 'models/vgg19_normalised/vgg19_normalised_to_conv3_1.safetensors',
    layer: 'relu3_1',
    output: 'reference_conv3_1.npy',
  },
  {
    name: 'squeezenet1_1',
    file: 'models/squeezenet1_1/squeezenet1_1.safetensors',
    layer: 'logits',
    output: 'reference_logits.npy',
  },
];

const backends = {
  'wasm, one thread': () => createWasmBackend({ threads: 1 }),
  'wasm, two threads': () => createWasmBackend({ threads: 2 }),
  'wasm without Winograd': () => createWasmBackend({ threads: 1, winograd: false }),
  'gpujs:cpu': () => createGpujsBackend({ mode: 'cpu' }),
  'gpujs:webasm': () => createGpujsBackend({ mode: 'webasm' }),
};

for (const { name, file, layer, output } of cases)
  for (const [backendName, create] of Object.entries(backends))
    testWith(file, `${name} on ${backendName} gives what PyTorch gives`, async (t, path) => {
      const input = channelsLast(join(dirname(path), 'reference_input.npy'));
      const expected = channelsLast(join(dirname(path), output));
      // The reference inputs are already as the networks were trained on.
      const network = await loadKnownNetwork(name, path, { normalise: false });
      const backend = await create();
      try {
        const found = (await evaluateNetwork(network, input, [layer], backend)).get(layer)!;
        t.equal(found.data.length, expected.data.length, `[${found.shape}]`);
        const error = relativeError(found.data, expected.data);
        t.ok(error < 1e-4, `differs by at most ${error.toExponential(1)} of the largest value`);
      } finally {
        await backend.close();
      }
    });

testWith(cases[1].file, 'squeezenet1_1 from npz gives what PyTorch gives', async (t, path) => {
  const file = join(temporaryFolder(), 'squeezenet1_1.npz');
  writeFileSync(file, await writeNpz(await readWeights(path)));
  const network = await loadKnownNetwork('squeezenet1_1', file, { normalise: false });
  const input = channelsLast(join(dirname(path), 'reference_input.npy'));
  const expected = channelsLast(join(dirname(path), 'reference_logits.npy'));
  const backend = await createWasmBackend({ threads: 1 });
  const { data } = (await evaluateNetwork(network, input, ['logits'], backend)).get('logits')!;
  await backend.close();
  const error = relativeError(data, expected.data);
  t.ok(error < 1e-4, `differs by at most ${error.toExponential(1)} of the largest value`);
});
