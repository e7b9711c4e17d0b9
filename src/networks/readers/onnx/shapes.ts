// ONNX operators that move, select and make elements: what stands between convolutions, and the shape arithmetic that
// folds into constants.

import { product } from '../../../tensor/layout.ts';
import { type AxisRule, axisMap, sizeAfter } from '../../axis-rules.ts';
import { type Constant, constantOf, integers, stridesOf } from '../constants.ts';
import { type Item, isStored, natural, type Stored } from '../lowering.ts';
import { depthToSpace, spaceToDepth } from './blocks.ts';
import { applyExpr } from './elementwise.ts';
import type { OnnxNode, Operator } from './node.ts';
import { dropAxes } from './reductions.ts';

type RuledType = 'slice' | 'pick' | 'pad-axes';

/** One rule per dimension, of a value or of a constant; `fill` is what constant padding puts outside. */
function byRules(
  node: OnnxNode,
  type: RuledType,
  item: Item,
  rules: readonly (AxisRule | null)[],
  fill = 0,
): Item {
  if (rules.every(rule => rule === null)) return item;
  if (isStored(item)) return node.lowering.byRules(type, item, rules, fill === 0 ? {} : { value: fill });
  const shape = item.shape.map((n, a) => (rules[a] ? sizeAfter(rules[a], n) : n));
  node.lowering.expectFoldable(product(shape) + shape.reduce((a, b) => a + b, 0));
  const maps = item.shape.map((n, a) => (rules[a] ? axisMap(rules[a], n).index : undefined));
  const strides = stridesOf(item.shape);
  const index = shape.map(() => 0);
  const data = Float64Array.from({ length: product(shape) }, () => {
    let from = 0;
    for (let a = 0; a < shape.length && from >= 0; a++) {
      const at = maps[a]?.[index[a]] ?? index[a];
      from = at < 0 ? -1 : from + at * strides[a];
    }
    for (let a = shape.length - 1; a >= 0 && ++index[a] === shape[a]; a--) index[a] = 0;
    return from < 0 ? fill : item.data[from];
  });
  return { kind: item.kind, shape, data };
}

const only = (rank: number, axis: number, rule: AxisRule): (AxisRule | null)[] =>
  natural(rank).map(a => (a === axis ? rule : null));

/** A target shape with 0 (as it was) and one −1 (what is left). */
export function targetShape(
  node: OnnxNode,
  from: readonly number[],
  wanted: readonly number[],
  zeroIsZero: boolean,
): number[] {
  const shape = wanted.map((n, a) => (n === 0 && !zeroIsZero ? (from[a] ?? 0) : n));
  const free = shape.indexOf(-1);
  if (free >= 0) {
    const rest = product(shape.filter(n => n !== -1));
    shape[free] = rest > 0 ? product(from) / rest : 0;
  }
  if (product(shape) !== product(from) || shape.some(n => !Number.isSafeInteger(n) || n < 0))
    throw node.error(
      `a value of shape [${from}] cannot take shape [${wanted}]`,
      'give the input the size that the model was made for',
    );
  return shape;
}

function slice(node: OnnxNode): Item {
  const input = node.input(0);
  const rank = input.shape.length;
  const starts = node.list('starts', 1) ?? [];
  const ends = node.list('ends', 2) ?? [];
  const axes = node.list('axes', 3) ?? natural(starts.length);
  const steps = node.items[4] ? node.integers(4, 'its steps') : starts.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    throw node.error('starts, ends, axes and steps differ in length', 'export the model again');
  const rules = natural(rank).map((): AxisRule | null => null);
  for (const [i, given] of axes.entries()) {
    const axis = node.axis(given, rank);
    const [n, step] = [input.shape[axis], steps[i]];
    if (step === 0 || Number.isNaN(step)) throw node.error(`step ${step}`, 'export the model again');
    const clamp = (v: number, low: number, high: number) => Math.max(low, Math.min(high, v < 0 ? v + n : v));
    const start = step > 0 ? clamp(starts[i], 0, n) : clamp(starts[i], 0, n - 1);
    const end = step > 0 ? clamp(ends[i], 0, n) : clamp(ends[i], -1, n - 1);
    const size = Math.max(0, Math.ceil((end - start) / step));
    if (start !== 0 || step !== 1 || size !== n) rules[axis] = { rule: 'slice', start, step, size };
  }
  return byRules(node, 'slice', input, rules);
}

