// reduce as SIMD. The work is cut into units: a fixed number of pieces per row of outputs (all dimensions but the last
// two), each a list of input rows summed in order; a second phase adds the pieces of a row in order. Neither depends on
// the threads. Sums run four wide in f32 within a row and in f64 across rows.

import type { KernelCall } from '../kernel.ts';
import { broadcastRows, movementOf } from '../map/rows.ts';
import { vectorExpr, vectorFunctions } from '../map/wasm-expr.ts';
import type { WasmRendering } from '../wasm.ts';
import {
  bump,
  get,
  i32,
  literal,
  locals,
  loop,
  loopUpTo,
  marginRuns,
  plus,
  runFunction,
  set,
  share,
  splat,
  times,
  zeroMargins,
} from '../wasm-text.ts';
import { fullShape, type Reduce } from './spec.ts';

/** Most cells summed in f32 before going to f64, and most elements these should be: they are read from the first cache. */
const CELLS = 512;
const BLOCK = 4096;
/** Most elements of a flat run summed in f32, sixteen partial sums wide, before going to f64. */
const FLAT = 4096;
/** Vectors of channels summed side by side: all where they are few, so that memory is read in order; else a cache line. */
const groupOf = (vectors: number) => (vectors <= 16 ? Math.max(1, vectors) : 4);
/** Vectors of a flat run summed side by side. */
const WIDTH = 4;
/** Most pieces a row of outputs is cut into. */
const PIECES = 16;
/** Pieces in all that keep every thread busy; beyond them pieces only cost scratch. */
const UNITS = 64;

