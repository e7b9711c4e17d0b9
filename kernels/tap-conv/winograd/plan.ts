// Whether Winograd pays for a convolution, and with which tiles and blocks: tiles of several sizes per dimension
// whose error is small enough, with blocks of several sizes, are priced by counting what they do (vector products,
// vectors moved by the maps, bytes of weights and of a block's points that leave the caches), and so is the direct
// kernel. The prices are nanoseconds fitted to some 600 measured renderings of ranks 1 to 4 on one core at 3.5 GHz;
// only their ratios matter.

import { channelsOf, product } from '../../../src/tensor/layout.ts';
import type { Taps } from '../../../src/tensor/taps.ts';
import type { KernelCall } from '../../kernel.ts';
import type { WasmTarget } from '../../wasm.ts';
import { dotFits } from '../dot.ts';
import type { TapConv } from '../spec.ts';
import type { Choice } from './geometry.ts';
import { type Axis, extentOf, mostTaps, phasesFit } from './phases.ts';
import { rowsFor } from './products.ts';
import { LARGEST } from './transforms.ts';

/** Outputs per tile that are tried along a dimension with all its taps, and with segments of as many taps. */
const TILES = { whole: [2, 4, 6], segments: [3, 4, 5] };
/** Tiles per block that are tried. */
const BLOCKS = [4, 8, 12, 18, 24, 32, 36, 48, 64, 72, 96, 144, 192];
/** Part of the direct kernel's time that Winograd's must stay under. */
export const WORTH = 0.85;
/**
 * Part of the best time so far that larger tiles must stay under, for they are less exact and their weights take more
 * memory (much of it where they leave the last cache), and larger blocks.
 */
export const LARGER = { tile: 0.93, heavyTile: 0.85, block: 0.985 };
/**
 * Weights of so many bytes grow so many times at most by the transform: they, not the tensors, fill the memory, and they
 * leave the last cache anyway.
 */
const HEAVY = { bytes: 8e6, growth: 4.5 };
/** Weights of so many bytes are shared by a convolution and its gradient. */
const SHARED = 4e6;
/** Largest expected error, relative to the largest output; the worst measured is 3 times the expected. */
const ERROR = 2e-5;
/** How much a map of n points adds to the rounding error of a direct sum, by n. */
const GROWTH = [1, 1, 1, 1, 1, 1.5, 2, 3, 4, 10];
/** Bytes of working memory of a thread at most. */
export const ROOM = 32e6;
/** Bytes of weights that every block finds in the last cache. */
const LAST_CACHE = 6e6;

/** Nanoseconds: per product of two vectors of 4, per call of a register tile, and per vector of 4 moved by a map. */
export const WIDE = { product: 0.077, call: 5.5, move: 0.188, direct: 0.073, narrow: 0.16 };
export const PLAIN = { product: 0.15, call: 4.5, move: 0.198, direct: 0.14, narrow: 0.14 };
/** Nanoseconds per byte of weights when a run first meets them, for the other layers of a network have been between. */
const COLD = 0.06;
/** Nanoseconds per byte of weights streamed once more, where they are more than so many bytes. */
const STREAM = [
  { bytes: LAST_CACHE, price: 0.035 },
  { bytes: 1.2e6, price: 0.01 },
  { bytes: 0, price: 0.002 },
];
/** Bytes of weights that a register tile finds in the first cache, and nanoseconds per byte of those it does not. */
const FIRST_CACHE = 4e4;
const AGAIN = 0.0036;
/** Nanoseconds per byte of weights transposed. */
const TURN = 0.02;
/**
 * Nanoseconds per byte of a block's points, where they are more than so many bytes: long cells come from memory at that
 * price, others at more.
 */
const OVERFLOW = [
  { bytes: 2e6, price: 0.02 },
  { bytes: 7e5, price: 0.006 },
];
const LONG = 64;
/** Nanoseconds per byte of weights prepared. */
const PREPARE = { cached: 0.15, memory: 0.5 };

/** Whether the call is one that Winograd's algorithm computes. */
export function winogradFits({ kernel, output }: KernelCall): boolean {
  const { groups, ...taps } = kernel as TapConv;
  return groups === 1 && product(output.shape) > 0 && tapsFit(taps, output.shape);
}

