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
  const points = (a: number) => product(dimensions.slice(0, a).map(d => d.n));

  const forward = (a: number, pitches?: readonly number[]): LinearMap => {
    const { B, m, n } = dimensions[a];
    const cells = (upTo: number) => dimensions.map((d, b) => (b < upTo ? d.grid : d.cellsIn));
    const from = pitches ?? stridesOf(cells(a), sizes.cellIn);
    const to = stridesOf(cells(a + 1), sizes.cellIn);
    const point = a === last ? sizes.pointIn : product(cells(a + 1)) * sizes.cellIn;
    return {
      ...common,
      name: `in_${pitches ? 'x' : a}`,
      matrix: B,
      sourceRow: from[a],
      targetRow: point,
      walks: [
        { count: points(a), source: product(cells(a)) * sizes.cellIn, target: n * point },
        ...cells(a + 1).map((count, b) => ({ count, source: from[b] * (b === a ? m : 1), target: to[b] })),
      ],
      run: sizes.cellIn,
    };
  };

  const inverse = (a: number, pitches?: readonly number[]): LinearMap => {
    const { A, m, n } = dimensions[a];
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
          target: to[b] * (b === a ? m : 1),
        })),
      ],
      run: sizes.cellOut,
    };
  };

  return {
    in: transformed.map(a => forward(a)),
    out: transformed.map(a => inverse(a)).reverse(),
    fromInput: forward(
      first,
      dimensions.map(d => d.pitchIn),
    ),
    toOutput: inverse(
      first,
      dimensions.map(d => d.pitchOut),
    ),
  };
}
