// ONNX operators that are one expression of their inputs, for values and, evaluated on the spot, for constants.

import { type Expr, evaluate } from '../../../../kernels/map/expr.ts';
import { broadcastShapes, type Constant, type ElementKind, mapConstants } from '../constants.ts';
import { type Item, isStored } from '../lowering.ts';
import type { OnnxNode, Operator } from './node.ts';

/** An expression, its result's kind where it is not that of the inputs, and the layer type that is the same. */
interface Elementwise {
  expr: Expr;
  kind?: ElementKind;
  layer?: 'relu' | 'leaky-relu' | 'elu' | 'softplus' | 'sigmoid' | 'tanh';
  parameters?: Readonly<Record<string, number>>;
}

const x = 'x0';
const softplus: Expr = ['add', ['max', x, 0], ['log', ['add', 1, ['exp', ['neg', ['abs', x]]]]]];
const expm1: Expr = ['sub', ['exp', ['min', x, 0]], 1];
const sign: Expr = ['sub', ['step', x], ['step', ['neg', x]]];

// Abramowitz & Stegun 7.1.26, right to 1.5·10⁻⁷.
function erf(at: Expr): Expr {
  const t: Expr = ['div', 1, ['add', 1, ['mul', 0.3275911, ['abs', at]]]];
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].reduce<Expr>(
    (sum, c) => ['mul', t, sum === 0 ? c : ['add', c, sum]],
    0,
  );
  const whole: Expr = ['sub', 1, ['mul', series, ['exp', ['neg', ['mul', at, at]]]]];
  return ['select', at, whole, ['neg', whole]];
}

function gelu(approximate: string): Expr {
  if (approximate !== 'tanh') return ['mul', ['mul', 0.5, x], ['add', 1, erf(['mul', Math.SQRT1_2, x])]];
  const inner: Expr = [
    'mul',
    Math.sqrt(2 / Math.PI),
    ['add', x, ['mul', 0.044715, ['mul', x, ['mul', x, x]]]],
  ];
  return ['mul', ['mul', 0.5, x], ['add', 1, ['tanh', inner]]];
}

const unary: Record<string, (node: OnnxNode) => Elementwise | Expr> = {
  Abs: () => ['abs', x],
  Neg: () => ['neg', x],
  Sqrt: () => ['sqrt', x],
  Exp: () => ['exp', x],
  Log: () => ['log', x],
  Reciprocal: () => ['div', 1, x],
  Sign: () => sign,
  Erf: () => erf(x),
  Relu: () => ({ expr: ['max', x, 0], layer: 'relu' }),
  Sigmoid: () => ({ expr: ['sigmoid', x], layer: 'sigmoid' }),
  Tanh: () => ({ expr: ['tanh', x], layer: 'tanh' }),
  LeakyRelu: n => {
    const slope = n.float('alpha', 0.01);
    return { expr: ['select', x, x, ['mul', slope, x]], layer: 'leaky-relu', parameters: { slope } };
  },
  Elu: n => {
    const alpha = n.float('alpha', 1);
    return { expr: ['select', x, x, ['mul', alpha, expm1]], layer: 'elu', parameters: { alpha } };
  },
  Selu: n => {
    const gamma = n.float('gamma', 1.0507009873554805);
    return ['mul', gamma, ['select', x, x, ['mul', n.float('alpha', 1.6732632423543772), expm1]]];
  },
  Celu: n => {
    const a = n.float('alpha', 1);
    return ['select', x, x, ['mul', a, ['sub', ['exp', ['div', ['min', x, 0], a]], 1]]];
  },
  HardSigmoid: n => ['max', 0, ['min', 1, ['add', ['mul', n.float('alpha', 0.2), x], n.float('beta', 0.5)]]],
  HardSwish: () => ['mul', x, ['max', 0, ['min', 1, ['add', ['div', x, 6], 0.5]]]],
  Softplus: () => ({ expr: softplus, layer: 'softplus' }),
  Softsign: () => ['div', x, ['add', 1, ['abs', x]]],
  Mish: () => ['mul', x, ['tanh', softplus]],
  Swish: n => ['mul', x, ['sigmoid', ['mul', n.float('alpha', 1), x]]],
  Gelu: n => gelu(n.text('approximate', 'none')),
  ThresholdedRelu: n => ['select', ['sub', x, n.float('alpha', 1)], x, 0],
  Shrink: n => {
    const [limit, bias] = [n.float('lambd', 0.5), n.float('bias', 0)];
    return [
      'select',
      ['sub', x, limit],
      ['sub', x, bias],
      ['select', ['sub', -limit, x], ['add', x, bias], 0],
    ];
  },
  Not: () => ({ expr: ['sub', 1, x], kind: 'bool' }),
};