/** Whether there are transforms for these taps, of outputs of this shape. */
export function tapsFit(taps: Taps, output: readonly number[]): boolean {
  const axes = axesOf(taps).slice(1);
  return (
    axes.some(({ k }) => k > 1) &&
    axes.every((axis, a) => {
      // Parts of a stride have no dilation, and each must have outputs.
      const parted = taps.dilations[a] === 1 && output[a + 1] >= axis.inputDilation;
      return isPlain(axis) || (parted && phasesFit(axis));
    })
  );
}

type Sizes = Omit<Axis, 'padLow'>;

// The dimensions of a convolution, batch first.
const axesOf = ({ kernelShape, strides, inputDilations }: Taps): Sizes[] => [
  { k: 1, stride: 1, inputDilation: 1 },
  ...kernelShape.map((k, a) => ({ k, stride: strides[a], inputDilation: inputDilations[a] })),
];

const isPlain = ({ stride, inputDilation }: Sizes): boolean => stride === 1 && inputDilation === 1;

/**
 * The fastest tiles and blocks, or nothing where the direct kernel is. Weights that are not `constant` are prepared in
 * every run, which counts. Tiles are chosen for one thread, so that results do not depend on how many there are; blocks
 * for as many as there are.
 */
export function chooseWinograd(
  call: KernelCall,
  target: WasmTarget,
  constant = true,
): PricedChoice | undefined {
  if (!winogradFits(call)) return undefined;
  const forward = constant ? forwardOf(call, target) : undefined;
  const shared = forward && fastestTiles(forward, target, true);
  const tile =
    shared && shared.weights >= SHARED && isWhole(shared, call)
      ? { ...shared, shared: true }
      : fastestTiles(call, target, constant);
  if (tile.time > WORTH * directTime(call, { ...target, threads: 1 })) return undefined;
  return bestBlock(call, target, tile, constant);
}

// Whether no kernel is cut into segments.
const isWhole = ({ taps }: Tile, { kernel }: KernelCall): boolean =>
  (kernel as TapConv).kernelShape.every((k, a) => taps[a + 1] === k);

/** Of the gradient of a convolution: that convolution, if both can take the same transformed weights. */
function forwardOf(call: KernelCall, { wide }: WasmTarget): KernelCall | undefined {
  const { inputs, output } = call;
  const kernel = call.kernel as TapConv;
  const whole = [inputs[0], output].every(layout => channelsOf(layout) % (wide ? 16 : 8) === 0);
  if (!(kernel.flip && kernel.transpose && whole && axesOf(kernel).every(isPlain))) return undefined;
  return {
    kernel: { ...kernel, flip: false, transpose: false },
    inputs: [output, ...inputs.slice(1)],
    output: inputs[0],
  };
}

// The fastest tiles, with the best blocks of one thread for them.
function fastestTiles(call: KernelCall, target: WasmTarget, constant: boolean): PricedChoice {
  const kernel = call.kernel as TapConv;
  const original = 4 * product(kernel.kernelShape) * channelsOf(call.inputs[0]) * channelsOf(call.output);
  const alone = { ...target, threads: 1 };
  return tilesFor(kernel, product(kernel.kernelShape) * channelsOf(call.inputs[0]))
    .map(tile => bestBlock(call, alone, tile, constant))
    .reduce((best, next) => {
      if (next.weights > HEAVY.bytes && next.weights > HEAVY.growth * original) return best;
      const larger = product(next.tile) > product(best.tile);
      const part = !larger ? 1 : next.weights > LAST_CACHE ? LARGER.heavyTile : LARGER.tile;
      return next.time < part * best.time ? next : best;
    });
}

export interface PricedChoice extends Choice {
  /** Nanoseconds a thread is expected to need, and bytes of transformed weights. */
  readonly time: number;
  readonly weights: number;
}

function bestBlock(
  call: KernelCall,
  target: WasmTarget,
  { tile, taps, shared }: Tile,
  constant: boolean,
): PricedChoice {
  const priced = blocksFor(call, { tile, taps }).flatMap(block =>
    slicesFor(channelsOf(call.output), target).map(slices =>
      priceOf(call, target, { tile, taps, block, shared, slices }, constant),
    ),
  );
  return priced.reduce((best, next) => (next.time < LARGER.block * best.time ? next : best));
}