function split(node: OnnxNode): Item[] {
  const input = node.input(0);
  const axis = node.axis(node.int('axis', 0), input.shape.length);
  const n = input.shape[axis];
  const parts = node.outputs.length;
  const each = Math.ceil(n / parts);
  const sizes =
    node.list('split', 1) ?? node.outputs.map((_, i) => Math.max(0, Math.min(each, n - i * each)));
  if (sizes.length !== parts || sizes.reduce((a, b) => a + b, 0) !== n || sizes.some(s => s < 0))
    throw node.error(`${n} elements cannot be split in [${sizes}]`, 'export the model again');
  let start = 0;
  return sizes.map(size => {
    const rule: AxisRule = { rule: 'slice', start, step: 1, size };
    start += size;
    return size === n ? input : byRules(node, 'slice', input, only(input.shape.length, axis, rule));
  });
}

function gather(node: OnnxNode): Item {
  const input = node.input(0);
  const indices = node.constant(1, 'its indices');
  const axis = node.axis(node.int('axis', 0), input.shape.length);
  const n = input.shape[axis];
  const index = [...indices.data].map(i => (i < 0 ? i + n : i));
  const wrong = index.find(i => !(i >= 0 && i < n));
  if (wrong !== undefined)
    throw node.error(
      `index ${wrong} of a dimension of ${n}`,
      'give the input the size that the model was made for',
    );
  const picked = byRules(node, 'pick', input, only(input.shape.length, axis, { rule: 'pick', index }));
  if (indices.shape.length === 1) return picked;
  if (indices.shape.length === 0) return dropAxes(node, picked, [axis]);
  return node.lowering.reshape(picked, input.shape.toSpliced(axis, 1, ...indices.shape));
}

function concat(node: OnnxNode): Item {
  const items = node.items.filter((i): i is Item => i !== undefined && product(i.shape) > 0);
  const [first] = items.length > 0 ? items : [node.input(0)];
  const rank = first.shape.length;
  const axis = node.axis(node.int('axis', 1), rank);
  for (const item of items)
    if (item.shape.length !== rank || item.shape.some((n, a) => a !== axis && n !== first.shape[a]))
      throw node.error(
        `shapes ${items.map(i => `[${i.shape}]`).join(', ')} differ outside dimension ${axis}`,
        'give the input a size that fits the model',
      );
  if (items.length <= 1) return first;
  const shape = first.shape.map((n, a) => (a === axis ? items.reduce((sum, i) => sum + i.shape[a], 0) : n));
  const { lowering } = node;
  const constants = items.filter((i): i is Constant => !isStored(i));
  if (constants.length === items.length) return concatConstants(node, constants, axis, shape);
  const base = lowering.full(items.filter(isStored).sort((a, b) => product(b.shape) - product(a.shape))[0]);
  const ready = items.map(item => lowering.inOrder(lowering.stored(item), base.order));
  const at = base.order.indexOf(axis);
  return at === base.order.length - 1
    ? lowering.emit('concat', ready, shape, base.order)
    : lowering.emit('join', ready, shape, base.order, { parameters: { axis: at } });
}

function concatConstants(
  node: OnnxNode,
  items: readonly Constant[],
  axis: number,
  shape: number[],
): Constant {
  node.lowering.expectFoldable(product(shape));
  const data = new Float64Array(product(shape));
  const outer = product(shape.slice(0, axis));
  const row = product(shape.slice(axis));
  let at = 0;
  for (const item of items) {
    const width = product(item.shape.slice(axis));
    for (let i = 0; i < outer; i++) data.set(item.data.subarray(i * width, (i + 1) * width), i * row + at);
    at += width;
  }
  return { kind: items[0].kind, shape, data };
}