const y = 'x1';
const binary: Record<string, Elementwise> = {
  Add: { expr: ['add', x, y] },
  Sub: { expr: ['sub', x, y] },
  Mul: { expr: ['mul', x, y] },
  Div: { expr: ['div', x, y] },
  PRelu: { expr: ['select', x, x, ['mul', y, x]] },
  Greater: { expr: ['step', ['sub', x, y]], kind: 'bool' },
  Less: { expr: ['step', ['sub', y, x]], kind: 'bool' },
  GreaterOrEqual: { expr: ['sub', 1, ['step', ['sub', y, x]]], kind: 'bool' },
  LessOrEqual: { expr: ['sub', 1, ['step', ['sub', x, y]]], kind: 'bool' },
  Equal: { expr: ['sub', 1, ['step', ['abs', ['sub', x, y]]]], kind: 'bool' },
  And: { expr: ['mul', x, y], kind: 'bool' },
  Or: { expr: ['max', x, y], kind: 'bool' },
  Xor: { expr: ['abs', ['sub', x, y]], kind: 'bool' },
};

/** Functions of constants alone, for shape arithmetic. */
const ofConstants: Record<string, (...values: number[]) => number> = {
  Floor: Math.floor,
  Ceil: Math.ceil,
  Round: v => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v)),
  Sin: Math.sin,
  Cos: Math.cos,
  Tan: Math.tan,
};

/** Applies an expression; a `name` of a layer type is used where it says the same. */
export function applyExpr(node: OnnxNode, items: readonly Item[], given: Elementwise | Expr): Item {
  const known =
    typeof given === 'object' && !Array.isArray(given) ? (given as Elementwise) : { expr: given as Expr };
  const { expr, kind, layer, parameters } = known;
  const constants = items.filter((i): i is Constant => !isStored(i));
  if (constants.length === items.length) {
    const shape = broadcastShapes(
      items.map(i => i.shape),
      node.op,
    );
    node.lowering.expectFoldable(shape.reduce((a, b) => a * b, 1));
    const whole = constants.every(c => c.kind === 'int');
    const value = (...v: number[]) => evaluate(expr, v);
    return mapConstants(
      whole && node.op === 'Div' ? (...v) => Math.trunc(value(...v)) : value,
      constants,
      kind ?? (whole ? 'int' : 'float'),
      shape,
    );
  }
  const allWhole = items.every(i => (isStored(i) ? i.whole : i.kind !== 'float'));
  if (allWhole && !kind && !exact.includes(node.op))
    throw node.unsupported('integers that depend on the input', 'cast them to float before');
  const [first] = items;
  if (layer && isStored(first))
    return node.lowering.emit(layer, [first], first.shape, first.order, { parameters });
  const result = node.lowering.elementwise(expr, items, node.op);
  return kind === 'bool' || allWhole ? { ...result, whole: true } : result;
}

// Operators that give the same whole numbers in float32 as in integers, as long as these are small.
const exact = ['Abs', 'Neg', 'Sign', 'Add', 'Sub', 'Mul', 'Min', 'Max', 'Sum', 'Where', 'Clip', 'Relu'];

const variadic =
  (op: 'add' | 'min' | 'max', mean = false): Operator =>
  node => {
    const items = node.items.map((_, i) => node.input(i));
    if (items.length === 0) throw node.error('has no inputs', 'export the model again');
    let result = items[0];
    for (const item of items.slice(1)) result = applyExpr(node, [result, item], [op, x, y]);
    return mean && items.length > 1 ? applyExpr(node, [result], ['div', x, items.length]) : result;
  };

