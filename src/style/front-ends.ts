// How a field becomes a grid in the network's range and back, in terms of the content. A sound is its log-magnitude
// spectrogram, a signal along time whose channels are frequency bins (of every sound channel side by side, so that
// stereo is kept); everything else is its own samples, shifted and scaled. What is optimised lies in transfer.ts.

import { NdconvError } from '../errors.ts';
import { channelsOf, type Field, type FieldKind, sampleRateOf } from '../formats/field.ts';
import { peakOf, scaleToPeak } from '../signal/level.ts';
import { resampleField } from '../signal/resample.ts';
import { defaultFrame, fromSpectrogram, toSpectrogram } from '../signal/spectrogram.ts';
import { frameCount } from '../signal/stft.ts';
import type { Grid } from './problem.ts';

/** What is known of a field before there is one. */
export interface FieldOutline {
  kind: FieldKind;
  /** `[...spatial, channels]`. */
  shape: readonly number[];
  /** Sounds and signals. */
  sampleRate?: number;
}

export interface DecodeOptions {
  /** A few rounds of phase reconstruction instead of all: for a sound to look in on. */
  quick?: boolean;
  progress?(fraction: number): void;
  /** When aborted, the sound so far is returned. */
  signal?: AbortSignal;
}

/** Turns fields into grids and the result back, in terms of the content. */
export interface FrontEnd {
  /** How often in a transfer a grid settles; 0 where every grid is one of a field. */
  settlings: number;
  encode(field: Field): Grid;
  /** The grid of the field that a grid decodes to. */
  settle(grid: Grid, options?: DecodeOptions): Promise<Grid>;
  decode(grid: Grid, options?: DecodeOptions): Promise<Field>;
}

/** Rounds of phase reconstruction: of a result, between rounds of a transfer, and to look in on. */
const rounds = { full: 60, settle: 30, quick: 8 };
/**
 * Free to move, a grid becomes one that no sound has, and the sound nearest to it has lost most of the style: in the
 * shipped pipeline its style loss was 60 times that of the grid. Eight settlings on the way bring the two together.
 */
const settlings = 8;
/**
 * How far down values of a sound tell levels apart: 40 dB under its own comes out at 0.7. What the transfer leaves
 * uncertain in quiet bins is a share of the values, so that with 10, where it is 20 dB, results hissed 10 dB louder.
 */
const gain = 100;
/** A result louder than full scale is brought back to this peak. */
const loudestPeak = 0.99;

/** Rates are stored as spacings, and 1/(1/44100) is not always 44100. */
const sameRate = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(a, b);

const isTimed = (kind: FieldKind): boolean => kind === 'sound' || kind === 'signal';

/** Shape of the grid of a field: `[frames, channels · bins]` of a sound, else its own. */
export function gridShape({ kind, shape, sampleRate }: FieldOutline): number[] {
  if (kind !== 'sound' || sampleRate === undefined) return [...shape];
  const frame = defaultFrame(sampleRate);
  return [frameCount(shape[0], frame / 4), shape[1] * (frame / 2 + 1)];
}

/**
 * The outline of `other` once it is made comparable with `content`: at its sample rate, with its channels. `notes` say
 * what is done to it. Errors: ShapeError for another kind, rank, or number of channels that stands for nothing.
 */
export function fittedOutline(
  other: FieldOutline,
  content: FieldOutline,
  name: string,
): { outline: FieldOutline; notes: string[] } {
  const notes: string[] = [];
  if (other.kind !== content.kind)
    throw new NdconvError(
      'ShapeError',
      `${name} is of kind ${other.kind}, the content of kind ${content.kind}: both must be of one kind`,
    );
  if (other.shape.length !== content.shape.length)
    throw new NdconvError(
      'ShapeError',
      `${name} has ${other.shape.length - 1} spatial dimensions, the content ${content.shape.length - 1}: both must have as many`,
    );
  const shape = [...other.shape];
  const [own, wanted] = [other.shape, content.shape].map(s => s[s.length - 1]);
  const mixes = content.kind === 'sound' || content.kind === 'image';
  if (own !== wanted) {
    if (own === 1) notes.push(`${name}: its one channel stands for each of the content's ${wanted}`);
    else if (wanted === 1 && mixes)
      notes.push(`${name}: its ${own} channels are averaged into one, as the content has one`);
    else
      throw new NdconvError(
        'ShapeError',
        `${name} has ${own} channels, the content ${wanted}: load as many of each with \`channels\``,
        { channels: own, expected: wanted },
      );
    shape[shape.length - 1] = wanted;
  }
  const [from, to] = [other.sampleRate, content.sampleRate];
  if (isTimed(content.kind) && from !== undefined && to !== undefined && !sameRate(from, to)) {
    shape[0] = Math.ceil((shape[0] * to) / from);
    notes.push(`${name}: resampled from ${Math.round(from)} to ${Math.round(to)} Hz, the content's rate`);
  }
  return { outline: { kind: other.kind, shape, sampleRate: to }, notes };
}

