// tap-correlate as register-blocked SIMD: a tile of rows (channels of A) × vectors (channels of B) of sums stays in
// registers while cells stream by. Cells are cut into a fixed number of parts; each part sums into its own copy of the
// result in scratch, and a second phase adds the parts in order, so that threads do not change the result. Within a part
// all tiles pass over a block of cells that stays in the cache, going on from the sums of the block before.

import { channelsOf, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { KernelCall } from '../kernel.ts';
import type { WasmRendering, WasmTarget } from '../wasm.ts';
import {
  bump,
  get,
  i32,
  locals,
  loop,
  loopUpTo,
  plus,
  runFunction,
  set,
  share,
  storeLanes,
  times,
} from '../wasm-text.ts';
import type { TapCorrelate } from './spec.ts';

const MAX_PARTS = 16;
/** Cells of a part at least, so that adding the parts stays small beside summing them. */
const PART = 512;
const MAX_SCRATCH = 32 * 1024 * 1024;
const CHUNK = 64;
/** Bytes of A and B that all tiles pass over before the next are taken. */
const BLOCK = 96 * 1024;
/** Pieces of work at least, so that threads have equal shares. */
const PIECES = 32;

export function renderTapCorrelate(call: KernelCall, target: WasmTarget): WasmRendering {
  const kernel = call.kernel as TapCorrelate;
  const [a, b] = call.inputs;
  const [I, J] = call.output.shape.slice(-2);
  const [CA, CB] = [channelsOf(a), channelsOf(b)];
  const perGroup = J / kernel.groups;
  const rows = target.relaxed ? 6 : 4;
  const vectors = target.wide ? 4 : 2;
  const size = product(call.output.shape);

  // Chunks of cells: [byte in A, byte in B, cells].
  const [pa, pb] = [pitchesOf(a), pitchesOf(b)];
  const sizes = b.shape.slice(0, -1);
  const inSteps = [pa[0], ...kernel.strides.map((s, d) => s * pa[d + 1])];
  const first = originOf(a) - kernel.padLow.reduce((sum, p, d) => sum + p * pa[d + 1], 0);
  const chunks: number[] = [];
  const length = sizes.at(-1)!;
  for (const at of tapIndices(sizes.slice(0, -1)))
    for (let p = 0; p < length; p += CHUNK) {
      const [i, o] = [...at, p].reduce(
        ([i, o], v, d) => [i + v * inSteps[d], o + v * pb[d]],
        [first, originOf(b)],
      );
      chunks.push(i * CA * 4, o * CB * 4, Math.min(CHUNK, length - p));
    }
  const count = chunks.length / 3;
  const worth = Math.ceil(product(sizes) / PART);
  const parts = Math.max(1, Math.min(MAX_PARTS, count, worth, Math.floor(MAX_SCRATCH / (size * 4))));
  // A symmetric result is summed where a tile reaches the upper triangle; the second phase mirrors it.
  const direct = parts === 1 && !kernel.symmetric;
  const ranges = Array.from({ length: parts + 1 }, (_, p) => Math.floor((p * count) / parts));

  // Tiles: [byte in A of tap and rows, byte in B of columns, byte in the result, shape of tile].
  const shapes: { rows: number; lanes: number }[] = [];
  const shapeOf = (m: number, n: number) => {
    const found = shapes.findIndex(s => s.rows === m && s.lanes === n);
    return found >= 0 ? found : shapes.push({ rows: m, lanes: n }) - 1;
  };
  const tiles: number[] = [];
  tapIndices(kernel.kernelShape).forEach((tap, t) => {
    const cell = tap.reduce((sum, v, d) => sum + v * kernel.dilations[d] * pa[d + 1], 0);
    for (let g = 0; g < kernel.groups; g++)
      for (let i = 0; i < I; i += rows)
        for (let j = 0; j < perGroup; j += vectors * 4) {
          if (kernel.symmetric && j + vectors * 4 <= i) continue;
          tiles.push(
            (cell * CA + g * I + i) * 4,
            (g * perGroup + j) * 4,
            ((t * I + i) * J + g * perGroup + j) * 4,
            shapeOf(Math.min(rows, I - i), Math.min(vectors * 4, perGroup - j)),
          );
        }
  });
  const tileCount = tiles.length / 4;
  const groups = Math.min(tileCount, Math.ceil(PIECES / parts));
  const blockChunks = Math.max(1, Math.floor(BLOCK / ((CA + CB) * 4 * Math.min(CHUNK, length))));
  const stepIn = (inSteps.at(-1) ?? 0) * CA * 4;
  const stepB = CB * 4;
  const functions = shapes.map((s, n) => tile(n, s.rows, s.lanes, stepIn, stepB, J, target));

  const tileAt = (o: number) => `(i32.load offset=${o} ${get('u')})`;
  const dispatch = shapes
    .map(
      (_, n) =>
        `(if (i32.eq ${get('s')} ${i32(n)}) (then (call $tile${n} ${plus(get('input0'), tileAt(0))} ${plus(get('input1'), tileAt(4))} ${plus(get('d'), tileAt(8))} ${get('f')} ${get('e')} ${get('more')})))`,
    )
    .join('');
  const target0 = direct ? get('output') : plus(get('scratch'), times(get('p'), i32(size * 4)));
  const rangeAt = (o: number) =>
    plus(
      get('table0'),
      times(`(i32.load offset=${o} ${plus(get('table2'), times(get('p'), i32(4)))})`, i32(12)),
    );
  const tileOf = (g: string) =>
    plus(get('table1'), times(`(i32.div_u ${times(g, i32(tileCount))} ${i32(groups)})`, i32(16)));
  // A piece is a part of the cells and a group of tiles.
  const firstPhase = `${share('i', 'to', groups * parts)} ${loopUpTo(
    'i',
    get('to'),
    `
    ${set('p', `(i32.div_u ${get('i')} ${i32(groups)})`)} ${set('g', `(i32.rem_u ${get('i')} ${i32(groups)})`)} ${set('d', target0)}
    ${set('f', rangeAt(0))} ${set('l', rangeAt(4))} ${set('more', i32(0))}
    ${loopUpTo(
      'f',
      get('l'),
      `${set('e', plus(get('f'), i32(blockChunks * 12)))} ${set('e', `(select ${get('e')} ${get('l')} (i32.lt_u ${get('e')} ${get('l')}))`)}
      ${set('u', tileOf(get('g')))} ${set('v', tileOf(plus(get('g'), i32(1))))}
      ${loopUpTo('u', get('v'), `${set('s', tileAt(12))} ${dispatch}`, 16)}
      ${set('more', i32(1))}`,
      blockChunks * 12,
    )}`,
  )}`;
  const [row, column] = [`(i32.div_u ${get('i')} ${i32(J)})`, `(i32.rem_u ${get('i')} ${i32(J)})`];
  const source = kernel.symmetric
    ? `(if (result i32) (i32.gt_u ${row} ${column}) (then ${plus(times(column, i32(J)), row)}) (else ${get('i')}))`
    : get('i');
  const secondPhase = direct
    ? ''
    : `${share('i', 'to', size)} ${loopUpTo(
        'i',
        get('to'),
        `
    ${set('sum', '(f64.const 0)')} ${set('d', plus(get('scratch'), times(source, i32(4))))}
    ${loop('p', parts, `${set('sum', `(f64.add ${get('sum')} (f64.promote_f32 (f32.load ${get('d')})))`)} ${bump('d', size * 4)}`)}
    (f32.store ${plus(get('output'), times(get('i'), i32(4)))} (f32.demote_f64 ${get('sum')}))`,
      )}`;
  return {
    text: `${functions.join('\n')}\n${runFunction(
      2,
      3,
      `${locals('i32', 'i', 'to', 'p', 'g', 'd', 's', 'f', 'l', 'e', 'u', 'v', 'more')} ${locals('f64', 'sum')}`,
      `(if (i32.eqz ${get('phase')}) (then ${firstPhase}) (else ${secondPhase}))`,
    )}`,
    tables: [Int32Array.from(chunks), Int32Array.from(tiles), Int32Array.from(ranges)],
    scratch: direct ? 0 : parts * size * 4,
    phases: 2,
  };
}

// Sums over the chunks from `f` to `l` of the table into rows × lanes of the result, or adds to them where there are `more`.
function tile(
  n: number,
  rows: number,
  lanes: number,
  stepIn: number,
  stepB: number,
  J: number,
  target: WasmTarget,
): string {
  const vectors = Math.ceil(lanes / 4);
  const sums = Array.from({ length: rows * vectors }, (_, i) => `s${i}`);
  const madd = (x: string, w: string, s: string) =>
    target.relaxed ? `(f32x4.relaxed_madd ${x} ${w} ${s})` : `(f32x4.add (f32x4.mul ${x} ${w}) ${s})`;
  let inner = '';
  for (let v = 0; v < vectors; v++) inner += set(`w${v}`, `(v128.load offset=${16 * v} align=4 ${get('b')})`);
  for (let i = 0; i < rows; i++) {
    inner += set('x', `(v128.load32_splat offset=${4 * i} ${get('a')})`);
    for (let v = 0; v < vectors; v++)
      inner += set(`s${i * vectors + v}`, madd(get('x'), get(`w${v}`), get(`s${i * vectors + v}`)));
  }
  const before = sums
    .map((sum, i) => {
      const [row, v] = [Math.floor(i / vectors), i % vectors];
      return set(sum, loadLanes(get('r'), (row * J + 4 * v) * 4, Math.min(4, lanes - 4 * v)));
    })
    .join(' ');
  let stores = '';
  for (let i = 0; i < rows; i++)
    for (let v = 0; v < vectors; v++)
      stores += storeLanes(
        get('r'),
        (i * J + 4 * v) * 4,
        get(`s${i * vectors + v}`),
        Math.min(4, lanes - 4 * v),
      );
  return `(func $tile${n} (param $at i32) (param $bt i32) (param $r i32) (param $f i32) (param $l i32) (param $more i32)
    ${locals('i32', 'a', 'b', 'n')} ${locals('v128', 'x', ...sums, ...Array.from({ length: vectors }, (_, v) => `w${v}`))}
    (if ${get('more')} (then ${before}))
    ${loopUpTo(
      'f',
      get('l'),
      `
      ${set('a', plus(get('at'), `(i32.load ${get('f')})`))} ${set('b', plus(get('bt'), `(i32.load offset=4 ${get('f')})`))} ${set('n', `(i32.load offset=8 ${get('f')})`)}
      (loop $cells ${inner} ${bump('a', stepIn)} ${bump('b', stepB)} (br_if $cells (local.tee $n (i32.sub ${get('n')} ${i32(1)}))))`,
      12,
    )}
    ${stores})`;
}

// The first `count` lanes of a vector; the others come from what lies behind, or are zero, and are never stored.
const loadLanes = (address: string, offset: number, count: number): string => {
  const at = `offset=${offset} align=4 ${address}`;
  if (count > 2) return `(v128.load ${at})`;
  return count === 2 ? `(v128.load64_zero ${at})` : `(v128.load32_zero ${at})`;
};
