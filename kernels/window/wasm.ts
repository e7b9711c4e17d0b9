// window as SIMD, a row of results at a time. The taps of a window fall apart into rows of the input (outer dimensions) and
// places along the row, each in its own table, so that tables grow with the rows and with the row, not with the cells. Where
// it can be, the maximum over the rows is taken first, elementwise over whole rows, into a row of scratch. Windows are
// clipped to the input; for the gradient the tables list, per input cell, the windows that contain it.

import { channelsOf, type Layout, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';
import { coordinatesOf } from '../../src/tensor/packed.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
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
  splat,
  storeLanes,
  times,
  zeroMargins,
} from '../wasm-text.ts';
import { isRegular, renderRegular, tapOfMaximum } from './regular.ts';
import type { Window } from './spec.ts';

/** Most threads that take part where rows of scratch are needed. */
const THREADS = 16;
/** Pieces that a row is shared out in where there are few rows. */
const PARTS = 16;

/** Lists of reads, one after the other: the reads of position p are `start[p]` to `start[p + 1]`. */
interface Reads {
  start: number[];
  /** Per read: byte in input 0, byte in input 1, tap number. */
  list: number[];
}

export function renderWindow(call: KernelCall): WasmRendering {
  if (isRegular(call)) return renderRegular(call);
  const kernel = call.kernel as Window;
  const { output, inputs } = call;
  const channels = channelsOf(output);
  const cells = rowLength(output);
  const [across, along] = [readsOfRows(kernel, call), readsAlongRow(kernel, call)];
  const starts = rowStarts(output);
  const rows = starts.length;
  const rowTable = new Int32Array(2 * rows + 2);
  for (let r = 0; r <= rows; r++) rowTable.set([(starts[r] ?? 0) * 4, across.start[r]], 2 * r);

  // The maximum over rows first: worth it where it is over more than one row.
  const first = kernel.kind === 'max' && across.list.length > 3 * rows;
  const parts = !first && rows < PARTS ? Math.min(PARTS, cells) : 1;
  const rowElements = rowLength(inputs[0]) * channels;
  const rowBytes = Math.ceil((rowElements * 4 + 16) / 64) * 64;

  const start = kernel.kind === 'unpool' ? set('s', splat(0)) : '';
  const result = kernel.kind === 'argmax' ? tapOfMaximum(kernel) : get('s');
  const field = (read: string, o: number) => `(i32.load offset=${o} ${get(read)})`;
  const here = plus(plus(get('a'), field('f', 0)), get('c'));
  const tap = `(f32x4.convert_i32x4_s (i32x4.splat ${plus(get('t'), field('f', 8))}))`;
  const value = set('v', `(v128.load align=4 ${here})`);
  const step = {
    max: `${value} ${set('s', maximum)}`,
    argmax: `${value} ${set('better', `(f32x4.lt ${get('s')} ${get('v')})`)}
      ${set('s', `(v128.bitselect ${get('v')} ${get('s')} ${get('better')})`)} ${set('r', `(v128.bitselect ${tap} ${get('r')} ${get('better')})`)}`,
    unpool: `${value} ${set('s', `(f32x4.add ${get('s')} (v128.and ${get('v')} (f32x4.eq ${tap} (v128.load align=4 ${plus(plus(get('b'), field('f', 4)), get('c'))}))))`)}`,
  }[kernel.kind];
  // The first read wins ties, also among −∞: the sums start from it.
  const opening =
    kernel.kind === 'unpool'
      ? start
      : `${set('s', `(v128.load align=4 ${here})`)} ${kernel.kind === 'argmax' ? set('r', tap) : ''}`;
  const columns = `${set('f', get('f0'))} ${loopUpTo('f', get('f1'), step, 12)}`;
  const openRow =
    set('a', plus(get('input0'), field('e', 0))) +
    (kernel.kind === 'unpool' ? set('b', plus(get('input1'), field('e', 4))) : '') +
    set('t', field('e', 8));
  const overRows = `${set('e', get('e0'))} ${loopUpTo('e', get('e1'), `${openRow} ${columns}`, 12)}`;
  const reduced = first
    ? `${set('f', get('f0'))} ${opening} ${columns}`
    : `${set('e', get('e0'))} ${set('f', get('f0'))} ${kernel.kind === 'unpool' ? '' : openRow} ${opening} ${overRows}`;

  const whole = Math.floor(channels / 4) * 16;
  const rest = channels % 4;
  const at = plus(get('y'), get('c'));
  const column = (o: number) => `(i32.load offset=${o} ${plus(get('table2'), times(get('p'), i32(4)))})`;
  const columnAt = (n: string) => plus(get('table3'), times(n, i32(12)));
  const cell = `${set('f0', columnAt(column(0)))} ${set('f1', columnAt(column(4)))} ${set('c', i32(0))}
    ${whole ? loopUpTo('c', i32(whole), `${reduced} ${storeLanes(at, 0, result, 4)}`, 16) : ''}
    ${rest ? `${reduced} ${storeLanes(at, 0, result, rest)}` : ''} ${bump('y', channels * 4)}`;

  const rowAt = (n: string) => plus(get('table1'), times(n, i32(12)));
  const row = (o: number) => `(i32.load offset=${o} ${plus(get('table0'), times(get('row'), i32(8)))})`;
  const joinRows = `${set('z', plus(get('scratch'), times(get('thread'), i32(rowBytes))))} ${set('a', get('z'))} ${set('c', i32(0))}
    ${loopUpTo(
      'c',
      i32(rowElements * 4),
      `${set('e', get('e0'))} ${set('s', `(v128.load align=4 ${plus(plus(get('input0'), field('e', 0)), get('c'))})`)} ${bump('e', 12)}
      ${loopUpTo('e', get('e1'), `${set('v', `(v128.load align=4 ${plus(plus(get('input0'), field('e', 0)), get('c'))})`)} ${set('s', maximum)}`, 12)}
      (v128.store align=4 ${plus(get('z'), get('c'))} ${get('s')})`,
      16,
    )}`;
  const limit = first
    ? `(if (i32.ge_u ${get('thread')} ${i32(THREADS)}) (then (return)))
      (if (i32.gt_u ${get('threads')} ${i32(THREADS)}) (then ${set('threads', i32(THREADS))}))`
    : '';
  const margins = marginRuns(output);
  const body = `${limit} ${zeroMargins(4, margins)} ${share('i', 'to', rows * parts)}
    ${loopUpTo(
      'i',
      get('to'),
      `${set('row', `(i32.div_u ${get('i')} ${i32(parts)})`)} ${set('part', `(i32.rem_u ${get('i')} ${i32(parts)})`)}
      ${set('e0', rowAt(row(4)))} ${set('e1', rowAt(row(12)))} ${first ? joinRows : ''}
      ${set('p', `(i32.div_u ${times(get('part'), i32(cells))} ${i32(parts)})`)}
      ${set('stop', `(i32.div_u ${times(plus(get('part'), i32(1)), i32(cells))} ${i32(parts)})`)}
      ${set('y', plus(plus(get('output'), row(0)), times(get('p'), i32(channels * 4))))}
      ${loopUpTo('p', get('stop'), cell)}`,
    )}`;
  const names = 'i to row part y p stop e e0 e1 f f0 f1 a b t z c m'.split(' ');
  return {
    text: runFunction(
      inputs.length,
      5,
      `${locals('i32', ...names)} ${locals('v128', 's', 'r', 'v', 'better')}`,
      body,
    ),
    tables: [
      rowTable,
      Int32Array.from(across.list),
      Int32Array.from(along.start),
      Int32Array.from(along.list),
      margins,
    ],
    scratch: first ? THREADS * rowBytes : 0,
  };
}

