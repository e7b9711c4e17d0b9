// window as SIMD where every window lies inside the input and has few taps, and, for the gradient, where windows lie side by
// side, as pools mostly have them: taps are unrolled with literal offsets, and no table is read per cell. The gradient runs over
// windows and writes all cells of each; cells that no window covers are zeroed with the margin.

import { channelsOf, type Layout, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';
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
import type { Window } from './spec.ts';

/** Taps that are unrolled at most. */
const TAPS = 32;
/** Rows under which they are shared out in pieces, and how many. */
const ROWS = 64;
const PARTS = 16;

/** Whether the call is one of these. */
export function isRegular({ kernel, inputs, output }: KernelCall): boolean {
  const { kind, kernelShape, strides, dilations, padLow } = kernel as Window;
  const [source, windows] = kind === 'unpool' ? [output, inputs[0]] : [inputs[0], output];
  const inside = kernelShape.every(
    (k, a) =>
      padLow[a] === 0 &&
      (windows.shape[a + 1] - 1) * strides[a] + dilations[a] * (k - 1) < source.shape[a + 1],
  );
  const apart = kernelShape.every((k, a) => strides[a] === k && dilations[a] === 1);
  return kernelShape.length > 0 && product(kernelShape) <= TAPS && inside && (kind !== 'unpool' || apart);
}

type Store = (value: string, to?: string) => string;

/** Of a maximum in `s` its tap in `r`, or −1 where only positive maxima count. */
export const tapOfMaximum = ({ positive }: Window): string =>
  positive ? `(v128.bitselect ${get('r')} ${splat(-1)} (f32x4.gt ${get('s')} ${splat(0)}))` : get('r');

/**
 * Renders a call that `isRegular`. The places of maxima may be asked for in the same pass: a second output, behind the
 * first in the kernel's parameters.
 */
export function renderRegular(call: KernelCall, places?: KernelCall): WasmRendering {
  const kernel = (places ?? call).kernel as Window;
  const { kind, kernelShape, strides, dilations } = kernel;
  const { inputs, output } = call;
  const gradient = kind === 'unpool';
  const [source, windows] = gradient ? [output, inputs[0]] : [inputs[0], output];
  const channels = channelsOf(output);
  const cellBytes = channels * 4;
  const pitches = pitchesOf(source);
  const taps = tapIndices(kernelShape).map(
    tap => tap.reduce((sum, t, a) => sum + t * dilations[a] * pitches[a + 1], 0) * cellBytes,
  );

  // Rows of windows: bytes of the first window in every tensor that has windows, and of its first tap in the source.
  const starts = rowStarts(windows);
  const others = gradient ? rowStarts(inputs[1]) : places ? rowStarts(places.output) : [];
  const fromSource = rowsOfSource(source, windows, strides);
  const table = Int32Array.from(
    starts.flatMap((at, r) => [at * 4, (others[r] ?? 0) * 4, fromSource[r] * cellBytes]),
  );
  const cells = rowLength(windows);
  const parts = starts.length < ROWS ? Math.min(PARTS, cells) : 1;
  const runs = gradient ? uncovered(output, windows, strides) : marginRuns(output);

  const load = (base: string, offset = 0) => `(v128.load offset=${offset} align=4 ${get(base)})`;
  const bodies = {
    max: (store: Store) =>
      `${set('s', load('x', taps[0]))}
      ${taps
        .slice(1)
        .map(o => set('s', `(f32x4.pmax ${get('s')} ${load('x', o)})`))
        .join('\n')} ${store(get('s'))}`,
    argmax: (store: Store) =>
      `${set('s', load('x', taps[0]))} ${set('r', splat(0))}
      ${taps
        .slice(1)
        .map(
          (o, t) => `${set('v', load('x', o))} ${set('better', `(f32x4.lt ${get('s')} ${get('v')})`)}
          ${set('s', `(v128.bitselect ${get('v')} ${get('s')} ${get('better')})`)}
          ${set('r', `(v128.bitselect ${splat(t + 1)} ${get('r')} ${get('better')})`)}`,
        )
        .join(
          '\n',
        )} ${places ? `${store(get('s'))} ${store(tapOfMaximum(kernel), 'a')}` : store(tapOfMaximum(kernel))}`,
    unpool: (_: unknown, count: number) =>
      `${set('s', load('w'))} ${set('r', load('a'))}
      ${taps
        .map((o, t) =>
          storeLanes(get('x'), o, `(v128.and ${get('s')} (f32x4.eq ${get('r')} ${splat(t)}))`, count),
        )
        .join('\n')}`,
  };
  const vector = (count: number) =>
    bodies[kind]((value, to = 'w') => storeLanes(get(to), 0, value, count), count) +
    ['x', 'w', 'a'].map(name => bump(name, 4 * count)).join(' ');
  const rest = channels % 4;
  const row = (o: number) => `(i32.load offset=${o} ${plus(get('table0'), times(get('row'), i32(12)))})`;
  const stepX = strides.at(-1)! * cellBytes;
  const at = (name: string, tensor: string, o: number, step: number) =>
    set(name, plus(plus(get(tensor), row(o)), times(get('p'), i32(step))));
  const [x, w, a] = gradient
    ? ['output', 'input0', 'input1']
    : places
      ? ['input1', 'output', 'input0']
      : ['input0', 'output'];
  const more = places ? marginRuns(places.output) : new Int32Array();
  const body = `${zeroMargins(1, runs)} ${zeroMargins(2, more, a)} ${share('i', 'to', starts.length * parts)}
    ${loopUpTo(
      'i',
      get('to'),
      `${set('row', `(i32.div_u ${get('i')} ${i32(parts)})`)} ${set('part', `(i32.rem_u ${get('i')} ${i32(parts)})`)}
      ${set('p', `(i32.div_u ${times(get('part'), i32(cells))} ${i32(parts)})`)}
      ${set('stop', `(i32.div_u ${times(plus(get('part'), i32(1)), i32(cells))} ${i32(parts)})`)}
      ${at('x', x, 8, stepX)} ${at('w', w, 0, cellBytes)} ${a ? at('a', a, 4, cellBytes) : ''}
      ${loopUpTo(
        'p',
        get('stop'),
        `${set('c', i32(0))} ${channels >= 4 ? loopUpTo('c', i32(channels - rest), vector(4), 4) : ''} ${rest ? vector(rest) : ''}
        ${bump('x', stepX - cellBytes)}`,
      )}`,
    )}`;
  const names = 'i to row part p stop c m x w a'.split(' ');
  return {
    text: runFunction(
      inputs.length + (places ? 1 : 0),
      3,
      `${locals('i32', ...names)} ${locals('v128', 's', 'r', 'v', 'better')}`,
      body,
    ),
    tables: [table, runs, more],
  };
}

// Cell of the first tap of the first window of each row of windows.
function rowsOfSource(source: Layout, windows: Layout, strides: readonly number[]): number[] {
  const pitches = pitchesOf(source);
  return tapIndices(windows.shape.slice(0, -2)).map(at =>
    at.reduce((sum, v, d) => sum + v * (d ? strides[d - 1] : 1) * pitches[d], originOf(source)),
  );
}

// Byte offset and length of each run that no window writes: margins, and what is left over at the ends.
function uncovered(source: Layout, windows: Layout, strides: readonly number[]): Int32Array {
  const covered = windows.shape.slice(1, -1).map((n, a) => n * strides[a]);
  const inside = tapIndices(source.shape.slice(0, -2)).map(at =>
    at.every((v, d) => d === 0 || v < covered[d - 1]),
  );
  const cellBytes = channelsOf(source) * 4;
  const runs = Array.from(marginRuns(source));
  const length = rowLength(source);
  rowStarts(source).forEach((start, r) => {
    const from = inside[r] ? covered.at(-1)! : 0;
    if (from < length) runs.push(start * 4 + from * cellBytes, (length - from) * cellBytes);
  });
  return Int32Array.from(runs);
}
