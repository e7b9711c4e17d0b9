// Log-mel features of a sound, on which speech and speakers are told apart: the power of short frames in bands that are as
// wide as the ear hears, in decibels. Bands are triangles that are even on the mel scale of Slaney's Auditory Toolbox
// (linear up to 1 kHz, logarithmic above) and have equal areas, frames are centred and windowed by Hann, and what lies
// more than 80 dB below the loudest is set to that, as librosa's melspectrogram and power_to_db have it.

import { NdconvError } from '../errors.ts';
import { type Field, sampleRateOf } from '../formats/field.ts';
import type { FieldHeader } from '../formats/format.ts';
import { createRealFft } from './fft.ts';
import { reflect, windowOf } from './stft.ts';

export interface LogMelSettings {
  /** Bands; 64 unless given. */
  bands?: number;
  /** Length of a frame in s; 0.025 unless given. */
  window?: number;
  /** From one frame to the next in s; 0.01 unless given. */
  hop?: number;
  /** Lowest and highest frequency in Hz; 0 and half the sample rate unless given. */
  low?: number;
  high?: number;
}

/** Settings in samples, complete. */
interface LogMelPlan {
  bands: number;
  window: number;
  hop: number;
  low: number;
  high: number;
  /** Points of the transform: the power of two from the window on. */
  points: number;
  frames: number;
}

/** Powers below this count as it, and how far below the loudest a band may lie, in dB. */
const [leastPower, range] = [1e-10, 80];

const melOfHz = (hz: number): number =>
  hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4);
const hzOfMel = (mel: number): number =>
  mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp((Math.log(6.4) * (mel - 15)) / 27);

/** Settings for a sound. Errors: ShapeError with `at`, the key that is wrong. */
export function planLogMel(
  header: Pick<FieldHeader, 'axes' | 'shape' | 'kind'>,
  settings: LogMelSettings = {},
): LogMelPlan {
  const rate = sampleRateOf(header as Field);
  const refuse = (at: string[], message: string): never => {
    throw new NdconvError('ShapeError', message, { at });
  };
  if (header.shape.length !== 2 || Number.isNaN(rate))
    refuse(
      [],
      `log-mel bands are those of a sound over time, and this is of kind ${header.kind} with ${header.shape.length - 1} dimensions`,
    );
  const { bands = 64, window = 0.025, hop = 0.01, low = 0, high = rate / 2 } = settings;
  const samples = { window: Math.round(window * rate), hop: Math.round(hop * rate) };
  for (const key of ['window', 'hop'] as const)
    if (samples[key] < (key === 'window' ? 4 : 1))
      refuse(
        [key],
        `${settings[key] ?? { window, hop }[key]} s are ${samples[key]} samples at ${rate} Hz, which is too few`,
      );
  if (!(low >= 0 && low < high)) refuse(['low'], `the band from ${low} to ${high} Hz is none`);
  if (high > rate / 2 + 1e-6)
    refuse(
      ['high'],
      `${high} Hz are above half the sample rate of ${rate} Hz, beyond which there is nothing`,
    );
  const points = 2 ** Math.ceil(Math.log2(samples.window) - 1e-9);
  return { bands, ...samples, low, high, points, frames: 1 + Math.floor(header.shape[0] / samples.hop) };
}

/** The field's header once it is `[frames, bands]` in dB. */
export function logMelHeader<H extends Omit<FieldHeader, 'data'>>(
  header: H,
  settings: LogMelSettings = {},
): H {
  const { bands, hop, frames } = planLogMel(header, settings);
  const { channelNames: _, ...rest } = header;
  return {
    ...rest,
    kind: 'signal',
    shape: [frames, bands],
    axes: [{ ...header.axes[0], spacing: header.axes[0].spacing * hop }],
    valueUnit: 'dB',
    sampleType: 'float32',
  } as unknown as H;
}

/** Weights of the bins for every band, `[bands, points / 2 + 1]`: triangles of area 1 over Hz. */
export function melWeights(
  rate: number,
  { bands, low, high, points }: Omit<LogMelPlan, 'window' | 'hop' | 'frames'>,
): Float64Array {
  const bins = points / 2 + 1;
  const [from, to] = [melOfHz(low), melOfHz(high)];
  const edges = Array.from({ length: bands + 2 }, (_, i) => hzOfMel(from + ((to - from) * i) / (bands + 1)));
  const weights = new Float64Array(bands * bins);
  for (let band = 0; band < bands; band++) {
    const [left, middle, right] = edges.slice(band, band + 3);
    for (let bin = 0; bin < bins; bin++) {
      const hz = (bin * rate) / points;
      const height = Math.min((hz - left) / (middle - left), (right - hz) / (right - middle));
      if (height > 0) weights[band * bins + bin] = (height * 2) / (right - left);
    }
  }
  return weights;
}

/**
 * Log-mel features of a sound `[time, channels]`, its channels mixed: `[frames, bands]` in dB, frame `f` around sample
 * `f · hop`. Errors: ShapeError with `at`, the key that is wrong.
 */
export function logMel(sound: Field, settings: LogMelSettings = {}): Field {
  const plan = planLogMel(sound, settings);
  const { bands, window, hop, points, frames } = plan;
  const [length, channels] = sound.shape;
  const mono = new Float64Array(length);
  for (let i = 0; i < sound.data.length; i++) mono[Math.floor(i / channels)] += sound.data[i] / channels;
  const fft = createRealFft(points);
  const weights = melWeights(sampleRateOf(sound), plan);
  const shape = windowOf('hann', window);
  // The window stands in the middle of the points, and the points around the frame's sample.
  const offset = (points - window) >> 1;
  const samples = new Float64Array(points);
  const spectrum = new Float64Array(2 * fft.bins);
  const data = new Float32Array(frames * bands);
  let loudest = Number.NEGATIVE_INFINITY;
  for (let frame = 0; frame < frames; frame++) {
    const start = frame * hop - points / 2 + offset;
    for (let n = 0; n < window; n++) samples[offset + n] = shape[n] * mono[reflect(start + n, length)];
    fft.forward(samples, spectrum);
    for (let band = 0; band < bands; band++) {
      let power = 0;
      for (let bin = 0; bin < fft.bins; bin++) {
        const weight = weights[band * fft.bins + bin];
        if (weight > 0) power += weight * (spectrum[2 * bin] ** 2 + spectrum[2 * bin + 1] ** 2);
      }
      const level = 10 * Math.log10(Math.max(leastPower, power));
      data[frame * bands + band] = level;
      if (level > loudest) loudest = level;
    }
  }
  for (let i = 0; i < data.length; i++) data[i] = Math.max(data[i], loudest - range);
  const { data: _, ...header } = sound;
  return { ...logMelHeader(header, settings), data };
}
