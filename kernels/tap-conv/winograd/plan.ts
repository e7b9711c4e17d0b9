// Whether Winograd pays for a convolution, and with which tiles and blocks: those there are (cuts.ts) are priced by
// counting what they do (vector products, vectors moved by the maps, bytes of weights and of a block's points that leave
// the caches), and so is the direct kernel. The prices are nanoseconds fitted to measured renderings of ranks 1 to 4 on one
// core: some 600 on an AMD EPYC at 3.5 GHz, and those of memory also to an Intel Xeon with a slow last cache; only their
// ratios matter.

import { channelsOf, product } from '../../../src/tensor/layout.ts';
import type { KernelCall } from '../../kernel.ts';
import type { WasmTarget } from '../../wasm.ts';
import { dotFits } from '../dot.ts';
import type { TapConv } from '../spec.ts';
import { rowsFor } from '../tile.ts';
import {
  axesOf,
  blocksFor,
  cutOf,
  isPlain,
  movesOf,
  slicesFor,
  type Tile,
  tapsFit,
  tilesFor,
} from './cuts.ts';
import type { Choice } from './geometry.ts';

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
  { bytes: 5e6, price: 0.035 },
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
  if (!tile || tile.time > WORTH * directTime(call, { ...target, threads: 1 })) return undefined;
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

// The fastest tiles, with the best blocks of one thread for them; none where no part of a long kernel is short enough.
function fastestTiles(call: KernelCall, target: WasmTarget, constant: boolean): PricedChoice | undefined {
  const kernel = call.kernel as TapConv;
  const original = 4 * product(kernel.kernelShape) * channelsOf(call.inputs[0]) * channelsOf(call.output);
  const alone = { ...target, threads: 1 };
  return tilesFor(kernel, product(kernel.kernelShape) * channelsOf(call.inputs[0]))
    .map(tile => bestBlock(call, alone, tile, constant))
    .reduce<PricedChoice | undefined>((best, next) => {
      if (!best) return next;
      if (next.weights > HEAVY.bytes && next.weights > HEAVY.growth * original) return best;
      const larger = product(next.tile) > product(best.tile);
      const part = !larger ? 1 : next.weights > LAST_CACHE ? LARGER.heavyTile : LARGER.tile;
      return next.time < part * best.time ? next : best;
    }, undefined);
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
