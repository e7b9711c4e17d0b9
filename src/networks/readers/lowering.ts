// From the graph of another framework to layers. A value of such a graph is logical: it has the dimensions of its origin
// (`[N, C, ...spatial]` in ONNX). Here it is either a constant or a layer's result, stored with its dimensions in some
// order: convolutions want channels last, a reshape wants the order of the origin. An operation asks for the order it
// needs, and a transpose is recorded only where the one there is another; a Transpose of the origin is therefore free.
// Sizes are known throughout, so that shape arithmetic folds into constants; a network is lowered again for inputs of
// another size. Layers are of the ordinary types wherever they can be, so that what works on a network (inflating,
// inspecting, asking for a layer) works on one that was read.

import { type Expr, substitute } from '../../../kernels/map/expr.ts';
import { NdconvError } from '../../errors.ts';
import { product, sameShape } from '../../tensor/layout.ts';
import { type AxisRule, sizeAfter, termsOf } from '../axis-rules.ts';
import type { Layer, Weights } from '../network.ts';
import {
  broadcastConstant,
  broadcastShapes,
  type Constant,
  float32Of,
  permute,
  reshapeConstant,
} from './constants.ts';

/** A layer's result: logical shape, and which logical dimension each stored one is (−1: a stored size of 1 of none). */
export interface Stored {
  readonly kind: 'stored';
  readonly layer: string;
  readonly shape: readonly number[];
  /** Logical dimensions that are missing have size 1. */
  readonly order: readonly number[];
  /** Its numbers are whole, so that a cast to integers leaves them as they are. */
  readonly whole?: boolean;
}

/** A value of the origin's graph. */
export type Item = Stored | Constant;

export const isStored = (item: Item): item is Stored => item.kind === 'stored';

/** Shape as stored. */
export const storedShape = ({ shape, order }: Pick<Stored, 'shape' | 'order'>): number[] =>
  order.map(a => (a < 0 ? 1 : shape[a]));

/** `[N, ...spatial, C]` of `[N, C, ...spatial]`. */
export const channelsLastOrder = (rank: number): number[] =>
  rank < 2 ? natural(rank) : [0, ...natural(rank).slice(2), 1];

/** The origin's own order. */
export const natural = (rank: number): number[] => Array.from({ length: rank }, (_, a) => a);

/** Most elements of one value, and of all constants that are computed while reading. */
const mostElements = 2 ** 31;
const mostFolded = 2 ** 26;

export type LayerParts = { parameters?: Record<string, unknown>; weights?: Weights };

/** Layers in the making. */
export class Lowering {
  readonly layers: Layer[] = [];
  private readonly taken = new Set<string>();
  private readonly reordered = new Map<string, Stored>();
  private folded = 0;
  /** How often the channels had to be brought to the end. */
  turned = 0;
  private prefix = '';
  private readonly input: string;

  /** `input` is the name by which layers read the network's input. */
  constructor(input: string) {
    this.input = input;
    this.taken.add(input);
  }

  /**
   * Lowers one node: `build` gives its results, the first of which gets the node's name and every one of several that of
   * its own. A result that needed no layer gets one that hands its input on, so that its name can be asked for.
   */
  node(name: string, outputs: readonly string[], build: () => readonly Item[]): Item[] {
    this.prefix = name;
    const start = this.layers.length;
    const items = [...build()];
    for (const [i, item] of items.entries()) {
      if (!isStored(item)) continue;
      const wanted = i === 0 ? name : outputs[i];
      const at = this.layers.findIndex((l, j) => j >= start && l.name === item.layer);
      if (at >= 0 && !items.some((other, j) => j < i && isStored(other) && other.layer === item.layer)) {
        const renamed = this.rename(at, wanted);
        for (const [j, other] of items.entries())
          if (isStored(other) && other.layer === item.layer) items[j] = { ...other, layer: renamed };
        if (item === items[i]) items[i] = { ...item, layer: renamed };
      } else {
        items[i] = { ...item, layer: this.add(this.free(wanted), 'identity', [item]) };
      }
    }
    return items;
  }

