// The spectrogram of a sound as a picture to look at: decibels over time and a logarithmic frequency axis, reduced to
// a few hundred thousand points. The spectra that style transfer works on are the signal folder's business.

import { channelsOf, type Field, sampleRateOf } from '../formats/field.ts';
import { createStft } from '../signal/stft.ts';

export interface Spectrogram {
  width: number;
  height: number;
  /** `[height, width]`, the highest frequency first; 0 dB is a sine of full scale, silence −Infinity. */
  decibels: Float32Array;
  lowHertz: number;
  highHertz: number;
}

const mostColumns = 1024;
const rows = 256;
/** Length of a frame in seconds, about: long enough to part the notes of music, short enough to keep its onsets. */
const frameSeconds = 0.046;
/** Part of the frequency range that is shown: 50 Hz of 22 kHz. */
const octaves = Math.log2(441);

/** Mean power of each bin over the channels, loudest of the frames that share a column: `[columns, bins]`. */
function powers(
  field: Field,
  length: number,
  frame: number,
): { columns: number; bins: number; power: Float32Array } {
  const channels = channelsOf(field);
  const stft = createStft(length, { frame, hop: frame / 4 });
  const columns = Math.min(stft.frames, mostColumns);
  const { bins } = stft;
  const power = new Float32Array(columns * bins);
  const sum = new Float32Array(stft.frames * bins);
  const line = new Float32Array(length);
  const extended = new Float64Array(stft.extendedLength);
  const spectrum = new Float64Array(2 * bins);
  // A sine of full scale has |X| = ½ · Σ window = frame/4 under a Hann window.
  const scale = 16 / (frame * frame * channels);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < length; i++) {
      const value = field.data[i * channels + channel];
      line[i] = Number.isFinite(value) ? value : 0;
    }
    stft.extend(line, extended);
    for (let f = 0; f < stft.frames; f++) {
      stft.analyseFrame(extended, f, spectrum);
      for (let k = 0; k < bins; k++)
        sum[f * bins + k] += scale * (spectrum[2 * k] ** 2 + spectrum[2 * k + 1] ** 2);
    }
  }
  for (let f = 0; f < stft.frames; f++) {
    const column = Math.floor((f * columns) / stft.frames) * bins;
    for (let k = 0; k < bins; k++) power[column + k] = Math.max(power[column + k], sum[f * bins + k]);
  }
  return { columns, bins, power };
}

/** The spectrogram of the first `seconds` of a sound `[time, channels]`. */
export function makeSpectrogram(field: Field, seconds: number): Spectrogram {
  const rate = sampleRateOf(field);
  const length = Math.max(1, Math.min(field.shape[0], Math.round(seconds * rate)));
  const frame = Math.max(64, 2 ** Math.round(Math.log2(rate * frameSeconds)));
  const { columns, bins, power } = powers(field, length, frame);
  const highHertz = rate / 2;
  const lowHertz = Math.max(rate / frame, highHertz / 2 ** octaves);
  const binOf = (row: number) => (highHertz / rate) * frame * (lowHertz / highHertz) ** (row / rows);
  const decibels = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    // A row takes the loudest of its bins; where bins are wider than rows, the powers between them are interpolated.
    const [top, bottom] = [binOf(row), binOf(row + 1)];
    const [first, last] = [Math.ceil(bottom), Math.min(bins - 1, Math.floor(top))];
    const middle = Math.min(bins - 1, (top + bottom) / 2);
    const below = Math.min(bins - 2, Math.floor(middle));
    for (let column = 0; column < columns; column++) {
      const at = column * bins;
      let value = power[at + below] + (middle - below) * (power[at + below + 1] - power[at + below]);
      for (let k = first; k <= last; k++) value = Math.max(value, power[at + k]);
      decibels[row * columns + column] = 10 * Math.log10(value);
    }
  }
  return { width: columns, height: rows, decibels, lowHertz, highHertz };
}
