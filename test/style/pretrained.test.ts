// The shipped pipelines with trained networks, small: SqueezeNet on a picture, VGG-19 inflated on a volume. Their weights
// are added as a user adds a file.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addNetwork } from '../../src/networks/registry/index.ts';
import { runPipeline } from '../../src/pipeline/index.ts';
import { temporaryFolder, testWith } from '../formats/support.ts';

const folder = temporaryFolder();
process.env.NDCONV_CACHE = join(folder, 'cache');

const vgg19 = 'models/vgg19_normalised/vgg19_normalised_to_conv3_1.safetensors';

const cases = [
  ['squeezenet1_1', 'models/squeezenet1_1/squeezenet1_1.safetensors', 'style-image-squeezenet', 'size=96'],
  ['vgg19', vgg19, 'style-image-vgg19', 'size=48'],
  ['vgg19', vgg19, 'style-volume-inflated', 'size=24'],
] as const;

for (const [network, weights, pipeline, size] of cases)
  testWith(weights, `${pipeline}: the style comes nearer`, async (t, path) => {
    await addNetwork(path, { as: network });
    const out = join(folder, pipeline);
    await runPipeline(join(import.meta.dirname, `../../pipelines/${pipeline}.yaml`), {
      set: [size, 'iterations=8'],
      threads: 1,
      out,
    });
    const { steps } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    const { style } = steps.find(({ uses }: { uses: string }) => uses === 'style-transfer').figures;
    t.ok(style[0] <= 1 + 1e-6 && style.at(-1) < 0.5 * style[0], `style loss ${style[0]} → ${style.at(-1)}`);
  });
