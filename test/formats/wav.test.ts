// WAV against files written byte by byte: every sample format, extensible headers, odd chunks, streams of unknown
// length, and what is written for players.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { peekField, readField, writeField } from '../../src/formats/index.ts';
import { counting, largestDifference, makeSound, makeVolume, refuses, temporaryFolder } from './support.ts';

const folder = temporaryFolder();

interface Layout {
  codec: number;
  bits: number;
  channels?: number;
  rate?: number;
  extensible?: boolean;
  before?: Buffer;
  announced?: number;
}

/** A WAV file around these sample bytes. */
function makeWav(
  name: string,
  body: Buffer,
  { codec, bits, channels = 1, rate = 8000, extensible, before, announced }: Layout,
): string {
  const format = Buffer.alloc(extensible ? 40 : 16);
  format.writeUInt16LE(extensible ? 0xfffe : codec, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rate, 4);
  format.writeUInt32LE((rate * channels * bits) / 8, 8);
  format.writeUInt16LE((channels * bits) / 8, 12);
  format.writeUInt16LE(bits, 14);
  if (extensible) format.writeUInt16LE(codec, 24);
  const chunk = (id: string, data: Buffer, size = data.length) => {
    const head = Buffer.alloc(8);
    head.write(id, 'latin1');
    head.writeUInt32LE(size, 4);
    return Buffer.concat([head, data, Buffer.alloc(data.length & 1)]);
  };
  const parts = [
    Buffer.from('WAVE'),
    chunk('fmt ', format),
    before ? chunk('LIST', before) : Buffer.alloc(0),
    chunk('data', body, announced),
  ];
  const riff = Buffer.concat(parts);
  const path = join(folder, `${name}.wav`);
  writeFileSync(path, chunk('RIFF', riff));
  return path;
}

/** The same three values, -1, 0 and one half, in every sample format. */
const coded: Record<string, { body: Buffer; codec: number; bits: number; type: string }> = {
  'int 8': { body: Buffer.from([0, 128, 192]), codec: 1, bits: 8, type: 'uint8' },
  'int 16': { body: Buffer.from([0, 0x80, 0, 0, 0, 0x40]), codec: 1, bits: 16, type: 'int16' },
  'int 24': { body: Buffer.from([0, 0, 0x80, 0, 0, 0, 0, 0, 0x40]), codec: 1, bits: 24, type: 'int24' },
  'int 32': {
    body: Buffer.from(Int32Array.of(-(2 ** 31), 0, 2 ** 30).buffer),
    codec: 1,
    bits: 32,
    type: 'int32',
  },
  'float 32': { body: Buffer.from(Float32Array.of(-1, 0, 0.5).buffer), codec: 3, bits: 32, type: 'float32' },
  'float 64': { body: Buffer.from(Float64Array.of(-1, 0, 0.5).buffer), codec: 3, bits: 64, type: 'float64' },
};

for (const [name, { body, codec, bits, type }] of Object.entries(coded))
  test(`wav: ${name} is read exactly`, async t => {
    for (const extensible of [false, true]) {
      const path = makeWav(name, body, { codec, bits, extensible, before: Buffer.from('odd'), rate: 11025 });
      const sound = await readField(path);
      t.deepEqual([...sound.data], [-1, 0, 0.5], 'after a chunk of odd length');
      t.equal(sound.sampleType, type);
      t.deepEqual(sound.axes, [{ name: 'time', spacing: 1 / 11025, unit: 's' }]);
      t.deepEqual((await peekField(path)).shape, [3, 1]);
    }
  });

test('wav: channels are interleaved', async t => {
  const body = Buffer.from(Int16Array.of(1, -1, 2, -2, 3, -3).buffer);
  const sound = await readField(makeWav('stereo', body, { codec: 1, bits: 16, channels: 2 }));
  t.deepEqual(sound.shape, [3, 2]);
  t.deepEqual(
    [...sound.data].map(value => value * 32768),
    [1, -1, 2, -2, 3, -3],
  );
});

