// Everything a user can get wrong in a pipeline or on the command line: each is one problem, told with its place, what
// is wrong and what to do, exit code 2, and nothing is written.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type Test } from 'tape';
import { openSession, type Session } from './session.ts';
import { makeWorkshop } from './workshop.ts';

const pipeline = `ndconv: 1
name: case
params: { iterations: 2 }
seed: 7
steps:
  - id: content
    uses: load
    with: { path: picture.png }
  - id: style
    uses: load
    with: { path: other.png }
  - id: net
    uses: network
    with: { from: random-filters, rank: 2, channels: 3, kernels: [3], filters: 4, blocks: 2 }
  - id: result
    uses: style-transfer
    with:
      network: "@net"
      content: { input: "@content", layers: { relu2: 1 } }
      styles: [{ input: "@style", layers: { relu1: 1 } }]
      iterations: \${params.iterations}
  - uses: save
    with: { input: "@result", path: result.png }
`;

const layered =
  'from: layers, rank: 2, channels: 3, layers: [{ name: relu1, type: convolution, kernel: 40, filters: 4 }, { name: relu2, type: relu }] }';
const randomFilters = /from: random.*\}/;
const generated = (how: string): [string, string] => [
  'uses: load\n    with: { path: picture.png }',
  `uses: generate\n    with: ${how}`,
];
const sound: [string | RegExp, string][] = [
  ['picture.png', 'mono.wav'],
  ['other.png', 'stereo.wav'],
  ['rank: 2, channels: 3', 'rank: 1, channels: 257'],
  ['result.png', 'result.wav'],
];
const again = `  - id: again
    uses: style-transfer
    with: { network: "@net", content: { input: "@result" }, styles: [{ input: "@style" }] }
`;

interface Case {
  name: string;
  /** Replacements in the pipeline. */
  edits?: [string | RegExp, string][];
  /** The whole file. */
  text?: string;
  args?: string[];
  /** `line:column` in the file, or the argument. */
  at: string;
  says: RegExp;
  /** The remedy, or what was expected. */
  helps: RegExp;
}

