// The result of a correlation `[tap, channel of A][channel of B]` cut into register tiles, and WebAssembly text of a tile:
// its sums stay in registers while cells stream by. A row of a tile is one input of A, copied to all lanes; that the rows
// may belong to several taps costs nothing, and tensors of few channels fill their tiles so.

import { channelsOf, pitchesOf } from '../../src/tensor/layout.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { KernelCall } from '../kernel.ts';
import { rowsFor } from '../tap-conv/tile.ts';
import { evenTiles } from '../tap-conv/walks.ts';
import type { WasmTarget } from '../wasm.ts';
import { bump, get, i32, locals, loopUpTo, multiplyAdd, plus, set, storeLanes } from '../wasm-text.ts';
import { PACKED } from './cells.ts';
import type { TapCorrelate } from './spec.ts';

/** Part of the tiles that must be saved for rows of several taps to share one: it takes more functions. */
const SAVED = 0.1;
/** Cells that are unrolled. */
const UNROLL = 4;

/** What tiles have in common that share a function: bytes in A from the first row to each, and columns. */
export interface Shape {
  readonly rows: readonly number[];
  readonly lanes: number;
}

export interface Tile {
  /** Bytes in A and in B of a cell's first value. */
  readonly a: number;
  readonly b: number;
  /** First row and column of the result. */
  readonly row: number;
  readonly column: number;
  /** Number of its shape. */
  readonly shape: number;
}

/** Columns that pass over rows together in packed blocks: B of so many stays in the second cache, A in the first. */
const COLUMNS = 128;

/**
 * Tiles in order, those that share columns beside each other: B stays in the first cache, A passes. With `room` for so many
 * cells of A and B, offsets are those of packed blocks.
 */
export function tilesOf(
  call: KernelCall,
  target: WasmTarget,
  room?: readonly [number, number],
): { tiles: Tile[]; shapes: Shape[] } {
  const { kernelShape, dilations, groups, symmetric } = call.kernel as TapCorrelate;
  const [a] = call.inputs;
  const [I, J] = call.output.shape.slice(-2);
  const [pitches, cell] = [pitchesOf(a), room ? PACKED : channelsOf(a) * 4];
  const packed = (i: number, cells: number) => Math.floor(i / 16) * cells * PACKED + (i % 16) * 4;
  const [rowAt, columnAt] = [0, 1].map(t => (i: number) => (room ? packed(i, room[t]) : 4 * i));
  const taps = tapIndices(kernelShape).map(tap =>
    tap.reduce((sum, v, d) => sum + v * dilations[d] * pitches[d + 1] * cell, 0),
  );
  const rows = taps.flatMap(tap => Array.from({ length: I }, (_, i) => tap + rowAt(i)));
  const width = J / groups;
  const widest = target.wide ? 16 : 8;

  const shapes: Shape[] = [];
  const tiles: Tile[] = [];
  for (let group = 0; group < groups; group++)
    for (let j = 0; j < width; j += widest) {
      const lanes = Math.min(widest, width - j);
      for (const [row, height] of cut(
        taps.length,
        I,
        rowsFor(Math.ceil(lanes / 4), target.relaxed, target.wide),
      )) {
        // Of a symmetric result, the tiles that reach the upper triangle.
        if (symmetric && j + lanes <= row) continue;
        const offsets = rows.slice(row, row + height).map(r => r - rows[row]);
        const known = shapes.findIndex(s => s.lanes === lanes && String(s.rows) === String(offsets));
        tiles.push({
          a: rows[row] + group * I * 4,
          b: columnAt(group * width + j),
          row,
          column: group * width + j,
          shape: known >= 0 ? known : shapes.push({ rows: offsets, lanes }) - 1,
        });
      }
    }
  const over = ({ column }: Tile) => Math.floor(column / COLUMNS);
  if (room) tiles.sort((p, q) => over(p) - over(q) || p.row - q.row || p.column - q.column);
  return { tiles, shapes };
}

