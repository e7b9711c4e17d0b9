// What a network is made of, layer by layer: shapes, parameters, receptive fields and cost for an input of a given size,
// as data, and its graph in the DOT language. How it is printed is left to the command line.

import { flopsOf } from '../../kernels/cost.ts';
import { Graph } from '../graph/graph.ts';
import { layoutOf, product } from '../tensor/layout.ts';
import { INPUT, instantiate, type Layer, type Network } from './network.ts';
import { planReceptive, type ReceptiveField, receptiveFields } from './receptive-field.ts';

/** One layer. */
export interface LayerFacts {
  readonly name: string;
  readonly type: Layer['type'];
  /** Layers that it reads, or `input`. */
  readonly from: readonly string[];
  /** `[...spatial, channels]` for the given input. */
  readonly shape?: readonly number[];
  /** Numbers among its weights. */
  readonly parameters: number;
  /** Undefined where it does not depend on the input. */
  readonly field?: ReceptiveField;
  /** Multiply-adds of its convolutions and products, counted as direct ones, for the given input. */
  readonly multiplyAdds?: number;
}

/** Numbers among the weights of a layer. */
export const parametersOf = ({ weights = {} }: Layer): number =>
  Object.values(weights).reduce((sum, { shape }) => sum + product(shape), 0);

/**
 * The layers of a network; shapes and costs only with the `shape` of an input, `[...spatial, channels]`.
 * Errors: NetworkError and ShapeError where the input does not fit.
 */
export function inspectNetwork(network: Network, shape?: readonly number[]): LayerFacts[] {
  const plan = planReceptive(network, shape);
  const fields = receptiveFields(plan);
  const costs = shape && costsOf(network, plan.layers, shape);
  return plan.layers.map((layer, i): LayerFacts => {
    const { name, type } = layer;
    const field = fields.get(name);
    return {
      name,
      type,
      from: layer.from ?? [i === 0 ? INPUT : plan.layers[i - 1].name],
      parameters: parametersOf(layer),
      ...(plan.placed[i].shape ? { shape: plan.placed[i].shape.slice(1) } : {}),
      ...(field ? { field } : {}),
      ...(costs ? { multiplyAdds: costs[i] } : {}),
    };
  });
}

/** Multiply-adds by layer: those of the nodes that it adds to the graph, which is recorded in the order of the layers. */
function costsOf(network: Network, layers: readonly Layer[], shape: readonly number[]): number[] {
  const graph = new Graph();
  const values = instantiate(network, graph.input('x', [1, ...shape]));
  let seen = 0;
  return layers.map(({ name }) => {
    const { id } = values.get(name)!;
    const added = graph.nodes.slice(seen, id + 1);
    seen = Math.max(seen, id + 1);
    return added.reduce((sum, { kernel, inputs, shape: output }) => {
      if (!kernel) return sum;
      const layouts = inputs.map(i => layoutOf(graph.nodes[i].shape));
      // A product of stacks of matrices is a sum of products.
      const products =
        kernel.family === 'reduce' && JSON.stringify(kernel.expr) === '["mul","x0","x1"]'
          ? product(layouts[0].shape.map((n, a) => Math.max(n, layouts[1].shape[a])))
          : 0;
      return sum + flopsOf({ kernel, inputs: layouts, output: layoutOf(output) }) / 2 + products;
    }, 0);
  });
}

/** The graph of the layers in the DOT language, for Graphviz. */
export function networkDot(
  network: Network,
  facts: readonly LayerFacts[],
  shape?: readonly number[],
): string {
  const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
  const label = (...lines: (string | undefined)[]) =>
    lines
      .filter(line => line !== undefined)
      .map(line => quoted(line).slice(1, -1))
      .join('\\n');
  const sizes = (of: readonly number[] | undefined) => of?.join('×');
  const nodes = facts.map(
    ({ name, type, shape: own }) =>
      `  ${quoted(name)} [label="${label(name, type === name ? undefined : type, sizes(own))}"];`,
  );
  const edges = facts.flatMap(({ name, from }) =>
    from.map(source => `  ${quoted(source)} -> ${quoted(name)};`),
  );
  return [
    `digraph ${quoted(network.name)} {`,
    '  node [shape=box, fontname="sans-serif"];',
    `  ${quoted(INPUT)} [label="${label(INPUT, sizes(shape))}", style=rounded];`,
    ...nodes,
    ...edges,
    '}',
  ].join('\n');
}
