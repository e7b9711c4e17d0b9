// Style transfer by optimisation, for any rank: J(G) = α·J_content + β·J_style + τ·TV, minimised over G by gradient
// descent through a frozen network (Gatys, Ecker & Bethge 2016).
//     J_content = Σ_l w_l · ½‖a_l(C) − a_l(G)‖²
//     J_style   = Σ_s v_s Σ_l λ_l · ‖Gram_l(S_s) − Gram_l(G)‖²_F / (2·cells·channels)²
// Where style and result differ in size their Gram matrices are compared per cell, which is the same formula when they
// do not. What a sound, an image or a scan is, and how it becomes a tensor, is not known here (see front-ends.ts).
//
// Plain losses differ by many powers of ten between networks, layers, ranks and sizes. Relative losses are divided by
// what they are for something known: the style loss by the content's own, the content loss by that of an unrelated thing
// in the given style (the energies ½Σ_l w_l‖a_l − mean‖² of content and style together), the total variation by the
// content's. So 1 means "as far from the style as the content is" and "nothing left of the content", and the same
// weights do the same everywhere.

import type { Backend } from '../backends/backend.ts';
import type { Forecast } from '../backends/forecast.ts';
import { NdconvError } from '../errors.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { planProgram } from '../graph/plan.ts';
import { Program } from '../graph/program.ts';
import { instantiate, type Network } from '../networks/network.ts';
import { add, scale } from '../ops/arithmetic.ts';
import { gram } from '../ops/gram.ts';
import { contentLoss, totalVariation } from '../ops/losses.ts';
import { type MinimisePlan, minimise, type Outcome, type Problem, planMinimise } from '../optim/minimise.ts';
import { product } from '../tensor/layout.ts';
import { contentEnergy, contentLossOf, neighbourVariation, styleLossOf } from './measure.ts';
import type { Arrays, Grid, StyleFigures, StyleLosses, StyleProblem } from './problem.ts';

/** A transfer that ended. */
export interface Transfer extends Outcome {
  /** The result, in the network's range. */
  grid: Grid;
  /** What plain losses were divided by; all 1 where losses are plain. */
  scales: StyleLosses;
  /** Losses of the result; where grids settle, of what it settled to. */
  figures: StyleFigures;
}

/** Targets computed once: content activations and style Gram matrices per cell. */
interface Targets {
  content: Arrays;
  styles: Arrays[];
}

const ones: StyleLosses = { content: 1, style: 1, tv: 1 };
const batched = (grid: Grid) => [1, ...grid.shape];
const cellsOf = (value: Value) => product(value.shape.slice(0, -1));

/** Gram matrix divided by the number of cells. */
const gramPerCell = (value: Value): Value => scale(gram(value), 1 / cellsOf(value));

/** Layers whose Gram matrices are compared. */
const styleLayers = (problem: StyleProblem): string[] => [
  ...new Set(problem.styles.flatMap(s => Object.keys(s.layers))),
];
const contentLayers = (problem: StyleProblem): string[] => Object.keys(problem.content.layers);

/** Zeros of a shape. Throws MemoryError where one array cannot hold them. */
function zeros(shape: readonly number[], what: string): Float32Array {
  try {
    return new Float32Array(product(shape));
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const needed = 4 * product(shape);
    throw new NdconvError(
      'MemoryError',
      `${what} (${shape.join('×')}) take ${(needed / 2 ** 30).toFixed(1)} GiB, more than one array can hold`,
      { needed },
      cause,
    );
  }
}

/** The network with zeros for weights: where only shapes matter, none need be drawn or held. */
const withoutWeights = (network: Network): Network => ({
  ...network,
  layers: network.layers.map(layer => ({
    ...layer,
    weights:
      layer.weights &&
      Object.fromEntries(
        Object.entries(layer.weights).map(([role, { shape }]) => [
          role,
          { shape, data: zeros(shape, `the ${role} of the layer ${layer.name}`) },
        ]),
      ),
  })),
});

