// tap-conv with few output channels (the gradient of a network's first layer, the last layer of a decoder) as dot
// products: vectors run along the input channels, which are contiguous, and there is a vector of partial sums for each cell
// and output channel, added up across at the end. The register tile of the direct kernel would leave most lanes empty.

import { channelsOf, product } from '../../src/tensor/layout.ts';
import type { KernelCall } from '../kernel.ts';
import type { WasmRendering, WasmTarget } from '../wasm.ts';
import {
  bump,
  each,
  get,
  i32,
  locals,
  loop,
  loopUpTo,
  marginRuns,
  multiplyAdd,
  plus,
  runFunction,
  set,
  share,
  times,
  zeroMargins,
} from '../wasm-text.ts';
import type { TapConv } from './spec.ts';
import { walksOf } from './walks.ts';

/** Whether dot products are the better way: output channels that fill no vector, input channels that do. */
export function dotFits({ kernel, inputs, output }: KernelCall, { wide }: WasmTarget): boolean {
  const C = channelsOf(inputs[0]);
  return (kernel as TapConv).groups === 1 && channelsOf(output) <= (wide ? 4 : 3) && C >= 8 && C % 4 === 0;
}

/** Renders a call that `dotFits`. */
export function renderDot(call: KernelCall, target: WasmTarget): WasmRendering {
  const kernel = call.kernel as TapConv;
  const [x] = call.inputs;
  const [C, K] = [channelsOf(x), channelsOf(call.output)];
  const taps = product(kernel.kernelShape);
  const biasAt = taps * C * K * 4;
  // Two vectors side by side, for the engine to fuse.
  const pair = target.wide && C % 8 === 0 ? 2 : 1;
  // Sums, weights and an input in the registers, of which there are 16.
  const cells = Math.max(1, Math.min(12, Math.floor(((target.relaxed ? 14 : 13) - K) / K)));
  const tileBytes = Math.ceil((cells * K * 16 * pair) / 64) * 64;

  const {
    walks,
    step: [stepIn, stepOut],
  } = walksOf(call, cells, C * K * 4);
  const chunkTable = Int32Array.from(
    walks.flatMap(v => v.chunks.flatMap(({ at, form }) => [...at, form.length])),
  );
  const tapTable = Int32Array.from(walks.flatMap(v => v.taps));
  const runs = marginRuns(call.output);
  const sizes = { C, K, pair, stepIn, stepOut };
  const functions = [...new Set([cells, 1])].map(m => tile(kernel, target, { ...sizes, cells: m }));

  const chunkAt = (o: number) => `(i32.load offset=${o} ${plus(get('table0'), times(get('i'), i32(12)))})`;
  const over = (m: number) =>
    `(block $b${m} (loop $l${m} (br_if $b${m} (i32.lt_u ${get('n')} ${i32(m)}))
      (call $dot_${m} ${['xa', 'ya', 'ta', 'te', 'scratch', 'sums'].map(get).join(' ')})
      ${bump('xa', m * stepIn)} ${bump('ya', m * stepOut)} ${bump('n', -m)} (br $l${m})))`;
  let [start, tapStart] = [0, 0];
  const main = walks.map(walk => {
    const count = walk.chunks.length;
    const text = `${share('i', 'to', count)} ${bump('i', start)} ${bump('to', start)}
      ${set('ta', plus(get('table1'), i32(tapStart * 8)))} ${set('te', plus(get('ta'), i32(walk.taps.length * 4)))}
      ${loopUpTo(
        'i',
        get('to'),
        `${set('n', chunkAt(8))} ${set('xa', plus(get('input0'), chunkAt(0)))} ${set('ya', plus(get('output'), chunkAt(4)))}
        ${[...new Set([cells, 1])].map(over).join(' ')}`,
      )}`;
    start += count;
    tapStart += walk.taps.length / 2;
    return text;
  });
  const body = `(if (i32.eqz ${get('phase')}) (then ${pack(kernel, C, K, taps, biasAt)})
    (else ${set('sums', plus(get('workspace'), times(get('thread'), i32(tileBytes))))} ${zeroMargins(2, runs)} ${main.join('\n')}))`;
  const names = ['i', 'to', 'n', 'xa', 'ya', 'ta', 'te', 'sums', 'm', 'd', 't', 'k', 'c'];
  return {
    text: `${functions.join('\n')}\n${runFunction(call.inputs.length, 3, locals('i32', ...names), body)}`,
    tables: [chunkTable, tapTable, runs],
    scratch: biasAt + K * 4,
    workspace: tileBytes,
    phases: 2,
    prepare: kernel.bias ? [1, 2] : [1],
    form: JSON.stringify(['dot', C, K, taps, kernel.flip, kernel.transpose, kernel.bias]),
  };
}

interface Tile {
  readonly cells: number;
  readonly C: number;
  readonly K: number;
  readonly pair: number;
  readonly stepIn: number;
  readonly stepOut: number;
}

