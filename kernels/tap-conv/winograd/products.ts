// WebAssembly text of the products of a Winograd convolution: for each point, M `[tiles][K]` = Σ over segments of
// V `[tiles + offset][C]` · U `[segment][C][K]`, in the register tile of the direct kernel (a few tiles × a few vectors
// of channels stay in registers while the input channels stream by).

import type { WasmTarget } from '../../wasm.ts';
import {
  bump,
  each,
  get,
  i32,
  locals,
  loop,
  multiplyAdd,
  plus,
  set,
  times,
  transposeFour,
} from '../../wasm-text.ts';
import { rowsFor } from '../tile.ts';
import { evenTiles } from '../walks.ts';

export interface Products {
  readonly points: number;
  /** Tiles of a block. */
  readonly rows: number;
  /** Channels in and out, and output channels of a block of weights. */
  readonly depth: number;
  readonly width: number;
  readonly block: number;
  /** Output channels that there are weights of, and bytes of those before the first one wanted, of a single cell. */
  readonly all: number;
  readonly first: string;
  /** Bytes between points in V and in M. */
  readonly pointIn: number;
  readonly pointOut: number;
  readonly segments: number;
  /** Address of the bytes from a tile to the one that each segment of the kernel is applied to. */
  readonly offsets: string;
  /** Address of the sums that point `p` starts from. */
  readonly start: string;
  /**
   * Where weights are those of another convolution, U `[point][block of C][K][block]`: address of working memory for
   * `turnedBlocks` blocks of K of them, `[C][block]`. Needs whole blocks of channels on both sides and a single segment.
   */
  readonly turned?: string;
}

/** All products of a block, from area 0 to area 1 with the weights in scratch. */
export function productsOf(
  products: Products,
  { relaxed, wide }: WasmTarget,
): { text: string; functions: string[]; locals: string[] } {
  const {
    points,
    rows,
    depth,
    width,
    block,
    all,
    first,
    pointIn,
    pointOut,
    segments,
    offsets,
    start,
    turned,
  } = products;
  const tile = rowsFor(block / 4, relaxed, wide);
  const narrow = width % block;
  const tiles = evenTiles(rows, tile);
  const widths = [...(width >= block ? [block] : []), ...(narrow ? [narrow] : [])];
  const [stepIn, stepOut] = [depth * 4, width * 4];
  const functions = widths.flatMap(lanes =>
    tiles.map(([height]) =>
      product({
        name: `product_${lanes}_${height}`,
        rows: height,
        vectors: lanes / 4,
        depth,
        stepIn,
        stepOut,
        segments,
        relaxed,
      }),
    ),
  );
  const together = turnedBlocks(width / block);
  const panel = depth * block * 4;
  const weights = turned
    ? plus(turned, times(`(i32.rem_u ${get('k')} ${i32(together)})`, i32(panel)))
    : get('u');
  const blockBytes = block * block * 4;
  const callWith = (lanes: number) => {
    let done = 0;
    const parts = tiles.map(([height, count]) => {
      const call = `(call $product_${lanes}_${height} ${plus(get('v'), i32(done * stepIn))} ${weights} ${plus(get('m'), i32(done * stepOut))} ${get('b')} ${offsets} ${i32(count)})`;
      done += height * count;
      return call;
    });
    const turn = turned
      ? `(if (i32.eqz (i32.rem_u ${get('k')} ${i32(together)})) (then (call $turn ${get('u')} ${turned})))`
      : '';
    const next = turned ? blockBytes : lanes * depth * segments * 4;
    return `${turn} ${parts.join(' ')} ${bump('u', next)} ${bump('m', lanes * 4)} ${bump('b', lanes * 4)}`;
  };
  // On from the weights of a point that were passed over to those of the next; turned ones lie in blocks of C, of which
  // only the first was passed over.
  const perChannel = turned ? block : depth * segments;
  const skip = bump('u', (all * depth * segments - width * perChannel) * 4);
  const text = `${set('v', get('area0'))} ${set('u', plus(get('scratch'), times(first, i32(perChannel))))}
    ${loop(
      'p',
      points,
      `${set('m', plus(get('area1'), times(get('p'), i32(pointOut))))} ${set('b', start)}
      ${width >= block ? loop('k', Math.floor(width / block), callWith(block)) : ''} ${narrow ? callWith(narrow) : ''}
      ${bump('v', pointIn)} ${skip}`,
    )}`;
  if (turned) functions.push(turn(block, together, depth / block, all * block * 4));
  return { text, functions, locals: ['p', 'k', 'v', 'u', 'm', 'b'] };
}

