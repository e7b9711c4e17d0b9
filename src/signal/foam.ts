// A generated texture of any rank: cells of foam, from the distances to seeded points (Worley 1996). It has sharp walls
// and no preferred direction, and makes a style for volumes. It is made, not measured.

import type { Field } from '../formats/field.ts';
import { createRandom } from '../random.ts';

/** `size` samples along each of `rank` dimensions; bubbles are about `bubble` samples wide; values in [0, 1]. */
export function foam(rank: number, size: number, bubble: number, seed: number): Field {
  const random = createRandom(seed, 'foam');
  const cells = Math.max(1, Math.round(size / bubble));
  // One point in each cell of a grid that repeats, so that the nearest is at most one cell away.
  const points = Array.from({ length: cells ** rank }, () =>
    Array.from({ length: rank }, () => random.uniform()),
  );
  const neighbours = Array.from({ length: 3 ** rank }, (_, n) =>
    Array.from({ length: rank }, (_, a) => (Math.floor(n / 3 ** a) % 3) - 1),
  );
  const data = new Float32Array(size ** rank);
  const at = new Array<number>(rank);
  for (let i = 0; i < data.length; i++) {
    for (let a = 0, rest = i; a < rank; a++) {
      at[rank - 1 - a] = ((rest % size) * cells) / size;
      rest = Math.floor(rest / size);
    }
    let [first, second] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const shift of neighbours) {
      let index = 0;
      const corner = at.map((v, a) => Math.floor(v) + shift[a]);
      for (const c of corner) index = index * cells + (((c % cells) + cells) % cells);
      let squares = 0;
      for (let a = 0; a < rank; a++) squares += (corner[a] + points[index][a] - at[a]) ** 2;
      if (squares < first) [first, second] = [squares, first];
      else if (squares < second) second = squares;
    }
    // Zero in the walls, where two points are equally near.
    data[i] = Math.min(1, Math.sqrt(second) - Math.sqrt(first));
  }
  const names = ['z', 'y', 'x'].slice(-rank);
  return {
    kind: rank === 3 ? 'volume' : rank === 2 ? 'image' : 'array',
    shape: [...new Array<number>(rank).fill(size), 1],
    data,
    axes: Array.from({ length: rank }, (_, a) => ({
      name: names[a] ?? `axis${a}`,
      spacing: 1,
      unit: rank === 3 ? 'mm' : '',
    })),
    source: 'generated foam',
    valueUnit: '',
    sampleType: 'float32',
  };
}
