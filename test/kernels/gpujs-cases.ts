// Random kernel calls of every family for comparing a backend with the reference: ranks 1 to 4, margins, odd channels,
// strides, dilations, groups, input dilations, every kind of window and gather.

import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import type { Expr } from '../../kernels/map/expr.ts';
import { marginsOf } from '../../kernels/tap-conv/spec.ts';
import { type Layout, layoutOf, type Margin, product } from '../../src/tensor/layout.ts';
import { outputSize } from '../../src/tensor/taps.ts';

/** One call with packed inputs. */
export interface Case {
  readonly name: string;
  readonly call: KernelCall;
  readonly inputs: readonly Float32Array[];
}

/** A small generator of numbers (mulberry32), so that cases are the same in every run. */
export function randomSource(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    int,
    list: (n: number, low: number, high: number) => Array.from({ length: n }, () => int(low, high)),
    values: (n: number) => Float32Array.from({ length: n }, () => next() * 2 - 1),
  };
}

type Random = ReturnType<typeof randomSource>;

const withMargin = (random: Random, shape: readonly number[], need?: readonly Margin[]): Layout =>
  layoutOf(
    shape,
    shape.slice(0, -1).map((_, a) => {
      const [low, high] = need?.[a] ?? [0, 0];
      return [low + (random.int(0, 3) === 0 ? 1 : 0), high + (random.int(0, 3) === 0 ? 2 : 0)] as const;
    }),
  );

const caseOf = (
  random: Random,
  name: string,
  kernel: Kernel,
  inputs: Layout[],
  output: readonly number[],
  values?: Float32Array[],
): Case => ({
  name,
  call: { kernel, inputs, output: withMargin(random, output) },
  inputs: values ?? inputs.map(l => random.values(product(l.shape))),
});

function tapsOf(random: Random, rank: number, dilated: boolean) {
  const kernelShape = random.list(rank, 1, 3);
  const strides = random.list(rank, 1, 2);
  const dilations = random.list(rank, 1, 2);
  const inputDilations = dilated ? random.list(rank, 1, 3) : kernelShape.map(() => 1);
  const spatial = random.list(rank, 3, rank > 2 ? 4 : 7);
  const padLow = kernelShape.map(k => random.int(-1, k - 1));
  const padHigh = kernelShape.map(k => random.int(-1, k - 1));
  const output = spatial.map((n, a) =>
    outputSize((n - 1) * inputDilations[a] + 1, kernelShape[a], strides[a], dilations[a], [
      padLow[a],
      Math.max(padHigh[a], dilations[a] * kernelShape[a] - n + 2),
    ]),
  );
  return { taps: { kernelShape, strides, dilations, inputDilations, padLow }, spatial, output };
}

function convCase(random: Random, rank: number): Case {
  const { taps, spatial, output } = tapsOf(random, rank, random.int(0, 2) === 0);
  const groups = random.int(1, 3);
  const [inGroup, outGroup] = [random.int(1, 5), random.int(1, 5)];
  const kernel: Kernel = {
    family: 'tap-conv',
    ...taps,
    groups,
    flip: random.int(0, 1) === 1,
    transpose: random.int(0, 1) === 1,
    bias: random.int(0, 1) === 1,
    activation: random.int(0, 1) === 1 ? 'relu' : 'none',
  };
  const batch = random.int(1, 2);
  const x = [batch, ...spatial, groups * inGroup];
  const w = kernel.transpose
    ? [...taps.kernelShape, outGroup, groups * inGroup]
    : [...taps.kernelShape, inGroup, groups * outGroup];
  const y = [batch, ...output, groups * outGroup];
  const needs = random.int(0, 1) === 1 ? marginsOf(kernel, [x, w], y) : [];
  const layouts = [withMargin(random, x, needs[0]), withMargin(random, w)];
  if (kernel.bias) layouts.push(layoutOf([groups * outGroup]));
  return caseOf(random, `tap-conv rank ${rank}`, kernel, layouts, y);
}

function correlateCase(random: Random, rank: number): Case {
  const { taps, spatial, output } = tapsOf(random, rank, false);
  const groups = random.int(1, 3);
  const [rows, columns] = [random.int(1, 5), random.int(1, 4)];
  const batch = random.int(1, 2);
  return caseOf(
    random,
    `tap-correlate rank ${rank}`,
    { family: 'tap-correlate', ...taps, groups, symmetric: false },
    [
      withMargin(random, [batch, ...spatial, groups * rows]),
      withMargin(random, [batch, ...output, groups * columns]),
    ],
    [...taps.kernelShape, rows, groups * columns],
  );
}

