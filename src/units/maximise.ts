// What would excite a unit most: an input is made from noise by climbing the gradient of the unit's activation (Erhan et
// al. 2009, "Visualizing higher-layer features of a deep network"), in any rank. What keeps it from becoming noise again:
// small random shifts and a gradient whose fine parts come late (Mordvintsev, Olah & Tyka 2015), sizes from coarse to fine
// (octaves), and steps against the total variation and the L2 norm. All that is random comes from the seed.

import type { Backend } from '../backends/backend.ts';
import { NdconvError } from '../errors.ts';
import { type BackwardRule, differentiate } from '../graph/differentiate.ts';
import { Graph } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { instantiate, type Network } from '../networks/network.ts';
import { mapSamples } from '../prepare/grid.ts';
import { createRandom } from '../random.ts';
import { product } from '../tensor/layout.ts';
import { fitNetwork } from './reader.ts';
import { blur, decay, roll, smooth } from './regularise.ts';
import { isRectifierNode } from './views.ts';

/** The unit of a layer: at the cell in the middle, or the mean over all cells (a channel). A class is a unit of a layer without cells. */
export interface Target {
  readonly layer: string;
  readonly unit: number;
  readonly where: 'middle' | 'all';
}

export interface MaximiseSettings {
  /** Steps, shared among the octaves. */
  readonly iterations: number;
  /** Root mean square of a step, as a part of `scale`. */
  readonly rate: number;
  /** Largest shift before a step, in cells. */
  readonly jitter: number;
  /** Deviation in cells under which the gradient is smoothed at first; falls to a quarter of it. */
  readonly blur: number;
  /** Sizes from coarse to fine, each `octaveScale` times the one before. */
  readonly octaves: number;
  readonly octaveScale: number;
  /** Parts of the way per step: towards the neighbours, and towards `middle`. */
  readonly totalVariation: number;
  readonly l2: number;
  /** Values start around `middle` with the deviation `noise`·`scale`; beyond `range` they are cut off. */
  readonly middle: number;
  readonly scale: number;
  readonly noise: number;
  readonly range?: readonly [low: number, high: number];
  readonly seed: number;
}

export interface Maximised {
  /** `[...spatial, channels]`. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** The activation before every step, of the shifted input, and at last that of the result. */
  readonly activations: readonly number[];
  /** Sizes that the network could not take, left out. */
  readonly left: readonly (readonly number[])[];
}

/** What rectifiers let back where they are off, as long as nothing else reaches the input. */
const leak: BackwardRule = (graph, node, incoming, wanted) => {
  if (!isRectifierNode(node)) return undefined;
  const through = graph.map(
    ['mul', 'x0', ['select', 'x1', 1, 0.1]],
    [incoming, graph.value(node.id)],
    'leak',
  );
  return wanted.map((isWanted, i) => (isWanted && i === 0 ? through : undefined));
};

/** Computes the activation and its gradient at one size. */
async function compile(
  network: Network,
  { layer, unit, where }: Target,
  shape: readonly number[],
  backend: Backend,
  rule?: BackwardRule,
): Promise<Program> {
  const graph = new Graph();
  const x = graph.input('x', [1, ...shape]);
  const value = instantiate(fitNetwork(network, shape, [layer]), x, [layer]).get(layer)!;
  const units = value.shape.at(-1)!;
  if (!(unit < units))
    throw new NdconvError(
      'NetworkError',
      `layer ${layer} has units 0 to ${units - 1}; there is no unit ${unit}`,
    );
  const spatial = value.shape.slice(1, -1);
  const cells = product(spatial);
  const seed = new Float32Array(cells * units);
  const middle = spatial.reduce((index, n) => index * n + Math.floor(n / 2), 0);
  if (where === 'middle') seed[middle * units + unit] = 1;
  else for (let cell = 0; cell < cells; cell++) seed[cell * units + unit] = 1 / cells;
  const picked = graph.constant(value.shape, seed, 'unit');
  const ones = value.shape.map(() => 1);
  const activation = graph.reshape(graph.reduce('sum', ['mul', 'x0', 'x1'], [value, picked], ones), [1]);
  const [gradient] = differentiate(activation, [x], rule);
  return Program.compile(graph, { outputs: { activation, gradient } }, backend);
}

/** Root mean square. */
const sizeOf = (data: Float32Array): number =>
  Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);