/** Into how many slices so many output channels may be cut; for one thread, not at all. */
export function slicesFor(channels: number, { wide, threads = 1 }: WasmTarget): number[] {
  const blocks = channels / (wide ? 16 : 8);
  return [1, 2, 4, 8].filter(n => n === 1 || (n < 2 * threads && blocks % n === 0));
}

// Output cells along each dimension, of one of the undilated convolutions that a dilated one consists of.
const cellsOf = ({ kernel, output }: KernelCall): number[] =>
  output.shape.slice(0, -1).map((n, a) => (a ? Math.ceil(n / (kernel as Taps).dilations[a - 1]) : n));

export type Tile = Omit<Choice, 'block'>;

/**
 * All combinations of tiles whose expected error, for sums of so many terms, is within bounds, small ones first; the batch's
 * comes first and is 1.
 */
export function tilesFor(taps: Taps, terms: number): Tile[] {
  let found = [{ tile: [] as number[], taps: [] as number[], error: 1e-7 * terms ** 0.25 }];
  for (const axis of axesOf(taps)) {
    const { k } = axis;
    const segments = isPlain(axis) ? TILES.segments.filter(m => m < k) : [];
    const along = [
      ...(k === 1 ? [1] : TILES.whole).map(m => ({ m, taps: k })),
      ...segments.map(m => ({ m, taps: m })),
    ].map(one => ({ ...one, points: one.m + mostTaps({ ...axis, k: one.taps }) - 1 }));
    found = found
      .flatMap(({ tile, taps, error }) =>
        along
          .filter(({ points }) => points <= LARGEST)
          .map(one => ({
            tile: [...tile, one.m],
            taps: [...taps, one.taps],
            error: error * GROWTH[one.points],
          })),
      )
      .filter(t => t.error <= ERROR);
  }
  return found.sort((a, b) => product(a.tile) - product(b.tile));
}

/** Boxes of about so many tiles, the innermost dimensions filled first, each dimension cut evenly. */
export function blocksFor(call: KernelCall, { tile }: Tile): number[][] {
  const axes = axesOf(call.kernel as TapConv);
  const counts = cellsOf(call).map((n, a) => Math.ceil(n / (tile[a] * axes[a].inputDilation)));
  const found = BLOCKS.map(size => {
    const block = counts.slice();
    let rest = size;
    for (let a = counts.length - 1; a >= 0; a--) {
      block[a] = Math.ceil(counts[a] / Math.ceil(counts[a] / rest));
      rest = Math.max(1, Math.floor(rest / block[a]));
    }
    return block;
  });
  return found.filter((block, i) => i === 0 || block.some((b, a) => b !== found[i - 1][a]));
}

/** What of a block is counted. */
export interface Cut {
  /** Per dimension: points, inputs and outputs of a tile, and inputs from a tile to the next; tiles transformed, and wanted. */
  readonly axes: readonly (ReturnType<typeof extentOf> & { grid: number; block: number })[];
  /** Points of a tile, segments of the kernel, and blocks, in all. */
  readonly points: number;
  readonly segments: number;
  readonly blocks: number;
}

export function cutOf(call: KernelCall, { tile, taps, block }: Choice): Cut {
  const kernel = call.kernel as TapConv;
  const cells = cellsOf(call);
  const axes = axesOf(kernel).map((axis, a) => {
    const segments = Math.ceil(axis.k / taps[a]);
    const extent = extentOf(tile[a], { ...axis, k: taps[a] });
    const blocks = Math.ceil(cells[a] / (extent.outputs * block[a]));
    return { ...extent, segments, blocks, block: block[a], grid: block[a] + segments - 1 };
  });
  return {
    axes,
    points: product(axes.map(a => a.points)),
    segments: product(axes.map(a => a.segments)),
    blocks: product(axes.map(a => a.blocks)) * product(kernel.dilations),
  };
}

