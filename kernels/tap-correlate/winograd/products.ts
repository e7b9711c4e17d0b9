// WebAssembly text of the sums of a Winograd correlation: for each point (and segment of the kernel), R `[C][K]` += Σ over
// the tiles of a block of V `[tile][C]`ᵀ · D `[tile][K]`. R lies as `[segment][point][block of K][C][block]`; a few rows of
// C × a block of K stay in registers while the tiles stream by.

import { rowsFor } from '../../tap-conv/tile.ts';
import { evenTiles } from '../../tap-conv/walks.ts';
import type { WasmTarget } from '../../wasm.ts';
import {
  bump,
  each,
  get,
  i32,
  locals,
  loop,
  loopUpTo,
  multiplyAdd,
  plus,
  set,
  times,
} from '../../wasm-text.ts';

export interface Sums {
  readonly points: number;
  readonly segments: number;
  /** Channels of A, and of B filled up to whole vectors and cut into blocks. */
  readonly C: number;
  readonly width: number;
  readonly block: number;
  /** Channels of B that there are sums for, those of other slices included. */
  readonly all: number;
  /** Bytes between tiles, and between points, in V and in D. */
  readonly stepIn: number;
  readonly stepOut: number;
  readonly pointIn: number;
  readonly pointOut: number;
  /** Address of the bytes from a tile to the one that each segment of the kernel is applied to. */
  readonly offsets: string;
  /** Address of the runs of tiles that are contiguous in both, `[byte in V, byte in D]`; how many, and tiles of one. */
  readonly runs: string;
  readonly count: number;
  readonly length: number;
}

/** All sums of a block, V in area 0 and D in area 2, into the results at `r`, or onto them where there are `more`. */
export function sumsOf(
  sums: Sums,
  target: WasmTarget,
): { text: string; functions: string[]; locals: string[] } {
  const { points, segments, C, width, block, all, pointIn, pointOut, offsets, runs } = sums;
  const narrow = width % block;
  const widths = [...(width >= block ? [block] : []), ...(narrow ? [narrow] : [])];
  const functions = widths.flatMap(lanes =>
    heightsFor(C, lanes, target).map(([height]) => tile(height, lanes, sums, target)),
  );
  const over = (lanes: number) => {
    let done = 0;
    const parts = heightsFor(C, lanes, target).map(([height, count]) => {
      const first = done;
      done += height * count;
      return loop(
        'h',
        count,
        `(call $sums_${lanes}_${height}
          ${plus(plus(get('v'), i32(first * 4)), times(get('h'), i32(height * 4)))} ${get('d')}
          ${plus(plus(get('r'), i32(first * lanes * 4)), times(get('h'), i32(height * lanes * 4)))}
          ${get('more')} ${runs})`,
      );
    });
    return `${parts.join(' ')} ${bump('d', lanes * 4)} ${bump('r', C * lanes * 4)}`;
  };
  const offset = `(i32.load ${plus(offsets, times(get('segment'), i32(4)))})`;
  const text = loop(
    'segment',
    segments,
    `${set('v', plus(get('area0'), offset))}
    ${loop(
      'p',
      points,
      `${set('d', plus(get('area2'), times(get('p'), i32(pointOut))))}
      ${width >= block ? loop('k', Math.floor(width / block), over(block)) : ''} ${narrow ? over(narrow) : ''}
      ${bump('v', pointIn)} ${bump('r', (all - width) * C * 4)}`,
    )}`,
  );
  return { text, functions, locals: ['segment', 'p', 'k', 'h', 'v', 'd', 'r'] };
}

/** Rows of register tiles, as even as can be, with how many there are of each. */
export const heightsFor = (C: number, lanes: number, { relaxed, wide }: WasmTarget): [number, number][] =>
  evenTiles(C, rowsFor(lanes / 4, relaxed, wide));

// A function `$name (v, d, r, more, runs)`.
function tile(height: number, lanes: number, sums: Sums, { relaxed }: WasmTarget): string {
  const { stepIn, stepOut, count, length } = sums;
  const vectors = lanes / 4;
  const unroll = [4, 3, 2, 1].find(u => length % u === 0)!;
  const madd = multiplyAdd(relaxed);
  const names = each(height * vectors, i => `s${i}`);
  const row = (u: number) => [
    ...each(vectors, v => set(`w${v}`, `(v128.load offset=${u * stepOut + 16 * v} align=4 ${get('b')})`)),
    ...each(height, i => [
      set('x', `(v128.load32_splat offset=${u * stepIn + 4 * i} ${get('a')})`),
      ...each(vectors, v => {
        const sum = names[i * vectors + v];
        return set(sum, madd(get('x'), get(`w${v}`), get(sum)));
      }),
    ]).flat(),
  ];
  return `(func $sums_${lanes}_${height} ${['v', 'd', 'r', 'more', 'runs'].map(p => `(param $${p} i32)`).join(' ')}
    ${locals('i32', 'a', 'b', 'n', 'i')} ${locals('v128', 'x', ...names, ...each(vectors, v => `w${v}`))}
    (if ${get('more')} (then ${names.map((s, i) => set(s, `(v128.load offset=${16 * i} align=4 ${get('r')})`)).join(' ')}))
    ${set('i', get('runs'))}
    ${loopUpTo(
      'i',
      plus(get('runs'), i32(8 * count)),
      `${set('a', plus(get('v'), `(i32.load ${get('i')})`))} ${set('b', plus(get('d'), `(i32.load offset=4 ${get('i')})`))}
      ${set('n', i32(length / unroll))}
      (loop $tiles
        ${each(unroll, row).flat().join('\n')}
        ${bump('a', unroll * stepIn)} ${bump('b', unroll * stepOut)}
        (br_if $tiles (local.tee $n (i32.sub ${get('n')} ${i32(1)}))))`,
      8,
    )}
    ${names.map((s, i) => `(v128.store offset=${16 * i} align=4 ${get('r')} ${get(s)})`).join('\n')})`;
}