/** What it will take on a backend, before anything runs. Only shapes matter in `given`. */
export function planStyle(given: StyleProblem, forecast: Forecast): MinimisePlan {
  const problem = { ...given, network: withoutWeights(given.network) };
  const shapesOf = (grid: Grid, activations: string[], grams: string[]): Map<string, readonly number[]> => {
    const { outputs } = recordFeatures(problem.network, grid, activations, grams);
    return new Map(Object.entries(outputs).map(([name, value]) => [name, value.shape]));
  };
  const blank = (shape: readonly number[], what: string): Grid => ({ shape, data: zeros(shape, what) });
  const content = shapesOf(problem.content.grid, contentLayers(problem), []);
  const targets: Targets = {
    content: new Map(
      contentLayers(problem).map(name => [
        name,
        blank(content.get(`activation ${name}`)!, `the values of the layer ${name}`),
      ]),
    ),
    styles: problem.styles.map(({ grid, layers }) => {
      const shapes = shapesOf(grid, [], Object.keys(layers));
      return new Map(
        Object.keys(layers).map(name => [
          name,
          blank(shapes.get(`gram ${name}`)!, `the Gram values of the layer ${name}`),
        ]),
      );
    }),
  };
  const plan = planMinimise(record(problem, targets, ones), problem.optimiser, forecast);
  // Computing the targets takes less, unless a style is much larger than the result.
  const before = problem.styles.map(({ grid, layers }) => {
    const { graph, outputs } = recordFeatures(
      problem.network,
      grid,
      contentLayers(problem),
      Object.keys(layers),
    );
    return forecast.bytes(planProgram(graph, { outputs }).plan);
  });
  return { ...plan, peak: Math.max(plan.peak, ...before) };
}

/**
 * Runs the transfer. `onStep` hears of the start (iteration 0) and of every step, and may return false to stop there.
 * Errors: RunError where the loss is no finite number.
 */
export async function transferStyle(
  problem: StyleProblem,
  backend: Backend,
  onStep: (
    figures: StyleFigures,
    read: () => Promise<Float32Array>,
  ) => Promise<boolean | undefined> | boolean | undefined,
): Promise<Transfer> {
  const { content, styles, start } = problem;
  const own = await evaluate(problem, content.grid, contentLayers(problem), styleLayers(problem), backend);
  const targets: Targets = { content: own.activations, styles: [] };
  let energy = contentEnergy(own.activations, content.layers);
  const share = 1 / styles.reduce((sum, s) => sum + s.weight, 0);
  for (const { grid, layers, weight } of styles) {
    const found = await evaluate(problem, grid, contentLayers(problem), Object.keys(layers), backend);
    targets.styles.push(found.grams);
    const cells = product(grid.shape.slice(0, -1)) / product(content.grid.shape.slice(0, -1));
    energy += (weight * share * contentEnergy(found.activations, content.layers)) / cells;
  }

  const lossesAt = (activations: Arrays, grams: Arrays, grid: Grid): StyleLosses => ({
    content: contentLossOf(activations, targets.content, content.layers),
    style: styles.reduce((sum, s, i) => sum + s.weight * styleLossOf(grams, targets.styles[i], s.layers), 0),
    tv: neighbourVariation(grid),
  });
  const mine = lossesAt(own.activations, own.grams, content.grid);
  const scales: StyleLosses =
    problem.losses === 'plain' ? ones : { content: energy || 1, style: mine.style || 1, tv: mine.tv || 1 };

  let first = mine;
  if (start !== content.grid) {
    const found = await evaluate(problem, start, contentLayers(problem), styleLayers(problem), backend);
    first = lossesAt(found.activations, found.grams, start);
  }
  const figuresOf = (plain: StyleLosses, iteration: number): StyleFigures => {
    const [c, s, tv] = [plain.content / scales.content, plain.style / scales.style, plain.tv / scales.tv];
    const total = problem.contentWeight * c + problem.styleWeight * s + problem.totalVariation * tv;
    return { iteration, total, content: c, style: s, tv };
  };
  const beginning = figuresOf(first, 0);
  const nothing = { losses: [], iterations: 0, reason: 'stopped', times: [], seconds: 0 } as const;
  if ((await onStep(beginning, async () => start.data)) === false)
    return {
      ...nothing,
      losses: [],
      times: [],
      values: { image: start.data },
      grid: start,
      scales,
      figures: beginning,
    };

  const { settle, iterations } = problem;
  const rounds = Math.min(settle?.rounds ?? 1, iterations);
  let [grid, figures, done] = [start, beginning, 0];
  let sum: Outcome | undefined;
  for (let round = 1; round <= rounds; round++) {
    const before = done;
    const steps = Math.round((iterations * round) / rounds) - Math.round((iterations * (round - 1)) / rounds);
    const recorded = record({ ...problem, start: grid }, targets, scales);
    const outcome = await minimise(recorded, problem.optimiser, steps, backend, step => {
      done = before + step.iteration;
      figures = {
        iteration: done,
        total: step.loss,
        content: step.figures.content ?? Number.NaN,
        style: step.figures.style,
        tv: step.figures.tv ?? Number.NaN,
      };
      return onStep(figures, () => step.read('image'));
    });
    sum = sum ? join(sum, outcome) : outcome;
    grid = { shape: start.shape, data: outcome.values.image };
    const last = round === rounds || outcome.reason === 'stopped';
    if (settle) grid = await settle.of(grid, last);
    if (last) break;
  }
  if (settle) {
    const found = await evaluate(problem, grid, contentLayers(problem), styleLayers(problem), backend);
    figures = figuresOf(lossesAt(found.activations, found.grams, grid), done);
  }
  return { ...sum!, values: { image: grid.data }, iterations: done, grid, scales, figures };
}

