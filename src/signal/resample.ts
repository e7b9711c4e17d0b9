// Sampling-rate conversion by any ratio, of any number of channels: band-limited interpolation with a sinc under a
// Kaiser window, its values kept per fractional position (Smith, "Digital Audio Resampling"). The pass band reaches
// to 91 % of the lower rate's Nyquist frequency, and nothing aliases: from there on it falls by 100 dB up to the
// Nyquist frequency itself. For images and volumes see the operation `resize`.

import { NdconvError } from '../errors.ts';
import { type Field, sampleRateOf } from '../formats/field.ts';
import { reflect } from './stft.ts';

/** Zero crossings of the sinc on each side. */
const crossings = 72;
/** Attenuation in dB, and the Kaiser window's parameter for it (Kaiser 1974). */
const attenuation = 100;
const beta = 0.1102 * (attenuation - 8.7);
/** Width of the transition, as part of the sampling rate: (A − 7.95)/(2.285·2π·length). */
const transition = (attenuation - 7.95) / (2.285 * 2 * Math.PI * 2 * crossings);
/** Most fractional positions kept exactly; a ratio that needs more is interpolated between this many. */
const mostPhases = 2048;

/**
 * Samples `[length, channels]` at rate `from`, converted to rate `to`. The first sample keeps its moment; the ends
 * are extended by reflection.
 *
 * @returns `[ceil(length · to/from), channels]`.
 * @throws NdconvError ShapeError when a rate is not positive or there is no sample.
 */
export const resample = (
  samples: ArrayLike<number>,
  from: number,
  to: number,
  channels = 1,
): Float32Array => {
  if (!(from > 0 && to > 0 && Number.isFinite(from) && Number.isFinite(to))) {
    throw new NdconvError(
      'ShapeError',
      `resample: cannot go from ${from} to ${to} samples per second; both must be positive`,
      {
        from,
        to,
      },
    );
  }
  const length = samples.length / channels;
  if (!(Number.isInteger(length) && length >= 1)) {
    throw new NdconvError(
      'ShapeError',
      `resample: ${samples.length} values are no whole number of samples of ${channels} channels, at least 1`,
      { values: samples.length, channels },
    );
  }
  const [up, down] = ratioOf(to / from);
  if (up === down) return Float32Array.from(samples);
  const phases = Math.min(up, mostPhases);
  // When going down, the filter gets wider and lower by the ratio.
  const scale = Math.min(1, up / down);
  const half = Math.ceil(crossings / scale);
  const taps = 2 * half;
  const bank = filterBank(phases, half, scale);

  const extended = new Float64Array((length + 2 * half) * channels);
  for (let i = 0; i < length + 2 * half; i++) {
    const source = reflect(i - half, length) * channels;
    for (let c = 0; c < channels; c++) extended[i * channels + c] = samples[source + c];
  }
  const outLength = Math.ceil((length * up) / down);
  const out = new Float32Array(outLength * channels);
  const filter = new Float64Array(taps);
  for (let n = 0; n < outLength; n++) {
    // Output n lies at n·down/up = base + phase/phases input samples. The rows of the bank weigh the inputs
    // base − half + 1 … base + half.
    const base = Math.floor((n * down) / up);
    const phase = ((n * down - base * up) / up) * phases;
    const row = up === phases ? Math.round(phase) : Math.floor(phase);
    const weight = up === phases ? 0 : phase - row;
    let at = row * taps;
    let weights = bank;
    if (weight > 0) {
      for (let i = 0; i < taps; i++) filter[i] = bank[at + i] + weight * (bank[at + taps + i] - bank[at + i]);
      weights = filter;
      at = 0;
    }
    const start = (base + 1) * channels;
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let i = 0, j = start + c; i < taps; i++, j += channels) sum += weights[at + i] * extended[j];
      out[n * channels + c] = sum;
    }
  }
  return out;
};

/**
 * A field whose only axis is time, converted to `rate` samples per second.
 *
 * @throws NdconvError ShapeError when it has another axis, or as `resample`.
 */
export const resampleField = (field: Field, rate: number): Field => {
  const from = sampleRateOf(field);
  if (field.shape.length !== 2 || Number.isNaN(from)) {
    throw new NdconvError(
      'ShapeError',
      `resample: ${field.source} of shape [${field.shape}] has no rate; give a sound or signal, [time, channels] with ` +
        `a time axis in seconds`,
      { shape: field.shape },
    );
  }
  const channels = field.shape[1];
  const data = resample(field.data, from, rate, channels);
  return {
    ...field,
    data,
    shape: [data.length / channels, channels],
    axes: [{ ...field.axes[0], spacing: 1 / rate }],
  };
};

/**
 * The simplest fraction within 1e-9 of a ratio, by continued fractions: rates are stored as spacings, and
 * 1/(1/44100) is not always 44100.
 */
const ratioOf = (ratio: number): [up: number, down: number] => {
  let [a, b, c, d] = [0, 1, 1, 0]; // convergents a/b and c/d
  let rest = ratio;
  for (;;) {
    const whole = Math.floor(rest);
    [a, b, c, d] = [c, d, whole * c + a, whole * d + b];
    if (Math.abs(c / d - ratio) <= 1e-9 * ratio || rest === whole) return [c, d];
    rest = 1 / (rest - whole);
  }
};

/**
 * Rows of `2·half` weights for the fractional positions 0, 1/phases, … 1 (the last for interpolating towards).
 * Each row adds up to 1, so that a constant stays exactly itself.
 */
const filterBank = (phases: number, half: number, scale: number): Float64Array => {
  const taps = 2 * half;
  const bank = new Float64Array((phases + 1) * taps);
  const cutoff = 1 - transition; // of the lower rate's Nyquist frequency: the middle of the transition
  const normal = besselI0(beta);
  for (let p = 0; p <= phases; p++) {
    let sum = 0;
    for (let i = 0; i < taps; i++) {
      const t = (i - half + 1 - p / phases) * scale;
      const inside = 1 - (t / crossings) ** 2;
      if (inside <= 0) continue;
      const x = Math.PI * cutoff * t;
      const value = (x === 0 ? 1 : Math.sin(x) / x) * (besselI0(beta * Math.sqrt(inside)) / normal);
      bank[p * taps + i] = value;
      sum += value;
    }
    for (let i = 0; i < taps; i++) bank[p * taps + i] /= sum;
  }
  return bank;
};

/** The modified Bessel function of the first kind and order 0, by its power series. */
const besselI0 = (x: number): number => {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
};
