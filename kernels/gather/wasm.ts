// gather as table-driven copies and weighted sums. Everything about shapes is worked out beforehand: a map that only
// moves whole runs becomes a list of memory copies; one that leaves the channels alone becomes, per output cell, a list
// of (input cell, weight); anything else the same per element. Terms are summed in a fixed order.

import { channelsOf, type Layout, originOf, pitchesOf, product } from '../../src/tensor/layout.ts';
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
  storeLanes,
  times,
  zeroMargins,
} from '../wasm-text.ts';
import type { Gather } from './spec.ts';

export function renderGather(call: KernelCall): WasmRendering {
  const kernel = call.kernel as Gather;
  const rank = call.output.shape.length;
  const channelsStay =
    kernel.permutation[rank - 1] === rank - 1 &&
    kernel.maps[rank - 1] === null &&
    (kernel.concatAxis !== rank - 1 || call.inputs.length === 1);
  if (channelsStay && !onlyMoves(kernel))
    return weighted(call, channelsOf(call.output), termsOf(call, rank - 1));
  const terms = termsOf(call, channelsStay ? rank - 1 : rank);
  return onlyMoves(kernel)
    ? copies(call, channelsStay ? channelsOf(call.output) : 1, terms)
    : weighted(call, 1, terms);
}

const onlyMoves = (kernel: Gather) =>
  kernel.maps.every(
    m => m === null || (m.terms === 1 && m.weight.every((w, e) => w === 1 || m.index[e] < 0)),
  );

/** Per output position (over the first `dimensions` dimensions): where it lies, and its terms. */
interface Terms {
  /** Element offsets of the positions in the output. */
  output: Int32Array;
  /** Range of terms of position p: `start[p]` to `start[p + 1]`. */
  start: Int32Array;
  /** Per term: which input, element offset in it, and weight. */
  input: Int32Array;
  offset: Int32Array;
  weight: Float32Array;
}

function termsOf(call: KernelCall, dimensions: number): Terms {
  const kernel = call.kernel as Gather;
  const { output, inputs } = call;
  const rank = output.shape.length;
  const shape = output.shape.slice(0, dimensions);
  const positions = product(shape);
  const cells = cellStarts(output);
  const K = channelsOf(output);
  const strides = inputs.map(elementStrides);
  const origins = inputs.map(l => originOf(l) * channelsOf(l));
  const [start, input, offset, weight]: [number[], number[], number[], number[]] = [[0], [], [], []];
  const where = new Int32Array(positions);
  const source = new Array<number>(rank).fill(0);
  const visit = (at: number[], a: number, w: number): void => {
    if (a === dimensions) {
      let n = 0;
      let along = source[kernel.concatAxis];
      while (along >= inputs[n].shape[kernel.concatAxis]) along -= inputs[n++].shape[kernel.concatAxis];
      let o = origins[n];
      for (let d = 0; d < rank; d++) o += (d === kernel.concatAxis ? along : source[d]) * strides[n][d];
      input.push(n);
      offset.push(o);
      weight.push(w);
      return;
    }
    const map = kernel.maps[a];
    const d = kernel.permutation[a];
    if (!map) {
      source[d] = at[a];
      visit(at, a + 1, w);
      return;
    }
    for (let j = 0; j < map.terms; j++) {
      const e = at[a] * map.terms + j;
      if (map.index[e] < 0) continue;
      source[d] = map.index[e];
      visit(at, a + 1, w * map.weight[e]);
    }
  };
  for (let p = 0; p < positions; p++) {
    where[p] = dimensions === rank ? cells[Math.floor(p / K)] + (p % K) : cells[p];
    visit(coordinatesOf(p, shape), 0, 1);
    start.push(input.length);
  }
  return {
    output: where,
    start: Int32Array.from(start),
    input: Int32Array.from(input),
    offset: Int32Array.from(offset),
    weight: Float32Array.from(weight),
  };
}

/** Elements between neighbours along every dimension, channels included. */
const elementStrides = (layout: Layout): number[] => [
  ...pitchesOf(layout).map(p => p * channelsOf(layout)),
  1,
];

/** Longest copy in elements, so that threads share long runs. */
const RUN = 16384;

