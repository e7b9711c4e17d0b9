// The last phase of a Winograd correlation: the sums of all parts, added in double precision, go from points to taps by Gᵀ
// along one dimension after the other, for one channel of A and a block of channels of B at a time.

import { product } from '../../../src/tensor/layout.ts';
import type { Dimension } from '../../tap-conv/winograd/geometry.ts';
import { linearMap } from '../../tap-conv/winograd/linear-map.ts';
import { bump, get, i32, loop, loopUpTo, plus, set, share, times } from '../../wasm-text.ts';

export interface Results {
  readonly C: number;
  readonly K: number;
  /** Channels of B filled up to whole vectors, and of a block. */
  readonly width: number;
  readonly block: number;
  /** Copies of the sums in scratch, and bytes of one. */
  readonly parts: number;
  readonly bytes: number;
  /** Table of the tap of the result for each tap of each segment, or −1. */
  readonly taps: string;
}

/** Writes the results; uses the locals `area0` and `area1` and those named. */
export function tapsOf(
  dimensions: readonly Dimension[],
  { C, K, width, block, parts, bytes, taps }: Results,
): { text: string; functions: string[]; locals: string[] } {
  const points = product(dimensions.map(d => d.n));
  const segments = product(dimensions.map(d => d.segments));
  const tapsEach = product(dimensions.map(d => d.k));
  const transformed = dimensions.flatMap((d, a) => (d.n > 1 ? [a] : [])).reverse();
  const functions = transformed.map(a => {
    const row = product(dimensions.slice(a + 1).map(d => d.k)) * block * 8;
    const { G, k, n } = dimensions[a];
    return linearMap({
      name: `taps_${a}`,
      matrix: Array.from({ length: k }, (_, t) => G.map(point => point[t])),
      sourceRow: row,
      targetRow: row,
      walks: [{ count: product(dimensions.slice(0, a).map(d => d.n)), source: n * row, target: k * row }],
      run: row,
      shape: 'f64x2',
      relaxed: false,
      wide: false,
    });
  });
  const area = (step: number) => get(`area${step % 2}`);

  const blocks = Math.ceil(width / block);
  const narrow = width % block || block;
  const two = `(f64x2.promote_low_f32x4 (v128.load64_zero align=4 ${get('s')}))`;
  const gather = `${set('q', area(0))} ${loop(
    'p',
    points,
    `${set('r', plus(get('from'), times(plus(times(get('segment'), i32(points)), get('p')), i32(C * width * 4))))}
    ${set('j', i32(0))}
    ${loopUpTo(
      'j',
      get('lanes'),
      `${set('s', get('r'))} ${set('sum', two)}
      ${parts > 1 ? loop('part', parts - 1, `${bump('s', bytes)} ${set('sum', `(f64x2.add ${get('sum')} ${two})`)}`) : ''}
      (v128.store ${plus(get('q'), times(get('j'), i32(8)))} ${get('sum')}) ${bump('r', 8)}`,
      2,
    )}
    ${bump('q', block * 8)}`,
  )}`;
  const stored = `(i32.load ${plus(taps, times(plus(times(get('segment'), i32(tapsEach)), get('p')), i32(4)))})`;
  const scatter = `${set('q', area(transformed.length))} ${loop(
    'p',
    tapsEach,
    `${set('s', stored)}
    (if (i32.ge_s ${get('s')} ${i32(0)}) (then
      ${set('s', plus(get('output'), times(plus(times(plus(times(get('s'), i32(C)), get('h')), i32(K)), get('first')), i32(4))))}
      ${set('j', i32(0))}
      ${loopUpTo(
        'j',
        get('there'),
        `(f32.store ${get('s')} (f32.demote_f64 (f64.load ${plus(get('q'), times(get('j'), i32(8)))}))) ${bump('s', 4)}`,
      )}))
    ${bump('q', block * 8)}`,
  )}`;
  const text = `${share('i', 'end', blocks * C)} ${loopUpTo(
    'i',
    get('end'),
    `${set('h', `(i32.rem_u ${get('i')} ${i32(C)})`)} ${set('first', times(`(i32.div_u ${get('i')} ${i32(C)})`, i32(block)))}
    ${set('lanes', `(select ${i32(block)} ${i32(narrow)} (i32.lt_u ${get('first')} ${i32((blocks - 1) * block)}))`)}
    ${set('there', `(i32.sub ${i32(K)} ${get('first')})`)}
    ${set('there', `(select ${get('there')} ${get('lanes')} (i32.lt_u ${get('there')} ${get('lanes')}))`)}
    ${set('from', plus(get('scratch'), times(plus(times(get('first'), i32(C)), times(get('h'), get('lanes'))), i32(4))))}
    ${loop(
      'segment',
      segments,
      `${gather} ${transformed.map((a, s) => `(call $taps_${a} ${area(s)} ${area(s + 1)})`).join(' ')} ${scatter}`,
    )}`,
  )}`;
  return {
    text,
    functions,
    locals: ['segment', 'h', 'p', 'q', 'r', 's', 'j', 'part', 'from', 'first', 'lanes', 'there'],
  };
}