/** `field` made comparable with `content`, as `fittedOutline` says. Errors: as there. */
export function fitField(
  field: Field,
  content: Field,
  name: string,
  note: (message: string) => void = () => {},
): Field {
  const outline = (f: Field): FieldOutline => {
    const rate = sampleRateOf(f);
    return { kind: f.kind, shape: f.shape, sampleRate: Number.isNaN(rate) ? undefined : rate };
  };
  for (const line of fittedOutline(outline(field), outline(content), name).notes) note(line);
  const fitted = withChannels(field, channelsOf(content));
  const [from, to] = [sampleRateOf(field), sampleRateOf(content)];
  return isTimed(content.kind) && to > 0 && from > 0 && !sameRate(from, to)
    ? resampleField(fitted, to)
    : fitted;
}

// One channel stands for all; several become their mean.
function withChannels(field: Field, wanted: number): Field {
  const own = channelsOf(field);
  if (own === wanted) return field;
  const cells = field.data.length / own;
  const data = new Float32Array(cells * wanted);
  for (let i = 0; i < cells; i++) {
    let sum = 0;
    for (let c = 0; c < own; c++) sum += field.data[i * own + c];
    data.fill(sum / own, i * wanted, (i + 1) * wanted);
  }
  const { channelNames: _, ...rest } = field;
  return { ...rest, shape: [...field.shape.slice(0, -1), wanted], data };
}

/** The front end for results that are like `content`. `encode` takes fields that fit it (see `fitField`). */
export const frontEndFor = (content: Field): FrontEnd =>
  content.kind === 'sound' ? soundFrontEnd(content) : sampleFrontEnd(content);

// Images stay in [0, 1]; whatever has a unit is brought to mean 0 and deviation 1, each field by its own.
function sampleFrontEnd(content: Field): FrontEnd {
  const scaleOf = (field: Field) =>
    content.kind === 'image' ? { mean: 0, deviation: 1 } : statistics(field.data);
  const { mean, deviation } = scaleOf(content);
  return {
    settlings: 0,
    settle: async grid => grid,
    encode: field => {
      const own = scaleOf(field);
      return { shape: field.shape, data: field.data.map(v => (v - own.mean) / own.deviation) };
    },
    decode: async grid => {
      const data = grid.data.map(v => v * deviation + mean);
      const clipped = content.kind === 'image' ? data.map(v => Math.min(1, Math.max(0, v))) : data;
      return { ...content, shape: [...grid.shape], data: clipped, source: 'style transfer' };
    },
  };
}

/** Mean and standard deviation; a constant counts as deviation 1. */
export function statistics(data: Float32Array): { mean: number; deviation: number } {
  let [sum, squares] = [0, 0];
  for (const v of data) sum += v;
  const mean = sum / data.length;
  for (const v of data) squares += (v - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / data.length) || 1 };
}

function soundFrontEnd(content: Field): FrontEnd {
  const { layout } = toSpectrogram(content, { gain });
  // Values are logarithms: a little beyond the loudest of all that was encoded would be a bang.
  let loudest = 0;
  // Phases of the sound that was last settled to: the next is near it.
  let phases: Float32Array | undefined;
  const soundOf = async (grid: Grid, iterations: number, options: DecodeOptions): Promise<Field> => {
    const values = grid.data.map(v => Math.min(v, loudest));
    const { progress, signal } = options;
    const { sound } = await fromSpectrogram(values, layout, { first: phases, iterations, progress, signal });
    return { ...sound, source: 'style transfer' };
  };
  return {
    settlings,
    encode: field => {
      const { field: spectrogram } = toSpectrogram(field, { ...layout.settings, gain });
      for (const v of spectrogram.data) loudest = Math.max(loudest, v);
      return { shape: spectrogram.shape, data: spectrogram.data };
    },
    settle: async (grid, options = {}) => {
      const sound = await soundOf(grid, options.quick ? rounds.quick : rounds.settle, options);
      const { reference, settings } = layout;
      const again = toSpectrogram(sound, { ...settings, gain, reference });
      phases = again.phases;
      return { shape: again.field.shape, data: again.field.data };
    },
    decode: async (grid, options = {}) => {
      const result = await soundOf(grid, options.quick ? rounds.quick : rounds.full, options);
      return peakOf(result.data) > 1 ? scaleToPeak(result, loudestPeak) : result;
    },
  };
}