function copies(call: KernelCall, unit: number, terms: Terms): WasmRendering {
  // [output byte, input number, input byte, bytes]; input −1 fills with zeros.
  const runs: number[] = [];
  for (let p = 0; p < terms.output.length; p++) {
    const e = terms.start[p];
    const empty = e === terms.start[p + 1];
    const [n, from] = empty ? [-1, 0] : [terms.input[e], terms.offset[e] * 4];
    const to = terms.output[p] * 4;
    const last = runs.length - 4;
    const joins =
      last >= 0 &&
      runs[last + 1] === n &&
      runs[last] + runs[last + 3] === to &&
      (empty || runs[last + 2] + runs[last + 3] === from) &&
      runs[last + 3] < RUN * 4;
    if (joins) runs[last + 3] += unit * 4;
    else runs.push(to, n, from, unit * 4);
  }
  const at = (o: number) => `(i32.load offset=${o} ${plus(get('table0'), times(get('i'), i32(16)))})`;
  const to = plus(get('output'), at(0));
  const choose = call.inputs
    .map(
      (_, n) =>
        `(if (i32.eq ${get('s')} ${i32(n)}) (then (memory.copy ${to} ${plus(get(`input${n}`), at(8))} ${at(12)})))`,
    )
    .join('');
  const margins = marginRuns(call.output);
  const body = `${zeroMargins(1, margins)} ${share('i', 'to', runs.length / 4)}
    ${loopUpTo('i', get('to'), `${set('s', at(4))} (if (i32.lt_s ${get('s')} ${i32(0)}) (then (memory.fill ${to} ${i32(0)} ${at(12)}))) ${choose}`)}`;
  return {
    text: runFunction(call.inputs.length, 2, locals('i32', 'i', 'to', 's', 'm'), body),
    tables: [Int32Array.from(runs), margins],
  };
}

function weighted(call: KernelCall, unit: number, terms: Terms): WasmRendering {
  const vectors = Math.floor(unit / 4);
  const rest = unit % 4;
  const positions = Int32Array.from({ length: terms.output.length * 2 + 2 }, (_, i) =>
    i % 2 === 0 ? (terms.output[i / 2] ?? 0) * 4 : terms.start[(i - 1) / 2],
  );
  const list = new Int32Array(terms.input.length * 3);
  const floats = new Float32Array(list.buffer);
  for (let e = 0; e < terms.input.length; e++) {
    list[3 * e] = terms.input[e];
    list[3 * e + 1] = terms.offset[e] * 4;
    floats[3 * e + 2] = terms.weight[e];
  }
  const position = (o: number) => `(i32.load offset=${o} ${plus(get('table0'), times(get('i'), i32(8)))})`;
  const term = (o: number, type = 'i32') => `(${type}.load offset=${o} ${get('e')})`;
  const base =
    call.inputs.length === 1
      ? get('input0')
      : call.inputs
          .slice(1)
          .reduce(
            (value, _, n) => `(select ${get(`input${n + 1}`)} ${value} (i32.eq ${term(0)} ${i32(n + 1)}))`,
            get('input0'),
          );
  const sum = `${set('s', '(v128.const f32x4 0 0 0 0)')} ${set('e', get('first'))}
    ${loopUpTo('e', get('last'), set('s', `(f32x4.add ${get('s')} (f32x4.mul (f32x4.splat ${term(8, 'f32')}) (v128.load align=4 ${plus(plus(base, term(4)), get('c'))})))`), 12)}`;
  const margins = marginRuns(call.output);
  const body = `${zeroMargins(2, margins)} ${share('i', 'to', terms.output.length)}
    ${loopUpTo(
      'i',
      get('to'),
      `${set('y', plus(get('output'), position(0)))}
      ${set('first', plus(get('table1'), times(position(4), i32(12))))} ${set('last', plus(get('table1'), times(position(12), i32(12))))}
      ${set('c', i32(0))}
      ${vectors > 0 ? loopUpTo('c', i32(vectors * 16), `${sum} ${storeLanes(plus(get('y'), get('c')), 0, get('s'), 4)}`, 16) : ''}
      ${rest > 0 ? `${sum} ${storeLanes(plus(get('y'), get('c')), 0, get('s'), rest)}` : ''}`,
    )}`;
  return {
    text: runFunction(
      call.inputs.length,
      3,
      `${locals('i32', 'i', 'to', 'y', 'first', 'last', 'e', 'c', 'm')} ${locals('v128', 's')}`,
      body,
    ),
    tables: [positions, list, margins],
  };
}
