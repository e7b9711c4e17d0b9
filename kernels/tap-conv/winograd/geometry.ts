// How a convolution is cut for Winograd, as numbers: the dimensions with their transforms (batch included, passed
// through as F(1, 1)), and equal blocks of tiles that cover the output, each with where it reads and writes and how much
// of it lies inside. A dilation δ cuts its dimension into δ undilated convolutions of every δ-th cell; strides and input
// dilations are the transforms' (phases.ts).

import { channelsOf, type Layout, originOf, pitchesOf, product } from '../../../src/tensor/layout.ts';
import { tapIndices } from '../../../src/tensor/taps.ts';
import type { KernelCall } from '../../kernel.ts';
import type { TapConv } from '../spec.ts';
import { type Phased, phasedTransform } from './phases.ts';
import { reversed } from './transforms.ts';

/** Per dimension, batch first. */
export interface Choice {
  /** Outputs of a tile; with input dilations, of each part of them. */
  readonly tile: readonly number[];
  /** Taps of a transform: all, or as many as the tile has outputs. */
  readonly taps: readonly number[];
  /** Tiles of a block. */
  readonly block: readonly number[];
  /**
   * The call is the gradient of a convolution and takes that one's transformed weights, the channels transposed on the
   * way to the products: its taps in reverse are those transforms with inputs and outputs in reverse.
   */
  readonly shared?: boolean;
  /** Equal slices of the output channels, whole blocks of weights each: a block of tiles × a slice is a piece of work. */
  readonly slices?: number;
}

/** One dimension of a block. */
export interface Dimension extends Phased {
  /** Kernels with more taps than a transform are cut into segments; one tile on per segment. */
  readonly segments: number;
  /** Tiles whose outputs are wanted, and tiles transformed: those that later segments reach are more. */
  readonly tiles: number;
  readonly grid: number;
  /** Cells the block reads and writes. */
  readonly cellsIn: number;
  readonly cellsOut: number;
  /** Bytes between neighbours in the input and the output. */
  readonly pitchIn: number;
  readonly pitchOut: number;
}

export interface Geometry {
  readonly dimensions: readonly Dimension[];
  readonly blocks: number;
  /** Words of the table per block. */
  readonly words: number;
  /**
   * Per block: input byte, output byte, 1 where input cells are missing, 1 where output cells are, then per dimension
   * the cells of the input that are there, then those of the output.
   */
  readonly table: Int32Array;
}

export function geometryOf(call: KernelCall, choice: Choice): Geometry {
  const kernel = call.kernel as TapConv;
  const [x] = call.inputs;
  const y = call.output;
  const [pitchesIn, pitchesOut] = [bytePitches(x), bytePitches(y)];
  const taps = [1, ...kernel.kernelShape];
  const dilations = [1, ...kernel.dilations];
  const [strides, inputDilations] = [kernel.strides, kernel.inputDilations].map(list => [1, ...list]);
  const padLow = [0, ...kernel.padLow];
  const dimensions = choice.tile.map((m, a): Dimension => {
    const axis = {
      k: choice.taps[a],
      stride: strides[a],
      inputDilation: inputDilations[a],
      padLow: padLow[a],
    };
    const forward = phasedTransform(m, axis);
    const transform = choice.shared ? reversed(forward) : forward;
    const segments = Math.ceil(taps[a] / transform.k);
    const tiles = choice.block[a];
    const grid = tiles + segments - 1;
    return {
      ...transform,
      segments,
      tiles,
      grid,
      cellsIn: (grid - 1) * transform.step + transform.inputs,
      cellsOut: tiles * transform.outputs,
      pitchIn: pitchesIn[a] * dilations[a],
      pitchOut: pitchesOut[a] * dilations[a],
    };
  });

  // Along each dimension: first output cell, cells of the input and of the output that are there.
  const starts = dimensions.map(({ cellsIn, cellsOut, low }, a) =>
    Array.from({ length: dilations[a] }, (_, residue) => {
      const count = Math.ceil((y.shape[a] - residue) / dilations[a]);
      return Array.from({ length: Math.ceil(count / cellsOut) }, (_, b) => {
        const first = residue + b * cellsOut * dilations[a];
        const from = (first * strides[a]) / inputDilations[a] + low;
        const room = x.shape[a] + x.margin[a][1] - from;
        return {
          from,
          first,
          in: Math.max(0, Math.min(cellsIn, Math.ceil(room / dilations[a]))),
          out: Math.min(cellsOut, count - b * cellsOut),
        };
      });
    }).flat(),
  );
  const [originIn, originOut] = [x, y].map(l => originOf(l) * channelsOf(l) * 4);
  const rows = tapIndices(starts.map(s => s.length)).map(at => {
    const along = starts.map((s, a) => s[at[a]]);
    const from = along.reduce((sum, { from }, a) => sum + from * pitchesIn[a], originIn);
    const to = along.reduce((sum, { first }, a) => sum + first * pitchesOut[a], originOut);
    const missing = [
      along.some((s, a) => s.in < dimensions[a].cellsIn),
      along.some((s, a) => s.out < dimensions[a].cellsOut),
    ];
    return [from, to, ...missing.map(Number), ...along.map(s => s.in), ...along.map(s => s.out)];
  });
  return {
    dimensions,
    blocks: rows.length,
    words: 4 + 2 * dimensions.length,
    table: Int32Array.from(rows.flat()),
  };
}

const bytePitches = (layout: Layout): number[] => pitchesOf(layout).map(p => p * channelsOf(layout) * 4);

/** Distances between neighbours along each dimension of a box of cells without margins. */
export function stridesOf(cells: readonly number[], cellBytes: number): number[] {
  return cells.map((_, a) => product(cells.slice(a + 1)) * cellBytes);
}