function windowCase(random: Random, rank: number, kind: 'max' | 'argmax' | 'unpool'): Case {
  const kernelShape = random.list(rank, 1, 3);
  const strides = random.list(rank, 1, 3);
  const dilations = random.list(rank, 1, 2);
  const spatial = kernelShape.map((k, a) => dilations[a] * (k - 1) + random.int(2, 4));
  const padLow = kernelShape.map((k, a) => (k > 1 && dilations[a] === 1 ? random.int(0, 1) : 0));
  const output = spatial.map((n, a) =>
    outputSize(n, kernelShape[a], strides[a], dilations[a], [padLow[a], 0]),
  );
  const kernel: Kernel = {
    family: 'window',
    kind,
    kernelShape,
    strides,
    dilations,
    padLow,
    inputDilations: kernelShape.map(() => 1),
    ...(kind === 'argmax' && { positive: rank % 2 === 0 }),
  };
  const [batch, channels] = [random.int(1, 2), random.int(1, 9)];
  const [x, y] = [
    [batch, ...spatial, channels],
    [batch, ...output, channels],
  ];
  if (kind !== 'unpool')
    return caseOf(random, `window ${kind} rank ${rank}`, kernel, [withMargin(random, x)], y);
  // A winner that lies inside X for every window: a tap whose cell exists whatever the position.
  const middle = kernelShape.map((k, a) => (padLow[a] > 0 ? k - 1 : random.int(0, k - 1)));
  const tap = middle.reduce((index, t, a) => index * kernelShape[a] + t, 0);
  return caseOf(
    random,
    `window unpool rank ${rank}`,
    kernel,
    [withMargin(random, y), withMargin(random, y)],
    x,
    [random.values(product(y)), new Float32Array(product(y)).fill(tap)],
  );
}

const EXPRESSIONS: readonly Expr[] = [
  ['max', ['add', 'x0', ['mul', 'x1', -0.5]], 0],
  ['select', 'x1', ['exp', 'x0'], ['tanh', ['mul', 3, 'x0']]],
  ['add', ['step', 'x0'], ['mul', ['sigmoid', ['mul', 40, 'x0']], ['neg', ['abs', 'x1']]]],
  ['div', ['sqrt', ['abs', 'x0']], ['add', ['log', ['add', 2, 'x1']], ['min', 'x1', 3]]],
];

function broadcastShapes(random: Random, rank: number): { shapes: number[][]; full: number[] } {
  const full = [random.int(1, 2), ...random.list(rank, 2, 4), random.int(1, 11)];
  return { full, shapes: [0, 1].map(() => full.map(n => (random.int(0, 3) === 0 ? 1 : n))) };
}

function mapCase(random: Random, rank: number): Case {
  const { full, shapes } = broadcastShapes(random, rank);
  const expr = EXPRESSIONS[random.int(0, EXPRESSIONS.length - 1)];
  return caseOf(
    random,
    `map rank ${rank}`,
    { family: 'map', expr },
    shapes.map(s => withMargin(random, s)),
    full,
  );
}

function reduceCase(random: Random, rank: number): Case {
  const { full, shapes } = broadcastShapes(random, rank);
  shapes[0] = full;
  const kind = random.int(0, 1) === 0 ? 'sum' : 'max';
  const expr = EXPRESSIONS[random.int(0, EXPRESSIONS.length - 1)];
  const output = full.map(n => (random.int(0, 1) === 0 ? 1 : n));
  return caseOf(
    random,
    `reduce ${kind} rank ${rank}`,
    { family: 'reduce', kind, expr },
    shapes.map(s => withMargin(random, s)),
    output,
  );
}

function gatherCase(random: Random, rank: number, count: number): Case {
  const dimensions = rank + 2;
  const shape = [random.int(1, 2), ...random.list(rank, 2, 4), random.int(1, 9)];
  const concatAxis = count === 1 ? 0 : random.int(0, dimensions - 1);
  const shapes = Array.from({ length: count }, () =>
    shape.map((n, a) => (a === concatAxis && count > 1 ? random.int(1, 3) : n)),
  );
  const joined = shape.map((n, a) => (a === concatAxis ? shapes.reduce((s, x) => s + x[a], 0) : n));
  const permutation = shape.map((_, a) => a);
  for (let a = dimensions - 1; a > 0; a--) {
    const b = random.int(0, a);
    [permutation[a], permutation[b]] = [permutation[b], permutation[a]];
  }
  const source = permutation.map(a => joined[a]);
  const maps = source.map(n => {
    if (random.int(0, 1) === 0) return null;
    const [size, terms] = [random.int(1, 5), random.int(1, 3)];
    return {
      size,
      terms,
      index: Int32Array.from({ length: size * terms }, () => random.int(-1, n - 1)),
      weight: random.values(size * terms),
    };
  });
  return caseOf(
    random,
    `gather of ${count} rank ${rank}`,
    { family: 'gather', concatAxis, permutation, maps },
    shapes.map(s => withMargin(random, s)),
    source.map((n, a) => maps[a]?.size ?? n),
  );
}

/** Cases of every family and rank. */
export function randomCases(seed: number, each: number): Case[] {
  const random = randomSource(seed);
  const cases: Case[] = [];
  for (let round = 0; round < each; round++)
    for (let rank = 1; rank <= 4; rank++) {
      cases.push(convCase(random, rank), correlateCase(random, rank));
      for (const kind of ['max', 'argmax', 'unpool'] as const) cases.push(windowCase(random, rank, kind));
      cases.push(mapCase(random, rank), reduceCase(random, rank), gatherCase(random, rank, 1));
      cases.push(gatherCase(random, rank, random.int(2, 4)));
    }
  cases.push(gatherCase(random, 2, 12));
  return cases;
}