/** Two outcomes of the same program, one after the other. */
const join = (a: Outcome, b: Outcome): Outcome => ({
  ...b,
  losses: [...a.losses, ...b.losses],
  iterations: a.iterations + b.iterations,
  times: b.times.map((time, i) => ({ ...time, seconds: time.seconds + (a.times[i]?.seconds ?? 0) })),
  seconds: a.seconds + b.seconds,
});

// Activations and Gram matrices of a grid as outputs `activation NAME` and `gram NAME`.
function recordFeatures(
  network: Network,
  grid: Grid,
  activations: readonly string[],
  grams: readonly string[],
) {
  const graph = new Graph();
  const names = [...new Set([...activations, ...grams])];
  const values = instantiate(network, graph.input('x', batched(grid)), names);
  const outputs: Record<string, Value> = {};
  for (const name of activations) outputs[`activation ${name}`] = values.get(name)!;
  for (const name of grams) outputs[`gram ${name}`] = gramPerCell(values.get(name)!);
  return { graph, outputs };
}

async function evaluate(
  problem: StyleProblem,
  grid: Grid,
  activations: readonly string[],
  grams: readonly string[],
  backend: Backend,
): Promise<{ activations: Arrays; grams: Arrays }> {
  const { graph, outputs } = recordFeatures(problem.network, grid, activations, grams);
  const program = await Program.compile(graph, { outputs }, backend);
  try {
    await program.write('x', grid.data);
    await program.run();
    const readAll = async (kind: string, names: readonly string[]): Promise<Arrays> => {
      const found = new Map<string, Grid>();
      for (const name of names) {
        const output = `${kind} ${name}`;
        found.set(name, { shape: outputs[output].shape, data: await program.read(output) });
      }
      return found;
    };
    return { activations: await readAll('activation', activations), grams: await readAll('gram', grams) };
  } finally {
    await program.dispose();
  }
}

// Records the loss over the variable 'image'.
function record(problem: StyleProblem, targets: Targets, scales: StyleLosses): Problem {
  const graph = new Graph();
  const image = graph.variable('image', batched(problem.start), problem.start.data);
  const { content: part, contentWeight, styleWeight, totalVariation: tvWeight } = problem;
  const wanted = [...(contentWeight > 0 ? contentLayers(problem) : []), ...styleLayers(problem)];
  const values = instantiate(problem.network, image, [...new Set(wanted)]);
  const figures: Record<string, Value> = {};
  const parts: Value[] = [];

  if (contentWeight > 0) {
    const losses = [...targets.content].map(([name, { shape, data }]) =>
      scale(
        contentLoss(values.get(name)!, graph.constant(shape, data, `content ${name}`)),
        part.layers[name] / scales.content,
      ),
    );
    figures.content = losses.reduce(add);
    parts.push(scale(figures.content, contentWeight));
  }
  const grams = new Map<string, Value>();
  const gramOf = (name: string): Value => {
    const known = grams.get(name) ?? gramPerCell(values.get(name)!);
    grams.set(name, known);
    return known;
  };
  const style = problem.styles.flatMap((s, i) =>
    [...targets.styles[i]].map(([name, { shape, data }]) => {
      const target = graph.constant(shape, data, `style ${name}`);
      const loss = graph.reduce(
        'sum',
        ['mul', ['sub', 'x0', 'x1'], ['sub', 'x0', 'x1']],
        [gramOf(name), target],
        shape.map(() => 1),
        'style loss',
      );
      const weight = (s.weight * s.layers[name]) / (2 * shape.at(-1)!) ** 2;
      return scale(graph.reshape(loss, [1]), weight / scales.style);
    }),
  );
  figures.style = style.reduce(add);
  parts.push(scale(figures.style, styleWeight));
  if (tvWeight > 0) {
    figures.tv = scale(totalVariation(image), 1 / scales.tv);
    parts.push(scale(figures.tv, tvWeight));
  }
  return { loss: parts.reduce(add), variables: { image }, figures };
}
