// tap-conv by Winograd's fast correlation, in any rank: the tensor product of one F(m, k) per dimension.
//
// A tile of Π m outputs reads a box of Π n inputs (n = m + k − 1). B applied along every dimension makes of the box Π n
// points; each point of a tile is multiplied by that point of the weights and summed over the input channels; A along
// every dimension makes of the points the outputs. The multiplications shrink from Π m·k to Π n a tile and pair of
// channels: 2.25 times for F(2, 3)², 4 times for F(4, 3)², 8 times for F(4, 3)³. A kernel with many taps is cut into
// segments of k = m taps: the inputs of a segment are the tiles one further on, so that they are transformed once and
// the segments are only more terms of the sum. Strides and input dilations are in the transforms (phases.ts).
//
// Layout. Tiles are worked on in blocks, boxes of T tiles over the dimensions of the output, the batch included as a
// dimension that is passed through:
//
//     x ──B along dimension 1, 2, …──▶ V [point][tile][C] ──U [point][C][K]──▶ M [point][tile][K] ──A …, 2, 1──▶ y
//
// Each map runs along one dimension over rows that are contiguous in all dimensions inside it and in the channels, so
// that it is loads, sums and stores of whole vectors whatever the rank; the first, along the outermost dimension,
// serves all tiles inside at once. Between, there is one small matrix product a point, T × C by C × K, in the register
// tile of the direct kernel: that is where the time should go.
//
// Blocking. T is chosen (plan.ts) so that V and M stay in the second cache while U streams through once a block; where
// U is larger than the last cache, blocks grow. V and M lie in two areas that the steps take in turn: each reads one
// and writes the other. All blocks are equal and every address in them is a literal. Where a block reaches past the
// input or the output, or channels do not fill vectors, cells go through a copy that is filled up with zeros: nothing
// outside is read as if it were data.
//
// What is free: ReLU goes into the last map's store, and the bias into the sums of the point where a polynomial is the
// sum of its coefficients, for A times that unit vector is 1 in every output.
//
// What it buys, in GFLOP/s counted as direct convolution (64 channels in and out, one core at 3.5 GHz; with 256-bit
// vectors, in brackets with 128-bit ones):
//
//                                direct       F(2, 3)      F(4, 3)      F(6, 3)
//     3×3 on 256 × 256          111  (57)    181 (108)    303 (190)    340 (215)
//     3×3×3 on 32 × 32 × 32     106  (54)    263 (157)    600 (360)
//
// The products run at the rate of the direct kernel and take 80 % of the time with F(4, 3)³; the rest are the maps,
// bound by the second cache, and the input and output, by memory. Errors against double precision, of the largest
// value: 1e-6 or less for F(2, 3), 4e-6 for F(4, 3)², 8e-6 for F(4, 3)³, 1e-5 for F(6, 3)² (see plan.ts).
//
// Weights become U in double precision in phase 0. Where they are constants they stay, and a convolution and its gradient
// share them (`shared` in geometry.ts): a block of U at a time is transposed before it is multiplied with. Threads share
// blocks and, where these are few, slices of the output channels, each with all of V and its own part of U. Every output is
// the same sum in the same order whatever the blocks and slices, so that results depend neither on them nor on the threads.

import { channelsOf, product as sizeOf } from '../../../src/tensor/layout.ts';
import { tapIndices } from '../../../src/tensor/taps.ts';
import type { KernelCall } from '../../kernel.ts';
import type { WasmRendering, WasmTarget } from '../../wasm.ts';
import {
  get,
  i32,
  locals,
  loopUpTo,
  marginRuns,
  plus,
  runFunction,
  set,
  share,
  times,
  zeroMargins,
} from '../../wasm-text.ts';
import type { TapConv } from '../spec.ts';
import { copyFromBox, copyToBox } from './copy.ts';
import { type Choice, type Dimension, geometryOf, stridesOf } from './geometry.ts';
import { linearMap } from './linear-map.ts';
import { mapsOf } from './maps.ts';
import { productsOf, turnedBlocks } from './products.ts';
import { prepareWeights } from './weights.ts';

