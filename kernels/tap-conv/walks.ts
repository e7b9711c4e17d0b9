// The outputs of a tap-conv as plain walks: those of one residue class of the input dilations are rows of cells with a
// fixed step in and out, and a list of taps, each an offset into the input and one into the packed weights. Rows are cut
// into chunks that stay in the first cache; several short ones make one.

import { channelsOf, type Layout, originOf, pitchesOf } from '../../src/tensor/layout.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { KernelCall } from '../kernel.ts';
import type { TapConv } from './spec.ts';

/** Cells that pass through a block of weights before the next. */
export const CHUNK = 96;
/** Part of the register tiles that must be saved for rows to share them, for each tile has a function of its own then. */
const SAVED = 0.1;

/** Bytes in the input, in the output, and in further tensors of the output's shape. */
export type Bytes = readonly number[];

/** What chunks have in common: rows of so many cells, and bytes from one to the next. */
export interface Form {
  readonly rows: number;
  readonly length: number;
  readonly row: Bytes;
}

export interface Chunk {
  /** Where the first cell is. */
  readonly at: Bytes;
  readonly form: Form;
}

/** One residue class of outputs: chunks and taps `[input byte, weight byte]`. */
export interface Walk {
  readonly chunks: readonly Chunk[];
  readonly taps: readonly number[];
}

export interface Walks {
  readonly walks: readonly Walk[];
  /** From a cell of a row to the next. */
  readonly step: Bytes;
}

/**
 * The walks of a call, its chunks whole register tiles of so many cells, `tapBytes` of weights a tap; of several rows where
 * `together`, and where that saves tiles.
 */
export function walksOf(
  call: KernelCall,
  tileCells: number,
  tapBytes: number,
  together = false,
  others: readonly Layout[] = [],
): Walks {
  const kernel = call.kernel as TapConv;
  const { strides, inputDilations, dilations, padLow } = kernel;
  const [x] = call.inputs;
  const y = call.output;
  const tensors = [x, y, ...others];
  const pitches = tensors.map(layout => pitchesOf(layout).map(p => p * channelsOf(layout) * 4));
  const origins = tensors.map(layout => originOf(layout) * channelsOf(layout) * 4);
  const [px] = pitches;
  // Without spatial dimensions the batch is the walk.
  const steps = pitches.map((p, n) =>
    p.slice(0, y.shape.length - 1).map((pitch, a) => pitch * (a ? (n ? inputDilations : strides)[a - 1] : 1)),
  );
  const walks = tapIndices(inputDilations).map((residue): Walk => {
    const taps: number[] = [];
    tapIndices(kernel.kernelShape).forEach((tap, t) => {
      const at = tap.map((k, a) => strides[a] * residue[a] + dilations[a] * k - padLow[a]);
      if (at.some((q, a) => q % inputDilations[a])) return;
      taps.push(
        at.reduce((sum, q, a) => sum + (q / inputDilations[a]) * px[a + 1], 0),
        t * tapBytes,
      );
    });
    const sizes = [
      y.shape[0],
      ...residue.map((r, a) => Math.max(0, Math.ceil((y.shape[a + 1] - r) / inputDilations[a]))),
    ];
    const first = origins.map((origin, n) =>
      n ? residue.reduce((sum, r, a) => sum + r * pitches[n][a + 1], origin) : origin,
    );
    const dimensions = sizes.map((size, a) => ({ size, step: steps.map(s => s[a]) }));
    return { taps, chunks: chunksOf(dimensions, first, tileCells, together) };
  });
  return { walks, step: steps.map(s => s.at(-1)!) };
}

/** Cells along a dimension, and from one to the next. */
interface Dimension {
  readonly size: number;
  readonly step: Bytes;
}

const ahead = (bytes: Bytes, count: number, step: Bytes): number[] =>
  bytes.map((b, n) => b + count * step[n]);

function chunksOf(given: readonly Dimension[], first: Bytes, tileCells: number, together: boolean): Chunk[] {
  if (given.some(d => d.size === 0)) return [];
  const row = joined(given);
  const outer = given.slice(0, given.length - row.dimensions);
  const above = together ? outer.at(-1) : undefined;
  const groups = above && groupsOf(row.size, above.size, tileCells);
  const whole = Math.max(tileCells, Math.floor(CHUNK / tileCells) * tileCells);
  const starts = tapIndices((groups ? outer.slice(0, -1) : outer).map(d => d.size));
  return starts.flatMap(at => {
    const start = at.reduce((bytes, v, a) => ahead(bytes, v, outer[a].step), first);
    if (groups) {
      let done = 0;
      return groups.map((rows): Chunk => {
        const at = ahead(start, done, above.step);
        done += rows;
        return { at, form: { rows, length: row.size, row: above.step } };
      });
    }
    return Array.from({ length: Math.ceil(row.size / whole) }, (_, i): Chunk => {
      const form = { rows: 1, length: Math.min(whole, row.size - i * whole), row: row.step.map(() => 0) };
      return { at: ahead(start, i * whole, row.step), form };
    });
  });
}

// The innermost dimensions that continue each other, as one.
function joined(given: readonly Dimension[]): Dimension & { dimensions: number } {
  const inner = given.at(-1)!;
  let [size, dimensions] = [inner.size, 1];
  for (const outer of given.slice(0, -1).reverse()) {
    if (outer.step.some((step, n) => step !== size * inner.step[n])) break;
    size *= outer.size;
    dimensions++;
  }
  return { ...inner, size, dimensions };
}

// Rows of each chunk, where rows of so many cells had better share register tiles.
function groupsOf(length: number, rows: number, tileCells: number): number[] | undefined {
  const most = Math.min(rows, Math.floor(CHUNK / length));
  if (most < 2) return undefined;
  const groups = evenTiles(rows, most).flatMap(([height, count]) => new Array<number>(count).fill(height));
  const tiles = (n: number) => Math.ceil(n / tileCells);
  const shared = groups.reduce((sum, n) => sum + tiles(n * length), 0);
  return shared <= (1 - SAVED) * rows * tiles(length) ? groups : undefined;
}

/** Cuts a run into as few register tiles of at most so many as can be, all about as high: `[height, how many]`. */
export function evenTiles(length: number, most: number): [number, number][] {
  const count = Math.ceil(length / most);
  const height = Math.floor(length / count);
  const higher = length - height * count;
  const found: [number, number][] = [
    [height + 1, higher],
    [height, count - higher],
  ];
  return found.filter(([, n]) => n > 0);
}
