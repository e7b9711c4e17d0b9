// Scales and shifts per channel that follow a convolution with frozen weights (batch normalisation, affine layers) become
// part of its weights and bias, computed once while planning: the convolution then does nothing more than before, and the
// elementwise call is gone. Sums change by rounding alone.

import { derivative, type Expr, evaluate, inputsIn } from '../../kernels/map/expr.ts';
import { runReference } from '../../kernels/reference.ts';
import { product, sameShape } from '../tensor/layout.ts';
import type { Node } from './graph.ts';

/** Rewrites the list; `keep` are read from outside, and new constants are numbered from `fresh` on. */
export function foldScales(nodes: readonly Node[], keep: ReadonlySet<number>, fresh: number): Node[] {
  const uses = new Map<number, number>();
  for (const n of nodes) for (const i of n.inputs) uses.set(i, (uses.get(i) ?? 0) + 1);
  const byId = new Map<number, Node>();
  const made = new Map<string, Node>();
  const result: Node[] = [];
  const place = (node: Node): void => {
    byId.set(node.id, node);
    result.push(node);
  };
  // Calls with the same weights and scales share what becomes of them.
  const constant = (key: string, shape: readonly number[], label: string, data: () => Float32Array): Node => {
    const found = made.get(key);
    if (found) return found;
    const node: Node = { id: fresh++, kind: 'constant', shape, inputs: [], data: data(), label };
    made.set(key, node);
    place(node);
    return node;
  };
  for (const node of nodes) {
    if (!keep.has(node.id)) {
      const known = evaluated(node, byId);
      if (known) {
        place(known);
        continue;
      }
    }
    const at = node.inputs.findIndex(
      id => uses.get(id) === 1 && !keep.has(id) && foldable(byId.get(id)!, byId),
    );
    const scaling = at < 0 ? undefined : scalingOf(node, at, byId);
    if (!scaling) {
      place(node);
      continue;
    }
    const conv = byId.get(node.inputs[at])!;
    const [x, w, b] = conv.inputs.map(id => byId.get(id)!);
    const key = `${w.id} ${b?.id} ${JSON.stringify(node.kernel)} ${at} ${node.inputs.filter((_, i) => i !== at)}`;
    const { scale, shift } = scaling;
    const K = scale.length;
    const weights = constant(`weights ${key}`, w.shape, w.label, () =>
      w.data!.map((v, i) => v * scale[i % K]),
    );
    const bias = constant(`bias ${key}`, [K], `${w.label}/bias`, () =>
      Float32Array.from(scale, (v, k) => (b ? frozen(b, byId)![k] * v : 0) + shift[k]),
    );
    if (conv.kernel?.family !== 'tap-conv') throw new Error('only convolutions are folded');
    place({
      ...node,
      kernel: { ...conv.kernel, bias: true },
      inputs: [x.id, weights.id, bias.id],
      label: conv.label,
    });
  }
  return result;
}

type ById = ReadonlyMap<number, Node>;

// Values of a constant, under whatever shape it is read.
const frozen = (node: Node | undefined, byId: ById): Float32Array | undefined =>
  node?.kind === 'alias'
    ? frozen(byId.get(node.inputs[0]), byId)
    : node?.kind === 'constant'
      ? node.data
      : undefined;

// A small elementwise result of constants, as a constant.
function evaluated(node: Node, byId: ById): Node | undefined {
  const { kernel, shape } = node;
  if (kernel?.family !== 'map' || product(shape) !== shape.at(-1)) return undefined;
  const inputs = node.inputs.map(id => {
    const found = byId.get(id)!;
    return { shape: [...found.shape], data: frozen(found, byId)! };
  });
  if (inputs.length === 0 || inputs.some(n => !n.data)) return undefined;
  const data = runReference(kernel, inputs, [...shape]);
  return { ...node, kind: 'constant', inputs: [], kernel: undefined, data };
}

// A convolution whose weights and bias are known and whose sums go nowhere else.
function foldable(node: Node, byId: ById): boolean {
  const { kernel } = node;
  if (kernel?.family !== 'tap-conv' || kernel.activation !== 'none' || kernel.transpose) return false;
  return node.inputs.slice(1).every(id => frozen(byId.get(id), byId));
}

// What a map does to the channels of input `at`, where it is to scale and shift them by constants.
function scalingOf(
  { kernel, inputs, shape }: Node,
  at: number,
  byId: ById,
): { scale: Float64Array; shift: Float64Array } | undefined {
  if (kernel?.family !== 'map' || !linear(kernel.expr, at)) return undefined;
  const values = inputs.map(id => byId.get(id)!);
  if (!sameShape(values[at].shape, shape)) return undefined;
  const K = shape.at(-1)!;
  const data = values.map(n => frozen(n, byId));
  const perChannel = (n: Node, i: number) => {
    const count = data[i]?.length;
    return (count === 1 || count === K) && (n.shape.at(-1) ?? 1) === count;
  };
  if (!values.every((n, i) => i === at || perChannel(n, i))) return undefined;
  const slope = derivative(kernel.expr, at);
  const given = (k: number) => data.map((d, i) => (i === at ? 0 : d![d!.length === 1 ? 0 : k]));
  const each = (expr: Expr) => Float64Array.from({ length: K }, (_, k) => evaluate(expr, given(k)));
  return { scale: each(slope), shift: each(kernel.expr) };
}

// Whether an expression is a·x + b in input `at`, with a and b free of it.
function linear(expr: Expr, at: number): boolean {
  const free = (e: Expr) => !inputsIn(e).has(at);
  if (!Array.isArray(expr)) return true;
  const [op, ...args] = expr as readonly [string, ...Expr[]];
  switch (op) {
    case 'add':
    case 'sub':
    case 'neg':
      return args.every(e => linear(e, at));
    case 'mul':
      return args.every(e => linear(e, at)) && args.some(free);
    case 'div':
      return linear(args[0], at) && free(args[1]);
    default:
      return free(expr);
  }
}
