// tap-conv by Winograd's fast correlation, in any rank: the tensor product of one F(m, k) per dimension.
//
// A tile of Π m outputs reads a box of Π n inputs (n = m + k − 1). B applied along every dimension makes of the box Π n
// points; each point of a tile is multiplied by that point of the weights and summed over the input channels; A along
// every dimension makes of the points the outputs. The multiplications shrink from Π m·k to Π n a tile and pair of
// channels: 2.25 times for F(2, 3)², 4 times for F(4, 3)², 8 times for F(4, 3)³.
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
// Blocking. T is chosen (see plan.ts) so that V and M stay in the second cache while U streams through once a block.
// They lie in two areas that the steps take in turn: each reads one and writes the other. All blocks are equal and
// every address in them is a literal. Where a block reaches past the input or the output, or channels do not fill
// vectors, cells go through a copy that is filled up with zeros: nothing outside is read as if it were data.
//
// What is free: ReLU goes into the last map's store, and the bias into the sums of the point where a polynomial is the
// sum of its coefficients, for A times that unit vector is 1 in every output.
//
// Weights become U in double precision in phase 0. Threads share blocks; every output is the same sum in the same
// order whatever the blocks, so that results depend neither on them nor on the threads.

import { channelsOf, product as sizeOf } from '../../../src/tensor/layout.ts';
import type { KernelCall } from '../../kernel.ts';
import type { WasmRendering, WasmTarget } from '../../wasm.ts';
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
  times,
  zeroMargins,
} from '../../wasm-text.ts';
import type { TapConv } from '../spec.ts';
import { copyBox } from './copy.ts';
import { type Choice, type Dimension, geometryOf } from './geometry.ts';
import { type LinearMap, linearMap } from './linear-map.ts';
import { cellsFor, product } from './product.ts';
import { prepareWeights } from './weights.ts';

