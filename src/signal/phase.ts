// The sound whose magnitude spectrogram is nearest to a given one: phase reconstruction by the Griffin-Lim
// iteration (Griffin and Lim 1984) and its accelerated form (Perraudin, Balazs and Søndergaard 2013, "A fast
// Griffin-Lim algorithm"), from a choice of first phases. How features become magnitudes is in spectrogram.ts.

import { NdconvError } from '../errors.ts';
import { createRandom } from '../random.ts';
import { integratePhase } from './phase-gradient.ts';
import { createStft, type StftSettings } from './stft.ts';

/** Where the first phases come from; an array `[frames, bins]` of radians is taken as it is. */
export type FirstPhase = 'gradient' | 'zero' | 'random' | Float32Array;

export interface PhaseOptions {
  /** Rounds of refinement; 60 unless given. 0 keeps the first phases. */
  iterations?: number;
  /** 0 is Griffin-Lim; the fast form adds this part of the last change, 0.99 unless given. */
  momentum?: number;
  /** 'gradient' unless given: phase gradient heap integration. */
  first?: FirstPhase;
  /** For random phases. */
  seed?: number;
  /** Called after every round with the rounds done and the spectral convergence in dB before it. */
  progress?(iteration: number, convergence: number): void;
  /** When aborted, the round in hand is finished and the sound so far returned. */
  signal?: AbortSignal;
}

export interface PhaseResult {
  samples: Float32Array;
  /** Spectral convergence in dB, 20·log10(‖|STFT(samples)| − S‖ / ‖S‖): the lower, the nearer. */
  convergence: number;
  /** Rounds done. */
  iterations: number;
}

/** Longest stretch in ms without giving other work (signals, progress) its turn. */
const turn = 50;

/**
 * The channel of `length` samples whose magnitudes are near `magnitudes` `[frames, bins]`.
 *
 * @throws NdconvError ShapeError when the sizes do not fit together.
 */
export const reconstructPhase = async (
  magnitudes: Float32Array,
  length: number,
  settings: StftSettings,
  options: PhaseOptions = {},
): Promise<PhaseResult> => {
  const { iterations = 60, momentum = 0.99, first = 'gradient', seed = 0, progress, signal } = options;
  const plan = createStft(length, settings);
  const { frames, bins } = plan;
  const count = frames * bins;
  for (const [name, given] of [
    ['magnitudes', magnitudes.length],
    ['first phases', typeof first === 'string' ? count : first.length],
  ] as const) {
    if (given === count) continue;
    throw new NdconvError(
      'ShapeError',
      `phase: ${given} ${name} given, but ${length} samples have ${frames} frames × ${bins} bins = ${count}; ` +
        `use the length and settings that the spectrogram was made with`,
      { given, expected: count },
    );
  }
  const phases = firstPhases(first, magnitudes, frames, bins, plan.settings, seed);
  let current = new Float64Array(plan.extendedLength);
  let next = new Float64Array(plan.extendedLength);
  const spectrum = new Float64Array(2 * bins);

  for (let f = 0; f < frames; f++) {
    for (let k = 0; k < bins; k++) {
      const i = f * bins + k;
      spectrum[2 * k] = magnitudes[i] * Math.cos(phases[i]);
      spectrum[2 * k + 1] = magnitudes[i] * Math.sin(phases[i]);
    }
    plan.addFrame(spectrum, f, current);
  }
  plan.finish(current);

  let norm = 0;
  for (let i = 0; i < count; i++) norm += magnitudes[i] * magnitudes[i];
  const decibels = (distance: number): number =>
    norm > 0 ? 10 * Math.log10(distance / norm) : Number.NEGATIVE_INFINITY;

  // One round, frame by frame: t, the spectra of the current sound; c = t + momentum·(t − t before); c with the
  // given magnitudes instead of its own; and its overlap-add, the next sound.
  const before = momentum === 0 ? null : new Float32Array(2 * count);
  const refine = (weight: number): number => {
    next.fill(0);
    let distance = 0;
    for (let f = 0; f < frames; f++) {
      plan.analyseFrame(current, f, spectrum);
      const row = f * bins;
      for (let k = 0; k < bins; k++) {
        let real = spectrum[2 * k];
        let imag = spectrum[2 * k + 1];
        const target = magnitudes[row + k];
        const difference = Math.sqrt(real * real + imag * imag) - target;
        distance += difference * difference;
        if (before !== null) {
          const at = 2 * (row + k);
          const lastReal = before[at];
          const lastImag = before[at + 1];
          before[at] = real;
          before[at + 1] = imag;
          real += weight * (real - lastReal);
          imag += weight * (imag - lastImag);
        }
        const size = Math.sqrt(real * real + imag * imag);
        if (size > 0) {
          const scale = target / size;
          spectrum[2 * k] = real * scale;
          spectrum[2 * k + 1] = imag * scale;
        } else {
          spectrum[2 * k] = target;
          spectrum[2 * k + 1] = 0;
        }
      }
      plan.addFrame(spectrum, f, next);
    }
    plan.finish(next);
    [current, next] = [next, current];
    return distance;
  };

  let done = 0;
  let paused = performance.now();
  while (done < iterations && !signal?.aborted) {
    const distance = refine(done === 0 ? 0 : momentum);
    done++;
    progress?.(done, decibels(distance));
    if (performance.now() - paused > turn) {
      await new Promise(resolve => setTimeout(resolve, 0));
      paused = performance.now();
    }
  }

  const start = plan.settings.frame / 2;
  const samples = Float32Array.from(current.subarray(start, start + length));
  return { samples, convergence: spectralConvergence(samples, magnitudes, settings), iterations: done };
};

/**
 * How far a channel's magnitudes are from given ones `[frames, bins]`, in dB:
 * 20·log10(‖|STFT(samples)| − S‖ / ‖S‖).
 */
export const spectralConvergence = (
  samples: ArrayLike<number>,
  magnitudes: Float32Array,
  settings: StftSettings,
): number => {
  const plan = createStft(samples.length, settings);
  const extended = new Float64Array(plan.extendedLength);
  const spectrum = new Float64Array(2 * plan.bins);
  plan.extend(samples, extended);
  let distance = 0;
  let norm = 0;
  for (let f = 0; f < plan.frames; f++) {
    plan.analyseFrame(extended, f, spectrum);
    for (let k = 0; k < plan.bins; k++) {
      const target = magnitudes[f * plan.bins + k];
      const size = Math.sqrt(spectrum[2 * k] * spectrum[2 * k] + spectrum[2 * k + 1] * spectrum[2 * k + 1]);
      distance += (size - target) * (size - target);
      norm += target * target;
    }
  }
  return norm > 0 ? 10 * Math.log10(distance / norm) : Number.NEGATIVE_INFINITY;
};

const firstPhases = (
  first: FirstPhase,
  magnitudes: Float32Array,
  frames: number,
  bins: number,
  settings: Required<StftSettings>,
  seed: number,
): Float32Array => {
  if (typeof first !== 'string') return first;
  const random = createRandom(seed, 'phase');
  if (first === 'gradient') return integratePhase(magnitudes, frames, bins, settings, random);
  const phases = new Float32Array(frames * bins);
  if (first === 'random') for (let i = 0; i < phases.length; i++) phases[i] = 2 * Math.PI * random.uniform();
  return phases;
};
