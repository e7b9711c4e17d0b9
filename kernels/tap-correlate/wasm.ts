// tap-correlate as register-blocked SIMD: a tile of the result stays in registers while cells stream by (tiles.ts).
// Cells are cut into a fixed number of parts (cells.ts); each part sums into its own copy of the result in scratch, and
// a second phase adds the parts in order and in double precision, so that threads do not change the result. Within a
// part all tiles pass over a block of cells that stays in the cache, going on from the sums of the block before. Blocks
// of many channels are put aside first, 16 channels of all cells side by side: cells a page apart would share a set of
// the cache. Copies of the result lie tile by tile, in the order of the tiles. Of a symmetric result one triangle is
// summed; the second phase mirrors it.

import { product } from '../../src/tensor/layout.ts';
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
import { cellsOf, packedCells } from './cells.ts';
import { asideOf, UNPACKED } from './pack.ts';
import type { TapCorrelate } from './spec.ts';
import { tileFunction, tilesOf } from './tiles.ts';

/** Pieces of work for each of several threads at least. */
const PIECES = 8;

/** Channels of both tensors from which blocks are packed, and cells of the tensor at least. */
const MANY = { most: 256, least: 64, cells: 48 };

export function renderTapCorrelate(call: KernelCall, target: WasmTarget): WasmRendering {
  const { symmetric, groups: split } = call.kernel as TapCorrelate;
  const [I, J] = call.output.shape.slice(-2);
  const many = split === 1 && Math.max(I, J) >= MANY.most && Math.min(I, J) >= MANY.least;
  const enough = product(call.inputs[1].shape.slice(0, -1)) >= MANY.cells;
  const packed = many && enough ? packedCells(call, product(call.output.shape) * 4) : undefined;
  const { tiles, shapes } = tilesOf(call, target, packed?.packing.room);
  const vectorsOf = (lanes: number) => Math.ceil(lanes / 4);
  const sizes = tiles.map(({ shape }) => shapes[shape].rows.length * vectorsOf(shapes[shape].lanes) * 16);
  const size = sizes.reduce((sum, s) => sum + s, 0);
  const { runs, steps, parts: ranges, block } = packed ?? cellsOf(call, size);
  const parts = ranges.length - 1;
  // With a single part the tiles are written where they belong.
  const direct = parts === 1 && !symmetric;

  let scratch = 0;
  const table = tiles.flatMap(({ a, b, row, column, shape }, u) => {
    const [there, mirrored] = [(row * J + column) * 4, (column * J + row) * 4];
    const at = scratch;
    scratch += sizes[u];
    return [
      a,
      b,
      direct ? there : at,
      shape,
      there,
      mirrored,
      shapes[shape].rows.length,
      shapes[shape].lanes,
    ];
  });
  const tileAt = (word: number) => `(i32.load offset=${word * 4} ${get('u')})`;

  const lengths = [...new Set(runs.filter((_, i) => i % 3 === 2))];
  const functions = shapes.map((shape, n) =>
    tileFunction(`tile${n}`, shape, steps, direct ? J * 4 : vectorsOf(shape.lanes) * 16, lengths, target),
  );
  const dispatch = shapes
    .map(
      (_, n) =>
        `(if (i32.eq ${get('s')} ${i32(n)}) (then (call $tile${n} ${plus(get('a'), tileAt(0))} ${plus(get('b'), tileAt(1))} ${plus(get('d'), tileAt(2))} ${get('f')} ${get('e')} ${get('more')})))`,
    )
    .join('');
  // A piece is a part of the cells and a group of tiles; fewer groups read the cells less often.
  const { threads = 1 } = target;
  const groups = threads > 1 ? Math.min(tiles.length, Math.ceil((PIECES * threads) / parts)) : 1;
  const runOf = (part: string) =>
    plus(get('table0'), times(`(i32.load ${plus(get('table2'), times(part, i32(4)))})`, i32(12)));
  const tileOf = (group: string) =>
    plus(get('table1'), times(`(i32.div_u ${times(group, i32(tiles.length))} ${i32(groups)})`, i32(32)));
  const { aside, own, functions: packers, workspace } = packed ? asideOf(call, packed.packing) : UNPACKED;
  // Groups of a part that follow each other are one walk over its blocks.
  const sums = `${own} ${share('i', 'to', groups * parts)}
    ${loopUpTo(
      'i',
      get('to'),
      `${set('p', `(i32.div_u ${get('i')} ${i32(groups)})`)} ${set('g', `(i32.rem_u ${get('i')} ${i32(groups)})`)}
      ${set('last', plus(get('g'), `(i32.sub ${get('to')} ${get('i')})`))}
      ${set('last', `(select ${get('last')} ${i32(groups)} (i32.lt_u ${get('last')} ${i32(groups)}))`)}
      ${set('i', plus(get('i'), `(i32.sub ${get('last')} ${get('g')})`))}
      ${set('d', direct ? get('output') : plus(get('scratch'), times(get('p'), i32(size))))}
      ${set('f', runOf(get('p')))} ${set('l', runOf(plus(get('p'), i32(1))))} ${set('more', i32(0))}
      ${loopUpTo(
        'f',
        get('l'),
        `${set('e', plus(get('f'), i32(block * 12)))} ${set('e', `(select ${get('e')} ${get('l')} (i32.lt_u ${get('e')} ${get('l')}))`)}
        ${aside} ${set('u', tileOf(get('g')))} ${set('v', tileOf(get('last')))}
        ${loopUpTo('u', get('v'), `${set('s', tileAt(3))} ${dispatch}`, 32)}
        ${set('more', i32(1))}`,
        block * 12,
      )}`,
      0,
    )}`;

  const widths = [...new Set(shapes.map(s => s.lanes))];
  const finish = widths
    .map(
      lanes =>
        `(if (i32.eq ${tileAt(7)} ${i32(lanes)}) (then (call $finish${lanes} ${plus(get('scratch'), tileAt(2))} ${plus(get('output'), tileAt(4))} ${plus(get('output'), tileAt(5))} ${tileAt(6)})))`,
    )
    .join('');
  const results = `${share('i', 'to', tiles.length)} ${loopUpTo(
    'i',
    get('to'),
    `${set('u', plus(get('table1'), times(get('i'), i32(32))))} ${finish}`,
  )}`;
  const finishing = direct ? [] : widths.map(lanes => finishFunction(lanes, J, parts, size, symmetric));
  return {
    text: `${[...functions, ...packers, ...finishing].join('\n')}\n${runFunction(
      2,
      packed ? 4 : 3,
      locals('i32', 'a', 'b', 'i', 'to', 'p', 'g', 'last', 'd', 's', 'f', 'l', 'e', 'u', 'v', 'more'),
      direct ? sums : `(if (i32.eqz ${get('phase')}) (then ${sums}) (else ${results}))`,
    )}`,
    tables: [runs, Int32Array.from(table), ranges, ...(packed ? [packed.packing.sources] : [])],
    scratch: direct ? 0 : parts * size,
    workspace,
    phases: direct ? 1 : 2,
  };
}

