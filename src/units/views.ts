// Why a unit responds: what is sent backwards from it to the input. Three views that differ in what a rectifier lets
// through: the gradient (Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks") where its input was
// above 0; the deconvolution (Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks") what comes
// back above 0; guided backpropagation (Springenberg et al. 2015, "Striving for simplicity") both. Maxima send everything
// to where they came from, which are the switches of the deconvolution. All else is the engine's own gradient.

import type { Expr } from '../../kernels/map/expr.ts';
import { type BackwardRule, differentiate } from '../graph/differentiate.ts';
import { gradientOf } from '../graph/gradients.ts';
import type { Node, Value } from '../graph/graph.ts';

/** The views, as files and pages name them. */
export const viewNames = ['deconvolution', 'guided', 'gradient'] as const;
/** One of the views. */
export type ViewName = (typeof viewNames)[number];

/** ReLU and what is made like it: leaky, parametric, exponential, and each of them limited above. */
function isRectifier(expr: Expr): boolean {
  if (!Array.isArray(expr)) return false;
  const [op, a, b] = expr as readonly [string, ...Expr[]];
  if (op === 'select') return a === 'x0' && b === 'x0';
  if (op !== 'max' && op !== 'min') return false;
  if (typeof b !== 'number') return typeof a === 'number' && isRectifier([op, b, a] as Expr);
  return (op === 'max' && b === 0 && a === 'x0') || isRectifier(a);
}

/** Whether a node is a rectifier of its first input. */
export const isRectifierNode = ({ kernel }: Node): boolean =>
  kernel?.family === 'map' && isRectifier(kernel.expr);

const forwards = (incoming: Value): Value => incoming.graph.map(['max', 'x0', 0], [incoming], 'rectified');

const rules: Record<ViewName, BackwardRule | undefined> = {
  gradient: undefined,
  guided: (graph, node, incoming, wanted) =>
    isRectifierNode(node) ? gradientOf(graph, node, forwards(incoming), wanted) : undefined,
  deconvolution: (_, node, incoming, wanted) =>
    isRectifierNode(node)
      ? wanted.map((isWanted, i) => (isWanted && i === 0 ? forwards(incoming) : undefined))
      : undefined,
};

/**
 * What a view sends back from `unit` (one element) to the input `x`, of the shape of `x`. The gradient and the guided one
 * begin with 1; so does the deconvolution, which is in proportion to what it begins with.
 */
export const recordView = (name: ViewName, unit: Value, x: Value): Value =>
  differentiate(unit, [x], rules[name])[0];
