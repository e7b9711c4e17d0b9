// The short-time Fourier transform of one channel and its inverse by weighted overlap-add (Griffin and Lim 1984,
// eq. 6), which reconstructs exactly. Frames are centred: frame f sits around sample f·hop, the ends are extended
// by reflection, and phases refer to the centre of their frame, so that an impulse there has phase zero in every
// bin. What spectra mean (magnitudes, decibels, features) is not decided here.

import { NdconvError } from '../errors.ts';
import { createRealFft } from './fft.ts';

/** Windows as sums of cosines (periodic form): w(n) = Σ c(i)·(−1)^i·cos(2πin/N). */
const windowCosines = {
  hann: [0.5, 0.5],
  hamming: [0.54, 0.46],
  blackman: [0.42, 0.5, 0.08],
} as const satisfies Record<string, readonly number[]>;

export type WindowName = keyof typeof windowCosines;

/** How a sound is cut into frames. */
export interface StftSettings {
  /** Samples in a frame, a power of two. */
  frame: number;
  /** Samples from one frame to the next, from 1 to frame/2. */
  hop: number;
  /** 'hann' unless given. */
  window?: WindowName;
}

/** The transform of one channel of a fixed length, with its buffers; nothing is allocated per frame. */
export interface Stft {
  settings: Required<StftSettings>;
  /** Samples in the channel. */
  length: number;
  frames: number;
  /** frame/2 + 1. */
  bins: number;
  /** Samples of the channel extended at both ends; sample 0 of the channel is at `frame/2`. */
  extendedLength: number;
  /** Extends a channel by reflection at both ends into `extended`. */
  extend(samples: ArrayLike<number>, extended: Float64Array): void;
  /** The spectrum `[bins, 2]` of one frame of an extended channel. */
  analyseFrame(extended: Float64Array, frame: number, spectrum: Float64Array): void;
  /** Adds the windowed inverse of `spectrum` `[bins, 2]` to an extended channel that began as zeros. */
  addFrame(spectrum: Float64Array, frame: number, extended: Float64Array): void;
  /**
   * Once all frames are added: the extended channel whose spectra are nearest to theirs in least squares. What lies
   * outside the channel counts towards the samples that it mirrors.
   */
  finish(extended: Float64Array): void;
}

/** A window of `size` samples, periodic. */
export const windowOf = (name: WindowName, size: number): Float64Array =>
  Float64Array.from({ length: size }, (_, n) =>
    windowCosines[name].reduce(
      (sum: number, c, i) => sum + c * (i % 2 === 0 ? 1 : -1) * Math.cos((2 * Math.PI * i * n) / size),
      0,
    ),
  );

/** The number of frames that cover `length` samples: their centres reach the end. */
export const frameCount = (length: number, hop: number): number => 1 + Math.ceil(length / hop);

