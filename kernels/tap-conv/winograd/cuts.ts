// The ways to cut a convolution for Winograd: for which there are transforms, which tiles are exact enough, blocks and
// slices, and what of them is counted to price them (plan.ts).

import { product } from '../../../src/tensor/layout.ts';
import type { Taps } from '../../../src/tensor/taps.ts';
import type { KernelCall } from '../../kernel.ts';
import type { WasmTarget } from '../../wasm.ts';
import type { TapConv } from '../spec.ts';
import type { Choice } from './geometry.ts';
import { extentOf, mostTaps, phasesFit, type Sizes } from './phases.ts';
import { LARGEST } from './transforms.ts';

/** Outputs per tile that are tried along a dimension with all its taps, and with segments of as many taps. */
const TILES = { whole: [2, 4, 6], segments: [3, 4, 5] };
/** Tiles per block that are tried. */
const BLOCKS = [4, 8, 12, 18, 24, 32, 36, 48, 64, 72, 96, 144, 192];
/** Largest expected error, relative to the largest output; the worst measured is 3 times the expected. */
const ERROR = 2e-5;
/** How much a map of n points adds to the rounding error of a direct sum, by n. */
const GROWTH = [1, 1, 1, 1, 1, 1.5, 2, 3, 4, 10];
/** Points of a tile that the maps write to without waiting for the address of a page. */
const PAGES = 150;

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

/** The dimensions of a convolution, batch first. */
export const axesOf = ({ kernelShape, strides, inputDilations }: Taps): Sizes[] => [
  { k: 1, stride: 1, inputDilation: 1 },
  ...kernelShape.map((k, a) => ({ k, stride: strides[a], inputDilation: inputDilations[a] })),
];

export const isPlain = ({ stride, inputDilation }: Sizes): boolean => stride === 1 && inputDilation === 1;

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
 * All combinations of tiles whose expected error, for sums of so many terms, is within bounds, small ones first; the
 * batch's comes first and is 1.
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

/**
 * A choice for people: `Winograd F(4, 3)×F(4, 3), blocks of 1×5×6 tiles`; `F(4, 3 / 2)` is of stride or input dilation 2.
 */
export function methodOf(taps: Taps, choice: Choice): string {
  const along = axesOf(taps).map(({ stride, inputDilation }, a) => {
    const parts = stride * inputDilation;
    return `F(${choice.tile[a]}, ${choice.taps[a]}${parts > 1 ? ` / ${parts}` : ''})`;
  });
  const { block, slices = 1 } = choice;
  const sliced = slices > 1 ? `, ${slices} slices of channels` : '';
  return `Winograd ${along.slice(1).join('×')}, blocks of ${block.join('×')} tiles${sliced}`;
}

/** What of a block is counted. */
export interface Cut {
  /** Per dimension what a tile extends over, the tiles transformed and those wanted. */
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

/**
 * Vectors that the maps of a block move, of an input and an output of so many vectors a cell; those of many points
 * count for more, for each point lies on a page of its own.
 */
export function movesOf({ axes, points }: Cut, depth: number, width: number): number {
  const cellsIn = axes.map(({ grid, step, inputs }) => (grid - 1) * step + inputs);
  const cellsOut = axes.map(({ block, outputs }) => block * outputs);
  const [grids, blocks] = [axes.map(a => a.grid), axes.map(a => a.block)];
  let moves = 0;
  axes.forEach(({ points: n, inputs, outputs }, a) => {
    if (n === 1) return;
    const maps = (tiles: readonly number[], cells: readonly number[]) =>
      product(axes.slice(0, a).map(b => b.points)) *
      product(tiles.slice(0, a + 1)) *
      product(cells.slice(a + 1));
    moves += maps(grids, cellsIn) * depth * (inputs + n);
    moves += maps(blocks, cellsOut) * width * (n + outputs);
  });
  return moves * (1 + Math.max(0, points - PAGES) / (4 * PAGES));
}