// A function `$finish (s, d, m, rows)`: adds the parts of a tile, `bytes` apart, the first at `s`, in double precision, and
// writes it at `d`, and mirrored at `m` where the result is symmetric. What lies below the diagonal in a tile is what the
// tile above it has, to the bit.
function finishFunction(lanes: number, J: number, parts: number, bytes: number, symmetric: boolean): string {
  const vectors = Math.ceil(lanes / 4);
  const halves = Array.from({ length: 2 * vectors }, (_, h) => ({ name: `h${h}`, h }));
  const two = (at: string, h: number) =>
    `(f64x2.promote_low_f32x4 (v128.load64_zero offset=${8 * h} align=4 ${get(at)}))`;
  const added = halves.map(({ name, h }) => set(name, `(f64x2.add ${get(name)} ${two('q', h)})`)).join('\n');
  const four = (v: number) =>
    `(i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (f32x4.demote_f64x2_zero ${get(`h${2 * v}`)}) (f32x4.demote_f64x2_zero ${get(`h${2 * v + 1}`)}))`;
  const stores = Array.from({ length: vectors }, (_, v) => {
    const there = Math.min(4, lanes - 4 * v);
    const mirror = Array.from(
      { length: symmetric ? there : 0 },
      (_, lane) => `(v128.store32_lane offset=${(4 * v + lane) * J * 4} ${lane} ${get('m')} ${get('x')})`,
    );
    return `${set('x', four(v))} ${storeLanes(get('d'), 16 * v, get('x'), there)} ${mirror.join(' ')}`;
  });
  return `(func $finish${lanes} (param $s i32) (param $d i32) (param $m i32) (param $rows i32)
    ${locals('i32', 'q', 'p')} ${locals('v128', 'x', ...halves.map(({ name }) => name))}
    (loop $each
      ${halves.map(({ name, h }) => set(name, two('s', h))).join('\n')}
      ${parts > 1 ? `${set('q', get('s'))} ${loop('p', parts - 1, `${bump('q', bytes)} ${added}`)}` : ''}
      ${stores.join('\n')}
      ${bump('s', vectors * 16)} ${bump('d', J * 4)} ${bump('m', 4)}
      (br_if $each (local.tee $rows (i32.sub ${get('rows')} ${i32(1)})))))`;
}