/** @throws NdconvError ShapeError when frame, hop and length do not fit together. */
export const createStft = (length: number, given: StftSettings): Stft => {
  const settings = { window: 'hann' as const, ...given };
  const { frame: size, hop, window: name } = settings;
  const fft = createRealFft(size);
  if (!(Number.isInteger(hop) && hop >= 1 && hop <= size / 2)) {
    throw new NdconvError(
      'ShapeError',
      `stft: hop ${hop} is not a whole number from 1 to half the frame of ${size} samples; use ${size / 4}`,
      { hop, frame: size },
    );
  }
  if (!(Number.isInteger(length) && length >= 1)) {
    throw new NdconvError(
      'ShapeError',
      `stft: a channel of ${length} samples has no spectrum; give at least 1 sample`,
      {
        length,
      },
    );
  }
  const half = size / 2;
  const frames = frameCount(length, hop);
  const extendedLength = (frames - 1) * hop + size;
  const window = windowOf(name, size);
  const samples = new Float64Array(size);

  // Where each sample outside the channel finds its mirror image inside.
  const outside: [at: number, mirror: number][] = [];
  for (let i = 0; i < extendedLength; i++) {
    if (i < half || i >= half + length) outside.push([i, half + reflect(i - half, length)]);
  }
  // The squares of the windows over a sample and over its images; bounded away from zero, since every sample lies
  // between two centres.
  const weight = new Float64Array(extendedLength);
  for (let f = 0; f < frames; f++)
    for (let n = 0; n < size; n++) weight[f * hop + n] += window[n] * window[n];
  for (const [at, mirror] of outside) weight[mirror] += weight[at];

  const extend = (channel: ArrayLike<number>, extended: Float64Array): void => {
    for (let i = 0; i < extendedLength; i++) extended[i] = channel[reflect(i - half, length)];
  };

  // The second half of the frame goes first: its centre becomes the origin of the phases.
  const analyseFrame = (extended: Float64Array, frame: number, spectrum: Float64Array): void => {
    const start = frame * hop;
    for (let n = 0; n < half; n++) {
      samples[n] = extended[start + half + n] * window[half + n];
      samples[half + n] = extended[start + n] * window[n];
    }
    fft.forward(samples, spectrum);
  };

  const addFrame = (spectrum: Float64Array, frame: number, extended: Float64Array): void => {
    fft.inverse(spectrum, samples);
    const start = frame * hop;
    for (let n = 0; n < half; n++) {
      extended[start + n] += samples[half + n] * window[n];
      extended[start + half + n] += samples[n] * window[half + n];
    }
  };

  const finish = (extended: Float64Array): void => {
    for (const [at, mirror] of outside) extended[mirror] += extended[at];
    for (let i = half; i < half + length; i++) extended[i] /= weight[i];
    for (const [at, mirror] of outside) extended[at] = extended[mirror];
  };

  return {
    settings,
    length,
    frames,
    bins: fft.bins,
    extendedLength,
    extend,
    analyseFrame,
    addFrame,
    finish,
  };
};

/** The index within [0, length) that `i` falls on when the ends reflect, as often as needed. */
export const reflect = (i: number, length: number): number => {
  if (i >= 0 && i < length) return i;
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const folded = ((i % period) + period) % period;
  return folded < length ? folded : period - folded;
};

/** Complex frames `[frames, bins, 2]` of one channel. */
export interface Spectra {
  data: Float32Array;
  frames: number;
  bins: number;
}

/** The short-time spectra of one channel. @throws NdconvError ShapeError, as `createStft`. */
export const stft = (samples: ArrayLike<number>, settings: StftSettings): Spectra => {
  const plan = createStft(samples.length, settings);
  const extended = new Float64Array(plan.extendedLength);
  const spectrum = new Float64Array(2 * plan.bins);
  const data = new Float32Array(plan.frames * plan.bins * 2);
  plan.extend(samples, extended);
  for (let f = 0; f < plan.frames; f++) {
    plan.analyseFrame(extended, f, spectrum);
    data.set(spectrum, f * spectrum.length);
  }
  return { data, frames: plan.frames, bins: plan.bins };
};

/**
 * The channel of `length` samples whose spectra are nearest to `data` `[frames, bins, 2]` in least squares; the
 * original channel when they are its own.
 *
 * @throws NdconvError ShapeError when `data` has not the size that `length` and `settings` make.
 */
export const istft = (data: ArrayLike<number>, length: number, settings: StftSettings): Float32Array => {
  const plan = createStft(length, settings);
  const { frames, bins } = plan;
  if (data.length !== frames * bins * 2) {
    throw new NdconvError(
      'ShapeError',
      `istft: ${data.length} values given, but ${length} samples have ${frames} frames × ${bins} bins × 2 = ` +
        `${frames * bins * 2}; use the length and settings of the forward transform`,
      { given: data.length, expected: frames * bins * 2 },
    );
  }
  const extended = new Float64Array(plan.extendedLength);
  const spectrum = new Float64Array(2 * bins);
  for (let f = 0; f < frames; f++) {
    for (let i = 0; i < spectrum.length; i++) spectrum[i] = data[f * spectrum.length + i];
    plan.addFrame(spectrum, f, extended);
  }
  plan.finish(extended);
  const start = plan.settings.frame / 2;
  return Float32Array.from(extended.subarray(start, start + length));
};
