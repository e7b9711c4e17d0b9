// PyTorch state dictionaries: a real one, and pickles made to do what weights never need.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import test from 'tape';
import { readTensors } from '../../../src/networks/readers/index.ts';
import { readPyTorch } from '../../../src/networks/readers/pytorch/state-dict.ts';
import { refuses, temporaryFolder } from './support.ts';

const fixture = (name: string) => join(import.meta.dirname, 'fixtures', name);
const text = (value: string) => [0x58, value.length, 0, 0, 0, ...Buffer.from(value)];
const global = (module: string, name: string) => [...Buffer.from(`c${module}\n${name}\n`)];
const small = (n: number) => [0x4b, n];
const tuple = (...parts: number[][]) => [0x28, ...parts.flat(), 0x74];
const stop = 0x2e;

/** A file with this pickle and 16 bytes of numbers in storage 0. */
const file = (pickle: number[], storage = new Uint8Array(16)): Uint8Array =>
  zipSync({ 'm/data.pkl': Uint8Array.from([0x80, 2, ...pickle]), 'm/data/0': storage }, { level: 0 });

/** A pickled tensor over storage 0, which holds 4 numbers. */
const pickledTensor = (offset: number, shape: number[], strides: number[], key = '0'): number[] => {
  const storage = [
    ...tuple(text('storage'), global('torch', 'FloatStorage'), text(key), text('cpu'), small(4)),
    0x51,
  ];
  return [
    ...global('torch._utils', '_rebuild_tensor_v2'),
    ...tuple(storage, small(offset), tuple(...shape.map(small)), tuple(...strides.map(small)), [0x89]),
    0x52,
  ];
};

test('pytorch: a checkpoint gives its tensors by name, in every type and stride', async t => {
  const tensors = await readTensors(fixture('checkpoint.pth'));
  t.deepEqual([...tensors.keys()].slice(0, 2), ['features.0.weight', 'features.0.bias']);
  const weight = tensors.get('features.0.weight')!;
  t.deepEqual([...weight.shape], [1, 3, 4, 2]);
  t.deepEqual([...weight.data.slice(0, 6)], [0, 12, 1, 13, 2, 14], 'a permuted tensor in its own order');
  for (const [name, values] of Object.entries({
    'features.0.bias': [1.5, -2, 3],
    b16: [1.5, -2, 3],
    dbl: [1.5, -2.25],
    num_batches_tracked: [7],
    slice: [5, 6, 7, 8],
    flag: [1, 0],
  }))
    t.deepEqual([...tensors.get(name)!.data], values, name);
});

test('pytorch: a hand-made file reads, so that what follows is refused for its reason', async t => {
  const storage = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  const tensors = await readPyTorch(file([...pickledTensor(1, [3], [1]), stop], storage));
  t.deepEqual([...tensors.get('')!.data], [2, 3, 4]);
});

test('pytorch: code is never run, and named', async t => {
  const call = (module: string, name: string) => [
    ...global(module, name),
    ...tuple(text('echo')),
    0x52,
    stop,
  ];
  for (const [module, name] of [
    ['os', 'system'],
    ['builtins', 'eval'],
    ['torch', 'load'],
    ['torch.nn.modules.conv', 'Conv2d'],
    ['__proto__', 'constructor'],
  ])
    await refuses(
      t,
      () => readPyTorch(file(call(module, name))),
      new RegExp(`asks for ${module}\\.${name}`),
      `${module}.${name}`,
    );
  await refuses(
    t,
    () => readPyTorch(file(call('torch', 'FloatStorage'))),
    /FloatStorage/,
    'calling a storage type',
  );
  await refuses(
    t,
    () => readPyTorch(file([...call('__torch__.net', 'Net')])),
    /TorchScript/,
    'a TorchScript program',
  );
});

test('pytorch: files that lie or are of another kind are refused', async t => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['before 1.6', readFileSync(fixture('before-1-6.pth')), /before 1\.6.*torch\.save/],
    ['another zip', zipSync({ 'a/b.txt': new Uint8Array(3) }), /without data\.pkl/],
    ['a tensor past its storage', file([...pickledTensor(0, [5], [1]), stop]), /reads past its 4 numbers/],
    ['a stride past its storage', file([...pickledTensor(0, [2, 2], [3, 2]), stop]), /reads past/],
    [
      'numbers repeated without end',
      file([...pickledTensor(0, [255, 255, 255, 255], [0, 0, 0, 0]), stop]),
      /many times/,
    ],
    ['a storage that is not there', file([...pickledTensor(0, [1], [1], '9'), stop]), /storage '9'/],
    ['no tensors', file([0x7d, stop]), /no tensors/],
    ['an end within a text', file([0x58, 255, 255, 255, 127]), /ends too early/],
    ['an empty stack', file([stop]), /empty stack/],
    ['an unknown operation', file([0xff, stop]), /0xff/],
    [
      'a key that is a list of itself',
      file([0x7d, 0x5d, 0x71, 0, 0x68, 0, 0x61, ...small(1), 0x73, stop]),
      /by a list/,
    ],
    ['a number of 200 bytes', file([0x8a, 200, ...new Array(200).fill(1), stop]), /200 bytes/],
  ];
  for (const [name, bytes, pattern] of cases) await refuses(t, () => readPyTorch(bytes), pattern, name);
});

test('pytorch: a zip directory said to be endless', async t => {
  const bytes = Buffer.from(readFileSync(fixture('checkpoint.pth')));
  // The number of members in the zip64 record that PyTorch writes at the end.
  const at = bytes.lastIndexOf('PK\x06\x06', undefined, 'latin1');
  bytes.writeUInt32LE(0xffffffff, at + 32);
  bytes.writeUInt16LE(0xffff, bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1') + 8);
  await refuses(t, () => readPyTorch(bytes), /more members than fit/, 'four billion members');
});

test('pytorch: a dictionary that holds itself is read once', async t => {
  // {'self': itself, 'w': tensor}
  const pickle = [
    0x7d,
    0x71,
    0,
    ...text('self'),
    0x68,
    0,
    0x73,
    ...text('w'),
    ...pickledTensor(0, [4], [1]),
    0x73,
    stop,
  ];
  t.deepEqual([...(await readPyTorch(file(pickle))).keys()], ['w']);
});

test('pytorch: found by content, whatever the file is called', async t => {
  const path = join(temporaryFolder(), 'weights.bin');
  writeFileSync(path, readFileSync(fixture('checkpoint.pth')));
  t.equal((await readTensors(path)).size, 7);
});
