// The outputs of a tap-conv as plain walks: those of one residue class of the input dilations are rows of cells with a
// fixed step in and out, and a list of taps, each an offset into the input and one into the packed weights. Rows are cut
// into chunks that stay in the first cache; several short ones make one.

import { channelsOf, originOf, pitchesOf } from '../../src/tensor/layout.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { KernelCall } from '../kernel.ts';
import type { TapConv } from './spec.ts';

/** Cells that pass through a block of weights before the next. */
export const CHUNK = 96;
/** Part of the register tiles that must be saved for rows to share them, for each tile has a function of its own then. */
const SAVED = 0.1;

/** What chunks have in common: rows of so many cells, and bytes from one to the next in the input and in the output. */
export interface Form {
  readonly rows: number;
  readonly length: number;
  readonly rowIn: number;
  readonly rowOut: number;
}

export interface Chunk {
  /** Bytes of the first cell in the input and in the output. */
  readonly from: number;
  readonly to: number;
  readonly form: Form;
}

/** One residue class of outputs: chunks and taps `[input byte, weight byte]`. */
export interface Walk {
  readonly chunks: readonly Chunk[];
  readonly taps: readonly number[];
}

export interface Walks {
  readonly walks: readonly Walk[];
  /** Bytes from a cell of a row to the next in the input and in the output. */
  readonly stepIn: number;
  readonly stepOut: number;
}

/**
 * The walks of a call, its chunks whole register tiles of so many cells, `tapBytes` of weights a tap; of several rows where
 * `together`, and where that saves tiles.
 */
export function walksOf(call: KernelCall, tileCells: number, tapBytes: number, together = false): Walks {
  const kernel = call.kernel as TapConv;
  const { strides, inputDilations, dilations, padLow } = kernel;
  const [x] = call.inputs;
  const y = call.output;
  const [px, py] = [x, y].map(layout => pitchesOf(layout).map(p => p * channelsOf(layout) * 4));
  const [first, origin] = [x, y].map(layout => originOf(layout) * channelsOf(layout) * 4);
  // Without spatial dimensions the batch is the walk.
  const ins = [px[0], ...strides.map((s, a) => s * px[a + 1])];
  const outs = [py[0], ...inputDilations.map((u, a) => u * py[a + 1])];
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
    const to = residue.reduce((sum, r, a) => sum + r * py[a + 1], origin);
    const dimensions = sizes.map((size, a) => ({ size, in: ins[a], out: outs[a] }));
    return { taps, chunks: chunksOf(dimensions, first, to, tileCells, together) };
  });
  return { walks, stepIn: ins.at(-1)!, stepOut: outs.at(-1)! };
}

/** Cells along a dimension, and bytes from one to the next. */
interface Dimension {
  readonly size: number;
  readonly in: number;
  readonly out: number;
}

function chunksOf(
  given: readonly Dimension[],
  first: number,
  origin: number,
  tileCells: number,
  together: boolean,
): Chunk[] {
  if (given.some(d => d.size === 0)) return [];
  const row = joined(given);
  const outer = given.slice(0, given.length - row.dimensions);
  const above = together ? outer.at(-1) : undefined;
  const groups = above && groupsOf(row.size, above.size, tileCells);
  const whole = Math.max(tileCells, Math.floor(CHUNK / tileCells) * tileCells);
  const starts = tapIndices((groups ? outer.slice(0, -1) : outer).map(d => d.size));
  return starts.flatMap(at => {
    const [from, to] = at.reduce(
      ([i, o], v, a) => [i + v * outer[a].in, o + v * outer[a].out],
      [first, origin],
    );
    if (groups) {
      let done = 0;
      return groups.map((rows): Chunk => {
        const start = done;
        done += rows;
        const form = { rows, length: row.size, rowIn: above.in, rowOut: above.out };
        return { from: from + start * above.in, to: to + start * above.out, form };
      });
    }
    return Array.from({ length: Math.ceil(row.size / whole) }, (_, i): Chunk => {
      const form = { rows: 1, length: Math.min(whole, row.size - i * whole), rowIn: 0, rowOut: 0 };
      return { from: from + i * whole * row.in, to: to + i * whole * row.out, form };
    });
  });
}

// The innermost dimensions that continue each other, as one.
function joined(given: readonly Dimension[]): Dimension & { dimensions: number } {
  const inner = given.at(-1)!;
  let [size, dimensions] = [inner.size, 1];
  for (const { in: i, out: o, size: n } of given.slice(0, -1).reverse()) {
    if (i !== size * inner.in || o !== size * inner.out) break;
    size *= n;
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