test('wav: compressed codecs go through the decoder', async t => {
  // µ-law: 0xff is silence, 0x80 and 0x00 the extremes of each sign (ITU-T G.711).
  const sound = await readField(makeWav('ulaw', Buffer.from([0xff, 0x80, 0x00]), { codec: 7, bits: 8 }));
  t.deepEqual(
    [...sound.data].map(value => value * 32768),
    [0, 32124, -32124],
  );
});

test('wav: lengths that are unknown, wrong, or nothing', async t => {
  const body = Buffer.from(Int16Array.of(1, 2, 3, 4).buffer);
  const stream = await readField(makeWav('stream', body, { codec: 1, bits: 16, announced: 0xffffffff }));
  t.deepEqual(stream.shape, [4, 1], 'a stream runs to the end of the file');
  const options = { codec: 1, bits: 16 };
  await refuses(
    t,
    'too long',
    () => peekField(makeWav('long', body, { ...options, announced: 10 })),
    /announces 10 bytes/,
    /only 8 follow/,
  );
  await refuses(t, 'no samples', () => readField(makeWav('none', Buffer.alloc(0), options)), /0×1/);
  await refuses(
    t,
    'no channels',
    () => readField(makeWav('mute', body, { ...options, channels: 0 })),
    /0 channels/,
  );
  await refuses(
    t,
    'codec',
    () => readField(makeWav('codec', body, { ...options, codec: 99 })),
    /codec 99/,
    /PCM/,
  );
  const nan = Buffer.from(Float32Array.of(0, Number.NaN, 1, Number.POSITIVE_INFINITY).buffer);
  const path = makeWav('nan', nan, { codec: 3, bits: 32, channels: 2 });
  await refuses(
    t,
    'NaN',
    () => readField(path),
    /2 of its 4 samples are NaN or infinite/,
    /first at index \[0, 1\]/,
    /allowNaN/,
  );
  t.ok(Number.isNaN((await readField(path, { allowNaN: true })).data[1]));
});

test('wav: what is written', async t => {
  const path = join(folder, 'out.wav');
  const loud = { ...makeSound(6, 1), data: Float32Array.of(-2, -1, 0, 0.5, 1, 1.5) };
  const result = await writeField(loud, path);
  t.equal(result.clipped, 2, 'full scale itself does not count as clipped');
  t.deepEqual(
    [...(await readField(path)).data].map(value => value * 32768),
    [-32768, -32768, 0, 16384, 32767, 32767],
  );
  const bytes = readFileSync(path);
  t.equal(bytes.length, 44 + 12, 'the plain 44-byte header');
  t.equal(bytes.readUInt32LE(4), bytes.length - 8);

  const float = await writeField(loud, path, { sampleType: 'float32' });
  t.equal(float.clipped, 0);
  t.equal(largestDifference((await readField(path)).data, loud.data), 0, 'float keeps what lies outside');

  const ecg = {
    ...loud,
    kind: 'signal' as const,
    valueUnit: 'mV',
    axes: [{ name: 'time', spacing: 1 / 360, unit: 's' }],
  };
  t.equal((await writeField(ecg, path)).sampleType, 'float32', 'a signal in mV is not squeezed into [-1, 1]');

  const odd = { ...makeSound(3, 1, 'int24') };
  await writeField(odd, path);
  t.equal(readFileSync(path).length % 2, 0, 'an odd number of bytes is padded');

  const notes: string[] = [];
  await writeField({ ...loud, axes: [{ name: 'time', spacing: 1 / 100.5, unit: 's' }] }, path, {
    note: note => notes.push(note),
  });
  t.match(notes[0], /100\.5 Hz is written as 101 Hz/);
  await refuses(t, 'a volume', () => writeField(makeVolume(), path), /wav holds sound, signal data/, /\.nii/);
  await refuses(
    t,
    'sample type',
    () => writeField(loud, path, { sampleType: 'uint32' }),
    /int16, int24, float32/,
  );
  const nan = { ...loud, data: counting(6).map(value => value / 0) };
  await refuses(t, 'NaN', () => writeField(nan, path), /6 of 6 samples to be written are NaN or infinite/);
});
