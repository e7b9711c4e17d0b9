// WebAssembly text that packs the weights of the direct tap-conv in the order in which its register tile reads them.

import {
  bump,
  each,
  get,
  i32,
  loop,
  loopUpTo,
  plus,
  set,
  share,
  times,
  transposeFour,
} from '../wasm-text.ts';
import type { TapConv } from './spec.ts';

export interface Packing {
  C: number;
  K: number;
  depth: number;
  width: number;
  block: number;
  blocks: number;
  taps: number;
  biasAt: number;
}

/** Vectors that `pack` uses. */
export const PACK_VECTORS = each(4, i => [`x${i}`, `y${i}`]).flat();

/**
 * Body of phase 0: weights into `[group][block][tap][c][block]`, bias into `[group][block][block]`, zeros where channels
 * end.
 */
export function pack(kernel: TapConv, { C, K, depth, width, block, blocks, taps, biasAt }: Packing): string {
  const stored = kernel.flip ? `(i32.sub ${i32(taps - 1)} ${get('t')})` : get('t');
  const channel = plus(times(get('b'), i32(block)), get('j'));
  const index = kernel.transpose
    ? plus(
        times(plus(times(stored, i32(width)), get('k')), i32(C)),
        plus(times(get('g'), i32(depth)), get('c')),
      )
    : plus(
        times(plus(times(stored, i32(depth)), get('c')), i32(K)),
        plus(times(get('g'), i32(width)), get('k')),
      );
  const inside = `(i32.lt_s ${get('k')} ${i32(width)})`;
  const value = (address: string) =>
    `(if (result f32) ${inside} (then (f32.load ${address})) (else (f32.const 0)))`;
  const address = plus(get('input1'), times(index, i32(4)));
  const weights = loop(
    'j',
    block,
    `${set('k', channel)} (f32.store ${get('d')} ${value(address)}) ${bump('d', 4)}`,
  );
  // Full blocks by vectors: row by row, or four channels by four where they are transposed.
  const vectors = block / 4;
  const rows = kernel.transpose ? 4 : 1;
  const fours = kernel.transpose
    ? each(vectors, v =>
        transposeFour(
          r => `(v128.load offset=${(4 * v + r) * C * 4} align=4 ${get('s')})`,
          (r, value) => `(v128.store offset=${(r * block + 4 * v) * 4} ${get('d')} ${value})`,
        ),
      )
    : each(
        vectors,
        v => `(v128.store offset=${16 * v} ${get('d')} (v128.load offset=${16 * v} align=4 ${get('s')}))`,
      );
  const whole = `${set('c', i32(0))} ${set('k', times(get('b'), i32(block)))} ${set('s', address)}
    ${loop('c', Math.floor(depth / rows), `${fours.join('\n')} ${bump('s', kernel.transpose ? 16 : K * 4)} ${bump('d', rows * block * 4)}`)}
    ${set('c', i32(depth - (depth % rows)))} ${loopUpTo('c', i32(depth), weights)}`;
  const full = `(i32.le_u ${times(plus(get('b'), i32(1)), i32(block))} ${i32(width)})`;
  const bias = kernel.bias
    ? `${set('d', plus(get('scratch'), i32(biasAt)))}
       ${loop('g', kernel.groups, loop('b', blocks, loop('j', block, `${set('k', channel)} (f32.store ${get('d')} ${value(plus(get('input2'), times(plus(times(get('g'), i32(width)), get('k')), i32(4))))}) ${bump('d', 4)}`)))}`
    : '';
  // Threads share the taps of all blocks; the bias is one thread's.
  const quotient = (a: string, n: number) => `(i32.div_u ${a} ${i32(n)})`;
  const remainder = (a: string, n: number) => `(i32.rem_u ${a} ${i32(n)})`;
  return `${share('i', 'to', kernel.groups * blocks * taps)} ${loopUpTo(
    'i',
    get('to'),
    `${set('t', remainder(get('i'), taps))} ${set('b', remainder(quotient(get('i'), taps), blocks))} ${set('g', quotient(get('i'), taps * blocks))}
     ${set('d', plus(get('scratch'), times(get('i'), i32(depth * block * 4))))}
     (if ${full} (then ${whole}) (else ${loop('c', depth, weights)}))`,
  )}
  (if (i32.eqz ${get('thread')}) (then ${bias}))`;
}
