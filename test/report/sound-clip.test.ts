import test from 'tape';
import { makeClip } from '../../src/report/sound-clip.ts';
import { bytesOf, makeField, makeSound } from './sample-fields.ts';

/** What a player finds in the clip, read by the definition of RIFF WAVE. */
function readClip(uri: string) {
  const file = bytesOf(uri);
  const channels = file.readUInt16LE(22);
  const frames = file.readUInt32LE(40) / (2 * channels);
  return {
    magic: file.toString('latin1', 0, 4) + file.toString('latin1', 8, 16) + file.toString('latin1', 36, 40),
    codec: file.readUInt16LE(20),
    channels,
    rate: file.readUInt32LE(24),
    bits: file.readUInt16LE(34),
    frames,
    whole: file.length === 44 + frames * channels * 2,
    sample: (frame: number, channel = 0) => file.readInt16LE(44 + 2 * (frame * channels + channel)) / 32768,
  };
}

/** Amplitude of the sine of `hertz` in a clip's channel, away from the ends. */
function amplitudeOf(clip: ReturnType<typeof readClip>, hertz: number, channel = 0): number {
  let [real, imaginary, count] = [0, 0, 0];
  for (let i = 100; i < clip.frames - 100; i++, count++) {
    const angle = (2 * Math.PI * hertz * i) / clip.rate;
    real += clip.sample(i, channel) * Math.cos(angle);
    imaginary += clip.sample(i, channel) * Math.sin(angle);
  }
  return (2 * Math.hypot(real, imaginary)) / count;
}

test('a short sound is embedded as it is, in 16 bits', async t => {
  const field = makeSound(0.5, 44100, 2);
  const { uri, notes, seconds } = await makeClip(field, 1e6);
  const clip = readClip(uri);
  t.deepEqual(
    [clip.magic, clip.codec, clip.channels, clip.rate, clip.bits, clip.frames, clip.whole],
    ['RIFFWAVEfmt data', 1, 2, 44100, 16, 22050, true],
  );
  let worst = 0;
  for (let i = 0; i < clip.frames; i++)
    worst = Math.max(worst, Math.abs(clip.sample(i, 1) - field.data[2 * i + 1]));
  t.ok(worst <= 0.5 / 32768 + 1e-7, `within half a step (${worst * 32768})`);
  t.deepEqual(notes, []);
  t.equal(seconds, 0.5);
});

test('a sound that needs more room is reduced in rate, then to one channel, then in length, and says so', async t => {
  const field = makeSound(4, 44100, 2);
  for (const bytes of [600_000, 250_000, 60_000]) {
    const { uri, notes, seconds } = await makeClip(field, bytes);
    const clip = readClip(uri);
    t.ok(
      uri.length <= bytes,
      `${uri.length} of ${bytes} bytes: ${clip.rate} Hz, ${clip.channels} channels, ${seconds} s`,
    );
    t.ok(uri.length > 0.4 * bytes, 'the room is used');
    t.ok(Math.abs(amplitudeOf(clip, 440) - 0.5) < 0.005, 'the tone keeps its pitch and loudness');
    t.ok(
      notes.some(note => note.includes(`Resampled from 44100 to ${clip.rate} Hz`)),
      notes.join(' '),
    );
    t.equal(
      notes.some(note => note.includes('mixes')),
      clip.channels === 1,
    );
    t.equal(
      notes.some(note => note.includes('The player has the first')),
      seconds < 4,
    );
  }
});

test('no more than a minute plays', async t => {
  const { uri, seconds, notes } = await makeClip(makeSound(61.5, 8000), 1e7);
  t.equal(readClip(uri).frames, 60 * 8000);
  t.equal(seconds, 60);
  t.deepEqual(notes, ['The player has the first 60 s of 61.5 s.']);
});

test('rates that browsers refuse are resampled, and tones above half of the new rate vanish', async t => {
  const slow = readClip((await makeClip(makeSound(2, 1000, 1, 100), 1e6)).uri);
  t.equal(slow.rate, 8000);
  t.ok(Math.abs(amplitudeOf(slow, 100) - 0.5) < 0.005, 'upwards');
  t.ok(amplitudeOf(slow, 900) < 0.005, 'no image of the tone above the old half rate');
  const fast = readClip((await makeClip(makeSound(0.1, 384000, 1, 70000), 1e6)).uri);
  t.equal(fast.rate, 96000);
  t.ok(amplitudeOf(fast, 96000 - 70000) < 0.005, 'downwards, without aliases');
});

test('samples that cannot be played are counted', async t => {
  const values = [0, 0.5, 1.5, -2, Number.NaN, Infinity, -1, 1];
  const field = makeField('sound', [8, 1], i => values[i], {
    axes: [{ name: 'time', spacing: 1 / 8000, unit: 's' }],
  });
  const { uri, notes } = await makeClip(field, 1e6);
  const clip = readClip(uri);
  t.deepEqual(
    [0, 1, 2, 3, 4, 5].map(i => Math.round(clip.sample(i) * 100) / 100),
    [0, 0.5, 1, -1, 0, 0],
  );
  t.ok(
    notes.some(note => note.startsWith('2 samples not finite')),
    notes.join(' '),
  );
  t.ok(
    notes.some(note => note.includes('clipped in the player')),
    notes.join(' '),
  );
});
