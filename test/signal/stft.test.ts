// The short-time Fourier transform against its definition, and its inverse as identity.

import test from 'tape';
import { createRandom } from '../../src/random.ts';
import { createRealFft } from '../../src/signal/fft.ts';
import { createStft, frameCount, istft, reflect, stft, windowOf } from '../../src/signal/stft.ts';

const noise = (length: number, seed = 1): Float32Array => {
  const random = createRandom(seed, 'stft test');
  return Float32Array.from({ length }, () => 0.3 * random.normal());
};

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let largest = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
};

test('fft: equals the definition, and the inverse undoes it', t => {
  for (const size of [4, 8, 16, 32, 128]) {
    const fft = createRealFft(size);
    const samples = Float64Array.from(noise(size, size));
    const spectrum = new Float64Array(2 * fft.bins);
    fft.forward(samples, spectrum);
    let error = 0;
    for (let k = 0; k < fft.bins; k++) {
      let real = 0;
      let imag = 0;
      for (let n = 0; n < size; n++) {
        real += samples[n] * Math.cos((2 * Math.PI * k * n) / size);
        imag -= samples[n] * Math.sin((2 * Math.PI * k * n) / size);
      }
      error = Math.max(error, Math.abs(real - spectrum[2 * k]), Math.abs(imag - spectrum[2 * k + 1]));
    }
    t.ok(error < 1e-12, `size ${size}: forward differs by ${error}`);
    const back = new Float64Array(size);
    fft.inverse(spectrum, back);
    t.ok(largestDifference(back, samples) < 1e-14, `size ${size}: inverse`);
  }
  for (const size of [0, 2, 12, 1000, 2.5])
    t.throws(() => createRealFft(size), /power of two/, `size ${size}`);
  t.end();
});

test('stft: frames equal the windowed transform around their centre', t => {
  const samples = noise(50);
  const settings = { frame: 16, hop: 4 };
  const { data, frames, bins } = stft(samples, settings);
  t.equal(frames, frameCount(50, 4));
  t.equal(bins, 9);
  let error = 0;
  for (let f = 0; f < frames; f++) {
    for (let k = 0; k < bins; k++) {
      let real = 0;
      let imag = 0;
      for (let n = -8; n < 8; n++) {
        const x = samples[reflect(f * 4 + n, 50)] * 0.5 * (1 + Math.cos((2 * Math.PI * n) / 16));
        real += x * Math.cos((2 * Math.PI * k * n) / 16);
        imag -= x * Math.sin((2 * Math.PI * k * n) / 16);
      }
      error = Math.max(
        error,
        Math.abs(real - data[(f * bins + k) * 2]),
        Math.abs(imag - data[(f * bins + k) * 2 + 1]),
      );
    }
  }
  t.ok(error < 1e-6, `largest difference ${error}`);
  t.end();
});

test('stft: the inverse gives the sound back', t => {
  for (const window of ['hann', 'hamming', 'blackman'] as const) {
    for (const [frame, hop] of [
      [64, 32],
      [64, 16],
      [64, 13],
      [256, 64],
      [256, 1],
    ]) {
      for (const length of [1, 2, 31, 64, 500, 1001]) {
        const samples = noise(length, length);
        const settings = { frame, hop, window };
        const error = largestDifference(istft(stft(samples, settings).data, length, settings), samples);
        if (error > 1e-5) t.fail(`${window} ${frame}/${hop}, ${length} samples: ${error}`);
      }
    }
    t.pass(`${window}: identity within 1e-5`);
  }
  const samples = noise(44100);
  const settings = { frame: 2048, hop: 512 };
  const error = largestDifference(istft(stft(samples, settings).data, samples.length, settings), samples);
  t.ok(error < 1e-5, `2048/512 on a second of noise: ${error}`);
  t.end();
});

test('stft: reflection folds as often as needed', t => {
  t.deepEqual(
    Array.from({ length: 11 }, (_, i) => reflect(i - 4, 3)),
    [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2],
  );
  t.equal(reflect(-5, 1), 0);
  t.end();
});

test('stft: windows are periodic and peak in the middle', t => {
  for (const name of ['hann', 'hamming', 'blackman'] as const) {
    const window = windowOf(name, 32);
    t.ok(Math.abs(window[16] - 1) < 1e-12, `${name} peaks at 1`);
    for (let n = 1; n < 16; n++)
      if (Math.abs(window[n] - window[32 - n]) > 1e-12) t.fail(`${name} is symmetric`);
  }
  t.end();
});

test('stft: sizes that do not fit are refused with the remedy', t => {
  t.throws(() => createStft(100, { frame: 64, hop: 33 }), /hop 33 .* half the frame of 64/);
  t.throws(() => createStft(100, { frame: 64, hop: 0 }), /hop 0/);
  t.throws(() => createStft(100, { frame: 60, hop: 15 }), /power of two/);
  t.throws(() => createStft(0, { frame: 64, hop: 16 }), /at least 1 sample/);
  t.throws(() => istft(new Float32Array(10), 100, { frame: 64, hop: 16 }), /10 values given/);
  t.end();
});
