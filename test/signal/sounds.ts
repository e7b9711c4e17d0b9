// Sounds and measurements for the tests of src/signal: real recordings where they are there, and what ears would
// tell of a sound, in numbers.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import decode from 'audio-decode';
import type { Field } from '../../src/formats/field.ts';
import { stft } from '../../src/signal/stft.ts';

/** A sound field of interleaved samples. */
export const soundOf = (data: Float32Array, rate: number, channels = 1, source = 'test'): Field => ({
  kind: 'sound',
  shape: [data.length / channels, channels],
  data,
  axes: [{ name: 'time', spacing: 1 / rate, unit: 's' }],
  source,
  valueUnit: '',
  sampleType: 'float32',
});

/** The first channel of a recording from `skip` on, `seconds` long; null where the file is absent. */
export const recording = async (name: string, skip: number, seconds: number): Promise<Field | null> => {
  const shared =
    process.env.NDCONV_TEST_DATA ?? fileURLToPath(new URL('../../../shared/data', import.meta.url));
  const installed = fileURLToPath(new URL('../../node_modules/audio-lena/lena.wav', import.meta.url));
  const path = name === 'lena' ? installed : `${shared}/audio/${name}.ogg`;
  if (!existsSync(path)) return null;
  const { channelData, sampleRate } = await decode(readFileSync(path));
  const start = Math.round(skip * sampleRate);
  return soundOf(channelData[0].slice(start, start + Math.round(seconds * sampleRate)), sampleRate, 1, name);
};

/** One channel of a field. */
export const channelOf = (field: Field, channel = 0): Float32Array => {
  const channels = field.shape[1];
  return Float32Array.from({ length: field.shape[0] }, (_, i) => field.data[i * channels + channel]);
};

/** Root mean square. */
export const rmsOf = (data: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] * data[i];
  return Math.sqrt(sum / data.length);
};

/** What a sound is like. */
export interface SoundFigures {
  peak: number;
  rms: number;
  /** Mean frequency in Hz, weighted by power. */
  centroid: number;
  /** Geometric over arithmetic mean of the mean power spectrum, from 0 (a tone) to 1 (white noise). */
  flatness: number;
  /** Onsets per second: local maxima of spectral flux that stand out from their surroundings. */
  onsetRate: number;
}

/** Measures the first channel. */
export const measure = (field: Field): SoundFigures => {
  const rate = 1 / field.axes[0].spacing;
  const samples = channelOf(field);
  const hop = 2 ** Math.round(Math.log2(rate * 0.01));
  const settings = { frame: 4 * hop, hop };
  const { data, frames, bins } = stft(samples, settings);
  const power = new Float64Array(bins);
  const flux = new Float64Array(frames);
  let before = new Float64Array(bins);
  for (let f = 0; f < frames; f++) {
    const now = new Float64Array(bins);
    for (let k = 0; k < bins; k++) {
      const p = data[2 * (f * bins + k)] ** 2 + data[2 * (f * bins + k) + 1] ** 2;
      power[k] += p;
      now[k] = Math.log1p(100 * Math.sqrt(p));
      flux[f] += Math.max(0, now[k] - before[k]);
    }
    before = now;
  }
  const total = power.reduce((a, b) => a + b, 0);
  const centroid = power.reduce((sum, p, k) => sum + (p * k * rate) / settings.frame, 0) / total;
  const logMean = power.reduce((sum, p) => sum + Math.log(p + 1e-12 * total), 0) / bins;
  const mean = flux.reduce((a, b) => a + b, 0) / frames;
  let onsets = 0;
  for (let f = 3; f < frames - 3; f++) {
    const around = flux.slice(f - 3, f + 4);
    if (flux[f] === Math.max(...around) && flux[f] > 1.5 * mean) onsets++;
  }
  return {
    peak: samples.reduce((a, b) => Math.max(a, Math.abs(b)), 0),
    rms: rmsOf(samples),
    centroid,
    flatness: (Math.exp(logMean) * bins) / total,
    onsetRate: onsets / (samples.length / rate),
  };
};
