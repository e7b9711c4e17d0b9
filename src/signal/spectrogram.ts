// A sound as features for a network and back: its log-magnitude spectrogram laid out as a signal over time whose
// channels are frequency bins, those of a stereo sound's channels side by side. So the engine treats a sound like
// any other signal, and a filter sees all frequencies and both ears at once (Ulyanov and Lebedev 2016). Phases are
// given apart. Pictures for people are in spectrogram-image.ts.
//
// A value is log(1 + gain·|X|/reference), where `reference` is the root mean square of |X| over the frames that
// are within 40 dB of the loudest, all channels together. Dividing by it makes the values independent of how loud
// a sound was recorded, so that loud and quiet sounds compare, and keeps the balance between channels; leaving out
// near-silent frames keeps pauses from counting as quietness. With gain 10 what is 20 dB under the reference comes
// out at 0.7; above, values grow as the logarithm does, and below they fade to zero instead of to -∞.

import { NdconvError } from '../errors.ts';
import { type Axis, channelsOf, type Field, sampleRateOf } from '../formats/field.ts';
import { createRandom } from '../random.ts';
import { type PhaseOptions, reconstructPhase } from './phase.ts';
import { integratePhase } from './phase-gradient.ts';
import { createStft, type StftSettings } from './stft.ts';

export interface SpectrogramSettings extends Partial<StftSettings> {
  /** Of the logarithm; 10 unless given. */
  gain?: number;
  /** Magnitude that counts as 1 before the gain; the sound's own unless given: that of another sound compares levels. */
  reference?: number;
}

/** What is needed to turn values back into the sound they came from. */
export interface SpectrogramLayout {
  settings: Required<StftSettings>;
  gain: number;
  /** Magnitude that counts as 1 before the gain. */
  reference: number;
  /** Samples per channel. */
  length: number;
  channels: number;
  frames: number;
  /** Bins per channel; a frame has `channels · bins` values. */
  bins: number;
  /** The sound's time axis, source and precision. */
  axis: Axis;
  source: string;
  sampleType: Field['sampleType'];
}

export interface Spectrogram {
  /** `[frames, channels · bins]`, of kind 'signal'. */
  field: Field;
  /** Radians, `[frames, channels · bins]`, on the convention of stft.ts. */
  phases: Float32Array;
  layout: SpectrogramLayout;
}

export interface SoundOptions extends Omit<PhaseOptions, 'progress'> {
  /** Called after every round: the part done of all channels, and the spectral convergence in dB. */
  progress?(fraction: number, convergence: number): void;
}

/** How far below the loudest frame, in power, frames stop counting towards the reference. */
const gate = 1e-4;

/** The frame for a sampling rate: the power of two nearest to 46 ms (2048 at 44.1 and 48 kHz), at least 64. */
export const defaultFrame = (sampleRate: number): number =>
  Math.max(64, 2 ** Math.round(Math.log2(sampleRate * 0.0464)));

/**
 * The log-magnitude spectrogram of a sound `[time, channels]`. Frame `defaultFrame`, hop a quarter of it and a
 * Hann window unless given.
 *
 * @throws NdconvError ShapeError when the field has other axes than time, or sizes do not fit together.
 */
export const toSpectrogram = (sound: Field, given: SpectrogramSettings = {}): Spectrogram => {
  const rate = sampleRateOf(sound);
  if (sound.shape.length !== 2 || Number.isNaN(rate)) {
    throw new NdconvError(
      'ShapeError',
      `spectrogram: ${sound.source} is of kind ${sound.kind} with shape [${sound.shape}]; give a sound, ` +
        `[time, channels] with a time axis in seconds`,
      { shape: sound.shape, kind: sound.kind },
    );
  }
  const { gain = 10, frame = defaultFrame(rate), hop = frame / 4, window = 'hann' } = given;
  if (!(gain > 0 && Number.isFinite(gain))) {
    throw new NdconvError(
      'ShapeError',
      `spectrogram: gain ${gain} is not a positive number; the usual one is 10`,
      {
        gain,
      },
    );
  }
  const [length] = sound.shape;
  const channels = channelsOf(sound);
  const plan = createStft(length, { frame, hop, window });
  const { frames, bins } = plan;
  const row = channels * bins;
  const values = new Float32Array(frames * row);
  const phases = new Float32Array(frames * row);
  const powers = new Float64Array(frames);
  const channel = new Float64Array(length);
  const extended = new Float64Array(plan.extendedLength);
  const spectrum = new Float64Array(2 * bins);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < length; i++) channel[i] = sound.data[i * channels + c];
    plan.extend(channel, extended);
    for (let f = 0; f < frames; f++) {
      plan.analyseFrame(extended, f, spectrum);
      for (let k = 0; k < bins; k++) {
        const real = spectrum[2 * k];
        const imag = spectrum[2 * k + 1];
        const at = f * row + c * bins + k;
        const power = real * real + imag * imag;
        values[at] = Math.sqrt(power);
        phases[at] = Math.atan2(imag, real);
        powers[f] += power;
      }
    }
  }
  const loudest = powers.reduce((a, b) => Math.max(a, b), 0);
  const counted = powers.filter(p => p > gate * loudest);
  const own = loudest > 0 ? Math.sqrt(counted.reduce((a, b) => a + b, 0) / (counted.length * row)) : 1;
  const reference = given.reference ?? own;
  for (let i = 0; i < values.length; i++) values[i] = Math.log1p((gain * values[i]) / reference);

  return {
    field: {
      kind: 'signal',
      shape: [frames, row],
      data: values,
      axes: [{ name: 'time', spacing: hop / rate, unit: 's' }],
      source: sound.source,
      valueUnit: '',
      sampleType: 'float32',
    },
    phases,
    layout: {
      settings: plan.settings,
      gain,
      reference,
      length,
      channels,
      frames,
      bins,
      axis: sound.axes[0],
      source: sound.source,
      sampleType: sound.sampleType,
    },
  };
};

