// Small pieces of WebAssembly text shared by the families: locals, loops, thread shares, rows and margins.

import { channelsOf, elementCount, type Layout, originOf, pitchesOf, product } from '../src/tensor/layout.ts';

export const get = (name: string): string => `(local.get $${name})`;
export const set = (name: string, value: string): string => `(local.set $${name} ${value})`;
export const i32 = (value: number): string => `(i32.const ${value})`;
export const plus = (a: string, b: string): string => `(i32.add ${a} ${b})`;
export const times = (a: string, b: string): string => `(i32.mul ${a} ${b})`;
/** Adds a constant to a local. */
export const bump = (name: string, by: number): string => set(name, plus(get(name), i32(by)));

/** Text of a·b + sum, for vectors: one instruction, rounded once, where the engine has relaxed SIMD. */
export const multiplyAdd =
  (relaxed: boolean, shape: 'f32x4' | 'f64x2' = 'f32x4') =>
  (a: string, b: string, sum: string): string =>
    relaxed ? `(${shape}.relaxed_madd ${a} ${b} ${sum})` : `(${shape}.add (${shape}.mul ${a} ${b}) ${sum})`;

/** Transposes four vectors of four, in the locals x0 … x3 and y0 … y3. */
export function transposeFour(
  load: (row: number) => string,
  store: (row: number, value: string) => string,
): string {
  const shuffle = (a: string, b: string, ...lanes: number[]) =>
    `(i8x16.shuffle ${lanes.flatMap(l => [0, 1, 2, 3].map(byte => 4 * l + byte)).join(' ')} ${get(a)} ${get(b)})`;
  return [
    ...[0, 1, 2, 3].map(r => set(`x${r}`, load(r))),
    set('y0', shuffle('x0', 'x1', 0, 4, 1, 5)),
    set('y1', shuffle('x2', 'x3', 0, 4, 1, 5)),
    set('y2', shuffle('x0', 'x1', 2, 6, 3, 7)),
    set('y3', shuffle('x2', 'x3', 2, 6, 3, 7)),
    store(0, shuffle('y0', 'y1', 0, 1, 4, 5)),
    store(1, shuffle('y0', 'y1', 2, 3, 6, 7)),
    store(2, shuffle('y2', 'y3', 0, 1, 4, 5)),
    store(3, shuffle('y2', 'y3', 2, 3, 6, 7)),
  ].join('\n');
}

/** What `of` gives for 0 to `count` − 1. */
export const each = <T>(count: number, of: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => of(i));

let labels = 0;

/**
 * Runs `body` while the local counts from its value up to `end` (unsigned) in steps; the body may use the local, and counts
 * itself where the step is 0.
 */
export function loopUpTo(name: string, end: string, body: string, step = 1): string {
  const label = `l${labels++}`;
  return `(block $b${label} (loop $${label} (br_if $b${label} (i32.ge_u ${get(name)} ${end})) ${body} ${bump(name, step)} (br $${label})))`;
}

/** Runs `body` for the local from 0 to `count` − 1. */
export const loop = (name: string, count: number, body: string): string =>
  set(name, i32(0)) + loopUpTo(name, i32(count), body);

/** Sets locals `from` and `to` to this thread's contiguous share of `count` items. */
export const share = (from: string, to: string, count: number): string =>
  set(from, `(i32.div_u ${times(get('thread'), i32(count))} ${get('threads')})`) +
  set(to, `(i32.div_u ${times(plus(get('thread'), i32(1)), i32(count))} ${get('threads')})`);

/** The head of `run` with the parameters of the contract and further i32 locals. */
export function runFunction(inputs: number, tables: number, locals: string, body: string): string {
  const parameters = [
    'phase',
    'thread',
    'threads',
    'output',
    ...Array.from({ length: inputs }, (_, i) => `input${i}`),
    ...Array.from({ length: tables }, (_, i) => `table${i}`),
    'scratch',
    'workspace',
  ];
  return `(func (export "run") ${parameters.map(p => `(param $${p} i32)`).join(' ')} ${locals}\n${body})`;
}

export const locals = (type: string, ...names: string[]): string =>
  names.map(n => `(local $${n} ${type})`).join(' ');

/** Byte offset and length of each run of margin in memory order; their bytes are to be zero. */
export function marginRuns(layout: Layout): Int32Array {
  const channels = channelsOf(layout);
  const runs: number[] = [];
  let end = 0;
  for (const start of rowStarts(layout)) {
    if (start > end) runs.push(end * 4, (start - end) * 4);
    end = start + rowLength(layout) * channels;
  }
  const total = elementCount(layout);
  if (total > end) runs.push(end * 4, (total - end) * 4);
  return Int32Array.from(runs);
}

/** Cells of a row along the innermost dimension but the channels. */
export const rowLength = (layout: Layout): number => layout.shape[layout.shape.length - 2] ?? 1;

/** Element offset of the first cell of each row inside the margins, in row-major order. */
export function rowStarts(layout: Layout): number[] {
  const outer = layout.shape.slice(0, -2);
  const pitches = pitchesOf(layout);
  const origin = originOf(layout);
  const channels = channelsOf(layout);
  return Array.from({ length: product(outer) }, (_, row) => {
    let [cell, rest] = [origin, row];
    for (let a = outer.length - 1; a >= 0; a--) {
      cell += (rest % outer[a]) * pitches[a];
      rest = Math.floor(rest / outer[a]);
    }
    return cell * channels;
  });
}

/** Element offset of every cell inside the margins, in row-major order. */
export function cellStarts(layout: Layout): Int32Array {
  const length = rowLength(layout);
  const channels = channelsOf(layout);
  const rows = rowStarts(layout);
  const cells = new Int32Array(rows.length * length);
  rows.forEach((start, r) => {
    for (let i = 0; i < length; i++) cells[r * length + i] = start + i * channels;
  });
  return cells;
}

/** Zeroes the margin runs of table `table` in a tensor (thread 0 does it: margins are small). */
export function zeroMargins(table: number, runs: Int32Array, tensor = 'output'): string {
  if (runs.length === 0) return '';
  const at = (o: number) => `(i32.load offset=${o} ${plus(get(`table${table}`), times(get('m'), i32(8)))})`;
  return `(if (i32.eqz ${get('thread')}) (then ${loop('m', runs.length / 2, `(memory.fill ${plus(get(tensor), at(0))} ${i32(0)} ${at(4)})`)}))`;
}

/** Stores the first `count` (1 to 4) lanes of a vector. */
export const storeLanes = (address: string, offset: number, value: string, count: number): string => {
  const o = (n: number) => (offset + n ? `offset=${offset + n}` : '');
  switch (count) {
    case 4:
      return `(v128.store ${o(0)} align=4 ${address} ${value})`;
    case 3:
      return `(v128.store64_lane ${o(0)} align=4 0 ${address} ${value}) (v128.store32_lane ${o(8)} 2 ${address} ${value})`;
    case 2:
      return `(v128.store64_lane ${o(0)} align=4 0 ${address} ${value})`;
    default:
      return `(v128.store32_lane ${o(0)} 0 ${address} ${value})`;
  }
};

export const splat = (value: number): string =>
  `(v128.const f32x4 ${new Array(4).fill(literal(value)).join(' ')})`;

export const literal = (value: number): string =>
  Number.isNaN(value)
    ? 'nan'
    : value === Number.POSITIVE_INFINITY
      ? 'inf'
      : value === Number.NEGATIVE_INFINITY
        ? '-inf'
        : String(Math.fround(value));