/** Renders a tap-conv that `winogradFits`, with tiles and blocks as chosen. */
export function renderWinograd(call: KernelCall, target: WasmTarget, choice: Choice): WasmRendering {
  const kernel = call.kernel as TapConv;
  const { dimensions, table, words, blocks } = geometryOf(call, choice);
  const [C, K] = [channelsOf(call.inputs[0]), channelsOf(call.output)];
  const lanes = target.wide ? 8 : 4;
  const [depth, width] = [C, K].map(n => Math.ceil(n / lanes) * lanes);
  const { shared = false, slices = 1 } = choice;
  const slice = width / slices;
  const [cellIn, cellOut] = [depth * 4, slice * 4];
  const block = Math.min(target.wide ? 16 : 8, width);
  const tiles = sizeOf(dimensions.map(d => d.grid));
  const points = sizeOf(dimensions.map(d => d.n));
  const [pointIn, pointOut] = [spaced(tiles * cellIn), spaced(tiles * cellOut)];
  const area = Math.max(points * pointIn, points * pointOut, points * block * 8);

  // Weights of the convolution that this one is the gradient of have its channels in and out the other way round.
  const stored = shared ? { ...kernel, flip: false, transpose: false } : kernel;
  const channels = shared ? { C: K, K: C, depth: width, width: depth } : { C, K, depth, width };
  const weights = prepareWeights(stored, dimensions, { ...channels, block });
  const maps = mapsOf(
    dimensions,
    { cellIn, cellOut, pointIn, pointOut },
    { shape: 'f32x4', relaxed: target.relaxed, wide: target.wide },
    kernel.activation === 'relu',
  );
  const zeros = plus(get('scratch'), i32(weights.zerosAt));
  const biases = plus(get('input2'), get('slice'));
  const bias = `(select ${biases} ${zeros} (i32.load ${plus(get('table4'), times(get('p'), i32(4)))}))`;
  const gridBytes = stridesOf(
    dimensions.map(d => d.grid),
    cellIn,
  );
  const along = (at: readonly number[]) => at.reduce((sum, i, a) => sum + i * gridBytes[a], 0);
  const offsets = Int32Array.from(tapIndices(dimensions.map(d => d.segments)).map(along));
  const products = productsOf(
    {
      points,
      // From the first tile to the last that is wanted, those between that only serve segments included.
      rows: along(dimensions.map(d => d.tiles - 1)) / cellIn + 1,
      depth,
      width: slice,
      all: width,
      first: get('slice'),
      block,
      pointIn,
      pointOut,
      segments: offsets.length,
      offsets: get('table3'),
      start: kernel.bias ? bias : zeros,
      turned: shared ? get('panel') : undefined,
    },
    target,
  );

  // The last map in fills area 0, products go from 0 to 1, the first map out reads 1; before and after they alternate.
  const areaIn = (step: number) => get(`area${(maps.in.length - 1 - step) % 2}`);
  const areaOut = (step: number) => get(`area${(step + 1) % 2}`);
  const word = (at: number) => `(i32.load offset=${at * 4} ${get('row')})`;
  const callMap = (name: string, from: string, to: string) => `(call $${name} ${from} ${to})`;
  // Channels that fill vectors go straight from the input and to the output, but for blocks that lack cells.
  const [straightIn, straightOut] = [C === depth, K === width];
  const either = (flag: string, copied: string, straight: string | false) =>
    straight ? `(if ${flag} (then ${copied}) (else ${straight}))` : copied;
  const forward = maps.in.map((map, s) => {
    const [from, to] = [areaIn(s - 1), areaIn(s)];
    if (s > 0) return callMap(map.name, from, to);
    const copied = `(call $copy_in ${get('from')} ${from} ${get('row')}) ${callMap(map.name, from, to)}`;
    return either(word(2), copied, straightIn && callMap(maps.fromInput.name, get('from'), to));
  });
  const inverse = maps.out.map((map, s) => {
    const [from, to] = [areaOut(s), areaOut(s + 1)];
    if (s < maps.out.length - 1) return callMap(map.name, from, to);
    const copied = `${callMap(map.name, from, to)} (call $copy_out ${to} ${get('to')} ${get('row')})`;
    return either(word(3), copied, straightOut && callMap(maps.toOutput.name, from, get('to')));
  });
  const copies = [
    copyToBox(dimensions, { name: 'copy_in', which: 'in', bytes: C * 4, cell: cellIn }),
    copyFromBox(dimensions, { name: 'copy_out', which: 'out', bytes: Math.min(K, slice) * 4, cell: cellOut }),
  ];

  const runs = marginRuns(call.output);
  const main = `${zeroMargins(2, runs)} ${share('i', 'end', blocks * slices)}
    ${loopUpTo(
      'i',
      get('end'),
      `${set('row', plus(get('table0'), times(`(i32.div_u ${get('i')} ${i32(slices)})`, i32(words * 4))))}
      ${set('slice', times(`(i32.rem_u ${get('i')} ${i32(slices)})`, i32(cellOut)))}
      ${set('from', plus(get('input0'), word(0)))} ${set('to', plus(plus(get('output'), word(1)), get('slice')))}
      ${forward.join('\n')} ${products.text} ${inverse.join('\n')}`,
    )}`;
  const workspace = 2 * area + (shared ? turnedBlocks(slice / block) * depth * block * 4 : 0);
  const body = `${set('area0', plus(get('workspace'), times(get('thread'), i32(workspace))))} ${set('area1', plus(get('area0'), i32(area)))}
    ${set('panel', plus(get('area1'), i32(area)))}
    (if (i32.eqz ${get('phase')}) (then ${weights.text}) (else ${main}))`;
  const used = [
    ...maps.in,
    ...maps.out,
    ...(straightIn ? [maps.fromInput] : []),
    ...(straightOut ? [maps.toOutput] : []),
  ];
  const functions = [...products.functions, ...used.map(linearMap), ...weights.functions, ...copies];
  const names = [
    'area0',
    'area1',
    'panel',
    'slice',
    'i',
    'end',
    'row',
    'from',
    'to',
    ...products.locals,
    ...weights.locals,
  ];
  return {
    text: `${functions.join('\n')}\n${runFunction(call.inputs.length, 5, locals('i32', ...names), body)}`,
    tables: [table, weights.taps, runs, offsets, unitsOf(dimensions)],
    scratch: weights.bytes,
    workspace,
    phases: 2,
    prepare: [1],
    form: JSON.stringify([
      choice.tile,
      choice.taps,
      channels.C,
      channels.K,
      lanes,
      kernel.kernelShape,
      stored.flip,
      stored.transpose,
      dimensions.some(d => d.step !== d.outputs) && [kernel.strides, kernel.inputDilations, kernel.padLow],
    ]),
  };
}

// 1 for the points whose values, all 1, every A maps to ones.
const unitsOf = (dimensions: readonly Dimension[]): Int32Array =>
  Int32Array.from(tapIndices(dimensions.map(d => d.n)), at =>
    Number(at.every((p, a) => dimensions[a].units.includes(p))),
  );

// An odd number of cache lines, so that the points of a tile do not meet in the same set of a cache.
export const spaced = (bytes: number): number => (Math.ceil(bytes / 64) | 1) * 64;
