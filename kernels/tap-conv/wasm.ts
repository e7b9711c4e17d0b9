// tap-conv as register-blocked SIMD. Outputs of one residue class (one per input dilation) are a plain walk: rows of
// cells with a fixed step in and out, and a list of taps, each an offset into the input and one into the weights.
// Weights are packed `[group][block of channels][tap][c][block]` once; a tile of `cells` × `vectors` sums stays in
// registers while the taps and input channels stream by: per tap and channel, load the weight vectors, splat one input
// per cell, multiply and add. Chunks of about 96 cells pass through all weight blocks before moving on, so that the
// input stays in the first cache; threads share the chunks, or the blocks of weights where chunks are few. Depthwise
// convolutions take the same walk with blocks of channels on both sides: per tap, a vector of inputs times a vector of
// weights.

import { channelsOf, type Layout, product } from '../../src/tensor/layout.ts';
import type { KernelCall } from '../kernel.ts';
import type { Expr } from '../map/expr.ts';
import { vectorFunctions } from '../map/wasm-expr.ts';
import type { WasmRendering, WasmTarget } from '../wasm.ts';
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
} from '../wasm-text.ts';
import { dotFits, renderDot } from './dot.ts';
import { PACK_VECTORS, pack } from './pack.ts';
import type { TapConv } from './spec.ts';
import { rowsFor, tile } from './tile.ts';
import { type Bytes, CHUNK, evenTiles, type Form, walksOf } from './walks.ts';

/** Pieces of work for each thread at least. */
const PIECES = 4;

/** What becomes of the sums before they are stored: a map. */
export interface Epilogue {
  /** Of the sum, x0, and the values of the other tensors, x1 …. */
  readonly expr: Expr;
  /** Of the output's shape; they follow the inputs of the convolution. */
  readonly others: readonly Layout[];
  /** The output lies in the bytes of the input, and in its layout. */
  readonly inPlace: boolean;
}

/** Whether a convolution can have an epilogue: cell by cell, one tap, and too many channels out for dot products. */
export const takesEpilogue = ({ kernel, output }: KernelCall): boolean => {
  const { kernelShape, strides, inputDilations, padLow, groups } = kernel as TapConv;
  const plain = [...kernelShape, ...strides, ...inputDilations, groups].every(n => n === 1);
  return plain && padLow.every(p => p === 0) && channelsOf(output) >= 8;
};

