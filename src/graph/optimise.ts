// Rewrites a graph before planning: drops what no result needs, folds scales, shifts and ReLU into the convolution before
// them and ReLU's mask into the places of max pools, and joins elementwise expressions that feed one another. Works on a
// list of nodes keyed by id and changes no values but by rounding.

import { inputsIn, substitute, weightOf } from '../../kernels/map/expr.ts';
import { MAX_INPUTS } from '../../kernels/map/spec.ts';
import { fullShape } from '../../kernels/reduce/spec.ts';
import { sameShape } from '../tensor/layout.ts';
import { foldScales } from './fold.ts';
import type { Graph, Node } from './graph.ts';
import { rewritePools } from './pools.ts';

/** Longest expression that joining may produce, in operations. */
const MAX_WEIGHT = 40;

/** Nodes in order that `results` need, rewritten; ids are those of the graph. `keep` are read from outside. */
export function optimise(graph: Graph, results: readonly number[]): Node[] {
  const keep = new Set(results);
  let nodes = dropCopies(prune(graph.nodes, keep), keep);
  nodes = foldScales(nodes, keep, graph.nodes.length);
  nodes = foldActivations(nodes, keep);
  nodes = prune(rewritePools(nodes, keep), keep);
  nodes = joinMaps(nodes, keep);
  return prune(nodes, keep);
}

function prune(nodes: readonly Node[], keep: ReadonlySet<number>): Node[] {
  const live = new Set(keep);
  for (let i = nodes.length - 1; i >= 0; i--)
    if (live.has(nodes[i].id)) for (const input of nodes[i].inputs) live.add(input);
  return nodes.filter(n => live.has(n.id));
}

function countUses(nodes: readonly Node[], keep: ReadonlySet<number>): Map<number, number> {
  const uses = new Map<number, number>();
  for (const n of nodes) for (const i of n.inputs) uses.set(i, (uses.get(i) ?? 0) + 1);
  for (const k of keep) uses.set(k, (uses.get(k) ?? 0) + 1);
  return uses;
}

// Readers of a map that changes nothing (what an addition sends back) read its input.
function dropCopies(nodes: readonly Node[], keep: ReadonlySet<number>): Node[] {
  const sources = new Map<number, number>();
  const shapes = new Map(nodes.map(n => [n.id, n.shape]));
  return nodes.flatMap(n => {
    const inputs = n.inputs.map(i => sources.get(i) ?? i);
    const same =
      n.kernel?.family === 'map' && n.kernel.expr === 'x0' && sameShape(n.shape, shapes.get(inputs[0])!);
    if (!same || keep.has(n.id)) return [{ ...n, inputs }];
    sources.set(n.id, inputs[0]);
    return [];
  });
}

// relu(conv) becomes conv with activation, where nothing else reads the sum before the ReLU.
function foldActivations(nodes: readonly Node[], keep: ReadonlySet<number>): Node[] {
  const byId = new Map(nodes.map(n => [n.id, n]));
  const uses = countUses(nodes, keep);
  const folded = new Set<number>();
  const rewritten = nodes.map(node => {
    const k = node.kernel;
    if (k?.family !== 'map' || JSON.stringify(k.expr) !== '["max","x0",0]') return node;
    const source = byId.get(node.inputs[0])!;
    const conv = source.kernel;
    if (conv?.family !== 'tap-conv' || conv.activation !== 'none' || uses.get(source.id) !== 1) return node;
    if (!sameShape(source.shape, node.shape)) return node;
    folded.add(source.id);
    return {
      ...node,
      kernel: { ...conv, activation: 'relu' as const },
      inputs: source.inputs,
      label: source.label,
    };
  });
  return rewritten.filter(n => !folded.has(n.id));
}

// A map read once, by a map or reduce of the same full shape, is computed there.
function joinMaps(nodes: readonly Node[], keep: ReadonlySet<number>): Node[] {
  const uses = countUses(nodes, keep);
  const byId = new Map<number, Node>();
  for (const node of nodes) {
    let joined = node;
    for (;;) {
      const next = joinOne(joined, byId, uses);
      if (!next) break;
      joined = next;
    }
    byId.set(node.id, joined);
  }
  return nodes.map(n => byId.get(n.id)!);
}

function joinOne(
  node: Node,
  byId: ReadonlyMap<number, Node>,
  uses: ReadonlyMap<number, number>,
): Node | undefined {
  const k = node.kernel;
  if (k?.family !== 'map' && k?.family !== 'reduce') return undefined;
  const shapes = node.inputs.map(i => byId.get(i)!.shape);
  const full = k.family === 'map' ? node.shape : fullShape(shapes);
  for (const [position, id] of node.inputs.entries()) {
    const source = byId.get(id)!;
    if (source.kernel?.family !== 'map' || uses.get(id) !== 1 || !sameShape(source.shape, full)) continue;
    // A broadcast to more than its inputs would lose the full shape of a reduction.
    if (!sameShape(fullShape(source.inputs.map(i => byId.get(i)!.shape)), full)) continue;
    const inputs = [...new Set([...node.inputs.filter((_, i) => i !== position), ...source.inputs])];
    if (inputs.length > MAX_INPUTS) continue;
    const inner = substitute(source.kernel.expr, i => `x${inputs.indexOf(source.inputs[i])}`);
    const expr = substitute(k.expr, i => (i === position ? inner : `x${inputs.indexOf(node.inputs[i])}`));
    if (weightOf(expr) > MAX_WEIGHT || inputsIn(expr).size < inputs.length) continue;
    return { ...node, inputs, kernel: { ...k, expr } };
  }
  return undefined;
}