/** Magnitudes |X| of log-magnitude values; negative values count as silence. */
export const magnitudesOf = (values: Float32Array, layout: SpectrogramLayout): Float32Array =>
  values.map(v => (Math.expm1(Math.max(v, 0)) * layout.reference) / layout.gain);

/**
 * The sound whose log-magnitude spectrogram is near `values` `[frames, channels · bins]`. Its channels begin with
 * the same phases, found from all of them together, so that they stay in step and a stereo sound keeps its place
 * instead of blurring; or with given `first` phases, laid out as the values. Samples may pass ±1.
 *
 * @returns the sound, and the spectral convergence in dB over all channels (see phase.ts).
 * @throws NdconvError ShapeError when sizes do not fit the layout; RunError when a value is no finite number or
 *   too large to be a magnitude.
 */
export const fromSpectrogram = async (
  values: Float32Array,
  layout: SpectrogramLayout,
  options: SoundOptions = {},
): Promise<{ sound: Field; convergence: number }> => {
  const { channels, bins, frames, length, settings } = layout;
  const { first = 'gradient', iterations = 60, progress, seed = 0 } = options;
  const row = channels * bins;
  for (const [name, count] of [
    ['values', values.length],
    ['first phases', typeof first === 'string' ? frames * row : first.length],
  ] as const) {
    if (count === frames * row) continue;
    throw new NdconvError(
      'ShapeError',
      `spectrogram: ${count} ${name} given, but the layout has ${frames} frames × ${channels} channels × ${bins} bins = ` +
        `${frames * row}; use the layout of the sound that the values are to become`,
      { given: count, expected: frames * row },
    );
  }
  const magnitudes = magnitudesOf(values, layout);
  const wrong = magnitudes.findIndex(m => !Number.isFinite(m));
  if (wrong >= 0) {
    throw new NdconvError(
      'RunError',
      `spectrogram: value ${values[wrong]} in frame ${Math.floor(wrong / row)}, bin ${wrong % row} stands for no ` +
        `magnitude; the run that made it diverged, lower its learning rate`,
      { value: values[wrong], frame: Math.floor(wrong / row), bin: wrong % row },
    );
  }

  const shared =
    channels > 1 && first === 'gradient'
      ? integratePhase(together(magnitudes, layout), frames, bins, settings, createRandom(seed, 'phase'))
      : null;
  const data = new Float32Array(length * channels);
  let distance = 0;
  let norm = 0;
  for (let c = 0; c < channels; c++) {
    const own = channelOf(magnitudes, c, layout);
    const begin = shared ?? (typeof first === 'string' ? first : channelOf(first, c, layout));
    const { samples, convergence } = await reconstructPhase(own, length, settings, {
      ...options,
      first: begin,
      progress: (iteration, at) => progress?.((c + iteration / iterations) / channels, at),
    });
    for (let i = 0; i < length; i++) data[i * channels + c] = samples[i];
    const power = own.reduce((sum, m) => sum + m * m, 0);
    norm += power;
    if (power > 0) distance += power * 10 ** (convergence / 10);
  }
  return {
    sound: {
      kind: 'sound',
      shape: [length, channels],
      data,
      axes: [layout.axis],
      source: layout.source,
      valueUnit: '',
      sampleType: layout.sampleType,
    },
    convergence: norm > 0 ? 10 * Math.log10(distance / norm) : Number.NEGATIVE_INFINITY,
  };
};

/** One channel's `[frames, bins]` out of `[frames, channels · bins]`. */
const channelOf = (values: Float32Array, channel: number, layout: SpectrogramLayout): Float32Array => {
  const { frames, bins, channels } = layout;
  const own = new Float32Array(frames * bins);
  for (let f = 0; f < frames; f++) {
    const at = (f * channels + channel) * bins;
    own.set(values.subarray(at, at + bins), f * bins);
  }
  return own;
};

/** Root of the summed powers of all channels, `[frames, bins]`. */
const together = (magnitudes: Float32Array, layout: SpectrogramLayout): Float32Array => {
  const { frames, bins, channels } = layout;
  const sum = new Float32Array(frames * bins);
  for (let f = 0; f < frames; f++) {
    for (let c = 0; c < channels; c++) {
      for (let k = 0; k < bins; k++) sum[f * bins + k] += magnitudes[(f * channels + c) * bins + k] ** 2;
    }
  }
  return sum.map(Math.sqrt);
};
