// How a convolution is cut for Winograd, as numbers: the dimensions with their transforms (batch included, passed
// through as F(1, 1)), and equal blocks of tiles that cover the output, each with where it reads and writes and how much
// of it lies inside.

import { channelsOf, type Layout, originOf, pitchesOf, product } from '../../../src/tensor/layout.ts';
import { tapIndices } from '../../../src/tensor/taps.ts';
import type { KernelCall } from '../../kernel.ts';
import type { TapConv } from '../spec.ts';
import { type Transform, transformOf } from './transforms.ts';

/** Per dimension, batch first: outputs of a tile, and tiles of a block. */
export interface Choice {
  readonly tile: readonly number[];
  readonly block: readonly number[];
}

/** One dimension of a block. */
export interface Dimension extends Transform {
  /** Tiles of a block, and the cells it reads and writes. */
  readonly tiles: number;
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

export function geometryOf(call: KernelCall, { tile, block }: Choice): Geometry {
  const kernel = call.kernel as TapConv;
  const [x] = call.inputs;
  const y = call.output;
  const [pitchesIn, pitchesOut] = [bytePitches(x), bytePitches(y)];
  const dimensions = tile.map((m, a): Dimension => {
    const transform = transformOf(m, a === 0 ? 1 : kernel.kernelShape[a - 1]);
    return {
      ...transform,
      tiles: block[a],
      cellsIn: block[a] * m + transform.k - 1,
      cellsOut: block[a] * m,
      pitchIn: pitchesIn[a],
      pitchOut: pitchesOut[a],
    };
  });
  const counts = dimensions.map((d, a) => Math.ceil(y.shape[a] / d.cellsOut));
  const [firstIn, firstOut] = [x, y].map(l => originOf(l) * channelsOf(l) * 4);
  const rows = tapIndices(counts).map(at => {
    let [from, to] = [firstIn, firstOut];
    const inside: number[][] = [[], []];
    dimensions.forEach((d, a) => {
      const out = at[a] * d.cellsOut;
      const start = out - (a === 0 ? 0 : kernel.padLow[a - 1]);
      from += start * d.pitchIn;
      to += out * d.pitchOut;
      inside[0].push(Math.max(0, Math.min(d.cellsIn, x.shape[a] + x.margin[a][1] - start)));
      inside[1].push(Math.min(d.cellsOut, y.shape[a] - out));
    });
    const short = [
      inside[0].some((n, a) => n < dimensions[a].cellsIn),
      inside[1].some((n, a) => n < dimensions[a].cellsOut),
    ];
    return [from, to, ...short.map(Number), ...inside[0], ...inside[1]];
  });
  return {
    dimensions,
    blocks: product(counts),
    words: 4 + 2 * tile.length,
    table: Int32Array.from(rows.flat()),
  };
}

const bytePitches = (layout: Layout): number[] => pitchesOf(layout).map(p => p * channelsOf(layout) * 4);
