// Log-magnitude spectrograms: layout, scaling, and the way back.

import test from 'tape';
import { createRandom } from '../../src/random.ts';
import { defaultFrame, fromSpectrogram, magnitudesOf, toSpectrogram } from '../../src/signal/spectrogram.ts';
import { rmsOf, soundOf } from './sounds.ts';

const rate = 8000;

/** Tones of 1000 Hz on the left and 2500 Hz on the right, with a little noise, in two bursts. */
const stereo = (level: number): Float32Array => {
  const random = createRandom(2);
  return Float32Array.from({ length: 2 * 6000 }, (_, i) => {
    const s = (i >> 1) / rate;
    const frequency = i % 2 === 0 ? 1000 : 2500;
    const burst = s < 0.3 || (s > 0.5 && s < 0.7) ? 1 : 1e-4;
    return level * burst * (Math.sin(2 * Math.PI * frequency * s) + 0.01 * random.normal());
  });
};

test('spectrogram: bins of both channels side by side, frames along time', t => {
  const { field, layout, phases } = toSpectrogram(soundOf(stereo(0.5), rate, 2));
  const { frames, bins, settings } = layout;
  t.deepEqual(settings, { window: 'hann', frame: 512, hop: 128 }, 'a frame near 46 ms');
  t.equal(frames, 1 + Math.ceil(6000 / 128));
  t.equal(bins, 257);
  t.deepEqual(field.shape, [frames, 2 * bins]);
  t.equal(phases.length, frames * 2 * bins);
  t.equal(field.axes[0].spacing, 128 / rate);
  const row = field.data.subarray(5 * 2 * bins, 6 * 2 * bins);
  const loudest = (values: Float32Array): number => values.indexOf(Math.max(...values));
  t.equal(loudest(row.subarray(0, bins)), (1000 / rate) * 512, 'left channel first');
  t.equal(loudest(row.subarray(bins)), (2500 / rate) * 512, 'right channel after it');
  t.end();
});

test('spectrogram: values do not depend on loudness, nor much on pauses', t => {
  const loud = toSpectrogram(soundOf(stereo(0.8), rate, 2));
  const quiet = toSpectrogram(soundOf(stereo(0.0008), rate, 2));
  t.ok(Math.abs(loud.layout.reference / quiet.layout.reference - 1000) < 0.1);
  t.ok(
    loud.field.data.every((v, i) => Math.abs(v - quiet.field.data[i]) < 1e-3),
    'the same values 60 dB below',
  );
  const half = stereo(0.8).subarray(0, 2 * 2400);
  const padded = new Float32Array(4 * half.length);
  padded.set(half);
  const [short, long] = [half, padded].map(data => toSpectrogram(soundOf(data, rate, 2)).layout.reference);
  t.ok(
    Math.abs(long / short - 1) < 0.05,
    `a pause changes the reference by ${(long / short - 1).toFixed(3)}`,
  );
  t.end();
});

test('spectrogram: with its own phases a sound comes back', async t => {
  for (const channels of [1, 2]) {
    const sound = { ...soundOf(stereo(0.5), rate, channels), sampleType: 'int16' as const };
    const { field, layout, phases } = toSpectrogram(sound, { frame: 256, hop: 64, gain: 3 });
    const back = await fromSpectrogram(field.data, layout, { first: phases, iterations: 0 });
    t.deepEqual(
      { ...back.sound, data: null },
      { ...sound, data: null },
      `${channels} channels: shape, rate and precision stay`,
    );
    const difference = back.sound.data.reduce((m, v, i) => Math.max(m, Math.abs(v - sound.data[i])), 0);
    t.ok(difference < 1e-5, `largest difference ${difference}`);
    t.ok(back.convergence < -90, `${back.convergence.toFixed(1)} dB`);
  }
  t.end();
});

test('spectrogram: without phases it comes near, and stereo keeps its place', async t => {
  // The same noise burst and tones on both sides, the right at half the level.
  const random = createRandom(6);
  const mono = Float32Array.from({ length: 8000 }, (_, i) => {
    const s = i / rate;
    return (
      0.3 * Math.sin(2 * Math.PI * (500 * s + 300 * s * s)) +
      0.1 * random.normal() * Math.exp(-10 * (s % 0.25))
    );
  });
  const data = Float32Array.from({ length: 16000 }, (_, i) => mono[i >> 1] * (i % 2 === 0 ? 1 : 0.5));
  const { field, layout } = toSpectrogram(soundOf(data, rate, 2));
  const seen: number[] = [];
  const { sound, convergence } = await fromSpectrogram(field.data, layout, {
    iterations: 20,
    progress: fraction => seen.push(fraction),
  });
  t.ok(convergence < -18, `${convergence.toFixed(1)} dB`);
  t.ok(
    Math.abs(seen[0] - 1 / 40) < 1e-9 && seen.at(-1) === 1 && seen.length === 40,
    'progress runs over both channels',
  );
  const [left, right] = [0, 1].map(c => sound.data.filter((_, i) => i % 2 === c));
  const product = left.reduce((sum, v, i) => sum + v * right[i], 0) / left.length;
  const correlation = product / (rmsOf(left) * rmsOf(right));
  t.ok(correlation > 0.99, `the sides stay in step: correlation ${correlation.toFixed(4)}`);
  t.ok(Math.abs(rmsOf(right) / rmsOf(left) - 0.5) < 0.02, 'and in balance');
  t.end();
});

test('spectrogram: silence, and magnitudes of impossible values', async t => {
  const { field, layout } = toSpectrogram(soundOf(new Float32Array(2000), rate));
  t.ok(field.data.every(v => v === 0));
  const { sound } = await fromSpectrogram(field.data, layout, { iterations: 2 });
  t.ok(sound.data.every(v => v === 0));
  t.equal(magnitudesOf(Float32Array.of(-3), layout)[0], 0, 'negative values are silence');
  for (const value of [Number.NaN, 1000]) {
    const values = field.data.slice();
    values[layout.bins * 3 + 7] = value;
    const failed = await fromSpectrogram(values, layout).catch(e => e);
    t.equal(failed.tag, 'RunError');
    t.match(failed.message, /in frame 3, bin 7 stands for no magnitude/);
  }
  const failed = await fromSpectrogram(new Float32Array(5), layout).catch(e => e);
  t.match(failed.message, /5 values given, but the layout has/);
  t.end();
});

test('spectrogram: frames follow the rate; what is no sound is refused', t => {
  t.deepEqual(
    [8000, 16000, 22050, 44100, 48000, 96000, 360].map(defaultFrame),
    [512, 1024, 1024, 2048, 2048, 4096, 64],
  );
  const image = {
    ...soundOf(new Float32Array(12), rate),
    kind: 'image' as const,
    shape: [2, 2, 3],
    axes: [],
  };
  t.throws(() => toSpectrogram(image), /of kind image with shape \[2,2,3\]/);
  t.throws(() => toSpectrogram(soundOf(new Float32Array(100), rate), { gain: 0 }), /gain 0/);
  t.end();
});
