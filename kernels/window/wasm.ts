// window as SIMD along the channels. Per position of the result, a table lists the cells it reads (window cells inside
// the input; for the gradient, the windows that contain the cell) with the number of the tap.

import { channelsOf, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { KernelCall } from '../kernel.ts';
import { coordinatesOf } from '../reference.ts';
import type { WasmRendering } from '../wasm.ts';
import {
  cellStarts,
  get,
  i32,
  locals,
  loopUpTo,
  marginRuns,
  plus,
  runFunction,
  set,
  share,
  splat,
  storeLanes,
  times,
  zeroMargins,
} from '../wasm-text.ts';
import type { Window } from './spec.ts';

export function renderWindow(call: KernelCall): WasmRendering {
  const kernel = call.kernel as Window;
  const { output, inputs } = call;
  const source = inputs[0];
  const C = channelsOf(output);
  const taps = tapIndices(kernel.kernelShape);
  const shape = output.shape.slice(0, -1);
  const cells = cellStarts(output);
  const offsets = inputs.map(l => ({ origin: originOf(l), pitches: pitchesOf(l) }));
  const positions = new Int32Array(2 * product(shape) + 2);
  // Per read: [byte in input 0, byte in input 1, tap].
  const reads: number[] = [];
  for (let p = 0; p < product(shape); p++) {
    const [n, ...at] = coordinatesOf(p, shape);
    positions[2 * p] = cells[p] * 4;
    positions[2 * p + 1] = reads.length / 3;
    taps.forEach((tap, t) => {
      const from = at.map((v, a) => {
        const shift = kernel.dilations[a] * tap[a] - kernel.padLow[a];
        return kernel.kind === 'unpool' ? (v - shift) / kernel.strides[a] : kernel.strides[a] * v + shift;
      });
      if (from.some((v, a) => !Number.isInteger(v) || v < 0 || v >= source.shape[a + 1])) return;
      const bytes = offsets.map(
        ({ origin, pitches }) =>
          (origin + n * pitches[0] + from.reduce((s, v, a) => s + v * pitches[a + 1], 0)) * C * 4,
      );
      reads.push(bytes[0], bytes[1] ?? 0, t);
    });
    positions[2 * p + 3] = reads.length / 3;
  }
  const vectors = Math.floor(C / 4);
  const rest = C % 4;
  const read = (o: number) => `(i32.load offset=${o} ${get('e')})`;
  const value = `(v128.load align=4 ${plus(plus(get('input0'), read(0)), get('c'))})`;
  const tap = `(f32x4.convert_i32x4_s (i32x4.splat ${read(8)}))`;
  const step = {
    max: set('s', `(f32x4.pmax ${get('s')} ${get('v')})`),
    argmax: `${set('better', `(f32x4.lt ${get('s')} ${get('v')})`)} ${set('s', `(v128.bitselect ${get('v')} ${get('s')} ${get('better')})`)}
      ${set('r', `(v128.bitselect ${tap} ${get('r')} ${get('better')})`)}`,
    unpool: set(
      's',
      `(f32x4.add ${get('s')} (v128.and ${get('v')} (f32x4.eq ${tap} (v128.load align=4 ${plus(plus(get('input1'), read(4)), get('c'))}))))`,
    ),
  }[kernel.kind];
  const start = set('s', splat(kernel.kind === 'unpool' ? 0 : Number.NEGATIVE_INFINITY)) + set('r', splat(0));
  const result = get(kernel.kind === 'argmax' ? 'r' : 's');
  const one = `${start} ${set('e', get('first'))} ${loopUpTo('e', get('last'), set('v', value) + step, 12)}`;
  const position = (o: number) => `(i32.load offset=${o} ${plus(get('table0'), times(get('i'), i32(8)))})`;
  const margins = marginRuns(output);
  const body = `${zeroMargins(2, margins)} ${share('i', 'to', product(shape))}
    ${loopUpTo(
      'i',
      get('to'),
      `${set('y', plus(get('output'), position(0)))}
      ${set('first', plus(get('table1'), times(position(4), i32(12))))} ${set('last', plus(get('table1'), times(position(12), i32(12))))}
      ${set('c', i32(0))}
      ${vectors > 0 ? loopUpTo('c', i32(vectors * 16), `${one} ${storeLanes(plus(get('y'), get('c')), 0, result, 4)}`, 16) : ''}
      ${rest > 0 ? `${one} ${storeLanes(plus(get('y'), get('c')), 0, result, rest)}` : ''}`,
    )}`;
  return {
    text: runFunction(
      inputs.length,
      3,
      `${locals('i32', 'i', 'to', 'y', 'first', 'last', 'e', 'c', 'm')} ${locals('v128', 's', 'r', 'v', 'better')}`,
      body,
    ),
    tables: [positions, Int32Array.from(reads), margins],
  };
}
