// Phase 0 of a Winograd convolution: weights of every pair of channels to the points, U
// `[point][block of K][segment][C][block]`, in double precision, and zeros behind them. G is applied along one dimension after the
// other, to a block of output channels at a time, by the same maps as the inputs. Taps that fill up the last segment
// and channels that fill up vectors are zeros.

import { product } from '../../../src/tensor/layout.ts';
import { tapIndices } from '../../../src/tensor/taps.ts';
import { bump, get, i32, loop, loopUpTo, plus, set, share, times } from '../../wasm-text.ts';
import type { TapConv } from '../spec.ts';
import type { Dimension } from './geometry.ts';
import { linearMap } from './linear-map.ts';

export interface Channels {
  /** Input and output channels as they are, and filled up. */
  readonly C: number;
  readonly K: number;
  readonly depth: number;
  readonly width: number;
  /** Output channels of a block; the last may be narrower. */
  readonly block: number;
}

export interface Weights {
  /** Body of phase 0; uses the locals `area0` and `area1` and those named, and the taps as table 1. */
  readonly text: string;
  readonly functions: readonly string[];
  readonly locals: readonly string[];
  /** Stored tap of each tap of each segment, or −1. */
  readonly taps: Int32Array;
  /** Bytes of scratch, and where in it lie zeros for all channels in or out. */
  readonly bytes: number;
  readonly zerosAt: number;
}

export function prepareWeights(
  kernel: Pick<TapConv, 'kernelShape' | 'flip' | 'transpose'>,
  dimensions: readonly Dimension[],
  channels: Channels,
): Weights {
  const { C, K, depth, width, block } = channels;
  const points = product(dimensions.map(d => d.n));
  const segments = product(dimensions.map(d => d.segments));
  const tapsEach = product(dimensions.map(d => d.k));
  const pointBytes = segments * depth * width * 4;
  const zerosAt = points * pointBytes;
  const zeros = Math.max(depth, width) * 4;

  const transformed = dimensions.flatMap((d, a) => (d.n > 1 ? [a] : []));
  const functions = transformed.map(a => {
    const row = product(dimensions.slice(a + 1).map(d => d.k)) * block * 8;
    const { G, k, n } = dimensions[a];
    return linearMap({
      name: `weights_${a}`,
      matrix: G,
      sourceRow: row,
      targetRow: row,
      walks: [{ count: product(dimensions.slice(0, a).map(d => d.n)), source: k * row, target: n * row }],
      run: row,
      shape: 'f64x2',
      relaxed: false,
      wide: false,
    });
  });
  const area = (step: number) => get(`area${step % 2}`);

  // Taps of a segment for one input channel and a block of output channels, as doubles.
  const tap = `(i32.load ${plus(get('table1'), times(plus(times(get('segment'), i32(tapsEach)), get('t')), i32(4)))})`;
  const index = kernel.transpose
    ? plus(times(plus(times(get('tap'), i32(K)), get('k')), i32(C)), get('c'))
    : plus(times(plus(times(get('tap'), i32(C)), get('c')), i32(K)), get('k'));
  const inside = [
    `(i32.lt_u ${get('k')} ${i32(K)})`,
    `(i32.lt_u ${get('c')} ${i32(C)})`,
    `(i32.ge_s ${get('tap')} ${i32(0)})`,
  ].reduce((a, b) => `(i32.and ${a} ${b})`);
  const value = `(if (result f32) ${inside} (then (f32.load ${plus(get('input1'), times(index, i32(4)))})) (else (f32.const 0)))`;
  const gather = `${set('d', area(0))} ${loop(
    't',
    tapsEach,
    `${set('tap', tap)} ${loop(
      'j',
      block,
      `${set('k', plus(get('first'), get('j')))} (f64.store ${get('d')} (f64.promote_f32 ${value})) ${bump('d', 8)}`,
    )}`,
  )}`;

  const half = (offset: number) => `(f32x4.demote_f64x2_zero (v128.load offset=${offset} ${get('s')}))`;
  const scatter = `${set('s', area(transformed.length))} ${loop(
    't',
    points,
    `${set('d', plus(get('to'), times(get('t'), i32(pointBytes))))} ${set('j', i32(0))}
    ${loopUpTo(
      'j',
      get('lanes'),
      `(v128.store ${get('d')} (i64x2.replace_lane 1 ${half(0)} (i64x2.extract_lane 0 ${half(16)}))) ${bump('d', 16)} ${bump('s', 32)}`,
      4,
    )}
    ${set('s', plus(get('s'), times(`(i32.sub ${i32(block)} ${get('lanes')})`, i32(8))))}`,
  )}`;

  const blocks = Math.ceil(width / block);
  const narrow = width % block || block;
  const quotient = (a: string, n: number) => `(i32.div_u ${a} ${i32(n)})`;
  const remainder = (a: string, n: number) => `(i32.rem_u ${a} ${i32(n)})`;
  const text = `${share('i', 'end', blocks * segments * depth)} ${loopUpTo(
    'i',
    get('end'),
    `${set('c', remainder(get('i'), depth))} ${set('segment', remainder(quotient(get('i'), depth), segments))}
    ${set('first', times(quotient(get('i'), depth * segments), i32(block)))}
    ${set('lanes', `(select ${i32(block)} ${i32(narrow)} (i32.lt_u ${get('first')} ${i32((blocks - 1) * block)}))`)}
    ${set('to', plus(times(get('first'), i32(segments * depth)), times(plus(times(get('segment'), i32(depth)), get('c')), get('lanes'))))}
    ${set('to', plus(get('scratch'), times(get('to'), i32(4))))}
    ${gather}
    ${transformed.map((a, s) => `(call $weights_${a} ${area(s)} ${area(s + 1)})`).join(' ')}
    ${scatter}`,
  )}
  (if (i32.eqz ${get('thread')}) (then (memory.fill ${plus(get('scratch'), i32(zerosAt))} ${i32(0)} ${i32(zeros)})))`;
  return {
    text,
    functions,
    locals: ['c', 'segment', 'first', 'lanes', 'tap', 'd', 's', 't', 'j'],
    taps: storedTaps(kernel, dimensions),
    bytes: zerosAt + zeros,
    zerosAt,
  };
}

// Which stored tap each tap of each segment is; −1 past the kernel's last.
export function storedTaps(
  { kernelShape, flip }: Pick<TapConv, 'kernelShape' | 'flip'>,
  dimensions: readonly Dimension[],
): Int32Array {
  const spatial = dimensions.slice(1);
  const last = product(kernelShape) - 1;
  return Int32Array.from(
    tapIndices(spatial.map(d => d.segments)).flatMap(segment =>
      tapIndices(spatial.map(d => d.k)).map(within => {
        const tap = within.map((t, a) => segment[a] * spatial[a].k + t);
        if (tap.some((t, a) => t >= kernelShape[a])) return -1;
        const index = tap.reduce((sum, t, a) => sum * kernelShape[a] + t, 0);
        return flip ? last - index : index;
      }),
    ),
  );
}