  /** Records a layer and gives its result. `order` and `shape` describe it as `Stored` does. */
  emit(
    type: Layer['type'],
    from: readonly Stored[],
    shape: readonly number[],
    order: readonly number[],
    parts: LayerParts = {},
  ): Stored {
    expectSize(shape);
    const layer = this.add(this.free(`${this.prefix}/${type}`), type, from, parts);
    return { kind: 'stored', layer, shape, order };
  }

  /** A constant as a layer's result. */
  stored(item: Item): Stored {
    if (isStored(item)) return item;
    const shape = item.shape.length > 0 ? item.shape : [1];
    if (product(shape) === 0)
      throw new NdconvError('ShapeError', `a tensor of shape [${shape}] has no elements`);
    const weights = { value: { shape, data: float32Of(item) } };
    const order = item.shape.length > 0 ? natural(shape.length) : [-1];
    return this.emit('constant', [], item.shape, order, { weights });
  }

  /** The value stored in this order, by a reshape where only sizes of 1 move, else by a transpose. */
  inOrder(item: Stored, order: readonly number[]): Stored {
    const { shape } = item;
    if (sameShape(item.order, order)) return item;
    const key = `${item.layer} ${item.order} ${shape} ${order}`;
    const known = this.reordered.get(key);
    if (known) return known;
    const wide = (o: readonly number[]) => o.filter(a => a >= 0 && shape[a] !== 1);
    const target = storedShape({ shape, order });
    let result: Stored;
    if (sameShape(wide(item.order), wide(order))) {
      result = sameShape(storedShape(item), target)
        ? { ...item, order }
        : this.emit('reshape', [item], shape, order, { parameters: { shape: target } });
    } else {
      const whole = item.order.length === order.length && order.every(a => a >= 0 && item.order.includes(a));
      // Sizes of 1 that the source lacks are put in front; then every dimension is there to be permuted.
      const narrow = order.filter(a => a < 0 || shape[a] === 1);
      const ready = whole ? item.order : [...narrow, ...wide(item.order)];
      const source = whole
        ? item
        : this.emit('reshape', [item], shape, ready, {
            parameters: { shape: storedShape({ shape, order: ready }) },
          });
      const used = new Set<number>();
      const permutation = order.map(a => {
        const at = ready.findIndex((b, i) => b === a && !used.has(i));
        used.add(at);
        return at;
      });
      result = this.emit('transpose', [source], shape, order, { parameters: { permutation } });
    }
    this.reordered.set(key, result);
    return result;
  }

  /** The value with its batch first and its channels (dimension 1) last. */
  channelsLast(item: Item): Stored {
    const before = this.layers.length;
    const made = this.inOrder(this.stored(item), channelsLastOrder(item.shape.length));
    if (this.layers.slice(before).some(l => l.type === 'transpose')) this.turned++;
    return made;
  }

  /** The value as its origin orders it. */
  natural = (item: Item): Stored =>
    this.inOrder(this.stored(item), item.shape.length > 0 ? natural(item.shape.length) : [-1]);

  /** The value with one dimension last, the others in the order they are in. */
  withLast(item: Item, axis: number): Stored {
    const stored = this.full(this.stored(item));
    return this.inOrder(stored, [...stored.order.filter(a => a !== axis && a >= 0), axis]);
  }

  /** The value with every logical dimension among the stored ones. */
  full(item: Stored): Stored {
    const order = item.order.filter(a => a >= 0);
    const missing = natural(item.shape.length).filter(a => !order.includes(a));
    // The batch leads where it is one of them, so that what was [C] becomes [1, C].
    const whole = [...missing.filter(a => a === 0), ...order, ...missing.filter(a => a !== 0)];
    return this.inOrder(item, whole.length > 0 ? whole : [-1]);
  }

  /** The same elements, in the origin's order, under another shape. */
  reshape(item: Item, shape: readonly number[]): Item {
    if (product(shape) !== product(item.shape))
      throw new NdconvError(
        'ShapeError',
        `reshape: [${item.shape}] has ${product(item.shape)} elements, [${shape}] has ${product(shape)}`,
      );
    if (!isStored(item)) return reshapeConstant(item, shape);
    if (sameShape(shape, item.shape)) return item;
    const wide = item.order.filter(a => a >= 0 && item.shape[a] !== 1);
    const source = wide.every((a, i) => i === 0 || a > wide[i - 1]) ? item : this.natural(item);
    const order = shape.length > 0 ? natural(shape.length) : [-1];
    const target = storedShape({ shape, order });
    if (sameShape(storedShape(source), target)) return { ...source, shape, order };
    return this.emit('reshape', [source], shape, order, { parameters: { shape: target } });
  }

