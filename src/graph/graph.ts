// Records a computation as a graph of kernel calls. A value is the result of a node; nodes are plain data, so a graph
// prints and hashes, and equal calls on equal inputs are recorded once. Operations (src/ops) are functions that record
// nodes here; derivatives (differentiate.ts) record more of them.

import { type Kernel, keyOf } from '../../kernels/kernel.ts';
import type { Expr } from '../../kernels/map/expr.ts';
import { fullShape } from '../../kernels/reduce/spec.ts';
import { NdconvError } from '../errors.ts';
import { layoutOf, sameShape, sizeOf } from '../tensor/layout.ts';

/** Where a node's value comes from. `alias` is another shape (or a stop of the gradient) of the same elements. */
export type NodeKind = 'constant' | 'input' | 'variable' | 'kernel' | 'alias';

/** One node; `id` is its index in the graph and inputs always have smaller ids. */
export interface Node {
  readonly id: number;
  readonly kind: NodeKind;
  readonly shape: readonly number[];
  readonly inputs: readonly number[];
  readonly kernel?: Kernel;
  readonly data?: Float32Array;
  /** No gradient passes through an alias with this set. */
  readonly stopsGradient?: boolean;
  readonly name?: string;
  readonly label: string;
}

/** A tensor in the making: a node of a graph with its shape `[batch, ...spatial, channels]`. */
export interface Value {
  readonly graph: Graph;
  readonly id: number;
  readonly shape: readonly number[];
}

/** A graph being recorded. */
export class Graph {
  readonly nodes: Node[] = [];
  private readonly known = new Map<string, number>();
  private readonly scopes: string[] = [];

  /** Frozen values, such as pretrained weights. */
  constant(shape: readonly number[], data: Float32Array, label = 'constant'): Value {
    return this.leaf('constant', shape, label, data);
  }

  /** Values written before a run under `name`. */
  input(name: string, shape: readonly number[]): Value {
    return this.leaf('input', shape, name, undefined, name);
  }

  /** State that stays on the backend between runs and can be trained: an image, weights, an optimiser's moments. */
  variable(name: string, shape: readonly number[], data?: Float32Array): Value {
    return this.leaf('variable', shape, name, data, name);
  }

  /** Records a kernel call; returns the earlier node where the same call was recorded before. */
  kernel(
    kernel: Kernel,
    inputs: readonly Value[],
    shape: readonly number[],
    label: string = kernel.family,
  ): Value {
    const call = { kernel, inputs: inputs.map(v => layoutOf(v.shape)), output: layoutOf(shape) };
    const key = keyOf(call) + inputs.map(v => v.id).join();
    return this.once(key, {
      kind: 'kernel',
      shape,
      kernel,
      inputs: this.ids(inputs),
      label: this.scoped(label),
    });
  }

  /** The same elements under another shape. */
  reshape(value: Value, shape: readonly number[]): Value {
    if (sizeOf(shape) !== sizeOf(value.shape))
      throw new NdconvError(
        'ShapeError',
        `reshape: [${value.shape}] has ${sizeOf(value.shape)} elements, [${shape}] has ${sizeOf(shape)}`,
      );
    if (sameShape(shape, value.shape)) return value;
    return this.once(`alias ${value.id} ${shape}`, {
      kind: 'alias',
      shape,
      inputs: this.ids([value]),
      label: this.scoped('reshape'),
    });
  }

  /** The same value, through which no gradient passes. */
  detach(value: Value): Value {
    return this.once(`detach ${value.id}`, {
      kind: 'alias',
      shape: value.shape,
      inputs: this.ids([value]),
      stopsGradient: true,
      label: this.scoped('detach'),
    });
  }

  /** Records an elementwise expression; inputs broadcast against each other, and to `shape` where it is given. */
  map(expr: Expr, inputs: readonly Value[], label = 'map', shape?: readonly number[]): Value {
    checkBroadcast(label, inputs);
    return this.kernel({ family: 'map', expr }, inputs, shape ?? fullShape(inputs.map(v => v.shape)), label);
  }

  /** Records a sum or maximum of an expression down to `shape` (1 in every dimension reduced). */
  reduce(
    kind: 'sum' | 'max',
    expr: Expr,
    inputs: readonly Value[],
    shape: readonly number[],
    label = 'reduce',
  ): Value {
    checkBroadcast(label, inputs);
    return this.kernel({ family: 'reduce', kind, expr }, inputs, shape, label);
  }

  /** Labels what `record` records with a prefix, for progress, debug output and graphs. */
  scope<T>(name: string, record: () => T): T {
    this.scopes.push(name);
    try {
      return record();
    } finally {
      this.scopes.pop();
    }
  }

  value(id: number): Value {
    return { graph: this, id, shape: this.nodes[id].shape };
  }

  private scoped(label: string): string {
    return [...this.scopes, label].join('/');
  }

  private ids(values: readonly Value[]): number[] {
    for (const v of values) if (v.graph !== this) throw new Error('a value of one graph was used in another');
    return values.map(v => v.id);
  }

  private once(key: string, node: Omit<Node, 'id'>): Value {
    const known = this.known.get(key);
    if (known !== undefined) return this.value(known);
    const id = this.nodes.length;
    this.nodes.push({ id, ...node });
    this.known.set(key, id);
    return this.value(id);
  }

  private leaf(
    kind: NodeKind,
    shape: readonly number[],
    label: string,
    data?: Float32Array,
    name?: string,
  ): Value {
    if (data && data.length !== sizeOf(shape))
      throw new NdconvError(
        'ShapeError',
        `${label}: shape [${shape}] needs ${sizeOf(shape)} values, got ${data.length}`,
      );
    if (name !== undefined && this.nodes.some(n => n.name === name))
      throw new Error(`two leaves are named '${name}'`);
    const id = this.nodes.length;
    this.nodes.push({ id, kind, shape: [...shape], inputs: [], data, name, label: this.scoped(label) });
    return this.value(id);
  }
}

function checkBroadcast(label: string, inputs: readonly Value[]): void {
  const full = fullShape(inputs.map(v => v.shape));
  for (const v of inputs)
    if (v.shape.length !== full.length || v.shape.some((n, a) => n !== 1 && n !== full[a]))
      throw new NdconvError(
        'ShapeError',
        `${label}: shapes ${inputs.map(i => `[${i.shape}]`).join(' and ')} do not broadcast (sizes must be equal or 1)`,
      );
}