export function renderTapConv(call: KernelCall, target: WasmTarget, epilogue?: Epilogue): WasmRendering {
  if (dotFits(call, target)) return renderDot(call, target);
  const given = call.kernel as TapConv;
  const [x] = call.inputs;
  const { output } = call;
  const [C, K] = [channelsOf(x), channelsOf(output)];
  // One channel in and out per group: to the walk a single group whose weights are the same either way round.
  const depthwise = given.groups > 1 && given.groups === C && given.groups === K;
  const kernel = depthwise ? { ...given, groups: 1, transpose: false } : given;
  const depth = depthwise ? 1 : C / kernel.groups;
  const width = K / kernel.groups;
  const vectors = target.wide ? 4 : 2;
  const block = Math.min(vectors * 4, Math.ceil(width / 4) * 4);
  const cells = rowsFor(block / 4, target.relaxed, target.wide);
  const blocks = Math.ceil(width / block);
  const taps = product(kernel.kernelShape);
  const blockBytes = taps * depth * block * 4;
  const biasAt = kernel.groups * blocks * blockBytes;

  const { others, inPlace } = epilogue ?? { others: [], inPlace: false };
  const { walks, step } = walksOf(call, cells, depth * block * 4, true, others);
  const chunks = walks.flatMap(w => w.chunks);
  const nameOf = ({ rows, length, row }: Form) => [rows, length, ...row].join();
  const known = new Map(chunks.map(({ form }) => [nameOf(form), form]));
  const [names, forms] = [[...known.keys()], [...known.values()]];
  // Bytes of the input from the first cell of a chunk to behind the last.
  const spanOf = ({ rows, length, row }: Form) => (rows - 1) * row[0] + (length - 1) * step[0] + C * 4;
  const chunkTable = Int32Array.from(
    chunks.flatMap(c => [...c.at, names.indexOf(nameOf(c.form)), spanOf(c.form)]),
  );
  const chunkWords = step.length + 2;
  const tapTable = Int32Array.from(walks.flatMap(v => v.taps));
  const runs = marginRuns(output);

  // Each form of a chunk is cut into tiles of its own, so that none is low; the first cell of each, and what it is like.
  const shapes = new Map<string, Bytes[]>();
  const cutsOf = ({ rows, length, row }: Form) => {
    const at = (j: number) => step.map((s, n) => Math.floor(j / length) * row[n] + (j % length) * s);
    let done = 0;
    return evenTiles(rows * length, cells).flatMap(([height, count]) => {
      // In a single row all tiles of a height are the same, and one call does for them.
      const [calls, each] = rows > 1 ? [count, 1] : [1, count];
      return Array.from({ length: calls }, () => {
        const first = at(done);
        const shape = Array.from({ length: height }, (_, i) => at(done + i).map((b, n) => b - first[n]));
        const key = JSON.stringify(shape);
        shapes.set(key, shape);
        done += height * each;
        return { first, key, each };
      });
    });
  };
  const cuts = forms.map(cutsOf);
  const keys = [...shapes.keys()];
  const widths = new Set<number>([Math.min(block, width), ...(width % block ? [width % block] : [])]);
  const functions = [...widths].flatMap(lanes =>
    keys.map((key, n) =>
      tile(kernel, target, {
        name: `tile_${lanes}_${n}`,
        cells: shapes.get(key)!,
        next: step.map(s => s * shapes.get(key)!.length),
        lanes,
        block,
        depth,
        depthwise,
        epilogue: epilogue?.expr,
      }),
    ),
  );

  // A chunk through one block of channels.
  const callTiles = (lanes: number) =>
    cuts
      .map((cut, form) => {
        const calls = cut.map(
          ({ first: [from, to, ...more], key, each }) =>
            `(call $tile_${lanes}_${keys.indexOf(key)} ${plus(get('xa'), i32(from))} ${get('wa')} ${plus(get('ya'), i32(to))} ${get('ba')} ${get('ta')} ${get('tn')} ${i32(each)}
              ${epilogue ? get('sums') : ''} ${more.map((bytes, n) => plus(get(`a${n + 1}`), i32(bytes))).join(' ')})`,
        );
        return `(if (i32.eq ${get('n')} ${i32(form)}) (then ${calls.join('\n')}))`;
      })
      .join('\n');
  const lastLanes = width - (blocks - 1) * block;
  const tilesOf =
    blocks > 1 && lastLanes !== block
      ? `(if (i32.eq ${get('b')} ${i32(blocks - 1)}) (then ${callTiles(lastLanes)}) (else ${callTiles(block)}))`
      : callTiles(Math.min(block, width));
  // Short chunks pass through a block of weights several at a time: weights that leave the cache are read less often.
  const together = inPlace
    ? 1
    : Math.max(1, Math.floor(CHUNK / Math.max(1, ...forms.map(f => f.rows * f.length))));
  const chunkAt = (word: number) =>
    `(i32.load offset=${4 * word} ${plus(get('table0'), times(get('j'), i32(4 * chunkWords)))})`;
  // Where the output overwrites the input, a chunk of it is put aside first.
  const sumBytes = epilogue ? cells * block * 4 : 0;
  const span = inPlace ? Math.max(...forms.map(spanOf)) : 0;
  const workspace = epilogue ? Math.ceil((sumBytes + span) / 64 + 1) * 64 : 0;
  const aside = inPlace
    ? `${set('j', get('i'))} (memory.copy ${get('aside')} ${plus(get('input0'), chunkAt(0))} ${chunkAt(chunkWords - 1)})`
    : '';
  const from = inPlace ? get('aside') : plus(get('input0'), chunkAt(0));
  const channelsAt = (groupBytes: number, blockBytes: number) =>
    plus(times(get('g'), i32(groupBytes)), times(get('b'), i32(blockBytes)));
  const all = kernel.groups * blocks;
  const { threads = 1 } = target;
  let start = 0;
  let tapStart = 0;
  const main = walks.map(walk => {
    const count = walk.chunks.length;
    // Threads share chunks; where these are too few, also the blocks of weights.
    const slices =
      threads > 1 && count > 0 && !inPlace ? Math.min(all, Math.ceil((PIECES * threads) / count)) : 1;
    const blockOf = (slice: string) => `(i32.div_u ${times(slice, i32(all))} ${i32(slices)})`;
    const least = (a: string, b: string) => `(select ${a} ${b} (i32.lt_u ${a} ${b}))`;
    const text = `${share('piece', 'last', count * slices)}
      ${set('ta', plus(get('table1'), i32(tapStart * 8)))} ${set('tn', i32(walk.taps.length / 2))}
      ${loopUpTo(
        'piece',
        get('last'),
        `${set('slice', `(i32.div_u ${get('piece')} ${i32(Math.max(1, count))})`)}
        ${set('i', plus(`(i32.sub ${get('piece')} ${times(get('slice'), i32(count))})`, i32(start)))}
        ${set('to', `(i32.sub ${get('last')} ${times(get('slice'), i32(count))})`)}
        ${set('to', plus(least(get('to'), i32(count)), i32(start)))}
        ${set('piece', times(plus(get('slice'), i32(1)), i32(count)))}
        ${loopUpTo(
          'i',
          get('to'),
          `${set('end', plus(get('i'), i32(together)))} ${set('end', least(get('end'), get('to')))}
          ${aside} ${set('q', blockOf(get('slice')))}
          ${loopUpTo(
            'q',
            blockOf(plus(get('slice'), i32(1))),
            `${set('g', `(i32.div_u ${get('q')} ${i32(blocks)})`)} ${set('b', `(i32.rem_u ${get('q')} ${i32(blocks)})`)}
            ${set('wa', plus(get('scratch'), times(get('q'), i32(blockBytes))))}
            ${set('ba', plus(get('scratch'), plus(times(get('q'), i32(block * 4)), i32(biasAt))))}
            ${set('j', get('i'))} ${loopUpTo(
              'j',
              get('end'),
              `${set('n', chunkAt(step.length))}
              ${set('xa', plus(from, channelsAt(depth * 4, depthwise ? block * 4 : 0)))}
              ${set('ya', plus(plus(get('output'), chunkAt(1)), channelsAt(width * 4, block * 4)))}
              ${others.map((_, n) => set(`a${n + 1}`, plus(plus(get(`input${call.inputs.length + n}`), chunkAt(2 + n)), channelsAt(width * 4, block * 4)))).join(' ')}
              ${tilesOf}`,
            )}`,
          )}`,
          together,
        )}`,
        0,
      )}`;
    start += count;
    tapStart += walk.taps.length / 2;
    return text;
  });
  const own = epilogue
    ? `${set('sums', plus(get('workspace'), times(get('thread'), i32(workspace))))} ${set('aside', plus(get('sums'), i32(sumBytes)))}`
    : '';
  const body = `${own} (if (i32.eqz ${get('phase')}) (then ${pack(kernel, { C, K, depth, width, block, blocks, taps, biasAt })}) (else ${zeroMargins(2, runs)} ${main.join('\n')}))`;
  const used = [
    ...(epilogue ? ['sums', 'aside'] : []),
    ...others.map((_, n) => `a${n + 1}`),
    'piece',
    'last',
    'slice',
    'q',
    'i',
    'to',
    'end',
    'g',
    'b',
    'j',
    'n',
    'xa',
    'wa',
    'ya',
    'ba',
    'ta',
    'tn',
    'm',
    'd',
    't',
    'c',
    'k',
    's',
  ];
  return {
    text: `${epilogue ? vectorFunctions(epilogue.expr) : ''} ${functions.join('\n')}\n${runFunction(call.inputs.length + others.length, 3, `${locals('i32', ...used)} ${locals('v128', ...PACK_VECTORS)}`, body)}`,
    tables: [chunkTable, tapTable, runs],
    scratch: biasAt + kernel.groups * blocks * block * 4,
    workspace,
    phases: 2,
    prepare: kernel.bias ? [1, 2] : [1],
    form: JSON.stringify([
      'direct',
      C,
      K,
      kernel.groups,
      taps,
      block,
      kernel.flip,
      kernel.transpose,
      kernel.bias,
    ]),
  };
}
