// WebAssembly text that puts blocks of A and B of a correlation aside, 16 channels of all cells side by side, where the
// register tiles read them: cells of many channels lie a page apart, and would share a set of the first cache.

import { channelsOf } from '../../src/tensor/layout.ts';
import type { KernelCall } from '../kernel.ts';
import { bump, each, get, i32, locals, loop, plus, set, times } from '../wasm-text.ts';
import { PACKED, type Packing } from './cells.ts';
import type { TapCorrelate } from './spec.ts';

export interface Aside {
  /** Sets the locals `a` and `b` to where tiles read; before all else. */
  readonly own: string;
  /** Copies the block that begins with the run at `f`. */
  readonly aside: string;
  readonly functions: readonly string[];
  /** Bytes of working memory of a thread. */
  readonly workspace: number;
}

/** Tiles read the tensors themselves. */
export const UNPACKED: Aside = {
  own: `${set('a', get('input0'))} ${set('b', get('input1'))}`,
  aside: '',
  functions: [],
  workspace: 0,
};

/** Blocks as in `packing`, whose sources are table 3; a symmetric result has one tensor for both. */
export function asideOf({ kernel, inputs }: KernelCall, { room }: Packing): Aside {
  const { symmetric } = kernel as TapCorrelate;
  const number = `(i32.div_u (i32.sub ${get('f')} ${get('table0')}) ${i32(12)})`;
  const sourceAt = (word: number) =>
    `(i32.load offset=${4 * word} ${plus(get('table3'), times(number, i32(16)))})`;
  const sides = inputs.slice(0, symmetric ? 1 : 2).map((layout, t) => {
    const [name, channels] = [['a', 'b'][t], channelsOf(layout)];
    return {
      bytes: Math.ceil(channels / 16) * room[t] * PACKED,
      call: `(call $pack_${name} ${plus(get(`input${t}`), sourceAt(2 * t))} ${sourceAt(2 * t + 1)} ${get(name)})`,
      text: packFunction(`pack_${name}`, channels, room[t]),
    };
  });
  const workspace = sides.reduce((sum, { bytes }) => sum + bytes, 0);
  const a = plus(get('workspace'), times(get('thread'), i32(workspace)));
  return {
    own: `${set('a', a)} ${set('b', plus(get('a'), i32(symmetric ? 0 : sides[0].bytes)))}`,
    aside: sides.map(side => side.call).join(' '),
    functions: sides.map(side => side.text),
    workspace,
  };
}

// A function `$name (s, n, d)`: copies n cells of so many channels to `[16 channels][cell]` with room for so many cells. A few
// cells at a time, so that reading and writing go on in few pages; what lies behind the channels is copied and never read.
function packFunction(name: string, channels: number, room: number): string {
  const cell = (u: number) =>
    [0, 16, 32, 48]
      .map(
        v =>
          `(v128.store offset=${u * PACKED + v} ${get('q')} (v128.load offset=${u * channels * 4 + v} align=4 ${get('p')}))`,
      )
      .join(' ');
  const cells = (count: number) =>
    `${set('p', get('s'))} ${set('q', get('d'))}
    ${loop('g', Math.ceil(channels / 16), `${each(count, cell).join('\n')} ${bump('p', PACKED)} ${bump('q', room * PACKED)}`)}
    ${bump('s', count * channels * 4)} ${bump('d', count * PACKED)} ${bump('n', -count)}`;
  return `(func $${name} (param $s i32) (param $n i32) (param $d i32) ${locals('i32', 'p', 'q', 'g')}
    (block $few (loop $many (br_if $few (i32.lt_s ${get('n')} ${i32(8)})) ${cells(8)} (br $many)))
    (block $none (loop $one (br_if $none (i32.eqz ${get('n')})) ${cells(1)} (br $one))))`;
}
