// tap-correlate by Winograd's fast correlation turned round, in any rank: the filter gradient of a convolution costs as few
// multiplications as the convolution itself. With y = A((G g) ⊙ (B d)) along every dimension (tap-conv/winograd), the
// gradient with respect to g is
//
//     dg = Gᵀ Σ over tiles of (Aᵀ dy) ⊙ (B d)
//
// so that per point there is one matrix product, C × tiles by tiles × K, summed over all tiles of the tensor, and Gᵀ once
// at the end:
//
//     a ──B along dimension 1, 2, …──▶ V [point][tile][C] ─┐
//                                                          ├─ Vᵀ·D ──▶ R [point][C][K] ──Gᵀ──▶ result [tap][C][K]
//     b ──Aᵀ along dimension 1, 2, …─▶ D [point][tile][K] ─┘
//
// Blocks of tiles, copies at the ends, segments of long kernels, dilations and strides are those of the convolution. Blocks
// are cut into a fixed number of parts; each sums into an R of its own, one block onto the other, and the second phase adds
// the parts in double precision, in order: threads change nothing. Where parts are fewer than threads, these share slices of
// the channels of b. Errors are those of the convolution, and the sums are
// shorter by the cells of a tile.

import { channelsOf, product } from '../../../src/tensor/layout.ts';
import { tapIndices } from '../../../src/tensor/taps.ts';
import type { KernelCall } from '../../kernel.ts';
import { copyToBox } from '../../tap-conv/winograd/copy.ts';
import { geometryOf, stridesOf } from '../../tap-conv/winograd/geometry.ts';
import { linearMap } from '../../tap-conv/winograd/linear-map.ts';
import { mapsIn } from '../../tap-conv/winograd/maps.ts';
import { spaced } from '../../tap-conv/winograd/wasm.ts';
import { storedTaps } from '../../tap-conv/winograd/weights.ts';
import type { WasmRendering, WasmTarget } from '../../wasm.ts';
import { get, i32, locals, loopUpTo, plus, runFunction, set, share, times } from '../../wasm-text.ts';
import type { TapCorrelate } from '../spec.ts';
import type { CorrelationChoice } from './plan.ts';
import { sumsOf } from './products.ts';
import { tapsOf } from './taps.ts';