  /** Dimension `a` of the result is dimension `permutation[a]`. Moves nothing. */
  transpose(item: Item, permutation: readonly number[]): Item {
    if (!isStored(item)) return permute(item, permutation);
    const shape = permutation.map(p => item.shape[p]);
    return { ...item, shape, order: item.order.map(a => (a < 0 ? -1 : permutation.indexOf(a))) };
  }

  /** Other logical dimensions for the same stored ones: `to[a]` is what dimension `a` becomes, −1 where it goes. */
  relabel(item: Stored, shape: readonly number[], to: readonly number[]): Stored {
    return { ...item, shape, order: item.order.map(a => (a < 0 ? -1 : to[a])) };
  }

  /** One rule per logical dimension (null: as it is) in one layer of a type that takes rules. */
  byRules(
    type: 'slice' | 'pick' | 'pad-axes' | 'resample' | 'window-sum',
    item: Item,
    rules: readonly (AxisRule | null)[],
    parameters: Record<string, unknown> = {},
  ): Stored {
    const stored = this.full(this.stored(item));
    const shape = item.shape.map((n, a) => (rules[a] ? sizeAfter(rules[a], n) : n));
    for (const [a, rule] of rules.entries())
      if (rule) this.expectFoldable(shape[a] * termsOf(rule, item.shape[a]));
    return this.emit(type, [stored], shape, stored.order, {
      parameters: { ...parameters, rules: stored.order.map(a => (a < 0 ? null : rules[a])) },
    });
  }

  /** An expression of broadcast items, `x0` being the first; at least one is no constant. */
  elementwise(expr: Expr, items: readonly Item[], what: string): Stored {
    const shape = broadcastShapes(
      items.map(i => i.shape),
      what,
    );
    expectSize(shape);
    const rank = shape.length;
    const lifted = items.map(item => this.lift(item, rank));
    const order = this.commonOrder(lifted, shape);
    const from: Stored[] = [];
    const weights: Weights = {};
    const names = lifted.map((item): Expr => {
      if (isStored(item)) {
        const at = this.inOrder(item, order);
        const known = from.findIndex(f => f.layer === at.layer);
        return `x${known >= 0 ? known : from.push(at) - 1}`;
      }
      return item.data.length === 1 ? Math.fround(item.data[0]) : 'x0';
    });
    for (const [i, item] of lifted.entries()) {
      if (isStored(item) || item.data.length === 1) continue;
      const narrow = permute(
        item,
        completed(order, rank).filter(a => a >= 0),
      );
      const data = float32Of(narrow);
      names[i] = `x${from.length + Object.keys(weights).length}`;
      weights[`operand${Object.keys(weights).length + 1}`] = {
        shape: storedShape({ shape: item.shape, order }),
        data,
      };
    }
    const final = substitute(expr, i => names[i]);
    const grown = !sameShape(
      broadcastShapes([...from.map(storedShape), ...Object.values(weights).map(w => w.shape)], what),
      storedShape({ shape, order }),
    );
    const plain = from.length === 2 && Object.keys(weights).length === 0 && !grown;
    for (const type of ['add', 'mul'] as const)
      if (plain && JSON.stringify(final) === `["${type}","x0","x1"]`)
        return this.emit(type, from, shape, order);
    const parameters: Record<string, unknown> = { expr: final };
    if (grown) parameters.shape = storedShape({ shape, order });
    return this.emit('elementwise', from, shape, order, {
      parameters,
      weights: Object.keys(weights).length > 0 ? weights : undefined,
    });
  }

  /** Sum, mean or maximum of an expression over logical axes, which keep size 1. */
  reduce(kind: 'sum' | 'mean' | 'max', item: Item, axes: readonly number[], expr: Expr = 'x0'): Stored {
    const stored = this.stored(item);
    const positions = stored.order.flatMap((a, i) => (a >= 0 && axes.includes(a) ? [i] : []));
    const shape = item.shape.map((n, a) => (axes.includes(a) ? 1 : n));
    const parameters: Record<string, unknown> = { kind, axes: positions };
    if (expr !== 'x0') parameters.expr = expr;
    return this.emit('reduce', [stored], shape, stored.order, { parameters });
  }