function pad(node: OnnxNode): Item {
  const input = node.input(0);
  const rank = input.shape.length;
  const pads = (node.opset < 11 ? node.ints('pads') : node.integers(1, 'its sizes')) ?? [];
  const axes = node.items[3] ? node.integers(3, 'its axes').map(a => node.axis(a, rank)) : natural(rank);
  if (pads.length !== 2 * axes.length)
    throw node.error(`${pads.length} pads for ${axes.length} dimensions`, 'export the model again');
  const mode = node.text('mode', 'constant');
  if (mode !== 'constant' && mode !== 'reflect' && mode !== 'edge' && mode !== 'wrap')
    throw node.unsupported(`mode ${mode}`, 'use constant, reflect, edge or wrap');
  const fill =
    node.opset < 11 ? node.float('value', 0) : (node.optionalConstant(2, 'its value')?.data[0] ?? 0);
  const rules = natural(rank).map((a): AxisRule | null => {
    const i = axes.indexOf(a);
    const [low, high] = i < 0 ? [0, 0] : [pads[i], pads[i + axes.length]];
    if (low === 0 && high === 0) return null;
    if (!Number.isSafeInteger(low + high) || input.shape[a] + low + high < 0)
      throw node.error(`pads [${low}, ${high}] of ${input.shape[a]}`, 'export the model again');
    return { rule: 'pad', low, high, mode };
  });
  return byRules(node, 'pad-axes', input, rules, fill);
}

// TensorProto.DataType: whole numbers, floating point (float16 and bfloat16 among it), bool.
const wholeTypes = [2, 3, 4, 5, 6, 7, 12, 13];
const floatTypes = [1, 10, 11, 16];

function cast(node: OnnxNode, to: number): Item {
  const input = node.input(0);
  if (to === 9)
    return applyExpr(node, [input], { expr: ['max', ['step', 'x0'], ['step', ['neg', 'x0']]], kind: 'bool' });
  if (!wholeTypes.includes(to) && !floatTypes.includes(to))
    throw node.unsupported(`a cast to element type ${to}`, 'cast to a numeric type');
  const whole = wholeTypes.includes(to);
  if (isStored(input)) {
    if (whole && !input.whole)
      throw node.unsupported(
        'a cast of fractions to integers',
        'leave the cast out, or ask for the layer before it',
      );
    return { ...input, whole };
  }
  return {
    kind: whole ? 'int' : 'float',
    shape: input.shape,
    data: whole ? Float64Array.from(input.data, Math.trunc) : input.data,
  };
}

function unsqueeze(node: OnnxNode): Item {
  const input = node.input(0);
  const given = node.list('axes', 1) ?? [];
  const rank = input.shape.length + given.length;
  const axes = given.map(a => node.axis(a, rank));
  const kept = natural(rank).filter(a => !axes.includes(a));
  if (kept.length !== input.shape.length)
    throw node.error(`axes [${given}] repeat`, 'export the model again');
  const shape = natural(rank).map(a => (axes.includes(a) ? 1 : input.shape[kept.indexOf(a)]));
  return isStored(input) ? node.lowering.relabel(input, shape, kept) : node.lowering.reshape(input, shape);
}

function squeeze(node: OnnxNode): Item {
  const input = node.input(0);
  const rank = input.shape.length;
  const given = node.list('axes', 1)?.map(a => node.axis(a, rank));
  const axes = given ?? natural(rank).filter(a => input.shape[a] === 1);
  const wide = axes.find(a => input.shape[a] !== 1);
  if (wide !== undefined)
    throw node.error(
      `dimension ${wide} of [${input.shape}] is not 1`,
      'give the input a size that fits the model',
    );
  return dropAxes(node, input, axes);
}

function shapeOf(node: OnnxNode): Item {
  const { shape } = node.input(0);
  const clamp = (v: number) => Math.max(0, Math.min(shape.length, v < 0 ? v + shape.length : v));
  return integers(shape.slice(clamp(node.int('start', 0)), clamp(node.int('end', shape.length))));
}

function constantNode(node: OnnxNode): Item {
  const tensor = node.tensor('value');
  if (tensor) return tensor;
  if (node.has('value_float')) return constantOf('float', [], [node.float('value_float', 0)]);
  if (node.has('value_int')) return constantOf('int', [], [node.int('value_int', 0)]);
  const floats = node.floats('value_floats');
  if (floats) return constantOf('float', [floats.length], floats);
  const whole = node.ints('value_ints');
  if (whole) return integers(whole);
  throw node.unsupported('a constant that is no dense tensor of numbers', 'store it as a dense tensor');
}

function range(node: OnnxNode): Item {
  const bounds = [0, 1, 2].map(i => node.constant(i, 'its bounds'));
  const [start, limit, delta] = bounds.map(c => c.data[0]);
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  node.lowering.expectFoldable(count);
  return constantOf(
    bounds[0].kind,
    [count],
    Array.from({ length: count }, (_, i) => start + i * delta),
  );
}