// A function `$dot_m (xa, ya, ta, te, weights, sums)`: m cells, taps from `ta` to `te`.
function tile(kernel: TapConv, target: WasmTarget, { cells, C, K, pair, stepIn, stepOut }: Tile): string {
  const madd = multiplyAdd(target.relaxed);
  const pairs = <T>(of: (u: number) => T) => each(pair, of);
  const unroll = [4, 2, 1].find(u => C % (4 * pair * u) === 0)!;
  const inner = each(unroll, step => [
    ...each(K, k =>
      pairs(u =>
        set(`w${k}_${u}`, `(v128.load offset=${(step * pair + u) * 16 + k * C * 4} align=4 ${get('w')})`),
      ),
    ).flat(),
    ...each(cells, i => [
      ...pairs(u =>
        set(`x${u}`, `(v128.load offset=${(step * pair + u) * 16 + i * stepIn} align=4 ${get('x')})`),
      ),
      ...each(K, k =>
        pairs(u => set(`s${i}_${k}_${u}`, madd(get(`x${u}`), get(`w${k}_${u}`), get(`s${i}_${k}_${u}`)))),
      ).flat(),
    ]).flat(),
  ]).flat();
  const sums = each(cells, i => each(K, k => pairs(u => `s${i}_${k}_${u}`)).flat()).flat();
  const at = (i: number, k: number) => (i * K + k) * pair * 16;
  // Through memory, so that pairs end in stores side by side.
  const stores = sums.map((s, j) => `(v128.store offset=${16 * j} ${get('sums')} ${get(s)})`);
  const results = each(cells, i =>
    each(K, k => {
      const halves = pairs(u => `(v128.load offset=${at(i, k) + 16 * u} ${get('sums')})`);
      const lane = (l: number) => `(f32x4.extract_lane ${l} ${get('v')})`;
      const total = `(f32.add (f32.add ${lane(0)} ${lane(1)}) (f32.add ${lane(2)} ${lane(3)}))`;
      const biased = kernel.bias
        ? `(f32.add ${total} (f32.load offset=${product(kernel.kernelShape) * C * K * 4 + 4 * k} ${get('weights')}))`
        : total;
      const value =
        kernel.activation === 'relu'
          ? `(select ${get('r')} (f32.const 0) (f32.gt ${get('r')} (f32.const 0)))`
          : get('r');
      return `${set(
        'v',
        halves.reduce((a, b) => `(f32x4.add ${a} ${b})`),
      )} ${set('r', biased)}
        (f32.store offset=${i * stepOut + 4 * k} ${get('ya')} ${value})`;
    }),
  ).flat();
  const vectors = [...sums, ...each(K, k => pairs(u => `w${k}_${u}`)).flat(), ...pairs(u => `x${u}`), 'v'];
  return `(func $dot_${cells} ${['xa', 'ya', 'ta', 'te', 'weights', 'sums'].map(p => `(param $${p} i32)`).join(' ')}
    ${locals('i32', 'x', 'w', 'c')} ${locals('v128', ...vectors)} (local $r f32)
    (block $done (loop $taps
      (br_if $done (i32.ge_u ${get('ta')} ${get('te')}))
      ${set('x', plus(get('xa'), `(i32.load ${get('ta')})`))} ${set('w', plus(get('weights'), `(i32.load offset=4 ${get('ta')})`))}
      ${set('c', i32(C / (4 * pair * unroll)))}
      (loop $channels
        ${inner.join('\n')}
        ${bump('x', 16 * pair * unroll)} ${bump('w', 16 * pair * unroll)}
        (br_if $channels (local.tee $c (i32.sub ${get('c')} ${i32(1)}))))
      ${bump('ta', 8)} (br $taps)))
    ${stores.join('\n')}
    ${results.join('\n')})`;
}

// Phase 0: weights into `[tap][k][c]`, and the bias behind them.
function pack(kernel: TapConv, C: number, K: number, taps: number, biasAt: number): string {
  const stored = kernel.flip ? `(i32.sub ${i32(taps - 1)} ${get('t')})` : get('t');
  const index = kernel.transpose
    ? plus(times(plus(times(stored, i32(K)), get('k')), i32(C)), get('c'))
    : plus(times(plus(times(stored, i32(C)), get('c')), i32(K)), get('k'));
  const bias = kernel.bias
    ? `(memory.copy ${plus(get('scratch'), i32(biasAt))} ${get('input2')} ${i32(K * 4)})`
    : '';
  return `(if (i32.eqz ${get('thread')}) (then
    ${set('d', get('scratch'))}
    ${loop('t', taps, loop('k', K, loop('c', C, `(f32.store ${get('d')} (f32.load ${plus(get('input1'), times(index, i32(4)))})) ${bump('d', 4)}`)))}
    ${bias}))`;
}
