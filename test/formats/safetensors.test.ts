// Safetensors: every type, real weights, and headers made to deceive.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { peekField, readField } from '../../src/formats/index.ts';
import { readNpy } from '../../src/formats/npy.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { realData, refuses, temporaryFolder, testWith } from './support.ts';

const folder = temporaryFolder();

/** A file with this header, as an object or as text, and body. */
function make(header: unknown, body: Uint8Array, announced?: bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(announced ?? BigInt(text.length));
  return new Uint8Array(Buffer.concat([length, text, body]));
}

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer as ArrayBuffer);

test('safetensors: every type becomes float32', async t => {
  const cases: [string, Uint8Array, number[]][] = [
    ['F64', bytesOf(Float64Array.of(1.5, -2)), [1.5, -2]],
    ['F32', bytesOf(Float32Array.of(1.5, -2)), [1.5, -2]],
    ['F16', bytesOf(Uint16Array.of(0x3e00, 0xc000)), [1.5, -2]],
    ['BF16', bytesOf(Uint16Array.of(0x3fc0, 0xc000)), [1.5, -2]],
    ['I64', bytesOf(BigInt64Array.of(-3n, 2n ** 40n)), [-3, 2 ** 40]],
    ['I32', bytesOf(Int32Array.of(-3, 7)), [-3, 7]],
    ['U16', bytesOf(Uint16Array.of(3, 65535)), [3, 65535]],
    ['I8', Uint8Array.of(255, 3), [-1, 3]],
    ['BOOL', Uint8Array.of(0, 1), [0, 1]],
  ];
  for (const [dtype, body, values] of cases) {
    const file = make(
      { __metadata__: { format: 'pt' }, x: { dtype, shape: [2], data_offsets: [0, body.length] } },
      body,
    );
    t.deepEqual([...((await readSafetensors(file)).get('x')?.data ?? [])], values, dtype);
  }
});

test('safetensors: tensors by name, at any offset', async t => {
  // A header of odd length leaves the samples unaligned.
  const header = {
    scalar: { dtype: 'F32', shape: [], data_offsets: [8, 12] },
    w: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
  };
  const file = make(`${JSON.stringify(header)} `, bytesOf(Float32Array.of(1, 2, 3)));
  const tensors = await readSafetensors(file);
  t.deepEqual([...tensors.keys()].sort(), ['scalar', 'w']);
  t.deepEqual(
    [tensors.get('w')?.shape, [...(tensors.get('w')?.data ?? [])]],
    [
      [1, 2],
      [1, 2],
    ],
  );
  t.deepEqual([tensors.get('scalar')?.shape, tensors.get('scalar')?.data[0]], [[], 3]);
  const path = join(folder, 'two.safetensors');
  writeFileSync(path, file);
  t.deepEqual((await readField(path, { entry: 'w' })).shape, [1, 2, 1]);
  t.deepEqual((await peekField(path, { entry: 'w', channels: 'last' })).shape, [1, 2]);
  await refuses(t, 'which?', () => readField(path), /holds 2 tensors/, /w, scalar/);
  t.deepEqual((await readSafetensors(path)).size, 2, 'by path too');
});

test('safetensors: headers made to deceive', async t => {
  const body = new Uint8Array(16);
  const entry = (shape: unknown, range: unknown, dtype = 'F32') => ({
    x: { dtype, shape, data_offsets: range },
  });
  const cases: [string, Uint8Array, RegExp][] = [
    ['beyond the end', make(entry([5], [0, 20]), body), /ends at byte \d+ and the file at \d+/],
    ['far beyond', make(entry([2 ** 40], [0, 2 ** 42]), body), /ends at byte/],
    ['too many elements for the range', make(entry([2 ** 50], [0, 16]), body), /needs \d+ bytes and has 16/],
    [
      'overflowing shape',
      make(entry([2 ** 52, 2 ** 52, 2 ** 52], [0, 16]), body),
      /needs .* bytes and has 16/,
    ],
    ['negative size', make(entry([-4], [0, 16]), body), /no valid shape/],
    ['fraction', make(entry([1.5], [0, 6]), body), /no valid shape/],
    ['range backwards', make(entry([0], [8, 4]), body), /needs 0 bytes and has -4/],
    ['negative range', make(entry([1], [-4, 0]), body), /no valid shape/],
    ['unknown type', make(entry([4], [0, 16], 'F8_E4M3'), body), /type F8_E4M3/],
    ['null', make({ x: null }, body), /type undefined/],
    ['a list', make([1], body), /no JSON object/],
    ['no JSON', make('{"x": ', body), /no JSON/],
    ['header beyond the file', make('{}', body, 5000n), /said to be 5000 bytes/],
    ['header of 2^63', make('{}', body, 2n ** 63n), /said to be 9223372036854776000 bytes/],
    ['nothing', new Uint8Array(4), /shorter than a header/],
    [
      'overlap',
      make(
        {
          a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
          b: { dtype: 'F32', shape: [2], data_offsets: [4, 12] },
        },
        body,
      ),
      /tensors a and b overlap/,
    ],
  ];
  for (const [what, file, pattern] of cases) await refuses(t, what, () => readSafetensors(file), pattern);
});

testWith('models/squeezenet1_1/squeezenet1_1.safetensors', 'safetensors: real weights', async (t, path) => {
  const tensors = await readSafetensors(path);
  t.deepEqual(tensors.get('features.0.weight')?.shape, [64, 3, 3, 3]);
  t.equal(
    [...tensors.values()].every(({ shape, data }) => shape.reduce((a, b) => a * b, 1) === data.length),
    true,
  );
  t.equal((await peekField(path, { entry: 'features.0.bias' })).shape[0], 64);
  t.deepEqual(readNpy(readFileSync(realData('models/squeezenet1_1/reference_logits.npy'))).shape, [1, 1000]);
});
