// Style transfer by optimisation, for any rank: J(G) = α·J_content + β·J_style + τ·TV, minimised over G by gradient
// descent through a frozen network (Gatys, Ecker & Bethge 2016).
//     J_content = Σ_l w_l · ½‖a_l(C) − a_l(G)‖²
//     J_style   = Σ_s v_s Σ_l λ_l · ‖Gram_l(S_s) − Gram_l(G)‖²_F / (2·cells·channels)²
// Where style and result differ in size their Gram matrices are compared per cell, which is the same formula when they
// do not. What a sound, an image or a scan is, and how it becomes a tensor, is not known here (see front-ends.ts).

import type { Backend } from '../backends/backend.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { instantiate, type Network } from '../networks/network.ts';
import { add, scale } from '../ops/arithmetic.ts';
import { gram } from '../ops/gram.ts';
import { contentLoss, totalVariation } from '../ops/losses.ts';
import { memoryToMinimise, minimise, type Outcome, type Problem } from '../optim/minimise.ts';
import type { OptimiserSettings } from '../optim/settings.ts';
import { product } from '../tensor/layout.ts';

/** A grid of values `[...spatial, channels]` in the network's range. */
export interface Grid {
  shape: readonly number[];
  data: Float32Array;
}

/** Weights by layer name (λ_l for styles). */
export type LayerWeights = Readonly<Record<string, number>>;

export interface StyleProblem {
  network: Network;
  content?: { grid: Grid; layers: LayerWeights };
  styles: { grid: Grid; layers: LayerWeights; weight: number }[];
  /** α, β and the weight of total variation. */
  contentWeight: number;
  styleWeight: number;
  totalVariation: number;
  start: Grid;
  optimiser: OptimiserSettings;
  iterations: number;
}

/** Losses at one step: `total`, and `content`, `style`, `tv` before their weights. */
export interface StyleFigures {
  iteration: number;
  total: number;
  content: number;
  style: number;
  tv: number;
}

/** Targets computed once: content activations and style Gram matrices per cell. */
interface Targets {
  content: Map<string, { shape: readonly number[]; data: Float32Array }>;
  styles: Map<string, { shape: readonly number[]; data: Float32Array }>[];
}

const batched = (grid: Grid) => [1, ...grid.shape];
const cellsOf = (value: Value) => product(value.shape.slice(0, -1));

/** Gram matrix divided by the number of cells. */
const gramPerCell = (value: Value): Value => scale(gram(value), 1 / cellsOf(value));

/** Bytes the optimisation will take and the number of kernel calls a step, before anything runs. */
export function planStyle(problem: StyleProblem): { permanent: number; peak: number; calls: number } {
  const shapes = (names: readonly string[], grid: Grid) => {
    const graph = new Graph();
    const values = instantiate(problem.network, graph.input('x', batched(grid)), names);
    return new Map([...values].map(([name, v]) => [name, v.shape]));
  };
  const blank = (shape: readonly number[]) => ({ shape, data: new Float32Array(product(shape)) });
  const content = problem.content
    ? [...shapes(Object.keys(problem.content.layers), problem.content.grid)].map(
        ([n, s]) => [n, blank(s)] as const,
      )
    : [];
  const styles = problem.styles.map(style => {
    const found = shapes(Object.keys(style.layers), style.grid);
    return new Map([...found].map(([name, s]) => [name, blank([s.at(-1)!, s.at(-1)!])] as const));
  });
  return memoryToMinimise(record(problem, { content: new Map(content), styles }), problem.optimiser);
}

/** Runs the transfer; `onStep` may return false to stop. The result is in the network's range. */
export async function transferStyle(
  problem: StyleProblem,
  backend: Backend,
  onStep: (
    figures: StyleFigures,
    read: () => Promise<Float32Array>,
  ) => Promise<boolean | undefined> | boolean | undefined,
): Promise<Outcome & { grid: Grid }> {
  const targets = await computeTargets(problem, backend);
  const outcome = await minimise(
    record(problem, targets),
    problem.optimiser,
    problem.iterations,
    backend,
    step =>
      onStep(
        {
          iteration: step.iteration,
          total: step.loss,
          content: step.figures.content ?? 0,
          style: step.figures.style,
          tv: step.figures.tv ?? 0,
        },
        () => step.read('image'),
      ),
  );
  return { ...outcome, grid: { shape: problem.start.shape, data: outcome.values.image } };
}

async function computeTargets(problem: StyleProblem, backend: Backend): Promise<Targets> {
  const content = problem.content
    ? await evaluate(problem, problem.content.grid, problem.content.layers, v => v, backend)
    : new Map();
  const styles: Targets['styles'] = [];
  for (const style of problem.styles)
    styles.push(await evaluate(problem, style.grid, style.layers, gramPerCell, backend));
  return { content, styles };
}

async function evaluate(
  problem: StyleProblem,
  grid: Grid,
  layers: LayerWeights,
  of: (v: Value) => Value,
  backend: Backend,
) {
  const graph = new Graph();
  const values = instantiate(problem.network, graph.input('x', batched(grid)), Object.keys(layers));
  const outputs = Object.fromEntries([...values].map(([name, v]) => [name, of(v)]));
  const program = await Program.compile(graph, { outputs }, backend);
  try {
    await program.write('x', grid.data);
    await program.run();
    const found = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const [name, v] of Object.entries(outputs))
      found.set(name, { shape: v.shape, data: await program.read(name) });
    return found;
  } finally {
    await program.dispose();
  }
}

// Records the loss over the variable 'image'.
function record(problem: StyleProblem, targets: Targets): Problem {
  const graph = new Graph();
  const image = graph.variable('image', batched(problem.start), problem.start.data);
  const names = new Set([
    ...Object.keys(problem.content?.layers ?? {}),
    ...problem.styles.flatMap(s => Object.keys(s.layers)),
  ]);
  const values = instantiate(problem.network, image, [...names]);
  const figures: Record<string, Value> = {};
  const parts: Value[] = [];

  const content = [...targets.content].map(([name, target]) =>
    scale(
      contentLoss(values.get(name)!, graph.constant(target.shape, target.data, `content ${name}`)),
      problem.content!.layers[name],
    ),
  );
  if (content.length > 0) {
    figures.content = content.reduce(add);
    parts.push(scale(figures.content, problem.contentWeight));
  }
  const grams = new Map<string, Value>();
  const gramOf = (name: string) => {
    if (!grams.has(name)) grams.set(name, gramPerCell(values.get(name)!));
    return grams.get(name)!;
  };
  const style = problem.styles.flatMap((s, i) =>
    [...targets.styles[i]].map(([name, target]) => {
      const channels = target.shape.at(-1)!;
      const wanted = graph.constant(target.shape, target.data, `style ${name}`);
      const weight = (s.weight * s.layers[name]) / (2 * channels) ** 2;
      const shape = target.shape.map(() => 1);
      const loss = graph.reduce(
        'sum',
        ['mul', ['sub', 'x0', 'x1'], ['sub', 'x0', 'x1']],
        [gramOf(name), wanted],
        shape,
        'style loss',
      );
      return scale(graph.reshape(loss, [1]), weight);
    }),
  );
  figures.style = style.reduce(add);
  parts.push(scale(figures.style, problem.styleWeight));
  if (problem.totalVariation > 0) {
    figures.tv = totalVariation(image);
    parts.push(scale(figures.tv, problem.totalVariation));
  }
  return { loss: parts.reduce(add), variables: { image }, figures };
}
