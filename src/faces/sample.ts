// Pixels of a photo on another grid, turned, moved and scaled at once: what landmarks and the recognition network look at is
// cut out so. Where pixels become larger, several samples are averaged for each.

import type { Field } from '../formats/field.ts';

/** Rotation, scale and shift: `(x, y)` goes to `(a·x − b·y + x0, b·x + a·y + y0)`. */
export interface Similarity {
  a: number;
  b: number;
  x0: number;
  y0: number;
}

/** What lies beyond the photo: black, or its outermost pixels. */
export type Beyond = 'black' | 'replicate';

/** The photo in three channels; grey is repeated. */
export function inColour(field: Field): Field {
  const [height, width, channels] = field.shape;
  if (channels === 3) return field;
  const data = new Float32Array(height * width * 3);
  for (let i = 0; i < height * width; i++)
    for (let c = 0; c < 3; c++) data[3 * i + c] = field.data[channels * i + (channels < 3 ? 0 : c)];
  const { iccProfile: _, ...rest } = field;
  return { ...rest, shape: [height, width, 3], data };
}

/**
 * An image of `size` × `size` pixels, of which (x, y) is that of the photo at `transform` (x, y); coordinates count from the
 * corner of the first pixel.
 */
export function sampleSquare(photo: Field, transform: Similarity, size: number, beyond: Beyond): Field {
  const [height, width, channels] = photo.shape;
  const { a, b, x0, y0 } = transform;
  // One sample for every pixel of the photo that one of the image covers, along each axis.
  const steps = Math.max(1, Math.min(16, Math.round(Math.hypot(a, b))));
  const share = 1 / (steps * steps);
  const data = new Float32Array(size * size * channels);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      const to = (row * size + column) * channels;
      for (let s = 0; s < steps * steps; s++) {
        const x = column + ((s % steps) + 0.5) / steps;
        const y = row + (Math.floor(s / steps) + 0.5) / steps;
        add(
          photo,
          width,
          height,
          a * x - b * y + x0 - 0.5,
          b * x + a * y + y0 - 0.5,
          beyond,
          share,
          data,
          to,
        );
      }
    }
  const axes = ['y', 'x'].map(name => ({ name, spacing: 1, unit: 'px' }));
  return { ...photo, shape: [size, size, channels], data, axes };
}

/** Adds `share` of the pixel at (x, y) between the centres of pixels. */
function add(
  { data: from, shape }: Field,
  width: number,
  height: number,
  x: number,
  y: number,
  beyond: Beyond,
  share: number,
  into: Float32Array,
  to: number,
): void {
  const channels = shape[2];
  const [left, top] = [Math.floor(x), Math.floor(y)];
  for (let v = 0; v < 2; v++)
    for (let u = 0; u < 2; u++) {
      let [column, row] = [left + u, top + v];
      const weight = share * (u === 0 ? 1 - (x - left) : x - left) * (v === 0 ? 1 - (y - top) : y - top);
      if (column < 0 || row < 0 || column >= width || row >= height) {
        if (beyond === 'black') continue;
        column = Math.max(0, Math.min(width - 1, column));
        row = Math.max(0, Math.min(height - 1, row));
      }
      const at = (row * width + column) * channels;
      for (let c = 0; c < channels; c++) into[to + c] += weight * from[at + c];
    }
}
