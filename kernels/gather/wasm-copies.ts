// gather where every output element has at most one source with weight 1: copies, a row of the output at a time. Where a
// row reads is the sum of an offset for its outer dimensions and of offsets along the row, so tables grow with the rows
// and with the row, not with the cells. Along the row, elements join to runs; short runs are copied inline, long ones by
// memory.copy. Where a dimension becomes the channels, elements are collected at a fixed stride instead.

import { channelsOf, originOf, product } from '../../src/tensor/layout.ts';
import { coordinatesOf } from '../../src/tensor/packed.ts';
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
  rowStarts,
  runFunction,
  set,
  share,
  storeLanes,
  times,
  zeroMargins,
} from '../wasm-text.ts';
import type { Gather } from './spec.ts';
import { elementStrides } from './terms.ts';

/** Longest run in elements, so that threads share long rows. */
const RUN = 4096;
/** Longest run copied inline, and most different lengths of these. */
const INLINE = 64;
const LENGTHS = 4;
/** Pieces that a row is shared out in where there are few rows. */
const PARTS = 16;

/** Runs of one length: [output byte in the row, input byte in the row] each; without a source, zeros. */
interface Group {
  input: number | undefined;
  length: number;
  runs: number[];
}

export function renderCopies(call: KernelCall): WasmRendering {
  const kernel = call.kernel as Gather;
  const { inputs, output } = call;
  const rank = output.shape.length;
  const outer = output.shape.slice(0, Math.max(0, rank - 2));
  const rows = product(outer);
  const cells = rowLength(output);
  const channels = channelsOf(output);
  const strides = inputs.map(elementStrides);
  // The output dimension along which inputs are joined.
  const joint = inputs.length > 1 ? kernel.permutation.indexOf(kernel.concatAxis) : -1;
  const jointOuter = joint >= 0 && joint < rank - 2;
  const sourceAt = (a: number, p: number) => (kernel.maps[a] ? kernel.maps[a].index[p] : p);
  /** Which input a position along the joined dimension lies in, and where. */
  const split = (p: number): [input: number, position: number] => {
    let [n, rest] = [0, p];
    while (rest >= inputs[n].shape[kernel.concatAxis]) rest -= inputs[n++].shape[kernel.concatAxis];
    return [n, rest];
  };

  // Rows: [output byte, input (−1: zeros), byte in each input that the row reads].
  const perRow = jointOuter ? 1 : inputs.length;
  const rowTable: number[] = [];
  rowStarts(output).forEach((start, r) => {
    const from = coordinatesOf(r, outer).map((p, a) => sourceAt(a, p));
    const empty = from.some(p => p < 0);
    let only = 0;
    if (jointOuter && !empty) [only, from[joint]] = split(from[joint]);
    rowTable.push(start * 4, empty ? -1 : only);
    for (let n = 0; n < perRow; n++) {
      const input = jointOuter ? only : n;
      const origin = originOf(inputs[input]) * channelsOf(inputs[input]);
      const offset = from.reduce((sum, p, a) => sum + p * strides[input][kernel.permutation[a]], origin);
      rowTable.push(empty ? 0 : offset * 4);
    }
  });
  const rowStride = 2 + perRow;
  const row = (o: number) =>
    `(i32.load offset=${o * 4} ${plus(get('table0'), times(get('row'), i32(rowStride * 4)))})`;
  const bases = jointOuter
    ? set(
        'b0',
        plus(
          inputs
            .slice(1)
            .reduce(
              (value, _, n) => `(select ${get(`input${n + 1}`)} ${value} (i32.eq ${row(1)} ${i32(n + 1)}))`,
              get('input0'),
            ),
          row(2),
        ),
      )
    : inputs.map((_, n) => set(`b${n}`, plus(get(`input${n}`), row(2 + n)))).join('');

  const stridesMatch = !jointOuter || strides.every(s => s.every((v, d) => v === strides[0][d]));
  const channelStride = strides[0][kernel.permutation[rank - 1]];
  const strided =
    (joint < 0 || (jointOuter && stridesMatch)) && kernel.maps[rank - 1] === null && channelStride !== 1;
  // Rows of differently pitched inputs have different offsets along the row: their tables are apart.
  const kinds = jointOuter && !stridesMatch ? inputs.map((_, n) => n) : [0];
  const parts = rows < PARTS ? PARTS : 1;
  const tables: Int32Array[] = [];
  const texts = kinds.map(kind => {
    const cellOffset = (p: number) => {
      const at = rank > 1 ? sourceAt(rank - 2, p) : 0;
      if (at < 0) return undefined;
      const [n, rest] = joint === rank - 2 && joint >= 0 ? split(at) : [0, at];
      const input = jointOuter ? kind : n;
      return { n, offset: rank > 1 ? rest * strides[input][kernel.permutation[rank - 2]] : 0 };
    };
    const table = (list: number[]) => `table${tables.push(Int32Array.from(list))}`;
    if (strided) {
      const list = Array.from({ length: cells }, (_, p) => (cellOffset(p)?.offset ?? -1) * 4);
      return collect(table(list), cells, channels, channelStride * 4, parts);
    }
    // Inputs joined along the cells may differ in the stride of what becomes the channels.
    const spans = inputs.map((_, cellInput) =>
      spansOf(channels, c => {
        const at = sourceAt(rank - 1, c);
        if (at < 0) return undefined;
        const [n, rest] = joint === rank - 1 ? split(at) : [cellInput, at];
        const input = jointOuter ? kind : n;
        return { n, offset: rest * strides[input][kernel.permutation[rank - 1]] };
      }),
    );
    const nothing: Span[] = [{ first: 0, length: channels, source: undefined }];
    const groups = runsOf(cells, channels, p => {
      const cell = cellOffset(p);
      if (!cell) return nothing;
      if (joint !== rank - 1 || rank === 1) return moved(spans[cell.n], () => cell.offset);
      const at = sourceAt(rank - 2, p);
      return moved(spans[cell.n], n => at * strides[n][kernel.permutation[rank - 2]]);
    });
    return groups.map(group => copyGroup(table(group.runs), group, parts)).join('');
  });
  const copy =
    texts.length === 1
      ? texts[0]
      : texts.map((text, n) => `(if (i32.eq ${row(1)} ${i32(n)}) (then ${text}))`).join('');
  const clear = `(if (i32.eqz ${get('part')}) (then (memory.fill ${get('y')} ${i32(0)} ${i32(cells * channels * 4)})))`;
  const margins = marginRuns(output);
  const body = `${zeroMargins(tables.length + 1, margins)} ${share('i', 'to', rows * parts)}
    ${loopUpTo(
      'i',
      get('to'),
      `${set('row', `(i32.div_u ${get('i')} ${i32(parts)})`)} ${set('part', `(i32.rem_u ${get('i')} ${i32(parts)})`)}
      ${set('y', plus(get('output'), row(0)))}
      (if (i32.lt_s ${row(1)} ${i32(0)}) (then ${clear}) (else ${bases} ${copy}))`,
    )}`;
  const names = [
    'i',
    'to',
    'row',
    'part',
    'y',
    'd',
    's',
    'e',
    'last',
    'c',
    'm',
    ...inputs.map((_, n) => `b${n}`),
  ];
  return {
    text: runFunction(
      inputs.length,
      tables.length + 2,
      `${locals('i32', ...names)} ${locals('v128', 'v')}`,
      body,
    ),
    tables: [Int32Array.from(rowTable), ...tables, margins],
  };
}

