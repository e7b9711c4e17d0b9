// gather of weighted sums where the innermost two dimensions stay in place, a row at a time: first the weighted sum of
// whole input rows that the outer dimensions ask for, into a row of scratch (or straight into the output where the cells
// of a row stay), then the map along the row, channel by channel. Tables grow with the rows and with the row, not with
// the cells.

import { channelsOf } from '../../src/tensor/layout.ts';
import type { KernelCall } from '../kernel.ts';
import type { WasmRendering } from '../wasm.ts';
import {
  bump,
  get,
  i32,
  locals,
  loopUpTo,
  marginRuns,
  plus,
  rowLength,
  runFunction,
  set,
  share,
  splat,
  storeLanes,
  times,
  zeroMargins,
} from '../wasm-text.ts';
import type { AxisMap, Gather } from './spec.ts';
import { termsOf } from './terms.ts';

/** Most threads that take part: each has a row of scratch. */
const THREADS = 16;
/** Pieces that a row is shared out in where there are few rows. */
const PARTS = 16;
/** Most terms of a position that are written out without a loop. */
const UNROLL = 8;

export function renderSums(call: KernelCall): WasmRendering {
  const kernel = call.kernel as Gather;
  const { inputs, output } = call;
  const rank = output.shape.length;
  const channels = channelsOf(output);
  const inner = kernel.maps[rank - 2];
  const cells = rowLength(output);
  const outer = termsOf(call, rank - 2);
  const rows = outer.output.length;

  const rowTable = new Int32Array(2 * rows + 2);
  for (let r = 0; r <= rows; r++) rowTable.set([(outer.output[r] ?? 0) * 4, outer.start[r]], 2 * r);
  const termTable = new Int32Array(3 * outer.input.length);
  const weights = new Float32Array(termTable.buffer);
  outer.input.forEach((n, e) => {
    termTable.set([n, outer.offset[e] * 4], 3 * e);
    weights[3 * e + 2] = outer.weight[e];
  });
  // Rows that are one input row as it is are read where they lie.
  const plain = (r: number) =>
    outer.start[r + 1] - outer.start[r] === 1 && outer.weight[outer.start[r]] === 1;
  const allPlain = inner !== null && Array.from({ length: rows }, (_, r) => r).every(plain);
  const parts = allPlain && rows < PARTS ? Math.min(PARTS, cells) : 1;

  const rowElements = rowLength(inputs[0]) * channels;
  const rowBytes = Math.ceil((rowElements * 4 + 16) / 64) * 64;
  const row = (o: number) => `(i32.load offset=${o} ${plus(get('table0'), times(get('row'), i32(8)))})`;
  const term = (o: number, type = 'i32') => `(${type}.load offset=${o} ${get('e')})`;
  const base = inputs
    .slice(1)
    .reduce(
      (value, _, n) => `(select ${get(`input${n + 1}`)} ${value} (i32.eq ${term(0)} ${i32(n + 1)}))`,
      get('input0'),
    );
  const source = plus(base, term(4));
  const termAt = (n: string) => plus(get('table1'), times(n, i32(12)));

  // s = Σ over the terms of the row of weight · four elements at `j`.
  const four = `${set('s', splat(0))} ${set('e', get('first'))}
    ${loopUpTo('e', get('last'), set('s', `(f32x4.add ${get('s')} (f32x4.mul (f32x4.splat ${term(8, 'f32')}) (v128.load align=4 ${plus(source, get('j'))})))`), 12)}`;
  const whole = Math.floor(rowElements / 4) * 16;
  const rest = rowElements % 4;
  const at = plus(get('z'), get('j'));
  const sumRows = `${set('j', i32(0))} ${whole ? loopUpTo('j', i32(whole), `${four} ${storeLanes(at, 0, get('s'), 4)}`, 16) : ''}
    ${rest ? `${four} ${storeLanes(at, 0, get('s'), rest)}` : ''}`;

  const along = inner ? alongRow(inner, cells, channels) : undefined;
  const ends = `${set('first', termAt(row(4)))} ${set('last', termAt(row(12)))} ${set('y', plus(get('output'), row(0)))}`;
  const body = along
    ? `(if (i32.and (i32.eq (i32.sub ${get('last')} ${get('first')}) ${i32(12)}) (f32.eq (f32.load offset=8 ${get('first')}) (f32.const 1)))
        (then ${set('e', get('first'))} ${set('z', source)})
        (else ${set('z', plus(get('scratch'), times(get('thread'), i32(rowBytes))))} ${sumRows}))
      ${set('p', `(i32.div_u ${times(get('part'), i32(cells))} ${i32(parts)})`)}
      ${set('stop', `(i32.div_u ${times(plus(get('part'), i32(1)), i32(cells))} ${i32(parts)})`)}
      ${set('y', plus(get('y'), times(get('p'), i32(channels * 4))))}
      ${along.text}`
    : `${set('z', get('y'))} ${sumRows}`;
  const margins = marginRuns(output);
  const run = `(if (i32.ge_u ${get('thread')} ${i32(THREADS)}) (then (return)))
    (if (i32.gt_u ${get('threads')} ${i32(THREADS)}) (then ${set('threads', i32(THREADS))}))
    ${zeroMargins(4, margins)} ${share('i', 'to', rows * parts)}
    ${loopUpTo('i', get('to'), `${set('row', `(i32.div_u ${get('i')} ${i32(parts)})`)} ${set('part', `(i32.rem_u ${get('i')} ${i32(parts)})`)} ${ends} ${body}`)}`;
  const names = 'i to row part first last e j y z p stop c g h k m'.split(' ');
  return {
    text: runFunction(inputs.length, 5, `${locals('i32', ...names)} ${locals('v128', 's')}`, run),
    tables: [
      rowTable,
      termTable,
      along?.positions ?? new Int32Array(1),
      along?.terms ?? new Int32Array(1),
      margins,
    ],
    scratch: along && !allPlain ? THREADS * rowBytes : 0,
  };
}

