// Rate conversion measured with tones: pass band, aliases, timing, constants, channels.

import test from 'tape';
import { resample, resampleField } from '../../src/signal/resample.ts';
import { rmsOf, soundOf } from './sounds.ts';

const tone = (frequency: number, rate: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.cos((2 * Math.PI * frequency * i) / rate + 1));
const middle = (data: Float32Array): Float32Array => data.subarray(data.length * 0.15, data.length * 0.85);
const decibels = (ratio: number): number => 20 * Math.log10(ratio);

const rates: [from: number, to: number][] = [
  [44100, 48000],
  [48000, 44100],
  [44100, 16000],
  [22050, 44100],
  [360, 250],
  [44100, 34301.7], // more fractional positions than are kept
  [44100, 10000 * Math.PI], // no ratio of small numbers at all
];

test('resample: tones of the pass band come out as themselves', t => {
  for (const [from, to] of rates) {
    const nyquist = Math.min(from, to) / 2;
    let worst = Number.NEGATIVE_INFINITY;
    let ripple = 0;
    for (let part = 0.03; part < 0.91; part += 0.08) {
      const out = resample(tone(part * nyquist, from, 4000), from, to);
      const expected = tone(part * nyquist, to, out.length);
      const difference = out.map((v, i) => v - expected[i]);
      worst = Math.max(worst, decibels(rmsOf(middle(difference)) / rmsOf(middle(expected))));
      ripple = Math.max(ripple, Math.abs(decibels(rmsOf(middle(out)) / rmsOf(middle(expected)))));
    }
    t.ok(worst < -95, `${from} to ${to}: difference ${worst.toFixed(1)} dB`);
    t.ok(ripple < 0.1, `${from} to ${to}: ripple ${ripple.toFixed(5)} dB`);
  }
  t.end();
});

test('resample: what lies above the new Nyquist frequency does not alias', t => {
  for (const [from, to] of rates) {
    if (to > from) continue;
    let loudest = Number.NEGATIVE_INFINITY;
    for (let frequency = to / 2; frequency < from / 2; frequency += (from - to) / 30) {
      loudest = Math.max(
        loudest,
        decibels(rmsOf(middle(resample(tone(frequency, from, 4000), from, to))) * Math.SQRT2),
      );
    }
    t.ok(loudest < -80, `${from} to ${to}: ${loudest.toFixed(1)} dB`);
  }
  t.end();
});

test('resample: images above the old Nyquist frequency are as low', t => {
  const length = 4000;
  const out = resample(tone(9000, 22050, length), 22050, 44100);
  // Project on the image at 22050 − 9000 Hz.
  let real = 0;
  let imag = 0;
  const part = middle(out);
  for (let i = 0; i < part.length; i++) {
    const hann = 1 - Math.cos((2 * Math.PI * i) / part.length);
    real += (part[i] * hann * Math.cos((2 * Math.PI * 13050 * i) / 44100) * 2) / part.length;
    imag += (part[i] * hann * Math.sin((2 * Math.PI * 13050 * i) / 44100) * 2) / part.length;
  }
  t.ok(decibels(Math.hypot(real, imag)) < -80, `${decibels(Math.hypot(real, imag)).toFixed(1)} dB`);
  t.end();
});

test('resample: constants stay, sizes follow, channels stay apart', t => {
  for (const [from, to] of rates) {
    const out = resample(new Float32Array(50).fill(0.7), from, to);
    t.equal(out.length, Math.ceil((50 * to) / from), `${from} to ${to}: ${out.length} samples`);
    t.ok(
      out.every(v => Math.abs(v - 0.7) < 1e-6),
      'a constant stays, also at the ends',
    );
  }
  const [a, b] = [tone(500, 8000, 300), tone(1230, 8000, 300)];
  const both = Float32Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? a : b)[i >> 1]);
  const out = resample(both, 8000, 11025, 2);
  for (const [c, single] of [a, b].entries()) {
    t.deepEqual(
      out.filter((_, i) => i % 2 === c),
      resample(single, 8000, 11025),
      `channel ${c}`,
    );
  }
  t.deepEqual(resample(a, 1 / (1 / 44100), 44100), a, 'the same rate changes nothing');
  t.equal(resample([1], 8000, 16000).length, 2, 'a single sample');
  t.end();
});

test('resample: fields keep their meaning', t => {
  const field = resampleField(soundOf(tone(100, 8000, 80), 8000, 2), 16000);
  t.deepEqual(field.shape, [80, 2]);
  t.deepEqual(field.axes, [{ name: 'time', spacing: 1 / 16000, unit: 's' }]);
  const image = { ...field, kind: 'image' as const, shape: [4, 20, 2], axes: [] };
  t.throws(() => resampleField(image, 100), /resample: test of shape \[4,20,2\] has no rate/);
  t.throws(() => resample([1, 2], 0, 8000), /from 0 to 8000/);
  t.throws(() => resample([1, 2, 3], 8000, 16000, 2), /3 values/);
  t.throws(() => resample([], 8000, 16000), /0 values/);
  t.end();
});