/** s where it is at least v, else v. */
const maximum = `(f32x4.pmax ${get('s')} ${get('v')})`;

/** Where the tap reads along spatial dimension `a` for position `p`; undefined outside the source. */
function placeOf(kernel: Window, source: Layout, a: number, p: number, tap: number): number | undefined {
  const shift = kernel.dilations[a] * tap - kernel.padLow[a];
  const from = kernel.kind === 'unpool' ? (p - shift) / kernel.strides[a] : kernel.strides[a] * p + shift;
  return Number.isInteger(from) && from >= 0 && from < source.shape[a + 1] ? from : undefined;
}

/** Per row of the output (batch and all spatial dimensions but the last): the rows it reads, by tap. */
function readsOfRows(kernel: Window, { inputs, output }: KernelCall): Reads {
  const outer = output.shape.slice(0, -2);
  const taps = tapIndices(kernel.kernelShape.slice(0, -1));
  const width = kernel.kernelShape.at(-1) ?? 1;
  const places = inputs.map(l => ({ origin: originOf(l), pitches: pitchesOf(l), bytes: channelsOf(l) * 4 }));
  const reads: Reads = { start: [0], list: [] };
  for (let r = 0; r < product(outer); r++) {
    const [n, ...at] = coordinatesOf(r, outer);
    taps.forEach((tap, t) => {
      const from = at.map((p, a) => placeOf(kernel, inputs[0], a, p, tap[a]));
      if (from.includes(undefined)) return;
      const bytes = places.map(
        ({ origin, pitches, bytes }) =>
          (origin +
            (n ?? 0) * pitches[0] +
            from.reduce<number>((sum, v, a) => sum + v! * pitches[a + 1], 0)) *
          bytes,
      );
      reads.list.push(bytes[0], bytes[1] ?? 0, t * width);
    });
    reads.start.push(reads.list.length / 3);
  }
  return reads;
}

/** Per cell along a row of the output: the cells it reads along a row. */
function readsAlongRow(kernel: Window, { inputs, output }: KernelCall): Reads {
  const a = kernel.kernelShape.length - 1;
  const bytes = channelsOf(output) * 4;
  const reads: Reads = { start: [0], list: [] };
  for (let p = 0; p < rowLength(output); p++) {
    // Without spatial dimensions the cells of a row are the batch.
    if (a < 0) reads.list.push(p * bytes, p * bytes, 0);
    else
      for (let tap = 0; tap < kernel.kernelShape[a]; tap++) {
        const from = placeOf(kernel, inputs[0], a, p, tap);
        if (from !== undefined) reads.list.push(from * bytes, from * bytes, tap);
      }
    reads.start.push(reads.list.length / 3);
  }
  return reads;
}