/** Renders a tap-conv that `winogradFits` with tiles and blocks as chosen. */
export function renderWinograd(call: KernelCall, target: WasmTarget, choice: Choice): WasmRendering {
  const kernel = call.kernel as TapConv;
  const { dimensions, table, words, blocks } = geometryOf(call, choice);
  const [C, K] = [channelsOf(call.inputs[0]), channelsOf(call.output)];
  const lanes = target.wide ? 8 : 4;
  const [depth, width] = [C, K].map(n => Math.ceil(n / lanes) * lanes);
  const tiles = sizeOf(dimensions.map(d => d.tiles));
  const points = sizeOf(dimensions.map(d => d.n));
  const block = Math.min(target.wide ? 16 : 8, width);
  const pointIn = spaced(tiles * depth * 4);
  const pointOut = spaced(tiles * width * 4);
  const area = Math.max(points * pointIn, points * pointOut, points * block * 8);
  const weights = prepareWeights(kernel, { C, K, depth, width, block, dimensions });

  const maps = mapsOf(
    dimensions,
    { depth, width, pointIn, pointOut, C, K },
    target,
    kernel.activation === 'relu',
  );
  // The last map in fills area 0, products go from 0 to 1, the first map out reads 1; before and after they alternate.
  const areaIn = (step: number) => get(`area${(maps.in.length - 1 - step) % 2}`);
  const areaOut = (step: number) => get(`area${(step + 1) % 2}`);
  const word = (at: number) => `(i32.load offset=${at * 4} ${get('row')})`;
  const either = (flag: string, staged: string, direct: string | undefined) =>
    direct === undefined ? staged : `(if ${flag} (then ${staged}) (else ${direct}))`;
  const callMap = (name: string, from: string, to: string) => `(call $${name} ${from} ${to})`;
  const forward = maps.in.map((map, s) => {
    const [from, to] = [s === 0 ? areaIn(-1) : areaIn(s - 1), areaIn(s)];
    if (s > 0) return callMap(map.name, from, to);
    const staged = `(call $copy_in ${get('from')} ${from} ${get('row')}) ${callMap(map.name, from, to)}`;
    return either(word(2), staged, maps.direct.in && callMap(maps.direct.in.name, get('from'), to));
  });
  const inverse = maps.out.map((map, s) => {
    const [from, to] = [areaOut(s), areaOut(s + 1)];
    if (s < maps.out.length - 1) return callMap(map.name, from, to);
    const staged = `${callMap(map.name, from, to)} (call $copy_out ${to} ${get('to')} ${get('row')})`;
    return either(word(3), staged, maps.direct.out && callMap(maps.direct.out.name, from, get('to')));
  });

  const cells = cellsFor(block / 4, target.relaxed, target.wide);
  const rest = tiles % cells;
  const last = width % block;
  const productText = (lanes: number, rows: number) =>
    product({
      name: `product_${lanes}_${rows}`,
      cells: rows,
      vectors: lanes / 4,
      depth,
      stepIn: depth * 4,
      stepOut: width * 4,
      relaxed: target.relaxed,
    });
  const widths = [...(width >= block ? [block] : []), ...(last ? [last] : [])];
  const heights = [...(tiles >= cells ? [cells] : []), ...(rest ? [rest] : [])];
  const callProduct = (lanes: number) => {
    const start = Math.floor(tiles / cells) * cells;
    const whole = start
      ? `(call $product_${lanes}_${cells} ${['v', 'u', 'm', 'b'].map(get).join(' ')} ${i32(start / cells)})`
      : '';
    const tail = rest
      ? `(call $product_${lanes}_${rest} ${plus(get('v'), i32(start * depth * 4))} ${get('u')} ${plus(get('m'), i32(start * width * 4))} ${get('b')} ${i32(1)})`
      : '';
    return `${whole} ${tail} ${bump('u', lanes * depth * 4)} ${bump('m', lanes * 4)} ${bump('b', lanes * 4)}`;
  };
  const zeros = plus(get('scratch'), i32(weights.zerosAt));
  const start = kernel.bias
    ? `(select ${plus(get('scratch'), i32(weights.biasAt))} ${zeros} (i32.eq ${get('p')} ${i32(unitPoint(dimensions))}))`
    : zeros;
  const products = `${set('v', get('area0'))} ${set('u', get('scratch'))}
    ${loop(
      'p',
      points,
      `${set('m', plus(get('area1'), times(get('p'), i32(pointOut))))} ${set('b', start)}
      ${width >= block ? loop('k', Math.floor(width / block), callProduct(block)) : ''} ${last ? callProduct(last) : ''}
      ${bump('v', pointIn)}`,
    )}`;

  const runs = marginRuns(call.output);
  const main = `${zeroMargins(1, runs)} ${share('i', 'end', blocks)}
    ${loopUpTo(
      'i',
      get('end'),
      `${set('row', plus(get('table0'), times(get('i'), i32(words * 4))))}
      ${set('from', plus(get('input0'), word(0)))} ${set('to', plus(get('output'), word(1)))}
      ${forward.join('\n')} ${products} ${inverse.join('\n')}`,
    )}`;
  const body = `${set('area0', plus(get('workspace'), times(get('thread'), i32(2 * area))))} ${set('area1', plus(get('area0'), i32(area)))}
    (if (i32.eqz ${get('phase')}) (then ${weights.text}) (else ${main}))`;
  const copies = [
    copyBox(
      'copy_in',
      dimensions.map((d, a) => ({
        word: 4 + a,
        source: d.pitchIn,
        target: sizeOf(dimensions.slice(a + 1).map(o => o.cellsIn)) * depth * 4,
        cells: d.cellsIn,
      })),
      C * 4,
      { clear: true },
    ),
    copyBox(
      'copy_out',
      dimensions.map((d, a) => ({
        word: 4 + dimensions.length + a,
        source: sizeOf(dimensions.slice(a + 1).map(o => o.cellsOut)) * width * 4,
        target: d.pitchOut,
        cells: d.cellsOut,
      })),
      K * 4,
      { clear: false },
    ),
  ];
  const functions = [
    ...widths.flatMap(w => heights.map(h => productText(w, h))),
    ...[...maps.in, ...maps.out, maps.direct.in, maps.direct.out].flatMap(m => (m ? [linearMap(m)] : [])),
    ...weights.functions,
    ...copies,
  ];
  const names = [
    'area0',
    'area1',
    'i',
    'end',
    'row',
    'from',
    'to',
    'p',
    'k',
    'v',
    'u',
    'm',
    'b',
    ...weights.locals,
  ];
  return {
    text: `${functions.join('\n')}\n${runFunction(call.inputs.length, 2, locals('i32', ...names), body)}`,
    tables: [table, runs],
    scratch: weights.bytes,
    workspace: 2 * area,
    phases: 2,
    prepare: kernel.bias ? [1, 2] : [1],
  };
}