/** Blocks of weights transposed at a time, of so many: pages of memory are read as a whole. */
export const turnedBlocks = (blocks: number): number => [4, 2, 1].find(n => blocks % n === 0)!;

// A function `$turn (s, t)`: transposes rows of `together` squares of block × block weights, `count` rows `step` bytes
// apart, to `t`, where the squares of a column follow one another; four by four in registers.
function turn(block: number, together: number, count: number, step: number): string {
  const row = block * 4;
  const text: string[] = [];
  for (let i = 0; i < block; i += 4)
    for (let j = 0; j < block; j += 4)
      text.push(
        transposeFour(
          r => `(v128.load offset=${(i + r) * row + 4 * j} ${get('s')})`,
          (r, value) => `(v128.store offset=${(j + r) * row + 4 * i} ${get('t')} ${value})`,
        ),
      );
  const names = [0, 1, 2, 3].flatMap(r => [`x${r}`, `y${r}`]);
  const square = block * row;
  return `(func $turn (param $s i32) (param $t i32) ${locals('i32', 'i', 'j')} ${locals('v128', ...names)}
    ${loop(
      'i',
      count,
      `${loop('j', together, `${text.join('\n')} ${bump('s', square)} ${bump('t', count * square)}`)}
      ${bump('s', step - together * square)} ${bump('t', square - together * count * square)}`,
    )})`;
}

interface Product {
  readonly name: string;
  /** Tiles (rows of V and M) and vectors of output channels. */
  readonly rows: number;
  readonly vectors: number;
  readonly depth: number;
  /** Bytes of a tile's channels in V and in M. */
  readonly stepIn: number;
  readonly stepOut: number;
  readonly segments: number;
  readonly relaxed: boolean;
}

// A function `$name (v, u, m, start, offsets, count)`: `count` times `rows` rows, sums starting from the vectors at `start`,
// segments at the byte offsets listed at `offsets`.
function product(given: Product): string {
  const { name, rows, vectors, depth, stepIn, stepOut, segments } = given;
  const unroll = [4, 2, 1].find(u => depth % u === 0)!;
  const madd = multiplyAdd(given.relaxed);
  const sums = each(rows * vectors, i => `s${i}`);
  const weights = each(vectors, v => `w${v}`);
  const offset = (s: string) => `(i32.load ${plus(get('offsets'), times(s, i32(4)))})`;
  const channel = (c: number) => [
    ...weights.map((w, v) => set(w, `(v128.load offset=${(c * vectors + v) * 16} ${get('w')})`)),
    ...each(rows, i => [
      set('x', `(v128.load32_splat offset=${i * stepIn + 4 * c} ${get('r')})`),
      ...weights.map((w, v) => {
        const sum = sums[i * vectors + v];
        return set(sum, madd(get('x'), get(w), get(sum)));
      }),
    ]).flat(),
  ];
  const channels = `${set('c', i32(depth / unroll))}
      (loop $channels
        ${each(unroll, channel).flat().join('\n')}
        ${bump('r', 4 * unroll)} ${bump('w', 16 * vectors * unroll)}
        (br_if $channels (local.tee $c (i32.sub ${get('c')} ${i32(1)}))))`;
  const terms =
    segments === 1
      ? `${set('r', get('v'))} ${channels}`
      : loop('s', segments, `${set('r', plus(get('v'), offset(get('s'))))} ${channels}`);
  const stores = sums.map((s, i) => {
    const [row, v] = [Math.floor(i / vectors), i % vectors];
    return `(v128.store offset=${row * stepOut + 16 * v} align=4 ${get('m')} ${get(s)})`;
  });
  return `(func $${name} ${['v', 'u', 'm', 'start', 'offsets', 'count'].map(p => `(param $${p} i32)`).join(' ')}
    ${locals('i32', 'r', 'w', 'c', 's')} ${locals('v128', 'x', ...sums, ...weights)}
    (loop $rows
      ${sums.map((s, i) => set(s, `(v128.load offset=${16 * (i % vectors)} ${get('start')})`)).join(' ')}
      ${set('w', get('u'))}
      ${terms}
      ${stores.join('\n')}
      ${bump('v', rows * stepIn)} ${bump('m', rows * stepOut)}
      (br_if $rows (local.tee $count (i32.sub ${get('count')} ${i32(1)})))))`;
}
