// The Fourier transform of real frames, on top of fft.js: a frame of N real samples goes through one complex
// transform of N/2 points and a pass that separates the even from the odd samples (Numerical Recipes, 12.3), in
// half the time of a complex transform of N. Buffers are made once; a transform allocates nothing.

import FFT from 'fft.js';
import { NdconvError } from '../errors.ts';

/** Transforms between N real samples and N/2 + 1 complex bins. */
export interface RealFft {
  /** N, the number of real samples. */
  size: number;
  /** N/2 + 1. */
  bins: number;
  /** `samples` `[N]` to `spectrum` `[N/2 + 1, 2]` (real, imaginary): Σ x(n)·exp(−2πikn/N). */
  forward(samples: Float64Array, spectrum: Float64Array): void;
  /** The inverse of `forward`; the imaginary parts of the first and the last bin are taken as zero. */
  inverse(spectrum: Float64Array, samples: Float64Array): void;
}

/** @throws NdconvError ShapeError unless `size` is a power of two, at least 4. */
export const createRealFft = (size: number): RealFft => {
  if (!Number.isInteger(size) || size < 4 || (size & (size - 1)) !== 0) {
    throw new NdconvError(
      'ShapeError',
      `fft: size ${size} is not a power of two of at least 4; use 1024, 2048 or 4096`,
      {
        size,
      },
    );
  }
  const half = size / 2;
  const fft = new FFT(half);
  const packed = new Float64Array(size);
  const transformed = new Float64Array(size);
  // cos and sin of 2πk/N.
  const cosine = Float64Array.from({ length: half / 2 + 1 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sine = Float64Array.from({ length: half / 2 + 1 }, (_, k) => Math.sin((2 * Math.PI * k) / size));

  // With z = x(even) + i·x(odd) and Z its transform, E = (Z(k) + conj Z(N/2−k))/2 and
  // iO = (Z(k) − conj Z(N/2−k))/2; then X(k) = E + exp(−2πik/N)·O and X(N/2−k) = conj(E − exp(−2πik/N)·O).
  const forward = (samples: Float64Array, spectrum: Float64Array): void => {
    fft.transform(transformed, samples);
    const z = transformed;
    spectrum[0] = z[0] + z[1];
    spectrum[1] = 0;
    spectrum[size] = z[0] - z[1];
    spectrum[size + 1] = 0;
    for (let k = 1; k <= half / 2; k++) {
      const low = 2 * k;
      const high = size - low;
      const evenReal = 0.5 * (z[low] + z[high]);
      const evenImag = 0.5 * (z[low + 1] - z[high + 1]);
      const oddReal = 0.5 * (z[low + 1] + z[high + 1]);
      const oddImag = 0.5 * (z[high] - z[low]);
      const turnedReal = cosine[k] * oddReal + sine[k] * oddImag;
      const turnedImag = cosine[k] * oddImag - sine[k] * oddReal;
      spectrum[low] = evenReal + turnedReal;
      spectrum[low + 1] = evenImag + turnedImag;
      spectrum[high] = evenReal - turnedReal;
      spectrum[high + 1] = turnedImag - evenImag;
    }
  };

  const inverse = (spectrum: Float64Array, samples: Float64Array): void => {
    packed[0] = 0.5 * (spectrum[0] + spectrum[size]);
    packed[1] = 0.5 * (spectrum[0] - spectrum[size]);
    for (let k = 1; k <= half / 2; k++) {
      const low = 2 * k;
      const high = size - low;
      const evenReal = 0.5 * (spectrum[low] + spectrum[high]);
      const evenImag = 0.5 * (spectrum[low + 1] - spectrum[high + 1]);
      const turnedReal = 0.5 * (spectrum[low] - spectrum[high]);
      const turnedImag = 0.5 * (spectrum[low + 1] + spectrum[high + 1]);
      const oddReal = cosine[k] * turnedReal - sine[k] * turnedImag;
      const oddImag = cosine[k] * turnedImag + sine[k] * turnedReal;
      packed[low] = evenReal - oddImag;
      packed[low + 1] = evenImag + oddReal;
      packed[high] = evenReal + oddImag;
      packed[high + 1] = oddReal - evenImag;
    }
    fft.inverseTransform(samples, packed);
  };

  return { size, bins: half + 1, forward, inverse };
};
