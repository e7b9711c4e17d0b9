// WebAssembly text of the register tile of the direct tap-conv: the sums of a few cells × a few vectors of output channels
// stay in registers while taps and input channels stream by.

import type { Expr } from '../map/expr.ts';
import { vectorExpr } from '../map/wasm-expr.ts';
import type { WasmTarget } from '../wasm.ts';
import { bump, get, i32, locals, multiplyAdd, plus, set, storeLanes, times } from '../wasm-text.ts';
import type { TapConv } from './spec.ts';
import type { Bytes } from './walks.ts';

/** Rows for which the sums, weights and input of `vectors` vectors fit the registers (measured on V8). */
export function rowsFor(vectors: number, relaxed: boolean, wide: boolean): number {
  if (!relaxed) return vectors === 1 ? 8 : 4;
  return vectors === 1 || (wide && vectors === 2) ? 12 : 6;
}

export interface Tile {
  name: string;
  /** From the first cell to each, and from the first to that of the next tile. */
  cells: readonly Bytes[];
  next: Bytes;
  /** Output channels, at most `block`. */
  lanes: number;
  block: number;
  depth: number;
  depthwise: boolean;
  /** What is stored: an expression of the sum, x0, and of further tensors, x1 …; the sum where there is none. */
  epilogue?: Expr;
}

/**
 * A function `$name (xa, wa, ya, ba, ta, tn, n)`: n tiles, one after the other, over `tn` taps listed at `ta`; with an
 * epilogue `(…, sums, a1, a2, …)`, memory for the sums of a tile and where the first cell is in further tensors.
 */
export function tile(
  kernel: TapConv,
  target: WasmTarget,
  { name, cells, next, lanes, block, depth, depthwise, epilogue }: Tile,
): string {
  const vectors = Math.ceil(lanes / 4);
  const others = next.slice(2).map((_, n) => n + 1);
  const sums = Array.from({ length: cells.length * vectors }, (_, i) => `s${i}`);
  const madd = multiplyAdd(target.relaxed);
  const unroll = [4, 3, 2].find(u => depth % u === 0) ?? 1;
  let inner = '';
  for (let u = 0; u < unroll; u++) {
    for (let v = 0; v < vectors; v++)
      inner += set(`w${v}`, `(v128.load offset=${u * block * 4 + 16 * v} ${get('w')})`);
    cells.forEach(([at], i) => {
      if (!depthwise) inner += set('x', `(v128.load32_splat offset=${at + 4 * u} ${get('xt')})`);
      for (let v = 0; v < vectors; v++) {
        const input = depthwise ? `(v128.load offset=${at + 16 * v} align=4 ${get('xt')})` : get('x');
        inner += set(`s${i * vectors + v}`, madd(input, get(`w${v}`), get(`s${i * vectors + v}`)));
      }
    });
    inner += '\n';
  }
  const zero = '(v128.const f32x4 0 0 0 0)';
  const relu = (v: string) => (kernel.activation === 'relu' ? `(f32x4.pmax ${zero} ${v})` : v);
  let [stores, ends] = ['', ''];
  cells.forEach(([, to, ...at], i) => {
    for (let v = 0; v < vectors; v++) {
      const sum = `s${i * vectors + v}`;
      if (kernel.activation === 'relu') stores += set(sum, relu(get(sum)));
      const there = Math.min(4, lanes - 4 * v);
      if (epilogue === undefined) {
        stores += storeLanes(get('ya'), to + 16 * v, get(sum), there);
        continue;
      }
      // Through memory: the engine widens sums that end in stores side by side, not what expressions are made of.
      stores += `(v128.store offset=${16 * (i * vectors + v)} ${get('sums')} ${get(sum)})`;
      const loads = others.map(n =>
        set(`x${n}`, `(v128.load offset=${at[n - 1] + 16 * v} align=4 ${get(`a${n}`)})`),
      );
      ends += `${set('x0', `(v128.load offset=${16 * (i * vectors + v)} ${get('sums')})`)} ${loads.join('')}
        ${set('x0', vectorExpr(epilogue))} ${storeLanes(get('ya'), to + 16 * v, get('x0'), there)}`;
    }
  });
  const first = (v: number) => (kernel.bias ? `(v128.load offset=${16 * v} ${get('ba')})` : zero);
  return `(func $${name} ${['xa', 'wa', 'ya', 'ba', 'ta', 'tn', 'n', ...(epilogue === undefined ? [] : ['sums']), ...others.map(n => `a${n}`)].map(p => `(param $${p} i32)`).join(' ')}
    ${locals('i32', 'xt', 'w', 't', 'te', 'c')} ${locals('v128', 'x', ...(epilogue === undefined ? [] : ['x0', ...others.map(n => `x${n}`)]), ...sums, ...Array.from({ length: vectors }, (_, v) => `w${v}`))}
    (loop $cells
      ${sums.map((s, i) => set(s, first(i % vectors))).join(' ')}
      ${set('t', get('ta'))} ${set('te', plus(get('ta'), times(get('tn'), i32(8))))}
      (block $done (loop $taps
        (br_if $done (i32.ge_u ${get('t')} ${get('te')}))
        ${set('xt', plus(get('xa'), `(i32.load ${get('t')})`))} ${set('w', plus(get('wa'), `(i32.load offset=4 ${get('t')})`))}
        ${set('c', i32(depth / unroll))}
        (loop $channels
          ${inner}
          ${bump('xt', 4 * unroll)} ${bump('w', unroll * block * 4)}
          (br_if $channels (local.tee $c (i32.sub ${get('c')} ${i32(1)}))))
        ${bump('t', 8)} (br $taps)))
      ${stores} ${ends}
      ${bump('xa', next[0])} ${bump('ya', next[1])} ${others.map(n => bump(`a${n}`, next[1 + n])).join(' ')}
      (br_if $cells (local.tee $n (i32.sub ${get('n')} ${i32(1)})))))`;
}
