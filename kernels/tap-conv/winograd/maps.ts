// The maps of a block: B along each transformed dimension, outermost first, A along each, innermost first. Before the
// map along dimension a (and after its inverse) memory holds `[points of the dimensions before a][cells][channels]`,
// where cells are tiles in the dimensions before a and cells of the input (or output) from a on.

import { product } from '../../../src/tensor/layout.ts';
import { type Dimension, stridesOf } from './geometry.ts';
import type { LinearMap } from './linear-map.ts';

export interface MapSizes {
  /** Bytes of a cell's channels, filled up to whole vectors. */
  readonly cellIn: number;
  readonly cellOut: number;
  /** Bytes between points in V and in M. */
  readonly pointIn: number;
  readonly pointOut: number;
}

export interface Maps {
  /** From one area of working memory to another. */
  readonly in: LinearMap[];
  readonly out: LinearMap[];
  /** The first straight from the input, the last straight to the output. */
  readonly fromInput: LinearMap;
  readonly toOutput: LinearMap;
}

type Common = Pick<LinearMap, 'shape' | 'relaxed' | 'wide'>;

export function mapsOf(
  dimensions: readonly Dimension[],
  sizes: MapSizes,
  common: Common,
  relu: boolean,
): Maps {
  const transformed = dimensions.flatMap((d, a) => (d.n > 1 ? [a] : []));
  const [first, last] = [transformed[0], transformed.at(-1)!];
  const points = (a: number) => pointsBefore(dimensions, a);
  const input: Source = {
    name: 'in',
    matrixOf: d => d.B,
    tilesOf: d => d.grid,
    cellsOf: d => d.cellsIn,
    stepOf: d => d.step,
    pitchOf: d => d.pitchIn,
    cell: sizes.cellIn,
    point: sizes.pointIn,
  };

  const inverse = (a: number, pitches?: readonly number[]): LinearMap => {
    const { A, outputs, n } = dimensions[a];
    const cells = (upTo: number) => dimensions.map((d, b) => (b < upTo ? d.grid : d.cellsOut));
    const from = stridesOf(cells(a + 1), sizes.cellOut);
    const to = pitches ?? stridesOf(cells(a), sizes.cellOut);
    const point = a === last ? sizes.pointOut : product(cells(a + 1)) * sizes.cellOut;
    return {
      ...common,
      name: `out_${pitches ? 'y' : a}`,
      matrix: A,
      relu: relu && a === first,
      sourceRow: point,
      targetRow: to[a],
      walks: [
        { count: points(a), source: n * point, target: product(cells(a)) * sizes.cellOut },
        ...dimensions.map((d, b) => ({
          count: b <= a ? d.tiles : d.cellsOut,
          source: from[b],
          target: to[b] * (b === a ? outputs : 1),
        })),
      ],
      run: sizes.cellOut,
    };
  };

  return {
    ...mapsIn(dimensions, input, common),
    out: transformed.map(a => inverse(a)).reverse(),
    toOutput: inverse(
      first,
      dimensions.map(d => d.pitchOut),
    ),
  };
}

const pointsBefore = (dimensions: readonly Dimension[], a: number) =>
  product(dimensions.slice(0, a).map(d => d.n));

/** A tensor whose tiles become points. */
export interface Source {
  /** First part of the maps' names. */
  readonly name: string;
  /** The map along a dimension, the tiles and cells of a block along it, and bytes between neighbours in the tensor. */
  readonly matrixOf: (d: Dimension) => Dimension['B'];
  readonly tilesOf: (d: Dimension) => number;
  readonly cellsOf: (d: Dimension) => number;
  /** Cells from a tile to the next. */
  readonly stepOf: (d: Dimension) => number;
  readonly pitchOf: (d: Dimension) => number;
  /** Bytes of a cell's channels, filled up to whole vectors, and between points. */
  readonly cell: number;
  readonly point: number;
}

/** The maps from cells to points, and the first of them straight from the tensor. */
export function mapsIn(
  dimensions: readonly Dimension[],
  { name, matrixOf, tilesOf, cellsOf, stepOf, pitchOf, cell, point }: Source,
  common: Common,
): Pick<Maps, 'in' | 'fromInput'> {
  const transformed = dimensions.flatMap((d, a) => (d.n > 1 ? [a] : []));
  const last = transformed.at(-1)!;
  const forward = (a: number, pitches?: readonly number[]): LinearMap => {
    const { n } = dimensions[a];
    const step = stepOf(dimensions[a]);
    const cells = (upTo: number) => dimensions.map((d, b) => (b < upTo ? tilesOf(d) : cellsOf(d)));
    const from = pitches ?? stridesOf(cells(a), cell);
    const to = stridesOf(cells(a + 1), cell);
    const next = a === last ? point : product(cells(a + 1)) * cell;
    return {
      ...common,
      name: `${name}_${pitches ? 'x' : a}`,
      matrix: matrixOf(dimensions[a]),
      sourceRow: from[a],
      targetRow: next,
      walks: [
        { count: pointsBefore(dimensions, a), source: product(cells(a)) * cell, target: n * next },
        ...cells(a + 1).map((count, b) => ({ count, source: from[b] * (b === a ? step : 1), target: to[b] })),
      ],
      run: cell,
    };
  };
  return {
    in: transformed.map(a => forward(a)),
    fromInput: forward(transformed[0], dimensions.map(pitchOf)),
  };
}
