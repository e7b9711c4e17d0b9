// Whether Winograd pays for a convolution, and with which tiles and blocks: all tiles of 2, 4 and 6 outputs per dimension
// whose error is small enough, with blocks of several sizes, are priced by counting what they do (vector products,
// vectors moved by the maps, bytes of weights and of a block's points that leave the caches), and so is the direct
// kernel. The prices are nanoseconds fitted to some 600 measured renderings of ranks 1 to 4 on one core at 3.5 GHz;
// only their ratios matter.

import { channelsOf, product } from '../../../src/tensor/layout.ts';
import type { KernelCall } from '../../kernel.ts';
import type { WasmTarget } from '../../wasm.ts';
import type { TapConv } from '../spec.ts';
import type { Choice } from './geometry.ts';
import { cellsFor } from './product.ts';
import { LARGEST } from './transforms.ts';

/** Outputs per tile that are tried along a dimension with more than one tap. */
const TILES = [2, 4, 6];
/** Tiles per block that are tried. */
const BLOCKS = [4, 8, 12, 18, 24, 32, 36, 48, 64, 72, 96, 144, 192];
/** Part of the direct kernel's time that Winograd's must stay under. */
const WORTH = 0.85;
/** Part of the best time so far that larger tiles (less exact, more weights) and larger blocks must stay under. */
const LARGER = { tile: 0.96, block: 0.985 };
/** Largest expected error, relative to the largest output; the worst measured is 3 times the expected. */
const ERROR = 2e-5;
/** How much a map of n points adds to the rounding error of a direct sum, by n. */
const GROWTH = [1, 1, 1, 1, 1, 1.5, 2, 3, 4];
/** Bytes of working memory of a thread at most. */
const ROOM = 32e6;
/** Bytes of a block's points, and of weights, that stay near. */
const CACHE = 7e5;
const LAST_CACHE = 6e6;

/** Nanoseconds: per product of two vectors of 4, per call of a register tile, and per vector of 4 moved by a map. */
const WIDE = { product: 0.077, call: 4.8, move: 0.19, direct: 0.073, narrow: 0.16 };
const PLAIN = { product: 0.15, call: 4.3, move: 0.2, direct: 0.14, narrow: 0.14 };
/** Nanoseconds per byte of weights streamed once more (from the last cache, from memory), and of points that overflow. */
const STREAM = { cached: 0.003, memory: 0.035, points: 0.0125 };
/** Nanoseconds per byte of weights prepared. */
const PREPARE = { cached: 0.15, memory: 0.5 };

/** Whether the call is one that Winograd's algorithm computes. */
export function winogradFits({ kernel, output }: KernelCall): boolean {
  const { kernelShape, strides, dilations, inputDilations, groups } = kernel as TapConv;
  return (
    groups === 1 &&
    product(output.shape) > 0 &&
    kernelShape.some(k => k > 1) &&
    kernelShape.every(
      (k, a) =>
        k + 1 <= LARGEST && strides[a] === 1 && inputDilations[a] === 1 && (k === 1 || dilations[a] === 1),
    )
  );
}

/**
 * The fastest tiles and blocks, or nothing where the direct kernel is. Weights that are not `constant` are prepared in
 * every run, which counts.
 */
export function chooseWinograd(call: KernelCall, target: WasmTarget, constant = true): Choice | undefined {
  if (!winogradFits(call)) return undefined;
  const { kernelShape } = call.kernel as TapConv;
  let best: Choice | undefined;
  let least = WORTH * directTime(call, target);
  for (const tile of tilesFor([1, ...kernelShape], channelsOf(call.inputs[0])))
    for (const block of blocksFor(tile, call.output.shape)) {
      const time = winogradTime(call, target, { tile, block }, constant);
      const part = best ? LARGER[product(tile) > product(best.tile) ? 'tile' : 'block'] : 1;
      if (time < part * least) [best, least] = [{ tile, block }, time];
    }
  return best;
}