// First row and height of each row of tiles, at most so high.
function cut(taps: number, channels: number, most: number): [number, number][] {
  const each = Math.ceil(channels / most);
  const together = taps * each * (1 - SAVED) > Math.ceil((taps * channels) / most);
  const found: [number, number][] = [];
  for (let tap = 0; tap < (together ? 1 : taps); tap++) {
    let row = tap * channels;
    for (const [height, count] of evenTiles(together ? taps * channels : channels, most))
      for (let i = 0; i < count; i++, row += height) found.push([row, height]);
  }
  return found;
}

/**
 * A function `$name (a, b, r, f, l, more)`: sums over the runs of cells listed from `f` to `l`, with fixed steps in A and B,
 * into the tile at `r`, its rows `pitch` bytes apart, or onto it where there are `more`.
 */
export function tileFunction(
  name: string,
  { rows, lanes }: Shape,
  [stepA, stepB]: readonly [number, number],
  pitch: number,
  lengths: readonly number[],
  target: WasmTarget,
): string {
  const vectors = Math.ceil(lanes / 4);
  const sums = rows.flatMap((_, i) =>
    Array.from({ length: vectors }, (_, v) => ({ i, v, name: `s${i}_${v}` })),
  );
  const weights = Array.from({ length: vectors }, (_, v) => `w${v}`);
  const madd = multiplyAdd(target.relaxed);
  const cell = (u: number) =>
    [
      ...weights.map((w, v) => set(w, `(v128.load offset=${u * stepB + 16 * v} align=4 ${get('y')})`)),
      ...rows.flatMap((offset, i) => [
        set('x', `(v128.load32_splat offset=${u * stepA + offset} ${get('z')})`),
        ...sums.filter(s => s.i === i).map(s => set(s.name, madd(get('x'), get(weights[s.v]), get(s.name)))),
      ]),
    ].join('\n');
  const cells = (count: number, label: string) =>
    `(loop $${label} ${Array.from({ length: count }, (_, u) => cell(u)).join('\n')}
      ${bump('z', count * stepA)} ${bump('y', count * stepB)}
      (br_if $${label} (local.tee $n (i32.sub ${get('n')} ${i32(1)}))))`;
  // Whole numbers of unrolled cells, and the rest, where there are such runs.
  const unroll = [UNROLL, 3, 2].find(u => lengths.every(n => n % u === 0)) ?? UNROLL;
  const some = (text: string, condition: boolean, count: string) =>
    condition ? `${set('n', count)} (if ${get('n')} (then ${text}))` : '';
  const at = ({ i, v }: { i: number; v: number }) => i * pitch + 16 * v;
  const there = (v: number) => Math.min(4, lanes - 4 * v);
  const length = `(i32.load offset=8 ${get('f')})`;
  return `(func $${name} (param $a i32) (param $b i32) (param $r i32) (param $f i32) (param $l i32) (param $more i32)
    ${locals('i32', 'z', 'y', 'n')} ${locals('v128', 'x', ...sums.map(s => s.name), ...weights)}
    (if ${get('more')} (then ${sums.map(s => set(s.name, loadLanes(get('r'), at(s), there(s.v)))).join(' ')}))
    ${loopUpTo(
      'f',
      get('l'),
      `${set('z', plus(get('a'), `(i32.load ${get('f')})`))} ${set('y', plus(get('b'), `(i32.load offset=4 ${get('f')})`))}
      ${some(
        cells(unroll, 'unrolled'),
        lengths.some(n => n >= unroll),
        `(i32.div_u ${length} ${i32(unroll)})`,
      )}
      ${some(
        cells(1, 'single'),
        lengths.some(n => n % unroll > 0),
        `(i32.rem_u ${length} ${i32(unroll)})`,
      )}`,
      12,
    )}
    ${sums.map(s => storeLanes(get('r'), at(s), get(s.name), there(s.v))).join('\n')})`;
}

// The first `count` lanes of a vector; the others come from what lies behind, or are zero, and are never stored.
const loadLanes = (address: string, offset: number, count: number): string => {
  const at = `offset=${offset} align=4 ${address}`;
  if (count > 2) return `(v128.load ${at})`;
  return count === 2 ? `(v128.load64_zero ${at})` : `(v128.load32_zero ${at})`;
};
