// Lowers operations of TensorFlow, whose tensors are `[N, ...spatial, C]`, by those of ONNX, whose tensors are
// `[N, C, ...spatial]`: a transpose of an item moves nothing, so that the two orders meet without cost, and each
// operation is written once.

import type { Expr } from '../../../../kernels/map/expr.ts';
import { NdconvError } from '../../../errors.ts';
import { INPUT, type Layer, type Network } from '../../network.ts';
import { type Constant, permute } from '../constants.ts';
import { type Item, isStored, Lowering, natural, type Stored } from '../lowering.ts';
import { matmul } from '../onnx/convolutional.ts';
import { applyExpr } from '../onnx/elementwise.ts';
import { OnnxNode } from '../onnx/node.ts';
import { operatorOf } from '../onnx/operators.ts';

type Attribute = number | string | readonly number[];

/** `[N, ...spatial, C]` as `[N, C, ...spatial]`, and back. */
const firstOrder = (rank: number): number[] => [0, rank - 1, ...natural(rank).slice(1, -1)];
const lastOrder = (rank: number): number[] => [0, ...natural(rank).slice(2), 1];

/** Operations on items, for one node of a model. */
export class Builder {
  readonly lowering: Lowering;
  private readonly file: string;
  private name = '';
  private origin = '';

  constructor(file: string, lowering: Lowering) {
    this.file = file;
    this.lowering = lowering;
  }

  /** Lowers one node called `name`, of the type `origin` in its framework. Its results get its name and are stored in their own order. */
  node(name: string, origin: string, build: () => Item | readonly Item[]): Item[] {
    this.name = name;
    this.origin = origin;
    try {
      return this.lowering.node(name, [name], () => {
        const made = build();
        return [made].flat().map(item => (isStored(item) ? this.lowering.natural(item) : item));
      });
    } catch (cause) {
      if (!(cause instanceof NdconvError) && !(cause instanceof RangeError)) throw cause;
      if (cause.message.startsWith(this.file)) throw cause;
      const tag = cause instanceof NdconvError ? cause.tag : 'NetworkError';
      throw new NdconvError(
        tag,
        `${this.file}: layer ${name} (${origin}): ${cause.message}`,
        { node: name },
        cause,
      );
    }
  }

  unsupported(problem: string, remedy: string): NdconvError {
    return new NdconvError(
      'NetworkError',
      `${this.file}: layer ${this.name} (${this.origin}): not supported: ${problem}; ${remedy}`,
      { node: this.name, op: this.origin, unsupported: true },
    );
  }