export function renderReduce(call: KernelCall): WasmRendering {
  const { kind, expr } = call.kernel as Reduce;
  // Rank 1 is rank 2 with one cell.
  const lift = <T extends { shape: readonly number[]; margin: readonly any[] }>(l: T) =>
    l.shape.length > 1 ? l : { shape: [1, ...l.shape], margin: [[0, 0] as const] };
  const inputs = call.inputs.map(lift);
  const output = lift(call.output);
  const full = fullShape(inputs.map(l => l.shape));
  const rank = full.length;
  const [cells, channels] = full.slice(-2);
  const [outCells, outChannels] = output.shape.slice(-2);
  const sumCells = outCells === 1;
  const sumChannels = outChannels === 1 && channels > 1;
  const moves = inputs.map(l => movementOf(l, full));

  // Flat: a whole row goes to one number and every input either moves with the elements of the row or not at all.
  const still = inputs.map(l => l.shape[rank - 1] === 1 && l.shape[rank - 2] === 1);
  const moving = moves.map(m => (m.cells === 1 || cells === 1) && (m.channels === 1 || channels === 1));
  const flat = sumCells && outChannels === 1 && moves.every((_, i) => still[i] || moving[i]);

  // Input rows by the output row they go to; long rows are split.
  const outRows = broadcastRows(output, full);
  const inRows = inputs.map(l => broadcastRows(l, full));
  const byOutput = new Map<number, number[]>();
  const length = flat ? cells * channels : cells;
  const span = flat ? FLAT : sumCells ? Math.min(CELLS, Math.max(16, Math.floor(BLOCK / channels))) : cells;
  const gone = (i: number, p: number) =>
    flat ? (still[i] ? 0 : p) : moves[i].cells && cells > 1 ? p * inputs[i].shape[rank - 1] : 0;
  for (let row = 0; row < outRows.length; row++)
    for (let p = 0; p < length; p += span) {
      const entry = [Math.min(span, length - p), ...moves.map((_, i) => (inRows[i][row] + gone(i, p)) * 4)];
      const list = byOutput.get(outRows[row]);
      if (list) list.push(...entry);
      else byOutput.set(outRows[row], entry);
    }
  const stride = 1 + moves.length;
  const width = (sumCells ? 1 : cells) * outChannels;
  const entries: number[] = [];
  const units: number[] = [];
  const outputs: number[] = [];
  for (const [out, list] of byOutput) {
    const count = list.length / stride;
    const pieces = Math.min(PIECES, count, Math.ceil(UNITS / byOutput.size));
    outputs.push(out * 4, units.length / 2, pieces);
    for (let piece = 0; piece < pieces; piece++) {
      const [from, to] = [Math.floor((piece * count) / pieces), Math.floor(((piece + 1) * count) / pieces)];
      units.push(entries.length / stride, entries.length / stride + to - from);
      entries.push(...list.slice(from * stride, to * stride));
    }
  }

  const join = (a: string, b: string) => `(f32x4.${kind === 'sum' ? 'add' : 'max'} ${a} ${b})`;
  const joinWide = (a: string, b: string) => `(f64.${kind === 'sum' ? 'add' : 'max'} ${a} ${b})`;
  const neutral = kind === 'sum' ? 0 : Number.NEGATIVE_INFINITY;
  const perCell = inputs.map(l => l.shape[rank - 1]);
  const along = moves.map(m => m.channels === 1 && channels > 1);
  const load = moves
    .map((_, i) => set(`x${i}`, `(${along[i] ? 'v128.load align=4' : 'v128.load32_splat'} ${get(`a${i}`)})`))
    .join('');
  const next = moves.map((_, i) => (along[i] ? bump(`a${i}`, 16) : '')).join('');
  const value = vectorExpr(expr);
  const vectors = Math.floor(channels / 4);
  const rest = channels % 4;
  const laneMask = `(v128.const i32x4 ${[0, 1, 2, 3].map(k => (k < rest ? -1 : 0)).join(' ')})`;
  const masked = `(v128.bitselect ${value} ${splat(neutral)} ${laneMask})`;
  const entry = (n: number) =>
    `(i32.load offset=${n * 4} ${plus(get('table0'), times(get('e'), i32(stride * 4)))})`;
  const open =
    set('n', entry(0)) + moves.map((_, i) => set(`a${i}`, plus(get(`input${i}`), entry(1 + i)))).join('');
  const cellStep = moves.map((m, i) => (m.cells && cells > 1 ? perCell[i] * 4 : 0));
  const lanes = (v: string) => [0, 1, 2, 3].map(k => `(f64.promote_f32 (f32x4.extract_lane ${k} ${v}))`);
  // Adds to the f64 at `address`.
  const addTo = (address: string, offset: number, v: string) =>
    `(f64.store offset=${offset} ${address} ${joinWide(`(f64.load offset=${offset} ${address})`, v)})`;

  // The same for four at once.
  const addFour = (address: string, offset: number, v: string) =>
    [v, `(i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 ${v} ${v})`]
      .map((half, h) => {
        const o = `offset=${offset + 16 * h} align=8`;
        return `(v128.store ${o} ${address} (f64x2.${kind === 'sum' ? 'add' : 'max'} (v128.load ${o} ${address}) (f64x2.promote_low_f32x4 ${half})))`;
      })
      .join(' ');

  let work: string;
  // Loads the vectors of inputs `offset` bytes further along.
  const loadAt = (offset: number, moves: readonly boolean[]) =>
    moves
      .map((moves, i) =>
        set(
          `x${i}`,
          moves
            ? `(v128.load offset=${offset} align=4 ${get(`a${i}`)})`
            : `(v128.load32_splat ${get(`a${i}`)})`,
        ),
      )
      .join('');
  const group = groupOf(vectors);
  const sums = Array.from({ length: Math.max(WIDTH, group + 1) }, (_, g) => `s${g}`);
  const resetSums = sums.map(s => set(s, splat(neutral))).join('');
  if (flat) {
    const forward = still.map(v => !v);
    const four = (g: number) => `${loadAt(16 * g, forward)} ${set(sums[g], join(get(sums[g]), value))}`;
    const advance = (bytes: number) => forward.map((v, i) => (v ? bump(`a${i}`, bytes) : '')).join('');
    const inside = `(i32x4.lt_s (v128.const i32x4 0 1 2 3) (i32x4.splat (i32.sub ${get('n')} ${get('c')})))`;
    work = `${resetSums} ${set('c', i32(0))}
      ${loopUpTo(
        'c',
        `(i32.and ${get('n')} ${i32(-4 * WIDTH)})`,
        sums
          .slice(0, WIDTH)
          .map((_, g) => four(g))
          .join('') + advance(16 * WIDTH),
        4 * WIDTH,
      )}
      ${loopUpTo('c', get('n'), `${loadAt(0, forward)} ${set('s0', join(get('s0'), `(v128.bitselect ${value} ${splat(neutral)} ${inside})`))} ${advance(16)}`, 4)}
      ${set('s', join(join(get('s0'), get('s1')), join(get('s2'), get('s3'))))} ${addTo(get('d'), 0, lanes(get('s')).reduce(joinWide))}`;
  } else if (channels === 1 || sumChannels) {
    // One number a cell; over cells too, one vector of partial sums a row.
    const acrossChannels =
      (vectors > 0 ? loop('k', vectors, `${load} ${set('s', join(get('s'), value))} ${next}`) : '') +
      (rest > 0 ? `${load} ${set('s', join(get('s'), masked))}` : '');
    const back = moves.map((_, i) => bump(`a${i}`, cellStep[i] - (along[i] ? vectors * 16 : 0))).join('');
    const total = lanes(get('s')).reduce(joinWide);
    const reset = set('s', splat(neutral));
    work = sumCells
      ? `${reset} ${set('c', i32(0))} ${loopUpTo('c', get('n'), acrossChannels + back)} ${addTo(get('d'), 0, total)}`
      : `${set('q', get('d'))} ${set('c', i32(0))} ${loopUpTo('c', get('n'), `${reset} ${acrossChannels} ${addTo(get('q'), 0, total)} ${back} ${bump('q', 8)}`)}`;
  } else if (sumCells) {
    // One number a channel: for a few vectors of channels at a time, down the cells.
    const columns = (count: number, last: number) => {
      const down = sums
        .slice(0, count)
        .map((s, g) => `${loadAt(16 * g, along)} ${set(s, join(get(s), value))}`)
        .join('');
      const add = sums
        .slice(0, count)
        .map((s, g) =>
          g < count - 1 || last === 4
            ? addFour(get('q'), 32 * g, get(s))
            : lanes(get(s))
                .slice(0, last)
                .map((v, k) => addTo(get('q'), 32 * g + 8 * k, v))
                .join(''),
        )
        .join('');
      return `${resetSums} ${set('c', i32(0))}
        ${loopUpTo('c', get('n'), down + moves.map((_, i) => bump(`a${i}`, cellStep[i])).join(''))} ${add} ${bump('q', 32 * count)}`;
    };
    const rewind = moves
      .map((_, i) =>
        set(
          `a${i}`,
          plus(
            `(i32.sub ${get(`a${i}`)} ${times(get('n'), i32(cellStep[i]))})`,
            i32(along[i] ? 16 * group : 0),
          ),
        ),
      )
      .join('');
    const whole = Math.floor(vectors / group);
    const left = (vectors % group) + (rest > 0 ? 1 : 0);
    work = `${set('q', get('d'))} ${whole > 0 ? loop('k', whole, columns(group, 4) + rewind) : ''} ${left > 0 ? columns(left, rest || 4) : ''}`;
  } else {
    // Only outer dimensions: element by element.
    const element = `${load} ${set('s', value)}`;
    const inner =
      (vectors > 0
        ? loop('k', vectors, `${element} ${addFour(get('q'), 0, get('s'))} ${next} ${bump('q', 32)}`)
        : '') +
      (rest > 0
        ? `${element} ${lanes(get('s'))
            .slice(0, rest)
            .map((v, k) => addTo(get('q'), 8 * k, v))
            .join('')} ${bump('q', rest * 8)}`
        : '');
    const back = moves.map((_, i) => bump(`a${i}`, cellStep[i] - (along[i] ? vectors * 16 : 0))).join('');
    work = `${set('q', get('d'))} ${set('c', i32(0))} ${loopUpTo('c', get('n'), inner + back)}`;
  }
  const scratchOf = (unit: string) => plus(get('scratch'), times(unit, i32(width * 8)));
  const unitAt = (o: number) => `(i32.load offset=${o} ${plus(get('table1'), times(get('i'), i32(8)))})`;
  const first = `${share('i', 'to', units.length / 2)} ${loopUpTo(
    'i',
    get('to'),
    `
    ${set('d', scratchOf(get('i')))} ${set('q', get('d'))} ${loop('k', width, `(f64.store ${get('q')} (f64.const ${literal(neutral)})) ${bump('q', 8)}`)}
    ${set('e', unitAt(0))} ${loopUpTo('e', unitAt(4), open + work)}`,
  )}`;

  const outAt = (o: number) => `(i32.load offset=${o} ${plus(get('table2'), times(get('i'), i32(12)))})`;
  const runs = marginRuns(call.output);
  const second = `${zeroMargins(3, runs)} ${share('i', 'to', outputs.length / 3)} ${loopUpTo(
    'i',
    get('to'),
    `
    ${set('q', plus(get('output'), outAt(0)))} ${set('d', scratchOf(outAt(4)))} ${set('e', outAt(8))}
    ${loop(
      'k',
      width,
      `${set('t', `(f64.const ${literal(neutral)})`)} ${set('c', i32(0))}
      ${loopUpTo('c', get('e'), set('t', joinWide(get('t'), `(f64.load ${plus(get('d'), times(get('c'), i32(width * 8)))})`)))}
      (f32.store ${get('q')} (f32.demote_f64 ${get('t')})) ${bump('q', 4)} ${bump('d', 8)}`,
    )}`,
  )}`;
  const names = ['i', 'to', 'd', 'q', 'e', 'n', 'k', 'c', 'm', ...moves.map((_, i) => `a${i}`)];
  return {
    text: `${vectorFunctions(expr)}\n${runFunction(
      moves.length,
      4,
      `${locals('i32', ...names)} ${locals('v128', 's', ...sums, ...moves.map((_, i) => `x${i}`))} ${locals('f64', 't')}`,
      `(if (i32.eqz ${get('phase')}) (then ${first}) (else ${second}))`,
    )}`,
    tables: [Int32Array.from(entries), Int32Array.from(units), Int32Array.from(outputs), runs],
    scratch: (units.length / 2) * width * 8,
    phases: 2,
  };
}