// Counts what a thread does.
function priceOf(call: KernelCall, target: WasmTarget, choice: Choice, constant: boolean): PricedChoice {
  const { slices = 1 } = choice;
  const { wide, relaxed, threads = 1 } = target;
  const price = wide ? WIDE : PLAIN;
  const lanes = wide ? 2 : 1;
  const [depth, width] = [call.inputs[0], call.output].map(
    layout => Math.ceil(channelsOf(layout) / 4 / lanes) * lanes,
  );
  const cut = cutOf(call, choice);
  const { points, segments, blocks } = cut;
  const tiles = product(cut.axes.map(a => a.grid));

  // A part of a register tile takes a third of its time at least.
  const slice = width / slices;
  const vectors = Math.min(wide ? 4 : 2, width);
  const height = rowsFor(vectors, relaxed, wide);
  const [whole, rest] = [Math.floor(tiles / height), tiles % height];
  const rows = whole * height + (rest && Math.max(rest, height * 0.35));
  const products = points * segments * depth * 4 * slice * rows;
  const calls = points * Math.ceil(slice / vectors) * (whole + Math.sign(rest));

  const moves = movesOf(cut, depth, slice);
  const weights = points * segments * depth * width * 64;
  const held = points * tiles * (depth + slice) * 16;
  const memory = weights > LAST_CACHE ? 'memory' : 'cached';
  const stream = STREAM.find(s => weights / slices > s.bytes)!.price;
  const streamed = (weights / slices) * (stream + (choice.shared ? TURN : 0));
  const cold = constant ? (weights / slices) * (COLD - stream) : 0;
  const overflow = overflowOf(held, (depth + slice) / 2);
  const each = products * price.product + calls * price.call + moves * price.move + streamed + overflow;
  const prepared = constant ? 0 : (weights * PREPARE[memory]) / threads;
  const time =
    held > ROOM ? Number.POSITIVE_INFINITY : Math.ceil((blocks * slices) / threads) * each + cold + prepared;
  return { ...choice, time, weights };
}

/**
 * Nanoseconds of the direct kernel on one thread; with a single vector of channels its tile is narrow, and weights that
 * leave the first cache are read anew for every register tile.
 */
export function directTime(call: KernelCall, target: WasmTarget): number {
  const { kernel, inputs, output } = call;
  const price = target.wide ? WIDE : PLAIN;
  const { kernelShape, inputDilations, groups } = kernel as TapConv;
  const [C, K] = [channelsOf(inputs[0]) / groups, channelsOf(output)];
  // Those that meet an input.
  const taps = product(kernelShape) / product(inputDilations);
  const cells = product(output.shape.slice(0, -1));
  if (dotFits(call, target)) return (cells * taps * C * K * price.direct) / 3;
  const cold = taps * C * K * 4 * COLD;
  const vectors = Math.ceil(K / 4);
  const sums = cells * taps * C * vectors * (vectors > 1 ? price.direct : price.narrow);
  const block = taps * C * 16 * (target.wide ? 4 : 2);
  if (block < FIRST_CACHE) return sums + cold;
  const length = output.shape.at(-2)!;
  const tiles = (cells / length) * Math.ceil(length / rowsFor(vectors, target.relaxed, target.wide));
  return sums + cold + tiles * taps * C * vectors * 16 * AGAIN;
}

/** Nanoseconds for points of a block that leave the second cache, so many bytes, of cells of so many vectors. */
export const overflowOf = (bytes: number, vectors: number): number =>
  bytes * (OVERFLOW.find(o => bytes > o.bytes)?.price ?? 0) * (1 + LONG / 4 / vectors);

/** Vectors that the maps of a block move, of an input and an output of so many vectors a cell. */
export function movesOf({ axes }: Cut, depth: number, width: number): number {
  const cellsIn = axes.map(({ grid, step, inputs }) => (grid - 1) * step + inputs);
  const cellsOut = axes.map(({ block, outputs }) => block * outputs);
  const [grids, blocks] = [axes.map(a => a.grid), axes.map(a => a.block)];
  let moves = 0;
  axes.forEach(({ points, inputs, outputs }, a) => {
    if (points === 1) return;
    const maps = (tiles: readonly number[], cells: readonly number[]) =>
      product(axes.slice(0, a).map(b => b.points)) *
      product(tiles.slice(0, a + 1)) *
      product(cells.slice(a + 1));
    moves += maps(grids, cellsIn) * depth * (inputs + points);
    moves += maps(blocks, cellsOut) * width * (points + outputs);
  });
  return moves;
}