/** x to a constant power; a negative base has whole powers alone. */
function power(exponent: number): Expr {
  if (exponent === 0.5) return ['sqrt', x];
  if (exponent === -0.5) return ['div', 1, ['sqrt', x]];
  if (Number.isInteger(exponent) && Math.abs(exponent) <= 16) {
    let result: Expr = 1;
    for (let i = 0; i < Math.abs(exponent); i++) result = i === 0 ? x : ['mul', result, x];
    return exponent < 0 ? ['div', 1, result] : exponent === 0 ? ['add', 1, ['mul', 0, x]] : result;
  }
  return ['exp', ['mul', exponent, ['log', x]]];
}

export const elementwiseOperators: Record<string, Operator> = {
  ...Object.fromEntries(
    Object.entries(unary).map(([op, of]): [string, Operator] => [
      op,
      node => applyExpr(node, [node.input(0)], of(node)),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(binary).map(([op, is]): [string, Operator] => [
      op,
      node => applyExpr(node, [node.input(0), alignLegacy(node)], is),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(ofConstants).map(([op, f]): [string, Operator] => [
      op,
      node => {
        const constant = node.constant(0, 'its numbers');
        return mapConstants(f, [constant], constant.kind, constant.shape);
      },
    ]),
  ),
  Mod: node => {
    const [a, b] = [node.constant(0, 'its numbers'), node.constant(1, 'its numbers')];
    const rest =
      node.int('fmod', 0) === 1
        ? (p: number, q: number) => p % q
        : (p: number, q: number) => p - q * Math.floor(p / q);
    return mapConstants(rest, [a, b], a.kind, broadcastShapes([a.shape, b.shape], 'Mod'));
  },
  Sum: variadic('add'),
  Min: variadic('min'),
  Max: variadic('max'),
  Mean: variadic('add', true),
  Where: node => applyExpr(node, [node.input(0), node.input(1), node.input(2)], ['select', x, y, 'x2']),
  Clip: node => {
    const items = [node.input(0)];
    const limit = (attribute: string, i: number): Expr | undefined => {
      const item = node.items[i];
      if (item) return `x${items.push(item) - 1}`;
      return node.has(attribute) && node.opset < 11 ? node.float(attribute, 0) : undefined;
    };
    const [low, high] = [limit('min', 1), limit('max', 2)];
    const above: Expr = low === undefined ? x : ['max', x, low];
    return applyExpr(node, items, high === undefined ? above : ['min', above, high]);
  },
  Pow: node => {
    const [base, exponent] = [node.input(0), node.input(1)];
    if (!isStored(base) && !isStored(exponent)) {
      const shape = broadcastShapes([base.shape, exponent.shape], 'Pow');
      node.lowering.expectFoldable(shape.reduce((a, b) => a * b, 1));
      return mapConstants(Math.pow, [base, exponent], base.kind, shape);
    }
    if (isStored(exponent) || exponent.data.length !== 1)
      throw node.unsupported('a power that differs from element to element', 'use one constant power');
    const result = applyExpr(node, [base], power(exponent.data[0]));
    const shape = broadcastShapes([base.shape, exponent.shape], 'Pow');
    return node.lowering.reshape(result, shape);
  },
};

// Operator sets before 7 aligned the second operand at `axis` where `broadcast` was set, and slopes with the channels;
// later ones align as NumPy does.
function alignLegacy(node: OnnxNode): Item {
  const second = node.input(1);
  if (node.opset >= 7) return second;
  const rank = node.input(0).shape.length;
  const channels = node.op === 'PRelu' && second.shape.length === 1 && second.shape[0] !== 1;
  if (!channels && (node.int('broadcast', 0) !== 1 || !node.has('axis'))) return second;
  const axis = channels ? 1 : node.axis(node.int('axis', 0), rank);
  const after = rank - axis - second.shape.length;
  return after > 0
    ? node.lowering.reshape(second, [...second.shape, ...new Array<number>(after).fill(1)])
    : second;
}