/**
 * The map along a row at `z` into the cells `p` to `stop` at `y`. Tables: first term of every position; terms as
 * [byte, weight].
 */
function alongRow(map: AxisMap, cells: number, channels: number) {
  const starts: number[] = [0];
  const list: number[] = [];
  const weights: number[] = [];
  for (let p = 0; p < cells; p++) {
    for (let e = p * map.terms; e < (p + 1) * map.terms; e++) {
      if (map.index[e] < 0) continue;
      list.push(map.index[e] * channels * 4);
      weights.push(map.weight[e]);
    }
    starts.push(list.length);
  }
  const terms = new Int32Array(2 * list.length);
  const floats = new Float32Array(terms.buffer);
  list.forEach((offset, e) => {
    terms[2 * e] = offset;
    floats[2 * e + 1] = weights[e];
  });
  const uniform = starts.every((s, p) => s === p * map.terms) && map.terms <= UNROLL;
  const load = (o: number) =>
    `(f32x4.mul (v128.load32_splat offset=${o + 4} ${get('g')}) (v128.load align=4 ${plus(plus(get('z'), get('c')), `(i32.load offset=${o} ${get('g')})`)}))`;
  const position = (o: number) => `(i32.load offset=${o} ${plus(get('table2'), times(get('p'), i32(4)))})`;
  const termAt = (n: string) => plus(get('table3'), times(n, i32(8)));
  const sum = uniform
    ? set(
        's',
        Array.from({ length: map.terms }, (_, j) => load(8 * j)).reduce((a, b) => `(f32x4.add ${a} ${b})`),
      )
    : `${set('s', splat(0))} ${set('g', get('k'))} ${loopUpTo('g', get('h'), set('s', `(f32x4.add ${get('s')} ${load(0)})`), 8)}`;
  const open = uniform
    ? set('g', termAt(times(get('p'), i32(map.terms))))
    : set('k', termAt(position(0))) + set('h', termAt(position(4)));
  const whole = Math.floor(channels / 4) * 16;
  const rest = channels % 4;
  const at = plus(get('y'), get('c'));
  const text = loopUpTo(
    'p',
    get('stop'),
    `${open} ${set('c', i32(0))}
    ${whole ? loopUpTo('c', i32(whole), `${sum} ${storeLanes(at, 0, get('s'), 4)}`, 16) : ''}
    ${rest ? `${sum} ${storeLanes(at, 0, get('s'), rest)}` : ''} ${bump('y', channels * 4)}`,
  );
  return { positions: Int32Array.from(starts), terms, text };
}
