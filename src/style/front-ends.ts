// How a field becomes a grid in the network's range and back. A sound is its log-magnitude spectrogram, a signal along
// time whose channels are frequency bins (of every sound channel side by side, so that stereo is kept); everything else
// is its own samples, shifted and scaled.

import { NdconvError } from '../errors.ts';
import { channelsOf, type Field, sampleRateOf } from '../formats/field.ts';
import { reconstructPhase } from '../signal/phase.ts';
import { stft } from '../signal/stft.ts';
import type { Grid } from './transfer.ts';

/** Turns fields into grids and the result back, in terms of the content. */
export interface FrontEnd {
  encode(field: Field): Grid;
  decode(grid: Grid, progress: (fraction: number) => void, signal: AbortSignal): Promise<Field>;
}

/** Shape of the grid of a field of this shape. */
export const gridShape = (field: Pick<Field, 'kind' | 'shape'>): number[] =>
  field.kind === 'sound'
    ? [1 + Math.ceil(field.shape[0] / HOP), field.shape[1] * (FRAME / 2 + 1)]
    : [...field.shape];

const FRAME = 2048;
const HOP = 512;
const SETTINGS = { frame: FRAME, hop: HOP };
/** Magnitudes below this part of a full-scale sine fade into silence. */
const FLOOR = 1e-3;

/** The front end for results that are like `content`. */
export const frontEndFor = (content: Field): FrontEnd =>
  content.kind === 'sound' ? soundFrontEnd(content) : gridFrontEnd(content);

function gridFrontEnd(content: Field): FrontEnd {
  const { mean, deviation } = content.kind === 'image' ? { mean: 0, deviation: 1 } : statistics(content.data);
  return {
    encode: field => {
      const own = field.kind === 'image' ? { mean: 0, deviation: 1 } : statistics(field.data);
      return { shape: field.shape, data: field.data.map(v => (v - own.mean) / own.deviation) };
    },
    decode: async grid => {
      const data = grid.data.map(v => v * deviation + mean);
      const clipped = content.kind === 'image' ? data.map(v => Math.min(1, Math.max(0, v))) : data;
      return { ...content, shape: [...grid.shape], data: clipped, source: 'style transfer' };
    },
  };
}

function statistics(data: Float32Array): { mean: number; deviation: number } {
  let [sum, squares] = [0, 0];
  for (const v of data) sum += v;
  const mean = sum / data.length;
  for (const v of data) squares += (v - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / data.length) || 1 };
}

function soundFrontEnd(content: Field): FrontEnd {
  const channels = channelsOf(content);
  const [length] = content.shape;
  const analyse = (field: Field) => {
    if (sampleRateOf(field) !== sampleRateOf(content))
      throw new NdconvError(
        'ShapeError',
        `${field.source} has ${sampleRateOf(field)} Hz, ${content.source} ${sampleRateOf(content)} Hz: resample one of them`,
      );
    return Array.from({ length: channels }, (_, c) => stft(channel(field, c, channels), SETTINGS));
  };
  const scale = 1 / (FRAME / 4) / FLOOR;
  return {
    encode: field => {
      const spectra = analyse(field);
      const { frames, bins } = spectra[0];
      const data = new Float32Array(frames * bins * channels);
      spectra.forEach(({ data: z }, c) => {
        for (let i = 0; i < frames * bins; i++) {
          const at = (Math.floor(i / bins) * channels + c) * bins + (i % bins);
          data[at] = Math.log1p(Math.hypot(z[2 * i], z[2 * i + 1]) * scale);
        }
      });
      return { shape: [frames, bins * channels], data };
    },
    decode: async (grid, progress, signal) => {
      const [frames, width] = grid.shape;
      const bins = width / channels;
      const data = new Float32Array(length * channels);
      const spectra = analyse(content);
      for (let c = 0; c < channels; c++) {
        const magnitudes = new Float32Array(frames * bins);
        const first = new Float32Array(frames * bins);
        for (let i = 0; i < magnitudes.length; i++) {
          const v = grid.data[(Math.floor(i / bins) * channels + c) * bins + (i % bins)];
          magnitudes[i] = Math.expm1(Math.max(0, v)) / scale;
          first[i] = Math.atan2(spectra[c].data[2 * i + 1], spectra[c].data[2 * i]);
        }
        const { samples } = await reconstructPhase(magnitudes, length, SETTINGS, {
          first,
          iterations: 60,
          signal,
          progress: n => progress((c + n / 60) / channels),
        });
        for (let i = 0; i < length; i++) data[i * channels + c] = samples[i];
      }
      const peak = data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      return { ...content, data: peak > 1 ? data.map(v => v / peak) : data, source: 'style transfer' };
    },
  };
}

// One channel of a field; a mono sound stands for every channel, and stereo beside mono is averaged.
function channel(field: Field, c: number, wanted: number): Float32Array {
  const [length, own] = field.shape;
  if (own === wanted) return Float32Array.from({ length }, (_, i) => field.data[i * own + c]);
  return Float32Array.from({ length }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < own; k++) sum += field.data[i * own + k];
    return sum / own;
  });
}
