// How an activation lies in memory, for every rank: `[cells, channels]`, row-major, channels last, where the cells
// are the flattening of a box that carries a margin of zeros around each sample. All size arithmetic of the engine
// starts here; kernels see only cells, pitches and offsets.

import { NdconvError } from '../errors.ts';

/** Low and high margin of one dimension, in cells. */
export type Margin = readonly [low: number, high: number];

/**
 * Shape (`[batch, ...spatial, channels]`, or any shape of rank 1 and up: the last dimension is the channels) and the
 * margin of each dimension but the last. Margin cells exist in memory and are always zero.
 */
export interface Layout {
  readonly shape: readonly number[];
  readonly margin: readonly Margin[];
}

/** A layout without margins, or with those given (one per dimension but the last). */
export const layoutOf = (shape: readonly number[], margin?: readonly Margin[]): Layout => ({
  shape,
  margin: margin ?? shape.slice(0, -1).map(() => [0, 0] as const),
});

export const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);

/** Number of elements of a shape (margins not counted). */
export const sizeOf = product;

export const channelsOf = (layout: Layout): number => layout.shape[layout.shape.length - 1];

/** Size of each dimension but the channels, with its margin. */
export const extentsOf = (layout: Layout): number[] =>
  layout.margin.map(([low, high], a) => low + layout.shape[a] + high);

/** Distance in cells between neighbours along each dimension but the channels. */
export function pitchesOf(layout: Layout): number[] {
  const extents = extentsOf(layout);
  const pitches = new Array<number>(extents.length);
  let pitch = 1;
  for (let a = extents.length - 1; a >= 0; a--) {
    pitches[a] = pitch;
    pitch *= extents[a];
  }
  return pitches;
}

/** Cells in memory, margins included. */
export const cellCount = (layout: Layout): number => product(extentsOf(layout));

/** Elements in memory, margins included. */
export const elementCount = (layout: Layout): number => cellCount(layout) * channelsOf(layout);

/** Cell index of the first cell inside the margins. */
export function originOf(layout: Layout): number {
  const pitches = pitchesOf(layout);
  return layout.margin.reduce((sum, [low], a) => sum + low * pitches[a], 0);
}

export const hasMargin = (layout: Layout): boolean =>
  layout.margin.some(([low, high]) => low > 0 || high > 0);

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i]);

export const sameLayout = (a: Layout, b: Layout): boolean =>
  sameShape(a.shape, b.shape) && a.margin.every(([l, h], i) => l === b.margin[i][0] && h === b.margin[i][1]);

/** A copy of `packed` (no margins, row-major) laid out with margins; `target` may be given to write into. */
export function spread(layout: Layout, packed: Float32Array, target?: Float32Array): Float32Array {
  checkLength(layout, packed.length);
  const out = target ?? new Float32Array(elementCount(layout));
  if (!hasMargin(layout)) {
    out.set(packed);
    return out;
  }
  out.fill(0);
  forEachRow(layout, (cell, row, length) => out.set(packed.subarray(row, row + length), cell));
  return out;
}

/** The reverse of `spread`: the elements inside the margins, row-major. */
export function pack(layout: Layout, laid: Float32Array): Float32Array {
  if (!hasMargin(layout)) return laid.slice(0, sizeOf(layout.shape));
  const packed = new Float32Array(sizeOf(layout.shape));
  forEachRow(layout, (cell, row, length) => packed.set(laid.subarray(cell, cell + length), row));
  return packed;
}

// Visits rows along the innermost spatial dimension: element offsets in the laid-out and in the packed array.
function forEachRow(layout: Layout, visit: (laid: number, packed: number, length: number) => void): void {
  const channels = channelsOf(layout);
  const outer = layout.shape.slice(0, -2);
  const pitches = pitchesOf(layout);
  const length = (layout.shape[layout.shape.length - 2] ?? 1) * channels;
  const index = outer.map(() => 0);
  const rows = product(outer);
  let cell = originOf(layout);
  for (let row = 0; row < rows; row++) {
    visit(cell * channels, row * length, length);
    for (let a = outer.length - 1; a >= 0; a--) {
      cell += pitches[a];
      if (++index[a] < outer[a]) break;
      cell -= pitches[a] * outer[a];
      index[a] = 0;
    }
  }
}

function checkLength(layout: Layout, length: number): void {
  const wanted = sizeOf(layout.shape);
  if (length !== wanted)
    throw new NdconvError('ShapeError', `tensor [${layout.shape}] needs ${wanted} values, got ${length}`);
}