/** Where elements come from: an input, and the offset there of the first. */
interface Source {
  n: number;
  offset: number;
}

/** Channels of a cell that follow one another where they come from too. */
interface Span {
  first: number;
  length: number;
  source: Source | undefined;
}

function spansOf(channels: number, source: (channel: number) => Source | undefined): Span[] {
  const spans: Span[] = [];
  for (let c = 0; c < channels; c++) {
    const at = source(c);
    const last = spans.at(-1);
    if (last && last.source?.n === at?.n && (!at || last.source!.offset + last.length === at.offset))
      last.length++;
    else spans.push({ first: c, length: 1, source: at });
  }
  return spans;
}

const moved = (spans: readonly Span[], by: (input: number) => number): Span[] =>
  spans.map(({ source, ...span }) => ({
    ...span,
    source: source && { n: source.n, offset: source.offset + by(source.n) },
  }));

/** Joins the elements of a row to runs and groups these by length; many lengths, or long ones, form groups of length 0. */
function runsOf(cells: number, channels: number, spansAt: (cell: number) => readonly Span[]): Group[] {
  const runs: { n: number | undefined; to: number; from: number; length: number }[] = [];
  for (let p = 0; p < cells; p++)
    for (const { first, length, source: at } of spansAt(p)) {
      const last = runs.at(-1);
      let done = 0;
      if (last && last.n === at?.n && (!at || last.from + last.length === at.offset)) {
        done = Math.min(length, RUN - last.length);
        last.length += done;
      }
      while (done < length) {
        const next = Math.min(length - done, RUN);
        runs.push({
          n: at?.n,
          to: p * channels + first + done,
          from: at ? at.offset + done : 0,
          length: next,
        });
        done += next;
      }
    }
  const lengths = new Set(runs.map(r => r.length));
  const groups = new Map<string, Group>();
  for (const { n, to, from, length } of runs) {
    const inline = length <= INLINE && lengths.size <= LENGTHS;
    const key = `${n} ${inline ? length : 0}`;
    const group = groups.get(key) ?? { input: n, length: inline ? length : 0, runs: [] };
    groups.set(key, group);
    group.runs.push(to * 4, from * 4, length * 4);
  }
  return [...groups.values()];
}

