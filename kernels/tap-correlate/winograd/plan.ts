// Whether Winograd pays for a correlation, and with which tiles, blocks and parts, from the same counts and prices as for a
// convolution (tap-conv/winograd/plan.ts); what is streamed once a block is not weights but the sums, read and written.

import { channelsOf, product } from '../../../src/tensor/layout.ts';
import type { KernelCall } from '../../kernel.ts';
import { blocksFor, cutOf, movesOf, slicesFor, tapsFit, tilesFor } from '../../tap-conv/winograd/cuts.ts';
import type { Choice } from '../../tap-conv/winograd/geometry.ts';
import { LARGER, overflowOf, PLAIN, ROOM, WIDE, WORTH } from '../../tap-conv/winograd/plan.ts';
import type { WasmTarget } from '../../wasm.ts';
import type { TapCorrelate } from '../spec.ts';
import { heightsFor } from './products.ts';

/** Tiles, blocks, and into how many parts the blocks are cut. */
export interface CorrelationChoice extends Choice {
  readonly parts: number;
}

export interface PricedCorrelation extends CorrelationChoice {
  /** Nanoseconds on as many threads as can share it. */
  readonly time: number;
}

/** Parts at most, tiles of a part at least, and bytes of the sums of all parts at most. */
const PARTS = 16;
const PART = 96;
const SUMS = 24e6;
/** Nanoseconds per byte of the sums added to once more, by how many bytes there are. */
const ADD = [
  { bytes: 6e6, price: 0.04 },
  { bytes: 6e5, price: 0.03 },
  { bytes: 0, price: 0.008 },
];
/** Nanoseconds per byte of the sums when the points become taps, of those of each part, and of the result. */
const LAST = { sums: 0.2, part: 0.05, result: 0.6 };
/** Part of the direct kernel's time that those with strides must stay under: their maps move much for little. */
const STRIDED = 0.7;
/** What the direct kernel takes, by what a convolution does. */
const DIRECT = 1.12;

/** Whether the call is one that Winograd's algorithm computes. */
export function winogradFits({ kernel, inputs, output }: KernelCall): boolean {
  const { groups, symmetric, ...taps } = kernel as TapCorrelate;
  const shape = inputs[1].shape;
  return groups === 1 && !symmetric && product(shape) * product(output.shape) > 0 && tapsFit(taps, shape);
}

/** The fastest tiles, blocks and parts, or nothing where the direct kernel is: the same for any number of threads. */
export function chooseWinograd(call: KernelCall, target: WasmTarget): PricedCorrelation | undefined {
  if (!winogradFits(call)) return undefined;
  const [a, b] = call.inputs;
  const convolution: KernelCall = { ...call, inputs: [a], output: b };
  const alone = { ...target, threads: 1 };
  let best: PricedCorrelation | undefined;
  for (const tile of tilesFor(call.kernel as TapCorrelate, product(b.shape.slice(0, -1)))) {
    const found = blocksFor(convolution, tile)
      .map(block => priceOf(call, alone, { ...tile, block }))
      .reduce((best, next) => (next.time < LARGER.block * best.time ? next : best));
    if (!best || found.time < LARGER.tile * best.time) best = found;
  }
  const worth = (call.kernel as TapCorrelate).strides.some(s => s > 1) ? STRIDED : WORTH;
  if (!best || best.time > worth * directTime(call, alone)) return undefined;
  return bestSlices(call, target, best);
}

function bestSlices(call: KernelCall, target: WasmTarget, choice: Omit<Choice, 'slices'>): PricedCorrelation {
  return slicesFor(channelsOf(call.inputs[1]), target)
    .map(slices => priceOf(call, target, { ...choice, slices }))
    .reduce((best, next) => (next.time < LARGER.block * best.time ? next : best));
}

function priceOf(call: KernelCall, target: WasmTarget, choice: Choice): PricedCorrelation {
  const { slices = 1 } = choice;
  const { threads = 1 } = target;
  const price = target.wide ? WIDE : PLAIN;
  const { kernelShape } = call.kernel as TapCorrelate;
  const lanes = target.wide ? 8 : 4;
  const [C, K] = call.inputs.map(channelsOf);
  const [depth, width] = [C, K].map(n => Math.ceil(n / lanes) * (lanes / 4));
  const cut = cutOf({ ...call, output: call.inputs[1] }, choice);
  const { blocks } = cut;
  const points = cut.points * cut.segments;
  const [grid, tiles] = [product(cut.axes.map(a => a.grid)), product(cut.axes.map(a => a.block))];

  const slice = width / slices;
  const vectors = Math.min(target.wide ? 4 : 2, width);
  const heights = heightsFor(C, vectors * 4, target);
  // A low register tile waits for its sums.
  const rows = heights.reduce(
    (sum, [height, count]) => sum + count * Math.max(height, vectors > 2 ? 3 : 6),
    0,
  );
  const calls = points * Math.ceil(slice / vectors) * heights.reduce((sum, [, count]) => sum + count, 0);
  const products = points * tiles * rows * slice;
  const moves = movesOf(cut, depth, slice);
  const sums = points * C * width * 16;
  const held = cut.points * (grid * depth + tiles * slice) * 16;
  const overflow = overflowOf(held, (depth + slice) / 2);
  const added = ADD.find(a => sums / slices > a.bytes)!.price * (sums / slices);
  const each = products * price.product + calls * price.call + moves * price.move + overflow + added;

  const most = Math.min(PARTS, blocks, (blocks * tiles) / PART, SUMS / sums);
  const parts = 2 ** Math.max(0, Math.floor(Math.log2(most)));
  const last =
    (parts * slices * added) / 2 +
    sums * (LAST.sums + parts * LAST.part) +
    product(kernelShape) * C * K * 4 * LAST.result;
  const time =
    held > ROOM || sums > SUMS
      ? Number.POSITIVE_INFINITY
      : Math.ceil((parts * slices) / threads) * Math.ceil(blocks / parts) * each + last / threads;
  return { ...choice, parts, time };
}

/** Nanoseconds of the direct kernel. */
export function directTime({ kernel, inputs, output }: KernelCall, target: WasmTarget): number {
  const { kernelShape, groups, symmetric } = kernel as TapCorrelate;
  const price = target.wide ? WIDE : PLAIN;
  const width = Math.ceil(channelsOf(output) / 4);
  const C = channelsOf(inputs[0]) / groups;
  const cells = product(inputs[1].shape.slice(0, -1));
  const products = cells * product(kernelShape) * Math.max(C, 2) * width;
  const all = products * DIRECT * (width > 1 ? price.direct : price.narrow) * (symmetric ? 0.55 : 1);
  return all / (target.threads ?? 1);
}