// biome-ignore format: one case a line.
const cases: Case[] = [
  // What is no YAML.
  { name: 'a tab', edits: [['    uses: load', '\tuses: load']], at: '7:1', says: /a tab in the indentation/, helps: /replace the tab .* by spaces/ },
  { name: 'a key twice', edits: [['seed: 7', 'seed: 7\nseed: 8']], at: '5:1', says: /the key seed appears twice.*first in line 4/, helps: /keep one of the two/ },
  { name: 'no space after a colon', edits: [['seed: 7', 'seed:7']], at: '4:1', says: /"seed:7" is not "key: value"/, helps: /write seed: 7/ },
  { name: 'a bracket left open', edits: [['{ relu2: 1 } }', '{ relu2: 1 }']], at: '19:16', says: /\{ is not closed/, helps: /add \} after the last entry/ },
  { name: 'a reference without quotes', edits: [['"@net"', '@net']], at: '18:16', says: /starts with @ must be in quotes/, helps: /write "@net"/ },
  { name: 'bad indentation', edits: [['    uses: network', '   uses: network']], at: '13:4', says: /indented by 3 spaces/, helps: /an indentation of 4/ },
  { name: 'an alias of nothing', edits: [['seed: 7', 'seed: *x']], at: '4:7', says: /\*x stands for nothing/, helps: /write &x/ },
  { name: 'an empty file', text: '', at: '1:1', says: /the file is empty/, helps: /ndconv init/ },
  { name: 'a text', text: 'hello\n', at: '1:1', says: /is no pipeline/, helps: /ndconv init/ },
  // The document.
  { name: 'no version', edits: [['ndconv: 1\n', '']], at: '1:1', says: /"ndconv: 1" is missing/, helps: /write ndconv: 1 in the first line/ },
  { name: 'a version of the future', edits: [['ndconv: 1', 'ndconv: 2']], at: '1:9', says: /for version 2 .* knows version 1/, helps: /install a newer ndconv/ },
  { name: 'a misspelt key of the file', edits: [['seed: 7', 'sed: 7']], at: '4:1', says: /unknown key "sed"/, helps: /did you mean "seed"/ },
  { name: 'a name that is no folder', edits: [['name: case', 'name: a/b']], at: '2:7', says: /"a\/b" cannot name a pipeline/, helps: /letters, digits/ },
  { name: 'no steps', edits: [[/steps:(.|\n)*/, 'steps:']], at: '5:1', says: /steps must be a list/, helps: /give it a value/ },
  { name: 'an unknown backend', edits: [['seed: 7', 'backend: wasn']], at: '4:10', says: /backend must be one of auto/, helps: /did you mean "wasm"/ },
  { name: 'a seed that is a word', edits: [['seed: 7', 'seed: seven']], at: '4:7', says: /seed must be an integer.*the text "seven"/, helps: /everything random/ },
  // Steps and their keys.
  { name: 'a misspelt step', edits: [['uses: network', 'uses: netwrok']], at: '13:11', says: /there is no step called "netwrok"/, helps: /did you mean "network"/ },
  { name: 'a step without uses', edits: [['    uses: network\n', '']], at: '12:5', says: /the key "uses" is missing/, helps: /one of load, generate/ },
  { name: 'a misspelt key', edits: [['kernels', 'kernals']], at: '14:57', says: /unknown key "kernals" in network/, helps: /did you mean "kernels"/ },
  { name: 'a missing key', edits: [['    with: { path: picture.png }\n', '']], at: '6:5', says: /the key "path" is missing in load/, helps: /the path of a file/ },
  { name: 'a key without value', edits: [['path: picture.png', 'path:']], at: '8:13', says: /path must be the path of a file, but is empty/, helps: /give it a value/ },
  { name: 'a number out of range', edits: [['relu1: 1 }', 'relu1: 1 }, weight: 0']], at: '20:65', says: /weight must be a number above 0, but is 0/, helps: /share of this style/ },
  { name: 'a key without effect', edits: [['result.png', 'result.png, quality: 50']], at: '23:58', says: /quality has no effect on png/, helps: /remove it/ },
  { name: 'two steps of one id', edits: [['  - uses: save', '  - id: result\n    uses: save']], at: '22:9', says: /two steps have the id result \(first in line 15\)/, helps: /give one of them another id/ },
  { name: 'two steps that write one file', edits: [[/$/, '  - uses: save\n    with: { input: "@result", path: result.png }\n']], at: '25:37', says: /the step save writes result.png too/, helps: /another path/ },
  { name: 'a result that nothing uses', edits: [['  - uses: save', '  - id: x\n    uses: generate\n    with: { what: foam }\n  - uses: save']], at: '23:11', says: /nothing uses the result of the step x/, helps: /remove the step/ },
  // References and parameters.
  { name: 'threads where they have no effect', edits: [['seed: 7', 'seed: 7\nthreads: 2\nbackend: reference']], at: '5:1', says: /threads has no effect on the backend reference/, helps: /take backend: wasm/ },
  { name: 'a reference to nothing', edits: [['"@style"', '"@stile"']], at: '20:25', says: /there is no step stile/, helps: /did you mean "@style"/ },
  { name: 'a reference without @', edits: [['"@net"', 'net']], at: '18:16', says: /network must be a reference/, helps: /write "@net"/ },
  { name: 'a reference of the wrong kind', edits: [['network: "@net"', 'network: "@content"']], at: '18:16', says: /@content is a field, but a network is needed/, helps: /one of @net/ },
  { name: 'a reference to an output that is none', edits: [['"@style"', '"@style.left"']], at: '20:25', says: /style \(load\) has no output left/, helps: /one of @style/ },
  { name: 'a reference to a step without result', edits: [['"@result"', '"@save"']], at: '23:20', says: /save \(save\) has no result/, helps: /refer to the step it takes its input from/ },
  { name: 'a circle', edits: [['relu1: 1 } }]', 'relu1: 1 } }]\n      start: "@again"'], ['  - uses: save', `${again}  - uses: save`]], at: '25:48', says: /in a circle: result → again → result/, helps: /results of steps that do not need its own/ },
  { name: 'a step that needs itself', edits: [['"@content", layers', '"@result", layers']], at: '19:25', says: /in a circle: result → result/, helps: /do not need its own/ },
  { name: 'an unknown parameter', edits: [['${params.iterations}', '${params.iteration}']], at: '21:19', says: /there is no parameter iteration$/m, helps: /did you mean \$\{params.iterations\}/ },
  { name: 'an expression', edits: [['${params.iterations}', '${params.iterations * 2}']], at: '21:19', says: /is no parameter/, helps: /expressions are not part of the language/ },
  { name: 'a parameter that nothing uses', edits: [['${params.iterations}', '4']], at: '3:11', says: /nothing uses the parameter iterations/, helps: /or remove it/ },
  // Files.
  { name: 'a missing file', edits: [['picture.png', 'pictures.png']], at: '8:19', says: /there is no file pictures.png/, helps: /did you mean "picture.png"/ },
  { name: 'a missing folder', edits: [['picture.png', 'nowhere/picture.png']], at: '8:19', says: /nor a folder nowhere/, helps: /expected: in / },
  { name: 'a missing package', edits: [['picture.png', 'npm:audio-lina/lena.wav']], at: '8:19', says: /the package audio-lina is not installed/, helps: /did you mean "npm:audio-lena\/lena.wav"/ },
  { name: 'a missing file of a package', edits: [['picture.png', 'npm:audio-lena/lena.wv']], at: '8:19', says: /there is no file npm:audio-lena\/lena.wv/, helps: /did you mean "npm:audio-lena\/lena.wav"/ },
  { name: 'a web address', edits: [['picture.png', 'https://x.org/a.png']], at: '8:19', says: /is a web address/, helps: /download it/ },
  { name: 'an empty picture', edits: [['picture.png', 'empty.png']], at: '8:19', says: /empty.png: is empty \(0 bytes\)/, helps: /copy or export it again/ },
  { name: 'a picture cut short', edits: [['picture.png', 'cut.png']], at: '8:19', says: /cut.png: cannot be decoded as png/, helps: /truncated or damaged; copy or export it again/ },
  { name: 'a sound cut short', edits: [['picture.png', 'cut.wav']], at: '8:19', says: /announces 16000 bytes of samples but only \d+ follow/, helps: /truncated; copy or export it again/ },
  { name: 'a volume cut short', edits: [['picture.png', 'cut.nii.gz']], at: '8:19', says: /cut.nii.gz: its compressed data does not inflate/, helps: /copy or export it again/ },
  { name: 'an array cut short', edits: [['picture.png', 'cut.npy']], at: '8:19', says: /announces 12×4 numbers .* but only \d+ bytes follow/, helps: /truncated/ },
  { name: 'a sound named as a picture', edits: [['picture.png', 'sound.png']], at: '8:19', says: /is named as png but holds wav data/, helps: /rename it to sound.wav/ },
  { name: 'a text named as a sound', edits: [['picture.png', 'text.wav']], at: '8:19', says: /does not begin as a wav file does/, helps: /copy or export it again/ },
  { name: 'NaN samples', edits: [['picture.png', 'holes.npy, kind: image']], at: '8:19', says: /1 of its 30 samples are NaN or infinite, the first at index \[1, 2, 0\]/, helps: /allowNaN/ },
  { name: 'an image of 1×1', edits: [['picture.png', 'dot.png']], at: '8:19', says: /an image of 1×1 is one sample/, helps: /give a larger one/ },
  { name: 'a style of 1×1', edits: [['other.png', 'dot.png']], at: '11:19', says: /an image of 1×1 is one sample/, helps: /give a larger one/ },
  { name: 'a volume with a missing slice', edits: [['picture.png', 'gap']], at: '8:19', says: /a slice is missing between \S+007.dcm and \S+009.dcm/, helps: /add the missing files/ },
  { name: 'a format that is not written', edits: [['result.png', 'result.wav']], at: '23:37', says: /wav holds sound.* image of shape 16×20×3/, helps: /for image data use .png/ },
  { name: 'a format that is none', edits: [['result.png', 'result.xyz']], at: '23:37', says: /its extension names no format/, helps: /use .png/ },
  { name: 'a result outside its folder', edits: [['result.png', '../result.png']], at: '23:37', says: /lies outside the output folder/, helps: /write result.png and choose the folder with --out/ },
  { name: 'a result in the place of the report', edits: [['result.png', 'report.html']], at: '23:37', says: /every run writes itself/, helps: /another name/ },
  // What does not fit together.
  { name: 'an unknown layer', edits: [['relu1: 1', 'relu9: 1']], at: '20:45', says: /no layer 'relu9'/, helps: /did you mean "relu1"/ },
  { name: 'a kernel larger than its input', edits: [[randomFilters, layered]], at: '19:25', says: /kernel size 40 > padded input size 16 in dimension 0/, helps: /lower the kernel's size, or give a larger input/ },
  { name: 'grey for a network of colours', edits: [['picture.png', 'grey.png'], ['other.png', 'grey.png']], at: '18:16', says: /takes 3 channels, the content has 1/, helps: /set channels: 1/ },
  { name: 'stereo for a network of mono', edits: [...sound, ['mono.wav', 'stereo.wav']], at: '18:16', says: /takes 257 channels, the spectrogram of the content has 514/, helps: /set channels: 514/ },
  { name: 'stereo against three channels', edits: [...sound, ['stereo.wav', 'three.wav'], ['mono.wav', 'stereo.wav'], ['257', '514']], at: '20:25', says: /has 3 channels, the content 2/, helps: /load as many of each with `channels`/ },
  { name: 'a rank that does not fit', edits: [['rank: 2', 'rank: 3']], at: '18:16', says: /takes 3 spatial dimensions, the content has 2/, helps: /set rank: 2/ },
  { name: 'size for a sound', edits: [['picture.png', 'mono.wav, size: 3']], at: '8:35', says: /size: is for images and volumes/, helps: /duration or resample/ },
  { name: 'a part that is not there', edits: [['picture.png', 'picture.png, crop: [[0, 40], [0, 9]]']], at: '8:39', says: /\[0, 40\] is no part of the 16 samples along y/, helps: /0 ≤ from < to ≤ 16/ },
  { name: 'more than the memory', edits: [generated('{ what: foam, rank: 4, size: 1024 }')], at: '7:11', says: /content \(generate\) needs 4.0 TiB of memory; \S+ \S+ are available/, helps: /lower size of content \(now 1024\)/ },
  { name: 'more than the wasm backend can address', edits: [['seed: 7', 'backend: wasm'], generated('{ what: foam, size: 500 }'), ['uses: load\n    with: { path: other.png }', 'uses: generate\n    with: { what: foam }'], ['rank: 2, channels: 3', 'rank: 3, channels: 1'], ['result.png', 'result.nii']], at: '16:11', says: /result \(style-transfer\) needs \S+ GiB of memory; (the wasm backend can address 4.0 GiB|\S+ \S+ are available)/, helps: /lower size of content \(now 500\)/ },
  { name: 'filters that no array can hold', edits: [['kernels: [3], filters: 4', 'kernels: [31], filters: 4096']], at: '16:11', says: /result \(style-transfer\) needs 60.1 GiB of memory; the weights of the layer conv2_31 \(31×31×4096×4096\)/, helps: /lower filters of net \(now 4096\)/ },
  // Arguments.
  { name: '--set of an unknown parameter', args: ['--set', 'iteration=3'], at: '--set iteration=3', says: /there is no parameter iteration/, helps: /did you mean "iterations"/ },
  { name: '--set of an unknown step', args: ['--set', 'contant.size=3'], at: '--set contant.size=3', says: /there is no step contant/, helps: /did you mean "content"/ },
  { name: '--set of an unknown key', args: ['--set', 'content.sise=3'], at: '--set content.sise=3', says: /unknown key "sise" in load/, helps: /did you mean "size"/ },
  { name: '--set without =', args: ['--set', 'iterations'], at: '--set iterations', says: /not of the form name=value/, helps: /--set size=96/ },
  { name: '--set of half a mapping', args: ['--set', 'result.content={a'], at: '--set result.content={a', says: /the value cannot be read/, helps: /single quotes/ },
  { name: '--set of a word for a number', args: ['--set', 'iterations=many'], at: '21:19', says: /must be an integer from 1, but is the text "many"/, helps: /--set iterations=many/ },
];

function textOf({ text, edits = [] }: Case): string {
  return (
    text ??
    edits.reduce((before, [from, to]) => {
      const after = before.replace(from, () => to);
      if (after === before) throw new Error(`nothing to replace: ${from}`);
      return after;
    }, pipeline)
  );
}

/** A session in a folder with files, for one test. */
function testWith(name: string, run: (t: Test, session: Session, folder: string) => Promise<void>): void {
  test(name, async t => {
    const folder = await makeWorkshop();
    const session = openSession(folder);
    await run(t, session, folder);
    session.close();
    rmSync(folder, { recursive: true });
  });
}

testWith(
  'bad input: one problem, its place, its remedy, exit code 2, nothing written',
  async (t, session, folder) => {
    for (const one of cases) {
      writeFileSync(join(folder, 'bad.yaml'), textOf(one));
      const { code, out, err } = await session.run(
        'run',
        'bad.yaml',
        '--out',
        'results',
        ...(one.args ?? []),
      );
      const place = /^\d/.test(one.at) ? `bad.yaml:${one.at}: ` : `${one.at}: `;
      t.equal(code, 2, `${one.name}: exit code 2`);
      t.ok(err.startsWith(place), `${one.name}: at ${place}${err.startsWith(place) ? '' : `, not ${err}`}`);
      t.match(err, one.says, `${one.name}: what is wrong`);
      t.match(err.split('\n').slice(1).join('\n') + err.split('\n')[0], one.helps, `${one.name}: what to do`);
      t.doesNotMatch(err, /\d problems/, `${one.name}: nothing else`);
      t.equal(out, '', `${one.name}: nothing on standard output`);
      t.notOk(existsSync(join(folder, 'results')), `${one.name}: no output folder`);
    }
  },
);

testWith('bad input: all problems are told, in order of place', async (t, session, folder) => {
  const edits: Case['edits'] = [
    ['picture.png', 'pictures.png'],
    ['kernels', 'kernals'],
    ['seed: 7', 'sed: 7'],
  ];
  writeFileSync(join(folder, 'bad.yaml'), textOf({ edits } as Case));
  const { code, err } = await session.run('check', 'bad.yaml');
  t.equal(code, 2);
  t.deepEqual(
    [...err.matchAll(/^bad.yaml:(\d+)/gm)].map(([, line]) => Number(line)),
    [4, 8, 14],
  );
  t.match(err, /^3 problems$/m);
  const json = await session.run('check', 'bad.yaml', '--json');
  const event = JSON.parse(json.out);
  t.equal(json.code, 2);
  t.equal(event.event, 'error');
  t.deepEqual(
    event.problems.map(({ line, column }: { line: number; column: number }) => [line, column]),
    [
      [4, 1],
      [8, 19],
      [14, 57],
    ],
  );
  t.equal(event.problems[2].remedy, 'did you mean "kernels"?');
  t.equal(json.err, '', 'with --json nothing on standard error');
});

testWith('bad input: arguments', async (t, session, folder) => {
  writeFileSync(join(folder, 'good.yaml'), textOf({ edits: [] } as unknown as Case));
  writeFileSync(join(folder, 'binary.yaml'), Buffer.from([0xff, 0xfe, 0x00, 0x80]));
  const refused: [args: string[], says: RegExp][] = [
    [[], /Usage: ndconv/],
    [['rum', 'good.yaml'], /there is no command rum; did you mean run\?/],
    [['good.yaml'], /is a file, not a command; to run it: ndconv run good.yaml/],
    [['run'], /missing required argument 'file'/],
    [['run', 'god.yaml'], /god.yaml: there is no such file; did you mean good.yaml\?/],
    [['run', '.'], /is a folder; give the pipeline file/],
    [['run', 'binary.yaml'], /no UTF-8 text; give the pipeline file/],
    [['run', 'good.yaml', '--sede', '1'], /unknown option '--sede'\n.*Did you mean --seed/],
    [['run', 'good.yaml', '--seed', '-1'], /'--seed <n>' argument '-1' is invalid/],
    [['run', 'good.yaml', '--backend', 'wasn'], /no such backend; did you mean wasm\?/],
    [['run', 'good.yaml', '--threads', '0'], /'--threads <n>' argument '0' is invalid/],
    [
      ['run', 'good.yaml', '--threads', '2', '--backend', 'reference'],
      /only the wasm backend has this option.*leave it out/,
    ],
    [['run', 'good.yaml', '--no-wide', '--backend', 'gpujs:cpu'], /--no-wide: only the wasm backend/],
    [['run', 'good.yaml', '--no-winograd', '--backend', 'reference'], /--no-winograd: only the wasm backend/],
    [['run', 'good.yaml', '--out', 'picture.png'], /there is a file of that name; name a folder/],
    [['init', 'audio'], /there is no starter called audio; did you mean sound\?/],
    [['init', 'my.yaml'], /ndconv init image my.yaml/],
    [['init', 'image', 'good.yaml'], /good.yaml exists already and is left as it is/],
    [['init', 'image', 'nowhere/my.yaml'], /its folder does not exist/],
    [['schema', '--write', 'nowhere/schema.json'], /its folder does not exist/],
  ];
  for (const [args, says] of refused) {
    const { code, err } = await session.run(...args);
    t.equal(code, 2, `ndconv ${args.join(' ')}: exit code 2`);
    t.match(err, says, `ndconv ${args.join(' ')}: ${says}`);
  }
  t.notOk(existsSync(join(folder, 'out')), 'no output folder');
});