  /** The value repeated to `shape`, by NumPy's rules. */
  expand(item: Item, given: readonly number[]): Item {
    const shape = broadcastShapes([item.shape, given], 'expand');
    expectSize(shape);
    if (!isStored(item)) {
      this.expectFoldable(product(shape));
      return broadcastConstant(item, shape);
    }
    if (sameShape(shape, item.shape)) return item;
    const ones: Constant = { kind: 'float', shape, data: new Float32Array(0) };
    const lifted = this.lift(item, shape.length) as Stored;
    const order = this.commonOrder([lifted, ones], shape);
    const target = storedShape({ shape, order });
    return this.emit('elementwise', [this.inOrder(lifted, order)], shape, order, {
      parameters: { expr: 'x0', shape: target },
    });
  }

  /** Counts elements of constants that a file makes us compute; refuses what no network needs. */
  expectFoldable(elements: number): void {
    this.folded += elements;
    if (!(this.folded <= mostFolded))
      throw new NdconvError(
        'NetworkError',
        `its constants grow to more than ${mostFolded} elements while they are computed`,
        { elements: this.folded },
      );
  }

  // Dimensions of size 1 in front, up to `rank`.
  private lift(item: Item, rank: number): Item {
    const lead = rank - item.shape.length;
    if (lead === 0) return item;
    const shape = [...new Array<number>(lead).fill(1), ...item.shape];
    if (!isStored(item)) return { ...item, shape };
    return { ...item, shape, order: item.order.map(a => (a < 0 ? -1 : a + lead)) };
  }

  // The order of the largest stored item, with every dimension in it that the result has.
  private commonOrder(items: readonly Item[], shape: readonly number[]): number[] {
    const stored = items.filter(isStored);
    const [base] = [...stored].sort((a, b) => product(b.shape) - product(a.shape));
    const order = base.order.filter(a => a >= 0);
    const missing = natural(shape.length).filter(a => shape[a] !== 1 && !order.includes(a));
    const all = [...missing.filter(a => a === 0), ...order, ...missing.filter(a => a !== 0)];
    return all.length > 0 ? all : [-1];
  }

  private add(name: string, type: Layer['type'], from: readonly Stored[], parts: LayerParts = {}): string {
    this.taken.add(name);
    this.layers.push({
      name,
      type,
      // A constant has no source; the input stands for the graph that it belongs to.
      from: from.length > 0 ? from.map(f => f.layer) : [this.input],
      parameters: parts.parameters ?? {},
      weights: parts.weights,
    });
    return name;
  }

  private rename(at: number, wanted: string): string {
    const old = this.layers[at].name;
    const name = this.free(wanted);
    this.taken.add(name);
    for (let i = at; i < this.layers.length; i++) {
      const layer = this.layers[i];
      if (i === at || layer.from?.includes(old))
        this.layers[i] = {
          ...layer,
          name: i === at ? name : layer.name,
          from: layer.from?.map(f => (f === old ? name : f)),
        };
    }
    for (const [key, value] of this.reordered)
      if (value.layer === old) this.reordered.set(key, { ...value, layer: name });
    return name;
  }

  private free(wanted: string): string {
    let name = wanted || 'layer';
    for (let i = 2; this.taken.has(name); i++) name = `${wanted}_${i}`;
    return name;
  }
}

/** All logical dimensions: those of an order, then the others (of size 1). */
const completed = (order: readonly number[], rank: number): number[] => [
  ...order.filter(a => a >= 0),
  ...natural(rank).filter(a => !order.includes(a)),
];

function expectSize(shape: readonly number[]): void {
  const count = product(shape);
  if (shape.some(n => !Number.isSafeInteger(n) || n < 0) || count > mostElements)
    throw new NdconvError(
      'ShapeError',
      `a value of shape [${shape}] is larger than ${mostElements} elements`,
    );
  if (count === 0) throw new NdconvError('ShapeError', `a value of shape [${shape}] has no elements`);
}
