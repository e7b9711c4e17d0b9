// WebAssembly text of the products of a Winograd convolution: for one point, M `[tiles][K]` = V `[tiles][C]` · U `[C][K]`,
// the same register tile as the direct kernel (a few tiles × a few vectors of channels stay in registers while the
// input channels stream by), without taps.

import { bump, get, i32, locals, set } from '../../wasm-text.ts';

export interface Product {
  readonly name: string;
  readonly cells: number;
  readonly vectors: number;
  readonly depth: number;
  /** Bytes of a tile's channels in V and in M. */
  readonly stepIn: number;
  readonly stepOut: number;
  readonly relaxed: boolean;
}

/** Rows of V for which the sums, weights and input of `vectors` vectors fit the registers (measured on V8). */
export function cellsFor(vectors: number, relaxed: boolean, wide: boolean): number {
  if (!relaxed) return vectors === 1 ? 8 : 4;
  return vectors === 1 || (wide && vectors === 2) ? 12 : 6;
}

/** A function `$name (v, u, m, start, count)`: `count` times `cells` rows, sums starting from the vectors at `start`. */
export function product(given: Product): string {
  const { name, cells, vectors, depth, stepIn, stepOut } = given;
  const unroll = [4, 2, 1].find(u => depth % u === 0)!;
  const madd = (a: string, b: string, sum: string) =>
    given.relaxed ? `(f32x4.relaxed_madd ${a} ${b} ${sum})` : `(f32x4.add (f32x4.mul ${a} ${b}) ${sum})`;
  const each = <T>(count: number, of: (i: number) => T) => Array.from({ length: count }, (_, i) => of(i));
  const sums = each(cells * vectors, i => `s${i}`);
  const weights = each(vectors, v => `w${v}`);
  const channel = (c: number) => [
    ...weights.map((w, v) => set(w, `(v128.load offset=${(c * vectors + v) * 16} ${get('w')})`)),
    ...each(cells, i => [
      set('x', `(v128.load32_splat offset=${i * stepIn + 4 * c} ${get('r')})`),
      ...weights.map((w, v) => {
        const sum = sums[i * vectors + v];
        return set(sum, madd(get('x'), get(w), get(sum)));
      }),
    ]).flat(),
  ];
  const stores = sums.map((s, i) => {
    const [cell, v] = [Math.floor(i / vectors), i % vectors];
    return `(v128.store offset=${cell * stepOut + 16 * v} align=4 ${get('m')} ${get(s)})`;
  });
  return `(func $${name} ${['v', 'u', 'm', 'start', 'count'].map(p => `(param $${p} i32)`).join(' ')}
    ${locals('i32', 'r', 'w', 'c')} ${locals('v128', 'x', ...sums, ...weights)}
    (loop $rows
      ${sums.map((s, i) => set(s, `(v128.load offset=${16 * (i % vectors)} ${get('start')})`)).join(' ')}
      ${set('r', get('v'))} ${set('w', get('u'))} ${set('c', i32(depth / unroll))}
      (loop $channels
        ${each(unroll, channel).flat().join('\n')}
        ${bump('r', 4 * unroll)} ${bump('w', 16 * vectors * unroll)}
        (br_if $channels (local.tee $c (i32.sub ${get('c')} ${i32(1)}))))
      ${stores.join('\n')}
      ${bump('v', cells * stepIn)} ${bump('m', cells * stepOut)}
      (br_if $rows (local.tee $count (i32.sub ${get('count')} ${i32(1)})))))`;
}