/** Sizes of the octaves, coarse to fine. */
export const octaveSizes = (spatial: readonly number[], octaves: number, scale: number): number[][] =>
  Array.from({ length: octaves }, (_, i) =>
    spatial.map(n => Math.max(1, Math.round(n / scale ** (octaves - 1 - i)))),
  );

/**
 * An input `[...spatial, channels]` that excites the target. `onStep` is told after every step and may return false to
 * stop. Errors: NetworkError, ShapeError where the network cannot take the size; RunError where the gradient is not finite
 * or nothing ever reaches the input.
 */
export async function maximiseActivation(
  network: Network,
  target: Target,
  shape: readonly number[],
  settings: MaximiseSettings,
  backend: Backend,
  onStep: (iteration: number, activation: number) => Promise<boolean> | boolean = () => true,
): Promise<Maximised> {
  const { middle, scale, noise, iterations, seed, octaves, octaveScale } = settings;
  const channels = shape.at(-1)!;
  const random = createRandom(seed, 'maximise');
  const activations: number[] = [];
  const left: number[][] = [];
  let now: { shape: number[]; data: Float32Array } | undefined;
  let goOn = true;
  const sizes = octaveSizes(shape.slice(0, -1), octaves, octaveScale);
  for (const [octave, spatial] of sizes.entries()) {
    const own = [...spatial, channels];
    let program: Program;
    try {
      program = await compile(network, target, own, backend);
    } catch (error) {
      // A coarse size that the network cannot take is left out; the last one has to be.
      if (!(error instanceof NdconvError) || octave === sizes.length - 1) throw error;
      left.push(spatial);
      continue;
    }
    let helper: Program | undefined;
    try {
      const data = now
        ? enlarge(now, own)
        : Float32Array.from({ length: product(own) }, () => middle + noise * scale * random.normal());
      now = { shape: own, data };
      const last = Math.round((iterations * (octave + 1)) / octaves);
      // Sizes left out give their steps to the first that is taken.
      for (let step = activations.length; step < last && goOn; step++) {
        const shift = spatial.map(() => random.integer(2 * settings.jitter + 1) - settings.jitter);
        await program.write('x', roll(now.data, own, shift));
        await program.run();
        const activation = await program.readScalar('activation');
        let gradient = await program.read('gradient');
        if (sizeOf(gradient) === 0) {
          helper ??= await compile(network, target, own, backend, leak);
          await helper.write('x', roll(now.data, own, shift));
          await helper.run();
          gradient = await helper.read('gradient');
        }
        const back = roll(
          gradient,
          own,
          shift.map(by => -by),
        );
        climb(now.data, own, back, settings, 1 - step / iterations, target);
        activations.push(activation);
        goOn = await onStep(activations.length, activation);
      }
      if (octave === sizes.length - 1 || !goOn) {
        await program.write('x', now.data);
        await program.run();
        activations.push(await program.readScalar('activation'));
      }
    } finally {
      await program.dispose();
      await helper?.dispose();
    }
    if (!goOn) break;
  }
  return { ...now!, activations, left };
}

/** One step uphill; `left` is the part of the steps that is still to come. */
function climb(
  data: Float32Array,
  shape: readonly number[],
  gradient: Float32Array,
  settings: MaximiseSettings,
  left: number,
  { layer, unit }: Target,
): void {
  const { rate, scale, totalVariation, l2, middle, range } = settings;
  const direction =
    settings.blur > 0 ? blur(gradient, shape, settings.blur * (0.25 + 0.75 * left)) : gradient;
  const size = sizeOf(direction);
  if (!Number.isFinite(size))
    throw new NdconvError(
      'RunError',
      `the gradient of unit ${unit} of ${layer} is not finite: lower the rate`,
    );
  if (size === 0)
    throw new NdconvError(
      'RunError',
      `unit ${unit} of ${layer} does not move with the input: it may be dead; choose another, or another seed or more noise`,
    );
  for (let i = 0; i < data.length; i++) data[i] += (rate * scale * direction[i]) / size;
  smooth(data, shape, totalVariation);
  decay(data, middle, l2);
  if (range) for (let i = 0; i < data.length; i++) data[i] = Math.max(range[0], Math.min(range[1], data[i]));
}

/** The same on a finer grid. */
function enlarge(
  { shape, data }: { shape: number[]; data: Float32Array },
  to: readonly number[],
): Float32Array {
  const maps = shape.slice(0, -1).map((n, axis) => {
    const step = n / to[axis];
    return { start: (step - 1) / 2, step, size: to[axis] };
  });
  return mapSamples({ data, shape }, maps, 'replicate');
}
