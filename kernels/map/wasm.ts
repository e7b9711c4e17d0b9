// map as SIMD: rows of cells × channels. Where every input either has both inner dimensions or neither, a row is one flat
// run; otherwise vectors run along the channels, cell by cell. Tails are computed as whole vectors (reading a little past
// the end is allowed) and stored lane by lane. Several expressions of one shape are computed in one pass over memory.

import type { Layout } from '../../src/tensor/layout.ts';
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
import type { Expr } from './expr.ts';
import { broadcastRows, movementOf } from './rows.ts';
import type { MapKernel } from './spec.ts';
import { vectorExpr, vectorFunctions } from './wasm-expr.ts';

/** Longest flat run, so that long rows are shared between threads. */
const RUN = 8192;

/** One result of a pass: an expression over the inputs x0 … and, behind them, the results before it. */
export interface MapResult {
  readonly expr: Expr;
  /** Where it is stored; absent where only later results read it. */
  readonly output?: Layout;
}

export const renderMap = ({ kernel, inputs, output }: KernelCall): WasmRendering =>
  renderMaps(inputs, [{ expr: (kernel as MapKernel).expr, output }], output.shape);

/**
 * Several maps of shape `full` in one pass. The kernel's parameters are all the outputs, then the inputs: those of the
 * contract, in that order. An output may lie in the bytes of an input of the same layout.
 */
export function renderMaps(
  inputs: readonly Layout[],
  results: readonly MapResult[],
  full: readonly number[],
): WasmRendering {
  const rank = full.length;
  const channels = full[rank - 1];
  const cells = rank > 1 ? full[rank - 2] : 1;
  const moves = inputs.map(l => movementOf(l, full));
  const both = (m: { cells: number; channels: number }) =>
    (m.cells === 1 || cells === 1) && (m.channels === 1 || channels === 1);
  const neither = (_: unknown, i: number) =>
    inputs[i].shape[rank - 1] === 1 && (rank < 2 || inputs[i].shape[rank - 2] === 1);
  const flat = moves.every((m, i) => both(m) || neither(m, i));

  const stored = results.flatMap(({ output }, r) =>
    output ? [{ output, value: `x${inputs.length + r}` }] : [],
  );
  const tensors = [
    'output',
    ...Array.from({ length: stored.length + inputs.length - 1 }, (_, i) => `input${i}`),
  ];
  const rows = [...stored.map(s => s.output), ...inputs].map(l => broadcastRows(l, full));
  const stride = 1 + tensors.length;
  const table: number[] = [];
  const step = flat ? RUN : Math.max(1, Math.floor(RUN / channels));
  const length = flat ? cells * channels : cells;
  for (let row = 0; row < rows[0].length; row++)
    for (let p = 0; p < length; p += step) {
      table.push(Math.min(step, length - p));
      for (const [o] of stored.entries()) table.push((rows[o][row] + p * (flat ? 1 : channels)) * 4);
      for (const [i, m] of moves.entries()) {
        const perCell = inputs[i].shape[rank - 1];
        const moved = flat ? (neither(m, i) ? 0 : p) : m.cells && cells > 1 ? p * perCell : 0;
        table.push((rows[stored.length + i][row] + moved) * 4);
      }
    }
  const at = (n: number) =>
    `(i32.load offset=${n * 4} ${plus(get('table0'), times(get('i'), i32(stride * 4)))})`;
  const pointers = [...stored.map((_, o) => `y${o}`), ...inputs.map((_, i) => `a${i}`)];
  const start = set('n', at(0)) + pointers.map((p, t) => set(p, plus(get(tensors[t]), at(1 + t)))).join('');
  const store = (count: number) =>
    stored.map(({ value }, o) => storeLanes(get(`y${o}`), 0, get(value), count)).join('');
  const ahead = (bytes: number) => stored.map((_, o) => bump(`y${o}`, bytes)).join('');

  const load = (i: number, moving: boolean) =>
    set(`x${i}`, `(${moving ? 'v128.load align=4' : 'v128.load32_splat'} ${get(`a${i}`)})`);
  const compute = results.map(({ expr }, r) => set(`x${inputs.length + r}`, vectorExpr(expr))).join('');
  let body: string;
  if (flat) {
    const moving = moves.map((m, i) => !neither(m, i));
    const loads = moves.map((_, i) => load(i, moving[i])).join('');
    const advance = ahead(16) + moves.map((_, i) => (moving[i] ? bump(`a${i}`, 16) : '')).join('');
    const tail = [1, 2, 3].map(k => `(if (i32.eq ${get('k')} ${i32(k)}) (then ${store(k)}))`).join('');
    body = `${set('k', i32(0))} ${set('end', `(i32.and ${get('n')} ${i32(-4)})`)}
      ${loopUpTo('k', get('end'), `${loads} ${compute} ${store(4)} ${advance}`, 4)}
      ${set('k', `(i32.and ${get('n')} ${i32(3)})`)} (if ${get('k')} (then ${loads} ${compute} ${tail}))`;
  } else {
    // Per cell: vectors along the channels.
    const along = moves.map(m => m.channels === 1 && channels > 1);
    const perCell = inputs.map(l => l.shape[rank - 1]);
    const loads = moves.map((_, i) => load(i, along[i])).join('');
    const vectors = Math.floor(channels / 4);
    const advance = ahead(16) + moves.map((_, i) => (along[i] ? bump(`a${i}`, 16) : '')).join('');
    const rest = channels % 4;
    // After the vectors each pointer goes to the next cell (or back, where cells are broadcast).
    const finish =
      ahead(rest * 4) +
      moves
        .map((m, i) => {
          const gone = along[i] ? vectors * 16 : 0;
          const wanted = m.cells && cells > 1 ? perCell[i] * 4 : 0;
          return wanted === gone ? '' : bump(`a${i}`, wanted - gone);
        })
        .join('');
    const inner =
      (vectors > 0 ? loop('k', vectors, `${loads} ${compute} ${store(4)} ${advance}`) : '') +
      (rest > 0 ? `${loads} ${compute} ${store(rest)}` : '');
    body = `${set('c', i32(0))} ${loopUpTo('c', get('n'), inner + finish)}`;
  }
  const margins = stored.map(({ output }) => marginRuns(output));
  const zeros = margins.map((runs, o) => zeroMargins(1 + o, runs, tensors[o])).join('');
  const names = ['i', 'to', 'n', 'k', 'c', 'm', 'end', ...pointers];
  const values = [...inputs, ...results].map((_, i) => `x${i}`);
  const run = `${zeros} ${share('i', 'to', table.length / stride)} ${loopUpTo('i', get('to'), start + body)}`;
  return {
    text: `${vectorFunctions(...results.map(r => r.expr))}\n${runFunction(tensors.length - 1, 1 + stored.length, `${locals('i32', ...names)} ${locals('v128', ...values)}`, run)}`,
    tables: [Int32Array.from(table), ...margins],
  };
}
