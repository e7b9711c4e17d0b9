// MP3, FLAC, Vorbis and Opus: the same 12 seconds in each, compared with the WAV they were made from.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { sampleRateOf } from '../../src/formats/field.ts';
import { peekField, readField } from '../../src/formats/index.ts';
import { installed, refuses, temporaryFolder, testWith } from './support.ts';

const folder = temporaryFolder();
const lena = (extension: string) => installed(`audio-lena/lena.${extension}`);

/** Correlation of two sounds of one channel and rate. */
function correlation(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(aa * bb);
}

for (const extension of ['flac', 'mp3', 'ogg'])
  test(`sound: ${extension} has the samples of the wav, at their place`, async t => {
    const [wav, other] = await Promise.all([readField(lena('wav')), readField(lena(extension))]);
    t.deepEqual(other.shape, wav.shape);
    t.equal(sampleRateOf(other), 44100);
    t.ok(
      correlation(wav.data, other.data) > (extension === 'ogg' ? 0.99 : 0.9999),
      'one sample aside would be less',
    );
    t.equal(other.sampleType, extension === 'flac' ? 'int16' : 'float32');
  });

test('sound: flac gives whole 16-bit numbers', async t => {
  const { data } = await readField(lena('flac'));
  t.ok(data.every(value => Number.isInteger(value * 32768)));
});

test('sound: opus comes at 48 kHz', async t => {
  const opus = await readField(lena('opus'));
  t.equal(sampleRateOf(opus), 48000);
  t.ok(Math.abs(opus.shape[0] / 48000 - 541184 / 44100) < 0.01);
  const renamed = join(folder, 'opus.ogg');
  writeFileSync(renamed, readFileSync(lena('opus')));
  t.deepEqual((await readField(renamed)).shape, opus.shape, 'under .ogg too');
});

test('sound: an mp3 after a tag, and without the encoder’s header', async t => {
  const bytes = readFileSync(lena('mp3'));
  const tag = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x01\x00', 'latin1'), Buffer.alloc(128)]);
  const tagged = join(folder, 'tagged.mp3');
  writeFileSync(tagged, Buffer.concat([tag, bytes]));
  t.deepEqual((await peekField(tagged)).shape, [541184, 1]);
  t.deepEqual((await readField(tagged)).shape, [541184, 1]);
  const from =
    bytes.indexOf('Info', 0, 'latin1') < 0
      ? bytes.indexOf('Xing', 0, 'latin1')
      : bytes.indexOf('Info', 0, 'latin1');
  t.ok(from > 0, 'the file has such a header');
  const bare = Buffer.from(bytes);
  bare.fill(0, from, from + 4);
  const plain = join(folder, 'plain.mp3');
  writeFileSync(plain, bare);
  t.deepEqual((await peekField(plain)).shape, (await readField(plain)).shape);
  writeFileSync(plain, bare.subarray(0, 100_000));
  await refuses(t, 'cut without a header', () => readField(plain), /last frame lacks \d+ bytes/);
});

test('sound: Ogg with something else inside', async t => {
  const bytes = Buffer.from(readFileSync(lena('ogg')));
  bytes.write('Speex   ', 28, 'latin1');
  const path = join(folder, 'speex.ogg');
  writeFileSync(path, bytes);
  await refuses(t, 'Speex', () => readField(path), /neither Vorbis nor Opus/, /convert/);
});

testWith('audio/speech.ogg', 'sound: read speech at 22.05 kHz', async (t, path) => {
  const speech = await readField(path);
  t.equal(sampleRateOf(speech), 22050);
  t.deepEqual((await peekField(path)).shape, speech.shape);
});
