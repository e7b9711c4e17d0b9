// `ndconv network` as its user meets it. What is downloaded, and how, is tested in networks/registry.test.ts.

import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { realData, testWith } from '../formats/support.ts';
import { type Outcome, openSession } from './session.ts';
import { temporaryFolder } from './workshop.ts';

const folder = temporaryFolder();
process.env.NDCONV_CACHE = join(folder, 'cache');
const session = openSession(folder);
test.onFinish(() => session.close());

const network = (...args: string[]): Promise<Outcome> => session.run('network', ...args);
const events = ({ out }: Outcome): any[] =>
  out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));

test('network list and show', async t => {
  const listed = await network('list');
  t.match(listed.out, /^network +files +licence\n/);
  t.match(listed.out, /\nface-api +here \(comes with ndconv\) +MIT /);
  t.match(listed.out, /\nvgg19 +not downloaded +BSD-3-Clause /);
  const [{ event, networks }] = events(await network('list', '--json'));
  t.equal(event, 'networks');
  t.deepEqual(
    networks.map((one: any) => [one.name, one.state]),
    [
      ['face-api', 'packaged'],
      ['face-detector', 'packaged'],
      ['face-detector-tiny', 'packaged'],
      ['face-landmarks', 'packaged'],
      ['squeezenet1_1', 'absent'],
      ['vgg16', 'absent'],
      ['vgg19', 'absent'],
    ],
  );
  const { out } = await network('show', 'squeezenet1_1');
  t.match(out, /download them with: ndconv network get squeezenet1_1/);
  t.match(out, /\norigin +https:.*squeezenet1_1-b8a52dc0.pth\n/);
  t.match(out, /\nlicence +BSD-3-Clause\n/);
  t.match(out, /\nnormalised +mean 0.485, 0.456, 0.406, deviation 0.229, 0.224, 0.225/);
  t.match(out, /\nto cite +Iandola/);
  t.match(out, /\nsha256 +begins with b8a52dc0/);
  const [shown] = events(await network('show', 'face-api', '--json'));
  t.deepEqual([shown.licence, shown.rank, existsSync(shown.path)], ['MIT', 2, true]);
  t.end();
});

test('network: mistakes', async t => {
  const wrong: [string[], RegExp][] = [
    [['show', 'vgg91'], /there is no network vgg91; did you mean vgg19\?/],
    [
      ['get', 'vgg19', '--offline'],
      /the weights of vgg19 are not here, and --offline forbids to download them/,
    ],
    [['get', 'random-filters'], /random-filters needs no download/],
    [['inspect', 'vgg91'], /there is neither a file nor a network vgg91; did you mean vgg19\?/],
    [
      ['inspect', 'vgg19', '--input', '224x'],
      /--input 224x: give the size of every dimension, such as 224x224/,
    ],
    [['inspect', 'vgg19', '--input', '8x8x8'], /--input 8x8x8 has 3 sizes, and network vgg19 takes 2/],
    [
      ['inspect', 'vgg19', '--input', '4x4'],
      /network vgg19, layer conv3_1: pad: reflecting 1 cells needs more/,
    ],
    [['add', 'none.onnx'], /none.onnx/],
    [['add', 'x', '--as', 'vgg19', '--name', 'y'], /--as and --name/],
    [['list', '--jsn'], /unknown option '--jsn'/],
    [['shw'], /unknown command 'shw'/],
  ];
  for (const [args, says] of wrong) {
    const { code, err, out } = await network(...args);
    t.equal(code, 2, args.join(' '));
    t.match(err, says);
    t.equal(out, '');
  }
  const [failed] = events(await network('get', 'vgg19', '--offline', '--json'));
  t.deepEqual([failed.event, failed.tag], ['error', 'NetworkError']);
  t.match((await network('get', 'face-api')).out, /^face-api is here: .*face_recognition/);
  t.end();
});

test('network inspect: a table, JSON and a graph', async t => {
  const { out } = await network('inspect', 'vgg19', '--input', '224x224');
  t.match(out, /^layer +type +shape +parameters +field +stride +start +multiply-adds +from\n/);
  t.match(out, /\nconv3_1 +convolution +56×56×256 +295,168 +24 +4 +-10 +925 M\n/);
  t.match(out, /\npool5 +max-pool +7×7×512 +268 +32 +-118\n/);
  // 19.6 G in all with the dense layers, which are 0.12 G (Canziani et al. 2016).
  t.match(out, /vgg19: rank 2, 3 channels in, 38 layers, 20,024,390 parameters, 19.5 G multiply-adds/);
  const [found] = events(await network('inspect', 'random-filters', '--input', '8x9x10', '--json'));
  t.deepEqual([found.event, found.rank, found.channels, found.input], ['inspected', 3, 1, [8, 9, 10, 1]]);
  const at = (name: string) => found.layers.find((layer: any) => layer.name === name);
  t.deepEqual(at('conv1_5').field, { size: [5, 5, 5], stride: [1, 1, 1], start: [-2, -2, -2] });
  t.deepEqual(at('relu2').shape, [4, 5, 5, 64]);
  t.equal(at('conv1_5').multiplyAdds, 720 * 125 * 32);
  t.equal(
    found.multiplyAdds,
    found.layers.reduce((sum: number, layer: any) => sum + layer.multiplyAdds, 0),
  );
  const dot = (await network('inspect', 'random-filters', '--dot')).out;
  t.match(dot, /^digraph "random-filters" \{\n/);
  t.match(dot, /\n {2}"relu1_3" -> "relu1";\n/);
  t.match(dot, /\n\}\n$/);
  t.match((await network('inspect', 'random-filters')).out, /--input 224x224 adds shapes and cost\n$/);
  t.end();
});

testWith('models/brain3d/brain3d.onnx', 'network inspect and add: files', async (t, path) => {
  copyFileSync(path, join(folder, 'brain.onnx'));
  const { out } = await network('inspect', 'brain.onnx', '--input', '64x64x64');
  t.match(out, /\nconv3d_1 +convolution +64×64×64×8 +1,736 +5 +1 +-2 +453 M\n/);
  t.match(out, /: rank 3, 1 channels in, /);
  t.match(
    (await network('add', 'brain.onnx')).out,
    /\nin a pipeline: with: \{ from: added, name: brain \}\n$/,
  );
  t.match((await network('list')).out, /\nbrain +here \(added\) +added from .*brain.onnx\n/);
  t.match((await network('inspect', 'brain', '--dot')).out, /^digraph "brain"/);
  copyFileSync(realData('models/squeezenet1_1/squeezenet1_1.safetensors'), join(folder, 's.safetensors'));
  const tensors = await network('inspect', 's.safetensors');
  t.match(tensors.out, /\nfeatures.0.weight +64×3×3×3 +1,728\n/);
  t.match(tensors.out, /does not say how they are connected\n$/);
  t.match((await network('inspect', 's.safetensors', '--dot')).err, /--dot has no effect/);
  t.match((await network('add', 's.safetensors', '--as', 'squeezenet1_1')).out, /from: squeezenet1_1/);
  t.match(
    (await network('get', 'squeezenet1_1', '--offline')).out,
    /its SHA-256 is as recorded: [0-9a-f]{64}\n$/,
  );
});