/** This part's share of `count` items of `bytes` in a table: `e` up to `last`. */
const sharePart = (table: string, count: number, bytes: number, parts: number): string => {
  const at = (part: string) =>
    plus(get(table), times(`(i32.div_u ${times(part, i32(count))} ${i32(parts)})`, i32(bytes)));
  return set('e', at(get('part'))) + set('last', at(plus(get('part'), i32(1))));
};

function copyGroup(table: string, { input, length, runs }: Group, parts: number): string {
  const field = (o: number) => `(i32.load offset=${o} ${get('e')})`;
  const to = plus(get('y'), field(0));
  const from = input === undefined ? '' : plus(get(`b${input}`), field(4));
  let move: string;
  if (length === 0)
    move =
      input === undefined
        ? `(memory.fill ${to} ${i32(0)} ${field(8)})`
        : `(memory.copy ${to} ${from} ${field(8)})`;
  else {
    const value = (o: number) =>
      input === undefined ? '(v128.const i32x4 0 0 0 0)' : `(v128.load offset=${o} align=4 ${get('s')})`;
    const moves = [];
    for (let o = 0; o < length; o += 4) {
      const lanes = Math.min(4, length - o);
      moves.push(
        lanes === 4
          ? storeLanes(get('d'), o * 4, value(o * 4), 4)
          : set('v', value(o * 4)) + storeLanes(get('d'), o * 4, get('v'), lanes),
      );
    }
    move = `${set('d', to)} ${input === undefined ? '' : set('s', from)} ${moves.join(' ')}`;
  }
  return `${sharePart(table, runs.length / 3, 12, parts)} ${loopUpTo('e', get('last'), move, 12)}`;
}

/** Cells whose channels lie `stride` bytes apart in the input. */
function collect(table: string, cells: number, channels: number, stride: number, parts: number): string {
  const lanes = (count: number) =>
    set('v', `(v128.load32_zero ${get('s')})`) +
    Array.from({ length: count - 1 }, (_, k) =>
      set('v', `(v128.load32_lane offset=${(k + 1) * stride} ${k + 1} ${get('s')} ${get('v')})`),
    ).join(' ');
  const whole = Math.floor(channels / 4) * 4;
  const rest = channels % 4;
  const cell = `${set('d', plus(get('y'), times(`(i32.shr_u (i32.sub ${get('e')} ${get(table)}) ${i32(2)})`, i32(channels * 4))))}
    ${set('s', `(i32.load ${get('e')})`)}
    (if (i32.lt_s ${get('s')} ${i32(0)}) (then (memory.fill ${get('d')} ${i32(0)} ${i32(channels * 4)}))
    (else ${set('s', plus(get('s'), get('b0')))} ${set('c', i32(0))}
      ${whole ? loopUpTo('c', i32(whole), `${lanes(4)} ${storeLanes(get('d'), 0, get('v'), 4)} ${bump('d', 16)} ${bump('s', 4 * stride)}`, 4) : ''}
      ${rest ? `${lanes(rest)} ${storeLanes(get('d'), 0, get('v'), rest)}` : ''}))`;
  return `${sharePart(table, cells, 4, parts)} ${loopUpTo('e', get('last'), cell, 4)}`;
}
