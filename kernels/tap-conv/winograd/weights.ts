// Phase 0 of a Winograd convolution: weights of every pair of channels to the points, U `[point][block of K][C][block]`,
// in double precision, and bias. G is applied along one dimension after the other, to a block of output channels at a
// time, by the same maps as the inputs. Channels that only fill up vectors get zeros.

import { product as sizeOf } from '../../../src/tensor/layout.ts';
import { bump, get, i32, loop, loopUpTo, plus, set, share, times } from '../../wasm-text.ts';
import type { TapConv } from '../spec.ts';
import type { Dimension } from './geometry.ts';
import { linearMap } from './linear-map.ts';

export interface Channels {
  /** Input and output channels as they are, and filled up. */
  C: number;
  K: number;
  depth: number;
  width: number;
  /** Output channels of a block; the last may be narrower. */
  block: number;
  dimensions: readonly Dimension[];
}

export interface Weights {
  /** Body of phase 0; uses the locals `area0` and `area1` and those named. */
  readonly text: string;
  readonly functions: readonly string[];
  readonly locals: readonly string[];
  /** Bytes of scratch, and where in it lie `width` zeros and the bias. */
  readonly bytes: number;
  readonly zerosAt: number;
  readonly biasAt: number;
}

export function prepareWeights(kernel: TapConv, channels: Channels): Weights {
  const { C, K, depth, width, block, dimensions } = channels;
  const taps = sizeOf(kernel.kernelShape);
  const points = sizeOf(dimensions.map(d => d.n));
  const pointBytes = depth * width * 4;
  const zerosAt = points * pointBytes;
  const biasAt = zerosAt + width * 4;

  const transformed = dimensions.flatMap((d, a) => (d.n > 1 ? [a] : []));
  const functions = transformed.map(a => {
    const row = sizeOf(dimensions.slice(a + 1).map(d => d.k)) * block * 8;
    return linearMap({
      name: `weights_${a}`,
      matrix: dimensions[a].G,
      sourceRow: row,
      targetRow: row,
      walks: [
        {
          count: sizeOf(dimensions.slice(0, a).map(d => d.n)),
          source: dimensions[a].k * row,
          target: dimensions[a].n * row,
        },
      ],
      run: row,
      shape: 'f64x2',
      relaxed: false,
      wide: false,
    });
  });
  const area = (step: number) => get(`area${step % 2}`);

  // Taps of one input channel and a block of output channels as doubles, zeros where channels only fill up.
  const stored = kernel.flip ? `(i32.sub ${i32(taps - 1)} ${get('t')})` : get('t');
  const index = kernel.transpose
    ? plus(times(plus(times(stored, i32(K)), get('k')), i32(C)), get('c'))
    : plus(times(plus(times(stored, i32(C)), get('c')), i32(K)), get('k'));
  const inside = `(i32.and (i32.lt_u ${get('k')} ${i32(K)}) (i32.lt_u ${get('c')} ${i32(C)}))`;
  const value = `(if (result f32) ${inside} (then (f32.load ${plus(get('input1'), times(index, i32(4)))})) (else (f32.const 0)))`;
  const gather = `${set('d', area(0))} ${loop(
    't',
    taps,
    loop(
      'j',
      block,
      `${set('k', plus(get('first'), get('j')))} (f64.store ${get('d')} (f64.promote_f32 ${value})) ${bump('d', 8)}`,
    ),
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
  const whole = Math.ceil(width / block);
  const narrow = width % block || block;
  const text = `${share('i', 'end', whole * depth)} ${loopUpTo(
    'i',
    get('end'),
    `${set('c', `(i32.rem_u ${get('i')} ${i32(depth)})`)} ${set('first', times(`(i32.div_u ${get('i')} ${i32(depth)})`, i32(block)))}
    ${set('lanes', `(select ${i32(block)} ${i32(narrow)} (i32.lt_u ${get('first')} ${i32((whole - 1) * block)}))`)}
    ${set('to', plus(get('scratch'), times(plus(times(get('first'), i32(depth)), times(get('c'), get('lanes'))), i32(4))))}
    ${gather}
    ${transformed.map((a, s) => `(call $weights_${a} ${area(s)} ${area(s + 1)})`).join(' ')}
    ${scatter}`,
  )}
  (if (i32.eqz ${get('thread')}) (then
    (memory.fill ${plus(get('scratch'), i32(zerosAt))} ${i32(0)} ${i32(2 * width * 4)})
    ${kernel.bias ? `(memory.copy ${plus(get('scratch'), i32(biasAt))} ${get('input2')} ${i32(K * 4)})` : ''}))`;
  return {
    text,
    functions,
    locals: ['c', 'first', 'lanes', 'd', 's', 't', 'j'],
    bytes: biasAt + width * 4,
    zerosAt,
    biasAt,
  };
}
