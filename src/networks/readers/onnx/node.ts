// One node of an ONNX graph while it is lowered: its inputs, its attributes with their defaults, and its errors, which
// name the node, the operator and the operator set, and say what could stand in its place.

import { NdconvError } from '../../../errors.ts';
import type { Constant } from '../constants.ts';
import { type Item, isStored, type Lowering, type Stored } from '../lowering.ts';
import type { AttributeProto, GraphProto, NodeProto } from './schema.ts';

/** What a node knows of its model. */
export interface NodeScope {
  readonly file: string;
  readonly opset: number;
  /** What the operator is called where the file is no ONNX model. */
  readonly origin?: string;
  readonly lowering: Lowering;
  constant(tensor: NonNullable<AttributeProto['t']>): Constant;
  /** Lowers a graph within a node, which may read what the node can; gives its outputs. */
  inner(graph: GraphProto): Item[];
}

export class OnnxNode {
  readonly op: string;
  readonly name: string;
  readonly outputs: readonly string[];
  readonly items: readonly (Item | undefined)[];
  readonly scope: NodeScope;
  private readonly attributes: ReadonlyMap<string, AttributeProto>;

  constructor(proto: NodeProto, name: string, items: readonly (Item | undefined)[], scope: NodeScope) {
    this.op = proto.opType ?? '';
    this.name = name;
    this.outputs = proto.output;
    this.items = items;
    this.scope = scope;
    this.attributes = new Map(proto.attribute.map(a => [a.name ?? '', a]));
  }

  get opset(): number {
    return this.scope.opset;
  }

  get lowering(): Lowering {
    return this.scope.lowering;
  }

  /** Whether output `i` is read by anyone. */
  wants = (i: number): boolean => (this.outputs[i] ?? '') !== '';

  /** Input `i`, which must be there. */
  input(i: number): Item {
    const item = this.items[i];
    if (!item) throw this.error(`has no input ${i + 1}`, 'export the model again');
    return item;
  }

  /** Input `i` as a layer's result. */
  stored = (i: number): Stored => this.lowering.stored(this.input(i));

  /** Input `i`, which must not depend on the network's input. */
  constant(i: number, what: string): Constant {
    const item = this.input(i);
    if (isStored(item))
      throw this.unsupported(
        `${what} (input ${i + 1}) depend on the network's input`,
        'export the model with its weights and sizes as constants',
      );
    return item;
  }

  optionalConstant = (i: number, what: string): Constant | undefined =>
    this.items[i] ? this.constant(i, what) : undefined;

  /** Integers of input `i`. */
  integers = (i: number, what: string): number[] => [...this.constant(i, what).data];

  /** Integers that newer operator sets take as input `i` and older ones as an attribute. */
  list(attribute: string, i: number): number[] | undefined {
    return this.items[i] ? this.integers(i, attribute) : this.ints(attribute);
  }

  has = (name: string): boolean => this.attributes.has(name);
  int = (name: string, fallback: number): number =>
    this.has(name) ? (this.attributes.get(name)?.i ?? 0) : fallback;
  float = (name: string, fallback: number): number =>
    this.has(name) ? (this.attributes.get(name)?.f ?? 0) : fallback;
  ints = (name: string): number[] | undefined =>
    this.has(name) ? this.attributes.get(name)?.ints : undefined;
  floats = (name: string): number[] | undefined =>
    this.has(name) ? this.attributes.get(name)?.floats : undefined;
  text(name: string, fallback: string): string {
    const bytes = this.attributes.get(name)?.s;
    return bytes ? Buffer.from(bytes).toString('utf8') : fallback;
  }
  tensor = (name: string): Constant | undefined => {
    const tensor = this.attributes.get(name)?.t;
    return tensor && this.scope.constant(tensor);
  };
  graph = (name: string): GraphProto | undefined => this.attributes.get(name)?.g;

  /** A dimension of `rank`, counted from the end where negative. */
  axis(value: number, rank: number): number {
    const axis = value < 0 ? value + rank : value;
    if (!Number.isInteger(axis) || axis < 0 || axis >= Math.max(1, rank))
      throw this.error(`axis ${value} is none of ${rank} dimensions`, 'export the model again');
    return axis;
  }

  /** One integer for each of `count` dimensions. */
  perAxis(name: string, count: number, fallback: number): number[] {
    const values = this.ints(name) ?? new Array<number>(count).fill(fallback);
    if (values.length !== count || values.some(v => !Number.isSafeInteger(v)))
      throw this.error(
        `${name} [${values}] does not fit ${count} spatial dimensions`,
        'export the model again',
      );
    return values;
  }

  /** File, node and operator, as every error names them. */
  get place(): string {
    const { file, origin, opset } = this.scope;
    return `${file}: node ${this.name} (${origin ?? `${this.op}, opset ${opset}`})`;
  }

  error(problem: string, remedy: string): NdconvError {
    return new NdconvError('NetworkError', `${this.place}: ${problem}; ${remedy}`, {
      node: this.name,
      op: this.op,
      opset: this.opset,
    });
  }

  /** What a conforming reader may see and this one does not do. */
  unsupported(problem: string, remedy: string): NdconvError {
    return new NdconvError('NetworkError', `${this.place}: not supported: ${problem}; ${remedy}`, {
      node: this.name,
      op: this.op,
      opset: this.opset,
      unsupported: true,
    });
  }
}

/** How an operator is lowered: its results in order. */
export type Operator = (node: OnnxNode) => Item | readonly Item[];