/** Renders a tap-correlate that `winogradFits`, with tiles, blocks and parts as chosen. */
export function renderWinograd(
  call: KernelCall,
  target: WasmTarget,
  { parts: wanted, slices = 1, ...choice }: CorrelationChoice,
): WasmRendering {
  const kernel = call.kernel as TapCorrelate;
  const [a, b] = call.inputs;
  const { dimensions, table, words, blocks } = geometryOf({ ...call, inputs: [a], output: b }, choice);
  // No part is empty.
  const parts = Math.min(wanted, blocks);
  const [C, K] = [channelsOf(a), channelsOf(b)];
  const lanes = target.wide ? 8 : 4;
  const [depth, width] = [C, K].map(n => Math.ceil(n / lanes) * lanes);
  const slice = width / slices;
  const [cellIn, cellOut] = [depth * 4, slice * 4];
  const block = Math.min(target.wide ? 16 : 8, width);
  const [grid, tiles] = [product(dimensions.map(d => d.grid)), product(dimensions.map(d => d.tiles))];
  const points = product(dimensions.map(d => d.n));
  const segments = product(dimensions.map(d => d.segments));
  const [pointIn, pointOut] = [spaced(grid * cellIn), spaced(tiles * cellOut)];
  const bytes = points * segments * C * width * 4;
  const area = Math.max(points * pointIn, points * pointOut, points * block * 8);

  const common = { shape: 'f32x4', relaxed: target.relaxed, wide: target.wide } as const;
  const sides = [
    mapsIn(
      dimensions,
      {
        name: 'a',
        matrixOf: d => d.B,
        tilesOf: d => d.grid,
        cellsOf: d => d.cellsIn,
        stepOf: d => d.step,
        pitchOf: d => d.pitchIn,
        cell: cellIn,
        point: pointIn,
      },
      common,
    ),
    mapsIn(
      dimensions,
      {
        name: 'b',
        matrixOf: d => Array.from({ length: d.n }, (_, p) => d.A.map(row => row[p])),
        tilesOf: d => d.tiles,
        cellsOf: d => d.cellsOut,
        stepOf: d => d.outputs,
        pitchOf: d => d.pitchOut,
        cell: cellOut,
        point: pointOut,
      },
      common,
    ),
  ];
  const copies = [
    copyToBox(dimensions, { name: 'copy_a', which: 'in', bytes: C * 4, cell: cellIn }),
    copyToBox(dimensions, { name: 'copy_b', which: 'out', bytes: Math.min(K, slice) * 4, cell: cellOut }),
  ];

  // The maps of a tensor alternate between area 1 and its own, and end in its own: 0 for V, 2 for D.
  const word = (at: number) => `(i32.load offset=${at * 4} ${get('row')})`;
  const straight = [C === depth, K === width];
  const toPoints = sides.map((maps, side) => {
    const name = side ? 'b' : 'a';
    const areaOf = (step: number) => get((maps.in.length - 1 - step) % 2 ? 'area1' : `area${2 * side}`);
    return maps.in
      .map((map, s) => {
        const [from, to] = [areaOf(s - 1), areaOf(s)];
        if (s > 0) return `(call $${map.name} ${from} ${to})`;
        const copied = `(call $copy_${name} ${get(`from_${name}`)} ${from} ${get('row')}) (call $${map.name} ${from} ${to})`;
        return straight[side]
          ? `(if ${word(2 + side)} (then ${copied}) (else (call $${maps.fromInput.name} ${get(`from_${name}`)} ${to})))`
          : copied;
      })
      .join(' ');
  });

  const along = (at: readonly number[], pitches: readonly number[]) =>
    at.reduce((sum, v, i) => sum + v * pitches[i], 0);
  const pitches = [
    stridesOf(
      dimensions.map(d => d.grid),
      cellIn,
    ),
    stridesOf(
      dimensions.map(d => d.tiles),
      cellOut,
    ),
  ];
  const offsets = tapIndices(dimensions.map(d => d.segments)).map(at => along(at, pitches[0]));
  // Without segments the tiles of a block lie in one run; else each row of them is one.
  const inner = segments > 1 ? dimensions.at(-1)!.tiles : tiles;
  const rows = segments > 1 ? tapIndices(dimensions.slice(0, -1).map(d => d.tiles)) : [[]];
  const runs = rows.flatMap(at => [along(at, pitches[0]), along(at, pitches[1])]);
  const sums = sumsOf(
    {
      points,
      segments,
      C,
      width: slice,
      all: width,
      block,
      stepIn: cellIn,
      stepOut: cellOut,
      pointIn,
      pointOut,
      offsets: get('table2'),
      runs: get('table3'),
      count: rows.length,
      length: inner,
    },
    target,
  );
  const results = tapsOf(dimensions, { C, K, width, block, parts, bytes, taps: get('table1') });

  const range = (part: string) => `(i32.div_u ${times(part, i32(blocks))} ${i32(parts)})`;
  const main = `${share('piece', 'stop', parts * slices)} ${loopUpTo(
    'piece',
    get('stop'),
    `${set('part', `(i32.div_u ${get('piece')} ${i32(slices)})`)}
    ${set('slice', times(`(i32.rem_u ${get('piece')} ${i32(slices)})`, i32(cellOut)))}
    ${set('more', i32(0))} ${set('i', range(get('part')))} ${set('end', range(plus(get('part'), i32(1))))}
    ${loopUpTo(
      'i',
      get('end'),
      `${set('row', plus(get('table0'), times(get('i'), i32(words * 4))))}
      ${set('from_a', plus(get('input0'), word(0)))} ${set('from_b', plus(plus(get('input1'), word(1)), get('slice')))}
      ${toPoints.join('\n')}
      ${set('r', plus(plus(get('scratch'), times(get('part'), i32(bytes))), times(get('slice'), i32(C))))}
      ${sums.text} ${set('more', i32(1))}`,
    )}`,
  )}`;
  const areas = [0, 1, 2].map(n =>
    set(`area${n}`, plus(get('workspace'), plus(times(get('thread'), i32(3 * area)), i32(n * area)))),
  );
  const body = `${areas.join(' ')} (if (i32.eqz ${get('phase')}) (then ${main}) (else ${results.text}))`;
  const used = sides.flatMap((maps, side) => [...maps.in, ...(straight[side] ? [maps.fromInput] : [])]);
  const functions = [...sums.functions, ...used.map(linearMap), ...results.functions, ...copies];
  const names = new Set([
    ...[
      'area0',
      'area1',
      'area2',
      'piece',
      'part',
      'slice',
      'stop',
      'more',
      'i',
      'end',
      'row',
      'from_a',
      'from_b',
    ],
    ...sums.locals,
    ...results.locals,
  ]);
  return {
    text: `${functions.join('\n')}\n${runFunction(2, 4, `${locals('i32', ...names)} (local $sum v128)`, body)}`,
    tables: [
      table,
      storedTaps({ kernelShape: kernel.kernelShape, flip: false }, dimensions),
      Int32Array.from(offsets),
      Int32Array.from(runs),
    ],
    scratch: parts * bytes,
    workspace: 3 * area,
    phases: 2,
  };
}
