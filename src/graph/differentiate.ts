// Reverse-mode differentiation of a graph. The six families are closed under it: the gradient of each is made of the
// same six, so operations need no gradient rules of their own. Each rule in gradients.ts records nodes, never closures.

import { gradientOf } from './gradients.ts';
import type { Graph, Node, Value } from './graph.ts';

/**
 * Another rule for some nodes: what goes back to each input (undefined where its place in `wanted` is false), given what
 * comes back to the node; undefined as a whole leaves the node to the rule of its family. What follows is no longer a
 * gradient, but what visualisations send backwards in its place.
 */
export type BackwardRule = (
  graph: Graph,
  node: Node,
  incoming: Value,
  wanted: readonly boolean[],
) => (Value | undefined)[] | undefined;

/**
 * Gradients of a scalar (`loss` has one element) with respect to each of `wrt`; zeros where it does not depend on it.
 * `rule` takes the place of the gradient at the nodes that it answers for.
 */
export function differentiate(loss: Value, wrt: readonly Value[], rule?: BackwardRule): Value[] {
  const graph = loss.graph;
  const needed = dependents(graph, wrt, loss.id);
  const pieces = new Map<number, Value[]>();
  pieces.set(loss.id, [graph.constant(loss.shape, new Float32Array(1).fill(1), 'one')]);
  const results = new Map<number, Value>();

  for (let id = loss.id; id >= 0; id--) {
    const incoming = pieces.get(id);
    if (!incoming || !needed.has(id)) continue;
    const node = graph.nodes[id];
    const gradient = sum(graph, incoming);
    results.set(id, gradient);
    if (node.kind === 'alias') {
      if (!node.stopsGradient)
        push(pieces, node.inputs[0], graph.reshape(gradient, graph.nodes[node.inputs[0]].shape));
      continue;
    }
    if (node.kind !== 'kernel') continue;
    graph.scope('gradient', () => {
      const wanted = node.inputs.map(i => needed.has(i));
      const back = rule?.(graph, node, gradient, wanted) ?? gradientOf(graph, node, gradient, wanted);
      back.forEach((g, i) => {
        if (g) push(pieces, node.inputs[i], g);
      });
    });
  }
  return wrt.map(
    v =>
      results.get(v.id) ??
      graph.constant(v.shape, new Float32Array(v.shape.reduce((a, b) => a * b, 1)), 'zeros'),
  );
}

// Nodes on a path from `wrt` to the loss.
function dependents(graph: Graph, wrt: readonly Value[], last: number): Set<number> {
  const set = new Set(wrt.map(v => v.id));
  for (let id = 0; id <= last; id++) {
    const node = graph.nodes[id];
    if (!node.stopsGradient && node.inputs.some(i => set.has(i))) set.add(id);
  }
  return set;
}

function push(pieces: Map<number, Value[]>, id: number, value: Value): void {
  const list = pieces.get(id);
  if (list) list.push(value);
  else pieces.set(id, [value]);
}

function sum(graph: Graph, values: Value[]): Value {
  return values.reduce((a, b) => graph.map(['add', 'x0', 'x1'], [a, b], 'sum'));
}