  /** The first result of an ONNX operator. */
  op(
    op: string,
    items: readonly (Item | undefined)[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Item {
    return this.ops(op, items, attributes, 1)[0];
  }

  ops(
    op: string,
    items: readonly (Item | undefined)[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number,
  ): Item[] {
    const node = this.onnx(op, items, attributes, outputs);
    const made = operatorOf(op)!(node);
    return Array.isArray(made) ? made : [made as Item];
  }

  /** An expression of items. */
  map = (expr: Expr, ...items: Item[]): Item => applyExpr(this.onnx('Map', items, {}, 1), items, expr);

  /** A product of matrices, with a bias where the second is constant. */
  matmul = (a: Item, b: Item, bias?: Constant): Item =>
    matmul(this.onnx('MatMul', [a, b], {}, 1), a, b, bias);

  channelsFirst = (item: Item): Item => this.lowering.transpose(item, firstOrder(item.shape.length));
  channelsLast = (item: Item): Item => this.lowering.transpose(item, lastOrder(item.shape.length));

  /** A convolution of `[N, ...spatial, C]` with filters `[...kernel, C/groups, K]`. */
  convolution(
    x: Item,
    filters: Item,
    bias: Constant | undefined,
    attributes: Record<string, Attribute>,
  ): Item {
    const rank = filters.shape.length;
    const order = [rank - 1, rank - 2, ...natural(rank).slice(0, -2)];
    const weights = isStored(filters) ? this.lowering.transpose(filters, order) : permute(filters, order);
    return this.channelsLast(this.op('Conv', [this.channelsFirst(x), weights, bias], attributes));
  }

  /** The same, each channel with filters `[...kernel, C, multiplier]` of its own. */
  depthwise(
    x: Item,
    filters: Constant,
    bias: Constant | undefined,
    attributes: Record<string, Attribute>,
  ): Item {
    const [channels, multiplier] = filters.shape.slice(-2);
    const weights = { ...filters, shape: [...filters.shape.slice(0, -2), 1, channels * multiplier] };
    return this.convolution(x, weights, bias, { ...attributes, group: channels });
  }

  /** A transposed convolution of `[N, ...spatial, C]` with filters `[...kernel, K, C]`. */
  transposed(
    x: Item,
    filters: Constant,
    bias: Constant | undefined,
    strides: readonly number[],
    same: boolean,
    dilations: readonly number[] = strides.map(() => 1),
  ): Item {
    const kernel = filters.shape.slice(0, -2);
    const rank = filters.shape.length;
    const weights = permute(filters, [rank - 1, rank - 2, ...natural(rank).slice(0, -2)]);
    const over = kernel.map((k, a) => dilations[a] * (k - 1) + 1 - strides[a]);
    const total = over.map(o => (same ? Math.max(0, o) : 0));
    return this.channelsLast(
      this.op('ConvTranspose', [this.channelsFirst(x), weights, bias], {
        strides,
        dilations,
        output_padding: over.map(o => Math.max(0, -o)),
        pads: [...total.map(t => Math.floor(t / 2)), ...total.map(t => Math.ceil(t / 2))],
      }),
    );
  }

  pool(op: 'MaxPool' | 'AveragePool', x: Item, attributes: Record<string, Attribute>): Item {
    return this.channelsLast(this.op(op, [this.channelsFirst(x)], attributes));
  }

  private onnx(
    op: string,
    items: readonly (Item | undefined)[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number,
  ): OnnxNode {
    const attribute = Object.entries(attributes).map(([name, value]) => ({
      name,
      ...(typeof value === 'number' && { i: value, f: value }),
      ...(typeof value === 'string' && { s: Buffer.from(value) }),
      floats: Array.isArray(value) ? [...value] : [],
      ints: Array.isArray(value) ? [...value] : [],
      strings: [],
    }));
    const output = Array.from({ length: outputs }, (_, i) => `${this.name}:${i}`);
    return new OnnxNode({ input: [], output, opType: op, attribute }, this.name, items, {
      file: this.file,
      opset: 18,
      origin: this.origin,
      lowering: this.lowering,
      constant: () => {
        throw this.unsupported('a tensor as an attribute', 'convert the model again');
      },
      inner: () => {
        throw this.unsupported('a graph within a graph', 'convert the model again');
      },
    });
  }
}

/** Padding by the name that TensorFlow gives it. */
export const autoPad = (padding: string): Record<string, Attribute> => ({
  auto_pad: padding.toLowerCase() === 'same' ? 'SAME_UPPER' : 'VALID',
});

/**
 * A network whose layers `lower` makes for an input of a shape `[N, ...]`; sizes that `declared` leaves open (null or −1)
 * are taken to be the first usual ones that work.
 */
export function networkOf(
  file: string,
  name: string,
  declared: readonly (number | null)[],
  lower: (lowering: Lowering, input: Stored) => void,
): Network {
  const at = (shape: readonly number[]): readonly Layer[] => {
    const lowering = new Lowering(INPUT);
    lower(lowering, { kind: 'stored', layer: INPUT, shape, order: natural(shape.length) });
    return lowering.layers;
  };
  const known = new Map<string, readonly Layer[]>();
  const specialise = (shape: readonly number[]) => {
    const found = known.get(shape.join()) ?? at(shape);
    if (known.size < 8) known.set(shape.join(), found);
    return found;
  };
  if (declared.length < 2)
    throw new NdconvError(
      'NetworkError',
      `${file}: its input [${declared}] has no channels; use a model that takes [N, ..., C]`,
    );
  const open = (n: number | null, a: number): n is null => a > 0 && !(n !== null && n > 0);
  let failure: unknown;
  for (const size of declared.some(open) ? [64, 224, 256, 512, 32, 1024] : [0]) {
    const shape = declared.map((n, a) => (open(n, a) ? size : n !== null && n > 0 ? n : 1));
    try {
      return { name, rank: shape.length - 2, channels: shape.at(-1)!, layers: specialise(shape), specialise };
    } catch (cause) {
      if (!(cause instanceof NdconvError)) throw cause;
      failure ??= cause;
    }
  }
  throw failure;
}
