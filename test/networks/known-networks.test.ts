// Networks known by name: the same as written out layer by layer, with their preprocessing, and the wrong file refused.

import { NdconvError } from '../../src/errors.ts';
import { loadKnownNetwork } from '../../src/networks/architectures.ts';
import { type LayerDescription, layeredNetwork } from '../../src/networks/layered.ts';
import { readWeights } from '../../src/networks/weights.ts';
import { relativeError } from '../conformance/evaluate.ts';
import { realData, testWith } from '../formats/support.ts';
import { outputOf } from './written-out.ts';

const vggFile = 'models/vgg19_normalised/vgg19_normalised_to_conv3_1.safetensors';

testWith(vggFile, 'VGG-19 written out is the known one', async (t, path) => {
  const conv = (index: number): LayerDescription => ({
    type: 'convolution',
    weights: `features.${index}`,
    padding: 1,
    paddingMode: 'reflect',
  });
  const relu = { type: 'relu' } as const;
  const pool = { type: 'max-pool', window: 2 } as const;
  const layers = [
    { type: 'convolution', weights: 'preprocess' } as const,
    ...[conv(0), relu, conv(2), relu, pool, conv(5), relu, conv(7), relu, pool, conv(10), relu],
  ];
  const weights = { path, tensors: await readWeights(path), order: 'out-first' } as const;
  const written = layeredNetwork({ rank: 2, channels: 3, layers }, 0, weights);
  const known = await loadKnownNetwork('vgg19', path);
  t.equal(
    relativeError((await outputOf(written, [9, 8, 3])).data, (await outputOf(known, [9, 8, 3])).data),
    0,
  );
});

testWith(vggFile, 'the file of another network is refused', async (t, vgg) => {
  const squeezenet = realData('models/squeezenet1_1/squeezenet1_1.safetensors');
  for (const [name, path, says] of [
    [
      'vgg19',
      squeezenet,
      /vgg19 has no place for features.3.squeeze.weight, .* and 45 more: it is the file of another/,
    ],
    ['squeezenet1_1', vgg, /no tensor 'features.3.squeeze.weight'; it holds /],
  ] as const)
    try {
      await loadKnownNetwork(name, path);
      t.fail('it was not refused');
    } catch (error) {
      t.ok(error instanceof NdconvError && error.tag === 'NetworkError', String(error));
      t.match(String(error), says);
    }
});

testWith(
  'models/squeezenet1_1/squeezenet1_1.safetensors',
  'known networks take RGB in [0, 1]',
  async (t, path) => {
    const { layers } = await loadKnownNetwork('squeezenet1_1', path);
    t.equal(layers[0].name, 'preprocess');
    const { scale, shift } = layers[0].weights!;
    const mean = [0.485, 0.456, 0.406].map((m, c) => m * scale.data[c] + shift.data[c]);
    t.ok(Math.max(...mean.map(Math.abs)) < 1e-6, 'the mean of ImageNet becomes 0');
    t.ok(Math.abs(scale.data[0] - 1 / 0.229) < 1e-5, 'and its deviation 1');
    const plain = await loadKnownNetwork('squeezenet1_1', path, { normalise: false });
    t.equal(plain.layers[0].name, 'conv1', 'normalise: false leaves it out');
  },
);
