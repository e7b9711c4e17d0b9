// A first phase for a magnitude spectrogram in one pass: phase gradient heap integration (Průša, Balazs and
// Søndergaard 2017, "A noniterative method for reconstruction of phase from STFT magnitude"). For a Gaussian
// window the phase's derivatives follow from the logarithm of the magnitudes, and other windows come near to one;
// the derivatives are integrated outwards from the loudest points, along a heap, so that errors stay in the
// quiet ones. The rounds of refinement that follow are in phase.ts.

import type { Random } from '../random.ts';
import type { StftSettings, WindowName } from './stft.ts';

/** γ/frame² of the Gaussian exp(−πt²/γ) nearest to each window (Průša 2017, table of windows). */
const gaussianWidths: Record<WindowName, number> = { hann: 0.25645, hamming: 0.29794, blackman: 0.17954 };

/** Points softer than this part of the loudest one are not integrated through; their phases are random. */
const threshold = 1e-6;

/**
 * Phases in radians `[frames, bins]` for magnitudes `[frames, bins]`, on the convention of stft.ts.
 *
 * @param random draws the phases of points too soft to matter.
 */
export const integratePhase = (
  magnitudes: Float32Array,
  frames: number,
  bins: number,
  settings: Required<StftSettings>,
  random: Random,
): Float32Array => {
  const { frame, hop } = settings;
  const count = frames * bins;
  const phases = new Float32Array(count);
  let loudest = 0;
  for (let i = 0; i < count; i++) loudest = Math.max(loudest, magnitudes[i]);
  if (loudest === 0) return phases;
  const floor = threshold * loudest;
  const logarithms = new Float32Array(count);
  for (let i = 0; i < count; i++) logarithms[i] = Math.log(Math.max(magnitudes[i], floor));

  // The phase's change per bin is −γ/(hop·frame)·∂log|X|/∂frame, and per frame
  // hop·frame/γ·∂log|X|/∂bin + 2π·hop·bin/frame.
  const gamma = gaussianWidths[settings.window] * frame * frame;
  const perBin = (f: number, k: number): number => {
    const before = f > 0 ? f - 1 : f;
    const after = f < frames - 1 ? f + 1 : f;
    if (after === before) return 0;
    return (
      ((-gamma / (hop * frame)) * (logarithms[after * bins + k] - logarithms[before * bins + k])) /
      (after - before)
    );
  };
  const perFrame = (f: number, k: number): number => {
    const below = k > 0 ? k - 1 : k;
    const above = k < bins - 1 ? k + 1 : k;
    const slope = (logarithms[f * bins + above] - logarithms[f * bins + below]) / (above - below);
    return ((hop * frame) / gamma) * slope + (2 * Math.PI * hop * k) / frame;
  };

  // Every point enters the heap once, when it gets its phase; points below the floor count as done beforehand.
  const done = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    if (magnitudes[i] > floor) continue;
    done[i] = 1;
    phases[i] = 2 * Math.PI * random.uniform();
  }
  const heap = createHeap(magnitudes);
  for (const seed of peaksOf(magnitudes, frames, bins, floor)) {
    if (done[seed] === 1) continue;
    done[seed] = 1;
    heap.push(seed);
    while (heap.size() > 0) {
      const i = heap.pop();
      const f = Math.floor(i / bins);
      const k = i - f * bins;
      if (k > 0 && done[i - 1] === 0) {
        phases[i - 1] = phases[i] - 0.5 * (perBin(f, k) + perBin(f, k - 1));
        done[i - 1] = 1;
        heap.push(i - 1);
      }
      if (k < bins - 1 && done[i + 1] === 0) {
        phases[i + 1] = phases[i] + 0.5 * (perBin(f, k) + perBin(f, k + 1));
        done[i + 1] = 1;
        heap.push(i + 1);
      }
      if (f > 0 && done[i - bins] === 0) {
        phases[i - bins] = wrap(phases[i] - 0.5 * (perFrame(f, k) + perFrame(f - 1, k)));
        done[i - bins] = 1;
        heap.push(i - bins);
      }
      if (f < frames - 1 && done[i + bins] === 0) {
        phases[i + bins] = wrap(phases[i] + 0.5 * (perFrame(f, k) + perFrame(f + 1, k)));
        done[i + bins] = 1;
        heap.push(i + bins);
      }
    }
  }
  return phases;
};

/** Keeps a phase within ±π, so that single precision stays fine over long sounds. */
const wrap = (phase: number): number => phase - 2 * Math.PI * Math.round(phase / (2 * Math.PI));

/** Indices of the points no softer than their four neighbours and above the floor, loudest first. */
const peaksOf = (magnitudes: Float32Array, frames: number, bins: number, floor: number): Uint32Array => {
  const peaks: number[] = [];
  for (let f = 0, i = 0; f < frames; f++) {
    for (let k = 0; k < bins; k++, i++) {
      const value = magnitudes[i];
      if (
        value > floor &&
        (k === 0 || value >= magnitudes[i - 1]) &&
        (k === bins - 1 || value >= magnitudes[i + 1]) &&
        (f === 0 || value >= magnitudes[i - bins]) &&
        (f === frames - 1 || value >= magnitudes[i + bins])
      ) {
        peaks.push(i);
      }
    }
  }
  return Uint32Array.from(peaks).sort((a, b) => magnitudes[b] - magnitudes[a] || a - b);
};

/** A binary heap of indices; `pop` takes the one with the largest key. */
const createHeap = (keys: Float32Array): { size(): number; push(index: number): void; pop(): number } => {
  let items = new Uint32Array(4096);
  let count = 0;
  return {
    size: () => count,
    push(index) {
      if (count === items.length) {
        const larger = new Uint32Array(2 * count);
        larger.set(items);
        items = larger;
      }
      let at = count++;
      const key = keys[index];
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (keys[items[parent]] >= key) break;
        items[at] = items[parent];
        at = parent;
      }
      items[at] = index;
    },
    pop() {
      const top = items[0];
      const last = items[--count];
      const key = keys[last];
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && keys[items[child + 1]] > keys[items[child]]) child++;
        if (keys[items[child]] <= key) break;
        items[at] = items[child];
        at = child;
      }
      items[at] = last;
      return top;
    },
  };
};