// All combinations of tiles whose expected error is within bounds, small ones first; the batch's comes first and is 1.
function tilesFor(kernel: readonly number[], channels: number): number[][] {
  let tiles: { tile: number[]; error: number }[] = [
    { tile: [], error: 1e-7 * (product(kernel) * channels) ** 0.25 },
  ];
  for (const k of kernel)
    tiles = tiles.flatMap(({ tile, error }) =>
      (k === 1 ? [1] : TILES.filter(m => m + k - 1 <= LARGEST)).map(m => ({
        tile: [...tile, m],
        error: error * GROWTH[m + k - 1],
      })),
    );
  const exact = tiles.filter(t => t.error <= ERROR).map(t => t.tile);
  return exact.sort((a, b) => product(a) - product(b));
}

// Boxes of about so many tiles, the innermost dimensions filled first, each dimension cut evenly.
function blocksFor(tile: readonly number[], shape: readonly number[]): number[][] {
  const counts = tile.map((m, a) => Math.ceil(shape[a] / m));
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

/** Nanoseconds a thread needs, by count. */
export function winogradTime(
  call: KernelCall,
  target: WasmTarget,
  { tile, block }: Choice,
  constant: boolean,
): number {
  const { wide, relaxed, threads = 1 } = target;
  const price = wide ? WIDE : PLAIN;
  const kernel = [1, ...(call.kernel as TapConv).kernelShape];
  const [C, K] = [channelsOf(call.inputs[0]), channelsOf(call.output)].map(n => Math.ceil(n / 4));
  const lanes = wide ? 2 : 1;
  const [depth, width] = [C, K].map(n => Math.ceil(n / lanes) * lanes);
  const n = tile.map((m, a) => m + kernel[a] - 1);
  const [points, tiles] = [product(n), product(block)];
  const blocks = product(tile.map((m, a) => Math.ceil(call.output.shape[a] / (m * block[a]))));

  // A part of a register tile takes a third of its time at least.
  const vectors = Math.min(wide ? 4 : 2, width);
  const cells = cellsFor(vectors, relaxed, wide);
  const [whole, rest] = [Math.floor(tiles / cells), tiles % cells];
  const rows = whole * cells + (rest && Math.max(rest, cells * 0.35));
  const products = points * depth * 4 * width * rows;
  const calls = points * Math.ceil(width / vectors) * (whole + Math.sign(rest));

  const cellsIn = block.map((b, a) => b * tile[a] + kernel[a] - 1);
  const cellsOut = block.map((b, a) => b * tile[a]);
  let moves = 0;
  n.forEach((size, a) => {
    if (size === 1) return;
    const around = (cells: readonly number[]) =>
      product(n.slice(0, a)) * product(block.slice(0, a + 1)) * product(cells.slice(a + 1));
    moves += around(cellsIn) * depth * 2 * size + around(cellsOut) * width * (size + tile[a]);
  });

  const weights = points * depth * width * 64;
  const held = points * tiles * (depth + width) * 16;
  if (held > ROOM) return Number.POSITIVE_INFINITY;
  const memory = weights > LAST_CACHE ? 'memory' : 'cached';
  const streamed = weights > CACHE / 2 ? weights * STREAM[memory] : 0;
  const overflow = held > CACHE ? held * STREAM.points : 0;
  return (
    Math.ceil(blocks / threads) *
      (products * price.product + calls * price.call + moves * price.move + streamed + overflow) +
    (constant ? 0 : (weights * PREPARE[memory]) / threads)
  );
}

// Nanoseconds a thread needs for the direct kernel; with a single vector of channels its tile is narrow.
function directTime({ kernel, inputs, output }: KernelCall, { wide, threads = 1 }: WasmTarget): number {
  const price = wide ? WIDE : PLAIN;
  const vectors = Math.ceil(channelsOf(output) / 4);
  const cells = product(output.shape.slice(0, -1));
  const products = cells * product((kernel as TapConv).kernelShape) * channelsOf(inputs[0]) * vectors;
  return (products * (vectors > 1 ? price.direct : price.narrow)) / threads;
}
