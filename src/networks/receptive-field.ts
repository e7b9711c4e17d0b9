// Receptive fields: which cells of a network's input a unit depends on, by arithmetic over strides, paddings, dilations,
// pooling and branches, in any rank. `receptiveBox` gives the box of one unit, on a grid without edges or exactly within
// an input of a given size; `receptiveFields` the size, stride and start of every layer. Nothing is evaluated. The
// arithmetic of one path is that of Araujo, Norris & Sim (2019), "Computing receptive fields of convolutional neural
// networks"; here positions are carried as sets, so that dilations, branches and transposed convolutions are exact too.

import { NdconvError } from '../errors.ts';
import { type Around, type Read, rankAfter, readsOf } from './axis-reads.ts';
import { axisMap } from './axis-rules.ts';
import { planNetwork } from './evaluate.ts';
import {
  everything,
  hull,
  isEverything,
  mapped,
  type Runs,
  single,
  transposedReads,
  union,
  windowReads,
  within,
} from './index-runs.ts';
import { INPUT, type Layer, layerIndex, type Network } from './network.ts';

/** Cells `[from, to)` along each spatial dimension of the input; infinite where a unit depends on all of them. */
export interface Box {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** The receptive field of a layer's units, per spatial dimension of the input. */
export interface ReceptiveField {
  /** Cells; infinite where a unit sees all. Behind a layer that enlarges, that of the unit with most. */
  readonly size: readonly number[];
  /** Cells from one unit's field to that of the next; 1/2 behind a layer that doubles, undefined where a unit sees all. */
  readonly stride: readonly (number | undefined)[];
  /** First cell of the unit at 0; negative where it reaches into the padding. */
  readonly start: readonly number[];
}

/** How one layer stands in its network. */
interface Placed extends Around {
  readonly from: readonly number[];
}

/** A network whose layers' sources and dimensions are known; position −1 is the input. */
export interface ReceptivePlan {
  readonly network: Network;
  readonly layers: readonly Layer[];
  readonly placed: readonly Placed[];
  /** `[...spatial, channels]` of the input, where given. */
  readonly shape?: readonly number[];
}

/** Prepares a network for questions; with the `shape` of an input, `[...spatial, channels]`, sizes are known. */
export function planReceptive(network: Network, shape?: readonly number[]): ReceptivePlan {
  const layers = shape && network.specialise ? network.specialise([1, ...shape]) : network.layers;
  const shapes = shape && planNetwork(network, shape).shapes;
  const index = new Map(layers.map(({ name }, i) => [name, i]));
  index.set(INPUT, -1);
  const ranks: number[] = [];
  const placed = layers.map((layer, i): Placed => {
    const from = layer.from ? layer.from.map(name => index.get(name)!) : [i - 1];
    const inputRanks = from.map(j => (j < 0 ? network.rank + 2 : ranks[j]));
    ranks.push(rankAfter(layer, inputRanks));
    const full = (j: number) => [1, ...(j < 0 ? shape! : shapes!.get(layers[j].name)!)];
    return {
      layer,
      from,
      ranks: inputRanks,
      rank: ranks[i],
      ...(shapes ? { shapes: from.map(full), shape: full(i) } : {}),
    };
  });
  return { network, layers, placed, ...(shape ? { shape } : {}) };
}

const mirror = (p: number, n: number): number => {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const q = ((p % period) + period) % period;
  return q < n ? q : period - q;
};

/** What a layer reads of one dimension of an input of `n` cells; with `clip` only cells that are there. */
function applied(read: Read, region: readonly Runs[], n: number | undefined, clip: boolean): Runs {
  if (read.way === 'whole') return n !== undefined && clip ? [[0, n]] : everything;
  const runs = region[read.dim];
  const inside = (found: Runs) => (clip && n !== undefined ? within(found, 0, n) : found);
  if (isEverything(runs) || runs.length === 0) return inside(runs);
  switch (read.way) {
    case 'same':
      return inside(runs);
    case 'after':
      return inside(runs.map(([from, to]) => [from - read.start, to - read.start] as const));
    case 'transposed':
      return inside(transposedReads(runs, read.taps));
    case 'window': {
      const found = windowReads(runs, read.taps);
      if (!clip || n === undefined || !read.edge || isEverything(found)) return inside(found);
      const at = read.edge === 'reflect' ? mirror : (p: number) => Math.max(0, Math.min(n - 1, p));
      return mapped(found, p => [at(p, n)]);
    }
    case 'rule':
      return inside(ruled(read.rule, runs, n, clip));
  }
}

function ruled(
  rule: Extract<Read, { way: 'rule' }>['rule'],
  runs: Runs,
  n: number | undefined,
  clip: boolean,
): Runs {
  if (rule.rule === 'slice') return mapped(runs, p => [rule.start + rule.step * p]);
  if (rule.rule === 'window')
    return windowReads(runs, { kernel: rule.low + rule.high + 1, stride: 1, dilation: 1, low: rule.low });
  if (rule.rule === 'pad' && (!clip || rule.mode === 'constant')) return mapped(runs, p => [p - rule.low]);
  if (n === undefined) return everything;
  const { size, terms, index } = axisMap(rule, n);
  return mapped(runs, function* (p) {
    // Beyond the edges a resized axis goes on as it is inside.
    const at = Math.max(0, Math.min(size - 1, p));
    const beyond = rule.rule === 'resize' ? Math.round((p - at) / rule.scale) : 0;
    for (let j = 0; j < terms; j++) if (index[at * terms + j] >= 0) yield index[at * terms + j] + beyond;
  });
}

/** What a unit reads of the network's input, per stored dimension; undefined where it reads none of it. */
function trace(
  { network, placed, shape }: ReceptivePlan,
  layer: number,
  unit: readonly Runs[],
  clip: boolean,
) {
  const regions = new Map<number, readonly Runs[]>([[layer, unit]]);
  for (let i = layer; i >= 0; i--) {
    const region = regions.get(i);
    if (!region) continue;
    const around = placed[i];
    for (const [j, reads] of readsOf(around).entries()) {
      const source = around.from[j];
      const full = around.shapes?.[j] ?? (source < 0 && shape ? [1, ...shape] : undefined);
      const found = reads.map((read, dim) => applied(read, region, full?.[dim], clip));
      if (found.some(runs => runs.length === 0)) continue;
      const known = regions.get(source);
      regions.set(source, known ? known.map((runs, dim) => union(runs, found[dim])) : found);
    }
  }
  return regions.get(-1)?.slice(1, network.rank + 1);
}

/** The unit's own cells: `at` has one coordinate per spatial dimension, none where the layer gives one row a sample. */
function unitAt(plan: ReceptivePlan, layer: number, at: readonly number[]): Runs[] {
  const {
    rank,
    layer: { name },
  } = plan.placed[layer];
  if (at.length !== Math.max(0, rank - 2))
    throw new NdconvError(
      'NetworkError',
      `a unit of layer ${name} has ${Math.max(0, rank - 2)} coordinates, not ${at.length} ([${at}])`,
      { layer: name },
    );
  return [single(0), ...at.map(single), everything].slice(0, rank) as Runs[];
}

/**
 * The cells of the input that the unit at `at` of a layer reads, on a grid without edges: the box may lie beyond an input
 * where there is padding (see `clipBox`), and it has the same size for units whose window is the same. Sizes of padding
 * 'same' are those of an input that the strides divide, unless the plan has a shape. Undefined where nothing is read.
 */
export function receptiveBox(plan: ReceptivePlan, layer: string, at: readonly number[]): Box | undefined {
  const i = layerIndex({ ...plan.network, layers: plan.layers }, layer);
  return boxOf(trace(plan, i, unitAt(plan, i, at), false));
}

/**
 * The cells that can change the unit, exactly: the plan has the input's shape, every layer has its own edges, and what
 * padding mirrors or repeats counts where it comes from. Undefined where nothing of the input reaches the unit.
 */
export function receptiveCells(plan: ReceptivePlan, layer: string, at: readonly number[]): Box | undefined {
  if (!plan.shape)
    throw new NdconvError('NetworkError', 'the cells of a unit need the shape of the input', { layer });
  const i = layerIndex({ ...plan.network, layers: plan.layers }, layer);
  return boxOf(trace(plan, i, unitAt(plan, i, at), true));
}

function boxOf(runs: readonly Runs[] | undefined): Box | undefined {
  const ends = runs?.map(hull);
  if (!ends || ends.includes(undefined)) return undefined;
  return { from: ends.map(end => end![0]), to: ends.map(end => end![1]) };
}

/** The part of a box inside an input of `spatial` cells; where nothing is inside, `from` equals `to`. */
export const clipBox = ({ from, to }: Box, spatial: readonly number[]): Box => {
  const at = (p: number, a: number) => Math.max(0, Math.min(spatial[a], p));
  return { from: from.map(at), to: to.map(at) };
};

/** Which dimension of the input a dimension follows, and how many of its cells a step is. */
interface Step {
  axis: number;
  cells: number;
}

/** Steps along every dimension of a layer's value, by the first input that has them. */
function stepsAfter(around: Placed, before: (source: number) => readonly (Step | undefined)[]) {
  const steps: (Step | undefined)[] = new Array(around.rank).fill(undefined);
  for (const [j, reads] of readsOf(around).entries())
    for (const [dim, read] of reads.entries()) {
      const step = before(around.from[j])[dim];
      if (read.way !== 'whole' && step) steps[read.dim] ??= { ...step, cells: step.cells * factorOf(read) };
    }
  return steps;
}

function factorOf(read: Read): number {
  if (read.way === 'window') return read.taps.stride;
  if (read.way === 'transposed') return 1 / read.taps.stride;
  if (read.way !== 'rule') return 1;
  if (read.rule.rule === 'slice') return read.rule.step;
  return read.rule.rule === 'resize' ? 1 / read.rule.scale : 1;
}

/** Most phases of units that are looked at behind layers that enlarge. */
const mostPhases = 16;

/** Receptive fields of all layers by name; undefined for one that reads nothing of the input. */
export function receptiveFields(plan: ReceptivePlan): Map<string, ReceptiveField | undefined> {
  const { network, placed } = plan;
  const axes = Array.from({ length: network.rank }, (_, axis) => axis);
  const entry = [undefined, ...axes.map((axis): Step => ({ axis, cells: 1 })), undefined];
  const steps: (readonly (Step | undefined)[])[] = [];
  const fields = new Map<string, ReceptiveField | undefined>();
  for (const [i, around] of placed.entries()) {
    steps.push(stepsAfter(around, source => (source < 0 ? entry : steps[source])));
    const { name } = around.layer;
    const spatial = Math.max(0, around.rank - 2);
    const at = (p: number) => boxOf(trace(plan, i, unitAt(plan, i, new Array(spatial).fill(p)), false));
    const boxes = Array.from({ length: spatial === 0 ? 1 : phasesOf(steps[i]) }, (_, p) => at(p));
    const first = boxes.find(box => box !== undefined);
    fields.set(
      name,
      first && {
        size: axes.map(a => Math.max(...boxes.map(box => (box ? box.to[a] - box.from[a] : 0)))),
        stride: axes.map(a => steps[i].find(step => step?.axis === a)?.cells),
        start: first.from,
      },
    );
  }
  return fields;
}

/** Units after which the windows repeat, where steps are parts of a cell. */
function phasesOf(steps: readonly (Step | undefined)[]): number {
  const parts = steps.flatMap(step => (step ? [step.cells] : []));
  const whole = (n: number) => parts.every(cells => Math.abs(n * cells - Math.round(n * cells)) < 1e-6);
  for (let n = 1; n < mostPhases; n++) if (whole(n)) return n;
  return mostPhases;
}