function trilu(node: OnnxNode): Item {
  const input = node.input(0);
  const k = node.optionalConstant(1, 'its diagonal')?.data[0] ?? 0;
  const [rows, columns] = input.shape.slice(-2);
  const upper = node.int('upper', 1) === 1;
  const data = Float64Array.from({ length: rows * columns }, (_, i) => {
    const offset = (i % columns) - Math.floor(i / columns) - k;
    return (upper ? offset >= 0 : offset <= 0) ? 1 : 0;
  });
  const mask = constantOf(input.kind === 'int' ? 'int' : 'float', [rows, columns], data);
  return applyExpr(node, [input, mask], ['mul', 'x0', 'x1']);
}

function conditional(node: OnnxNode): readonly Item[] {
  const branch = node.graph(node.constant(0, 'its conditions').data[0] ? 'then_branch' : 'else_branch');
  if (!branch) throw node.error('lacks a branch', 'export the model again');
  return node.scope.inner(branch);
}

export const shapeOperators: Record<string, Operator> = {
  Identity: node => node.input(0),
  Dropout: node => {
    if (node.opset >= 12 && node.optionalConstant(2, 'whether it trains')?.data[0])
      throw node.unsupported('training', 'export the model for inference (torch: model.eval())');
    if (!node.wants(1)) return node.input(0);
    return [
      node.input(0),
      constantOf('bool', node.input(0).shape, new Float32Array(product(node.input(0).shape)).fill(1)),
    ];
  },
  Constant: constantNode,
  ConstantOfShape: node => {
    const shape = node.integers(0, 'its sizes');
    const value = node.tensor('value') ?? constantOf('float', [1], [0]);
    node.lowering.expectFoldable(product(shape));
    if (shape.some(n => !(n >= 0))) throw node.error(`a shape [${shape}]`, 'export the model again');
    return { kind: value.kind, shape, data: new Float64Array(product(shape)).fill(value.data[0]) };
  },
  Shape: shapeOf,
  Size: node => constantOf('int', [], [product(node.input(0).shape)]),
  Range: range,
  Reshape: node => {
    const input = node.input(0);
    const wanted = node.list('shape', 1) ?? [];
    return node.lowering.reshape(
      input,
      targetShape(node, input.shape, wanted, node.int('allowzero', 0) === 1),
    );
  },
  Flatten: node => {
    const { shape } = node.input(0);
    const given = node.int('axis', 1);
    const axis = given === shape.length ? given : node.axis(given, shape.length);
    return node.lowering.reshape(node.input(0), [product(shape.slice(0, axis)), product(shape.slice(axis))]);
  },
  Transpose: node => {
    const input = node.input(0);
    const rank = input.shape.length;
    const permutation = node.ints('perm') ?? natural(rank).reverse();
    if ([...permutation].sort((a, b) => a - b).join() !== natural(rank).join())
      throw node.error(`[${permutation}] is no permutation of ${rank} dimensions`, 'export the model again');
    return node.lowering.transpose(input, permutation);
  },
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Pad: pad,
  Expand: node => {
    const given = node.integers(1, 'its sizes');
    return node.lowering.expand(node.input(0), given);
  },
  Tile: node => {
    const input = node.input(0);
    const repeats = node.integers(1, 'its repeats');
    const rules = input.shape.map((n, a): AxisRule | null => {
      if (repeats[a] === 1) return null;
      const size = n * repeats[a];
      if (!(size >= 0)) throw node.error(`repeats [${repeats}]`, 'export the model again');
      node.lowering.expectFoldable(size);
      return { rule: 'pick', index: Array.from({ length: size }, (_, i) => i % n) };
    });
    return byRules(node, 'pick', input, rules);
  },
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Cast: node => cast(node, node.int('to', 1)),
  CastLike: node => {
    const like = node.input(1);
    return cast(node, isStored(like) || like.kind === 'float' ? 1 : like.kind === 'bool' ? 9 : 7);
  },
  CumSum: node => {
    const input = node.stored(0);
    const axis = node.axis(node.integers(1, 'its axis')[0], input.shape.length);
    const rule: AxisRule = {
      rule: 'cumulate',
      exclusive: node.int('exclusive', 0) === 1,
      reverse: node.int('reverse', 0) === 1,
    };
    return node.lowering.byRules('window-sum', input, only(input.shape.length, axis, rule)) as Stored;
  },
  Trilu: trilu,
  If: conditional,
};
