// map as SIMD: rows of cells × channels. Where every input either has both inner dimensions or neither, a row is one flat
// run; otherwise vectors run along the channels, cell by cell. Tails are computed as whole vectors (reading a little past
// the end is allowed) and stored lane by lane.

import type { KernelCall } from '../kernel.ts';
import type { WasmRendering } from '../wasm.ts';
import {
  bump,
  get,
  i32,
  locals,
  loop,
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
import { broadcastRows, movementOf } from './rows.ts';
import type { MapKernel } from './spec.ts';
import { vectorExpr, vectorFunctions } from './wasm-expr.ts';

/** Longest flat run, so that long rows are shared between threads. */
const RUN = 8192;

export function renderMap(call: KernelCall): WasmRendering {
  const { expr } = call.kernel as MapKernel;
  const full = call.output.shape;
  const rank = full.length;
  const channels = full[rank - 1];
  const cells = rank > 1 ? full[rank - 2] : 1;
  const moves = call.inputs.map(l => movementOf(l, full));
  const both = (m: { cells: number; channels: number }) =>
    (m.cells === 1 || cells === 1) && (m.channels === 1 || channels === 1);
  const neither = (_: unknown, i: number) =>
    call.inputs[i].shape[rank - 1] === 1 && (rank < 2 || call.inputs[i].shape[rank - 2] === 1);
  const flat = moves.every((m, i) => both(m) || neither(m, i));

  const outRows = broadcastRows(call.output, full);
  const inRows = call.inputs.map(l => broadcastRows(l, full));
  const stride = 2 + call.inputs.length;
  const table: number[] = [];
  const step = flat ? RUN : Math.max(1, Math.floor(RUN / channels));
  const length = flat ? cells * channels : cells;
  for (let row = 0; row < outRows.length; row++)
    for (let p = 0; p < length; p += step) {
      const unit = flat ? 1 : channels;
      table.push((outRows[row] + p * unit) * 4, Math.min(step, length - p));
      for (const [i, m] of moves.entries()) {
        const perCell = call.inputs[i].shape[rank - 1];
        const moved = flat ? (neither(m, i) ? 0 : p) : m.cells && cells > 1 ? p * perCell : 0;
        table.push((inRows[i][row] + moved) * 4);
      }
    }
  const at = (n: number) =>
    `(i32.load offset=${n * 4} ${plus(get('table0'), times(get('i'), i32(stride * 4)))})`;
  const start =
    set('y', plus(get('output'), at(0))) +
    set('n', at(1)) +
    moves.map((_, i) => set(`a${i}`, plus(get(`input${i}`), at(2 + i)))).join('');

  const load = (i: number, moving: boolean) =>
    set(`x${i}`, `(${moving ? 'v128.load align=4' : 'v128.load32_splat'} ${get(`a${i}`)})`);
  const compute = set('r', vectorExpr(expr));
  let body: string;
  if (flat) {
    const moving = moves.map((m, i) => !neither(m, i));
    const loads = moves.map((_, i) => load(i, moving[i])).join('');
    const advance = bump('y', 16) + moves.map((_, i) => (moving[i] ? bump(`a${i}`, 16) : '')).join('');
    const tail = [1, 2, 3]
      .map(k => `(if (i32.eq ${get('k')} ${i32(k)}) (then ${storeLanes(get('y'), 0, get('r'), k)}))`)
      .join('');
    body = `${set('k', i32(0))} ${set('end', `(i32.and ${get('n')} ${i32(-4)})`)}
      ${loopUpTo('k', get('end'), `${loads} ${compute} ${storeLanes(get('y'), 0, get('r'), 4)} ${advance}`, 4)}
      ${set('k', `(i32.and ${get('n')} ${i32(3)})`)} (if ${get('k')} (then ${loads} ${compute} ${tail}))`;
  } else {
    // Per cell: vectors along the channels.
    const along = moves.map(m => m.channels === 1 && channels > 1);
    const perCell = call.inputs.map(l => l.shape[rank - 1]);
    const loads = moves.map((_, i) => load(i, along[i])).join('');
    const vectors = Math.floor(channels / 4);
    const advance = bump('y', 16) + moves.map((_, i) => (along[i] ? bump(`a${i}`, 16) : '')).join('');
    const rest = channels % 4;
    // After the vectors each pointer goes to the next cell (or back, where cells are broadcast).
    const finish =
      bump('y', rest * 4) +
      moves
        .map((m, i) => {
          const gone = along[i] ? vectors * 16 : 0;
          const wanted = m.cells && cells > 1 ? perCell[i] * 4 : 0;
          return wanted === gone ? '' : bump(`a${i}`, wanted - gone);
        })
        .join('');
    const inner =
      (vectors > 0
        ? loop('k', vectors, `${loads} ${compute} ${storeLanes(get('y'), 0, get('r'), 4)} ${advance}`)
        : '') + (rest > 0 ? `${loads} ${compute} ${storeLanes(get('y'), 0, get('r'), rest)}` : '');
    body = `${set('c', i32(0))} ${loopUpTo('c', get('n'), inner + finish)}`;
  }
  const runs = marginRuns(call.output);
  const names = ['i', 'to', 'y', 'n', 'k', 'c', 'm', 'end', ...moves.map((_, i) => `a${i}`)];
  const run = `${zeroMargins(1, runs)} ${share('i', 'to', table.length / stride)} ${loopUpTo('i', get('to'), start + body)}`;
  return {
    text: `${vectorFunctions(expr)}\n${runFunction(moves.length, 2, `${locals('i32', ...names)} ${locals('v128', 'r', ...moves.map((_, i) => `x${i}`))}`, run)}`,
    tables: [Int32Array.from(table), runs],
  };
}
