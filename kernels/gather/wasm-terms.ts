// gather where no dimension can be treated apart: every output cell (or element) with its own list of terms.

import type { KernelCall } from '../kernel.ts';
import type { WasmRendering } from '../wasm.ts';
import {
  get,
  i32,
  locals,
  loopUpTo,
  marginRuns,
  plus,
  runFunction,
  set,
  share,
  storeLanes,
  times,
  zeroMargins,
} from '../wasm-text.ts';
import type { Terms } from './terms.ts';

/** `unit` is the number of consecutive elements at each position. */
export function renderTerms(call: KernelCall, unit: number, terms: Terms): WasmRendering {
  const vectors = Math.floor(unit / 4);
  const rest = unit % 4;
  const positions = Int32Array.from({ length: terms.output.length * 2 + 2 }, (_, i) =>
    i % 2 === 0 ? (terms.output[i / 2] ?? 0) * 4 : terms.start[(i - 1) / 2],
  );
  const list = new Int32Array(terms.input.length * 3);
  const floats = new Float32Array(list.buffer);
  for (let e = 0; e < terms.input.length; e++) {
    list[3 * e] = terms.input[e];
    list[3 * e + 1] = terms.offset[e] * 4;
    floats[3 * e + 2] = terms.weight[e];
  }
  const position = (o: number) => `(i32.load offset=${o} ${plus(get('table0'), times(get('i'), i32(8)))})`;
  const term = (o: number, type = 'i32') => `(${type}.load offset=${o} ${get('e')})`;
  const base =
    call.inputs.length === 1
      ? get('input0')
      : call.inputs
          .slice(1)
          .reduce(
            (value, _, n) => `(select ${get(`input${n + 1}`)} ${value} (i32.eq ${term(0)} ${i32(n + 1)}))`,
            get('input0'),
          );
  const sum = `${set('s', '(v128.const f32x4 0 0 0 0)')} ${set('e', get('first'))}
    ${loopUpTo('e', get('last'), set('s', `(f32x4.add ${get('s')} (f32x4.mul (f32x4.splat ${term(8, 'f32')}) (v128.load align=4 ${plus(plus(base, term(4)), get('c'))})))`), 12)}`;
  const margins = marginRuns(call.output);
  const body = `${zeroMargins(2, margins)} ${share('i', 'to', terms.output.length)}
    ${loopUpTo(
      'i',
      get('to'),
      `${set('y', plus(get('output'), position(0)))}
      ${set('first', plus(get('table1'), times(position(4), i32(12))))} ${set('last', plus(get('table1'), times(position(12), i32(12))))}
      ${set('c', i32(0))}
      ${vectors > 0 ? loopUpTo('c', i32(vectors * 16), `${sum} ${storeLanes(plus(get('y'), get('c')), 0, get('s'), 4)}`, 16) : ''}
      ${rest > 0 ? `${sum} ${storeLanes(plus(get('y'), get('c')), 0, get('s'), rest)}` : ''}`,
    )}`;
  return {
    text: runFunction(
      call.inputs.length,
      3,
      `${locals('i32', 'i', 'to', 'y', 'first', 'last', 'e', 'c', 'm')} ${locals('v128', 's')}`,
      body,
    ),
    tables: [positions, list, margins],
  };
}
