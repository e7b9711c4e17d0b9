// How `map` and `reduce` walk: runs of elements that are contiguous in the output (or full shape), with where each input
// stands for that run and how it moves along it.

import { channelsOf, type Layout, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';

/** How an input moves: along `cells` and `channels` of a run, 1 where it has the dimension, 0 where it is broadcast. */
export interface Movement {
  cells: 0 | 1;
  channels: 0 | 1;
}

/** Element offset in `layout` of every row (all dimensions but the last two) of `full`, broadcasting. */
export function broadcastRows(layout: Layout, full: readonly number[]): Int32Array {
  const outer = full.slice(0, -2);
  const pitches = pitchesOf(layout);
  const channels = channelsOf(layout);
  const origin = originOf(layout);
  const starts = new Int32Array(product(outer));
  for (let row = 0; row < starts.length; row++) {
    let [cell, rest] = [origin, row];
    for (let a = outer.length - 1; a >= 0; a--) {
      const at = rest % outer[a];
      rest = Math.floor(rest / outer[a]);
      if (layout.shape[a] > 1) cell += at * pitches[a];
    }
    starts[row] = cell * channels;
  }
  return starts;
}

export function movementOf(layout: Layout, full: readonly number[]): Movement {
  const rank = full.length;
  const cells = rank < 2 || layout.shape[rank - 2] === full[rank - 2] ? 1 : 0;
  return { cells, channels: layout.shape[rank - 1] === full[rank - 1] ? 1 : 0 };
}