interface Sizes {
  /** Channels as they are, and filled up to whole vectors. */
  C: number;
  K: number;
  depth: number;
  width: number;
  /** Bytes between points in V and in M. */
  pointIn: number;
  pointOut: number;
}

interface Maps {
  /** B along each transformed dimension, outermost first, and A, innermost first: from area to area. */
  in: LinearMap[];
  out: LinearMap[];
  /** The first of `in` straight from the input and the last of `out` straight to the output. */
  direct: { in?: LinearMap; out?: LinearMap };
}

// The state before (and after) the map along dimension a is `[points of the dimensions before][cells]`, the cells tiles in
// dimensions already transformed.
function mapsOf(
  dimensions: readonly Dimension[],
  sizes: Sizes,
  { relaxed, wide }: WasmTarget,
  relu: boolean,
): Maps {
  const { C, K, depth, width, pointIn, pointOut } = sizes;
  const common = { shape: 'f32x4', relaxed, wide } as const;
  const transformed = dimensions.flatMap((d, a) => (d.n > 1 ? [a] : []));
  const before = (a: number) => dimensions.slice(0, a);
  const after = (a: number) => dimensions.slice(a + 1);
  const all: Maps = { in: [], out: [], direct: {} };
  for (const a of transformed) {
    const { B, A, m, n, tiles, cellsIn, cellsOut } = dimensions[a];
    const [first, last] = [a === transformed[0], a === transformed.at(-1)];
    const points = sizeOf(before(a).map(d => d.n));
    const outer = sizeOf(before(a).map(d => d.tiles));

    const rowIn = sizeOf(after(a).map(d => d.cellsIn)) * depth * 4;
    const point = last ? pointIn : outer * tiles * rowIn;
    const forward: LinearMap = {
      ...common,
      name: `in_${a}`,
      matrix: B,
      sourceRow: rowIn,
      targetRow: point,
      walks: [
        { count: points, source: outer * cellsIn * rowIn, target: n * point },
        { count: outer, source: cellsIn * rowIn, target: tiles * rowIn },
        { count: tiles, source: m * rowIn, target: rowIn },
      ],
      run: rowIn,
    };
    all.in.push(forward);
    if (first && C === depth)
      all.direct.in = {
        ...forward,
        name: 'in_x',
        sourceRow: dimensions[a].pitchIn,
        walks: dimensions.map((d, b) => ({
          count: b > a ? d.cellsIn : d.tiles,
          source: b === a ? m * d.pitchIn : d.pitchIn,
          target:
            (b > a
              ? sizeOf(after(b).map(o => o.cellsIn))
              : sizeOf(dimensions.slice(b + 1, a + 1).map(o => o.tiles)) *
                sizeOf(after(a).map(o => o.cellsIn))) *
            depth *
            4,
        })),
        run: depth * 4,
      };

    const rowOut = sizeOf(after(a).map(d => d.cellsOut)) * width * 4;
    const made = last ? pointOut : outer * tiles * rowOut;
    const inverse: LinearMap = {
      ...common,
      name: `out_${a}`,
      matrix: A,
      relu: first && relu,
      sourceRow: made,
      targetRow: rowOut,
      walks: [
        { count: points, source: n * made, target: outer * cellsOut * rowOut },
        { count: outer, source: tiles * rowOut, target: cellsOut * rowOut },
        { count: tiles, source: rowOut, target: m * rowOut },
      ],
      run: rowOut,
    };
    all.out.unshift(inverse);
    if (first && K === width)
      all.direct.out = {
        ...inverse,
        name: 'out_y',
        targetRow: dimensions[a].pitchOut,
        walks: dimensions.map((d, b) => ({
          count: b > a ? d.cellsOut : d.tiles,
          source:
            (b > a
              ? sizeOf(after(b).map(o => o.cellsOut))
              : sizeOf(dimensions.slice(b + 1, a + 1).map(o => o.tiles)) *
                sizeOf(after(a).map(o => o.cellsOut))) *
            width *
            4,
          target: b === a ? m * d.pitchOut : d.pitchOut,
        })),
        run: width * 4,
      };
  }
  return all;
}

// The point whose unit vector every A maps to ones.
const unitPoint = (dimensions: readonly Dimension[]): number =>
  dimensions.reduce((point, d) => point * d.n + d.unit, 0);

// An odd number of cache lines, so that the points of a tile do not meet in the same set of a cache.
const spaced = (bytes: number): number => (Math.ceil(bytes / 64) | 1) * 64;
