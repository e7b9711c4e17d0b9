// gather where nothing happens but that the last two dimensions change places: squares of 16 × 16, transposed four by
// four in registers. Copies at a stride (wasm-copies.ts) would fetch a line of the cache for every element of a large
// matrix.

import { channelsOf, product } from '../../src/tensor/layout.ts';
import type { KernelCall } from '../kernel.ts';
import type { WasmRendering } from '../wasm.ts';
import {
  bump,
  each,
  get,
  i32,
  locals,
  loop,
  loopUpTo,
  marginRuns,
  plus,
  rowStarts,
  runFunction,
  set,
  share,
  times,
  transposeFour,
  zeroMargins,
} from '../wasm-text.ts';
import type { Gather } from './spec.ts';

const SQUARE = 16;

/** Whether the call transposes matrices that have a square at least. */
export function transposes({ kernel, inputs, output }: KernelCall): boolean {
  const { permutation, maps } = kernel as Gather;
  const rank = output.shape.length;
  const swapped = permutation.map((_, a) => (a < rank - 2 ? a : 2 * rank - 3 - a));
  return (
    rank > 1 &&
    inputs.length === 1 &&
    maps.every(map => map === null) &&
    permutation.every((d, a) => d === swapped[a]) &&
    output.shape.slice(-2).every(n => n >= SQUARE)
  );
}

/** Renders a call that `transposes`. */
export function renderTranspose({ inputs: [input], output }: KernelCall): WasmRendering {
  // Rows of the input are columns of the output.
  const [columns, rows] = output.shape.slice(-2);
  const [pitchIn, pitchOut] = [input, output].map(layout => channelsOf(layout) * 4);
  const starts = [input, output].map(rowStarts);
  const table = Int32Array.from(starts[0].flatMap((from, n) => [from * 4, starts[1][n] * 4]));
  const runs = marginRuns(output);
  const strips = Math.ceil(rows / SQUARE);

  const fours = SQUARE / 4;
  const square = each(fours * fours, n => {
    const [r, c] = [4 * Math.floor(n / fours), 4 * (n % fours)];
    return transposeFour(
      i => `(v128.load offset=${(r + i) * pitchIn + 4 * c} align=4 ${get('s')})`,
      (i, value) => `(v128.store offset=${(c + i) * pitchOut + 4 * r} align=4 ${get('d')} ${value})`,
    );
  }).join('\n');
  const one = `(f32.store ${plus(get('d'), times(get('c'), i32(pitchOut)))} (f32.load ${plus(get('s'), times(get('c'), i32(4)))}))`;
  // A strip of rows, or what is left of them, across all columns; columns that fill no square are taken one by one.
  const left = columns % SQUARE;
  const across = (count: string, whole: boolean) => `
    ${whole ? loop('c', Math.floor(columns / SQUARE), `${square} ${bump('s', SQUARE * 4)} ${bump('d', SQUARE * pitchOut)}`) : ''}
    ${
      whole && left === 0
        ? ''
        : `${set('r', i32(0))} ${loopUpTo('r', count, `${loop('c', whole ? left : columns, one)} ${bump('s', pitchIn)} ${bump('d', 4)}`)}`
    }`;
  const text = `${zeroMargins(1, runs)} ${share('i', 'to', product(output.shape.slice(0, -2)) * strips)}
    ${loopUpTo(
      'i',
      get('to'),
      `${set('n', times(`(i32.div_u ${get('i')} ${i32(strips)})`, i32(8)))}
      ${set('first', times(`(i32.rem_u ${get('i')} ${i32(strips)})`, i32(SQUARE)))}
      ${set('s', plus(plus(get('input0'), `(i32.load ${plus(get('table0'), get('n'))})`), times(get('first'), i32(pitchIn))))}
      ${set('d', plus(plus(get('output'), `(i32.load offset=4 ${plus(get('table0'), get('n'))})`), times(get('first'), i32(4))))}
      (if (i32.le_u ${plus(get('first'), i32(SQUARE))} ${i32(rows)})
        (then ${across(i32(SQUARE), true)})
        (else ${across(`(i32.sub ${i32(rows)} ${get('first')})`, false)}))`,
    )}`;
  const names = ['i', 'to', 'n', 'first', 's', 'd', 'c', 'r', 'm'];
  const vectors = each(4, r => [`x${r}`, `y${r}`]).flat();
  return {
    text: runFunction(1, 2, `${locals('i32', ...names)} ${locals('v128', ...vectors)}`, text),
    tables: [table, runs],
  };
}
