// Reads an ONNX model as a network: decodes it, lowers its graph for the sizes it declares, and again for every other
// size it is used with. Only nodes that the outputs need are looked at. Nothing in a file is executed: a graph is data,
// its operators are those of operators.ts, and a node that reads what is not before it ends in an error.

import { dirname } from 'node:path';
import { NdconvError } from '../../../errors.ts';
import { readWhole } from '../../../formats/bytes.ts';
import { product, sameShape } from '../../../tensor/layout.ts';
import { INPUT, type Layer, type Network } from '../../network.ts';
import { type Constant, float32Of } from '../constants.ts';
import { channelsLastOrder, type Item, isStored, Lowering, natural, type Stored } from '../lowering.ts';
import { OnnxNode } from './node.ts';
import { operatorOf, replacementFor } from './operators.ts';
import { decodeMessage } from './protobuf.ts';
import { type GraphProto, type ModelProto, modelTable, type NodeProto, type TensorProto } from './schema.ts';
import { decodeTensor, kindOf, readExternal } from './tensors.ts';

/** How to read a model. */
export interface OnnxOptions {
  /** Names of the values to read up to, instead of the model's outputs. */
  outputs?: readonly string[];
  /** Sizes of the model's input as it declares it (`[N, C, ...]`), where the model leaves some open. */
  inputShape?: readonly number[];
  /** Values of further inputs. */
  constants?: ReadonlyMap<string, Constant>;
  /** Whether the model's input has its channels second or last; where absent, whichever brings fewer values into the order of convolutions, channels second in doubt. */
  inputLayout?: 'channels-first' | 'channels-last';
}

/** A result of the model: which layer holds it, and its dimensions as the model orders them. */
export interface OnnxOutput {
  readonly name: string;
  /** The layer, or the constant where it does not depend on the input. */
  readonly value: { layer: string; order: readonly number[] } | Constant;
  readonly shape: readonly number[];
}

/** A network that was read from an ONNX model. */
export interface OnnxNetwork extends Network {
  readonly input: { name: string; shape: readonly number[]; order: readonly number[] };
  readonly outputs: readonly OnnxOutput[];
}

/** Decodes a model. Errors: FormatError where the file is none. */
export function decodeModel(file: string, bytes: Uint8Array): ModelProto & { graph: GraphProto } {
  let model: ModelProto;
  try {
    model = decodeMessage(modelTable, bytes) as ModelProto;
  } catch (cause) {
    throw new NdconvError(
      'FormatError',
      `${file}: cannot be decoded as an ONNX model (${(cause as Error).message}), so it is truncated or damaged; copy or export it again`,
      { path: file },
      cause,
    );
  }
  if (!model.graph || model.graph.node.length === 0)
    throw new NdconvError('FormatError', `${file}: holds no ONNX graph; check that it is a model`, {
      path: file,
    });
  return model as ModelProto & { graph: GraphProto };
}

const oldest = 1;
const newest = 24;

/**
 * Reads an ONNX model from a path or its bytes. Layers are named as the model's nodes, where they have names, else as
 * their first outputs; the model's outputs are layers of their own names too. Errors: FormatError for a damaged file,
 * NetworkError for an operator that is not read, ShapeError for sizes that do not fit.
 */
export async function readOnnx(input: string | Uint8Array, options: OnnxOptions = {}): Promise<OnnxNetwork> {
  const file = typeof input === 'string' ? input : 'ONNX model';
  const bytes = typeof input === 'string' ? await readWhole(input) : input;
  const model = decodeModel(file, bytes);
  const folder = typeof input === 'string' ? dirname(input) : undefined;
  const external = await readExternal(file, folder, model.graph);
  return new OnnxReading(file, model, external, options).network();
}

/** The weights of an ONNX model by name, in its own order (`[K, C, ...kernel]`), as float32. Errors: FormatError. */
export async function readOnnxTensors(
  path: string,
): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  const { graph } = decodeModel(path, await readWhole(path));
  const external = await readExternal(path, dirname(path), graph);
  return new Map(
    graph.initializer.map(tensor => {
      const constant = decodeTensor(path, tensor, external);
      return [tensor.name ?? '', { shape: constant.shape, data: float32Of(constant) }];
    }),
  );
}

/** What one lowering gives. */
interface Lowered {
  layers: Layer[];
  outputs: OnnxOutput[];
  turned: number;
}

class OnnxReading {
  private readonly file: string;
  private readonly model: ModelProto & { graph: GraphProto };
  private readonly options: OnnxOptions;
  private readonly external: ReadonlyMap<TensorProto, Uint8Array>;
  private readonly opset: number;
  private readonly decoded = new Map<TensorProto, Constant>();
  private readonly needed: ReadonlySet<NodeProto>;
  private readonly wanted: readonly string[];
  private readonly inputName: string;

  constructor(
    file: string,
    model: ModelProto & { graph: GraphProto },
    external: ReadonlyMap<TensorProto, Uint8Array>,
    options: OnnxOptions,
  ) {
    this.file = file;
    this.model = model;
    this.options = options;
    this.external = external;
    this.opset = model.opsetImport.find(o => (o.domain ?? '') === '' || o.domain === 'ai.onnx')?.version ?? 1;
    if (!(this.opset >= oldest && this.opset <= newest))
      throw this.error(
        `is of operator set ${this.opset}`,
        `convert it to one of ${oldest} to ${newest} (onnx.version_converter)`,
      );
    this.wanted = options.outputs ?? model.graph.output.map(o => o.name ?? '');
    this.needed = this.reachable(model.graph);
    this.inputName = this.findInput();
  }

  network(): OnnxNetwork {
    const info = this.model.graph.input.find(i => i.name === this.inputName);
    const declared = info?.type?.tensorType?.shape?.dim.map(d => d.value ?? 0);
    const given = this.options.inputShape ?? declared;
    if (!given) throw this.error(`does not say the rank of its input ${this.inputName}`, 'give inputShape');
    if (declared && given.length !== declared.length)
      throw this.error(
        `its input ${this.inputName} has ${declared.length} dimensions`,
        `give as many, not [${given}]`,
      );
    if (this.options.inputShape?.some(n => n === 0))
      throw this.error(`takes no input of shape [${given}], which has no elements`, 'give every size');
    if (given.length > 8)
      throw this.error(`its input has ${given.length} dimensions`, 'use a model of at most 8');
    const rank = Math.max(2, given.length);
    const whole = [...new Array<number>(rank - given.length).fill(1), ...given];
    const { lowered, shape, order } = this.nominal(whole, given.length);
    const known = new Map([[shape.join(), lowered.layers]]);
    const stored = order.map(a => shape[a]);
    return {
      name: this.model.graph.name || 'onnx',
      rank: rank - 2,
      channels: stored.at(-1)!,
      layers: lowered.layers,
      outputs: lowered.outputs,
      input: { name: this.inputName, shape: shape.slice(rank - given.length), order },
      specialise: at => {
        const logical = natural(rank).map(a => at[order.indexOf(a)]);
        const found = known.get(logical.join()) ?? this.lower(logical, order, given.length).layers;
        if (known.size < 8) known.set(logical.join(), found);
        return found;
      },
    };
  }

  // Lowers for the declared sizes; where some are open, for the first usual ones that the graph can take.
  private nominal(declared: readonly number[], rank: number) {
    const open = declared.map((n, a) => !(n > 0) && a !== 0);
    const layouts = {
      'channels-first': channelsLastOrder(declared.length),
      'channels-last': natural(declared.length),
    };
    const { inputLayout } = this.options;
    const orders = inputLayout
      ? [layouts[inputLayout]]
      : declared.length > 2 && rank === declared.length
        ? [layouts['channels-first'], layouts['channels-last']]
        : [natural(declared.length)];
    let failure: unknown;
    for (const size of open.some(o => o) ? [64, 224, 256, 512, 32, 1024] : [0]) {
      const shape = declared.map((n, a) => (n > 0 ? n : a === 0 ? 1 : size));
      if (product(shape) > 2 ** 31)
        throw this.error(`has an input of shape [${shape}]`, 'give a smaller inputShape');
      let best: { lowered: Lowered; shape: number[]; order: number[] } | undefined;
      for (const order of orders) {
        try {
          const lowered = this.lower(shape, order, rank);
          if (!best || lowered.turned < best.lowered.turned) best = { lowered, shape, order };
        } catch (cause) {
          if (!(cause instanceof NdconvError)) throw cause;
          failure ??= cause;
        }
      }
      if (best) return best;
    }
    throw failure;
  }

  private lower(shape: readonly number[], order: readonly number[], rank: number): Lowered {
    const lowering = new Lowering(INPUT);
    const lead = shape.length - rank;
    const values = new Map<string, Item>();
    const info = this.model.graph.input.find(i => i.name === this.inputName);
    values.set(this.inputName, {
      kind: 'stored',
      layer: INPUT,
      shape: shape.slice(lead),
      order: order.map(a => (a < lead ? -1 : a - lead)),
      whole: kindOf(info?.type?.tensorType?.elementType) !== 'float',
    });
    for (const [name, constant] of this.options.constants ?? []) values.set(name, constant);
    this.lowerGraph(lowering, this.model.graph, values, this.needed, 0);
    const outputs = this.wanted.map((name): OnnxOutput => {
      const item = values.get(name);
      if (!item) throw this.error(`no node gives its output '${name}'`, 'export the model again');
      if (!isStored(item)) return { name, value: item, shape: item.shape };
      const tidied = this.tidy(lowering, item);
      const [made] =
        tidied.layer === name ? [tidied] : (lowering.node(name, [name], () => [tidied]) as Stored[]);
      return { name, value: { layer: made.layer, order: made.order }, shape: item.shape };
    });
    return { layers: lowering.layers, outputs, turned: lowering.turned };
  }

  // An output with all of its dimensions and no others: the origin's order up to two, else channels last where it may.
  private tidy(lowering: Lowering, item: Stored): Stored {
    const rank = item.shape.length;
    if (rank <= 2) return lowering.natural(item);
    const wide = (order: readonly number[]) => order.filter(a => a >= 0 && item.shape[a] !== 1);
    for (const order of [channelsLastOrder(rank), natural(rank)])
      if (sameShape(wide(order), wide(item.order))) return lowering.inOrder(item, order);
    return lowering.full(item);
  }

  private lowerGraph(
    lowering: Lowering,
    graph: GraphProto,
    values: Map<string, Item>,
    needed: ReadonlySet<NodeProto> | undefined,
    depth: number,
  ): void {
    if (depth > 8)
      throw this.error('nests its graphs more than 8 deep', 'export it with constant conditions');
    for (const tensor of graph.initializer)
      if (!(depth === 0 && this.options.constants?.has(tensor.name ?? '')) && tensor.name !== this.inputName)
        values.set(tensor.name ?? '', this.lazy(tensor));
    for (const [index, proto] of graph.node.entries()) {
      if (needed && !needed.has(proto)) continue;
      const first = proto.output.find(o => o !== '') ?? '';
      const name = proto.name || first || `node${index}`;
      const items = proto.input.map(input => {
        if (input === '') return undefined;
        const item = values.get(input);
        if (!item)
          throw this.error(
            `node ${name} (${proto.opType}) reads '${input}', which is not before it`,
            'export it again',
          );
        return item;
      });
      const inner = (body: GraphProto): Item[] => {
        const scope = new Map(values);
        this.lowerGraph(lowering, body, scope, undefined, depth + 1);
        return body.output.map(o => {
          const item = scope.get(o.name ?? '');
          if (!item)
            throw this.error(`node ${name} (${proto.opType}) has no value '${o.name}'`, 'export it again');
          return item;
        });
      };
      const constant = (tensor: TensorProto) => this.lazy(tensor);
      const node = new OnnxNode(proto, name, items, {
        file: this.file,
        opset: this.opset,
        lowering,
        constant,
        inner,
      });
      const operator = proto.domain && proto.domain !== 'ai.onnx' ? undefined : operatorOf(node.op);
      if (!operator) {
        const op = proto.domain && proto.domain !== 'ai.onnx' ? `${proto.domain}.${node.op}` : node.op;
        throw node.unsupported(`there is no operator ${op} in ndconv`, replacementFor(node.op));
      }
      const results = this.named(node, () =>
        lowering.node(name, proto.output, () => {
          const made = operator(node);
          return Array.isArray(made) ? made : [made as Item];
        }),
      );
      for (const [i, output] of proto.output.entries()) {
        if (output === '') continue;
        if (!results[i])
          throw node.unsupported(`its output ${i + 1} ('${output}')`, 'use only its first outputs');
        if (values.has(output)) throw this.error(`two nodes give '${output}'`, 'export it again');
        values.set(output, results[i]);
      }
    }
  }

  // Runs one node; errors that do not say where they come from get the node's name.
  private named<T>(node: OnnxNode, run: () => T): T {
    try {
      return run();
    } catch (cause) {
      if (!(cause instanceof NdconvError)) {
        if (cause instanceof RangeError)
          throw node.error(`its sizes are impossible (${cause.message})`, 'export the model again');
        throw cause;
      }
      if (cause.message.startsWith(this.file)) throw cause;
      throw new NdconvError(
        cause.tag,
        node.error(cause.message, 'give the input a size that fits the model').message,
        { ...cause.fields, node: node.name },
        cause,
      );
    }
  }

  private lazy(tensor: TensorProto): Constant {
    const known = this.decoded.get(tensor) ?? decodeTensor(this.file, tensor, this.external);
    this.decoded.set(tensor, known);
    return known;
  }

  // Nodes that the wanted outputs need, found backwards.
  private reachable(graph: GraphProto): Set<NodeProto> {
    const makers = new Map<string, NodeProto>();
    for (const node of graph.node)
      for (const output of node.output) if (output !== '') makers.set(output, node);
    const found = new Set<NodeProto>();
    const open = [...this.wanted];
    if (open.length === 0) throw this.error('has no outputs', 'export it again');
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const maker = makers.get(name);
      if (!maker || found.has(maker)) continue;
      found.add(maker);
      open.push(...maker.input, ...readWithin(maker));
    }
    for (const name of this.wanted)
      if (
        !makers.has(name) &&
        !graph.input.some(i => i.name === name) &&
        !graph.initializer.some(t => t.name === name)
      )
        throw this.error(
          `has no value '${name}'`,
          `ask for one of ${this.model.graph.output.map(o => o.name).join(', ')}, or an inner one`,
        );
    return found;
  }

  // The input that is no constant.
  private findInput(): string {
    const { graph } = this.model;
    const fixed = new Set([
      ...graph.initializer.map(t => t.name ?? ''),
      ...(this.options.constants?.keys() ?? []),
    ]);
    const open = graph.input.map(i => i.name ?? '').filter(name => !fixed.has(name));
    const used = new Set([...this.needed].flatMap(n => [...n.input, ...readWithin(n)]));
    const read = open.filter(name => used.has(name) || this.wanted.includes(name));
    if (read.length > 1)
      throw this.error(
        `has ${read.length} inputs (${read.join(', ')}), and a network takes one`,
        'give the others as constants, or ask for outputs that need one alone',
      );
    const name = read[0] ?? open[0] ?? graph.input.find(i => this.options.constants?.has(i.name ?? ''))?.name;
    if (name === undefined) throw this.error('has no input', 'use a model that takes one');
    const type = graph.input.find(i => i.name === name)?.type?.tensorType?.elementType;
    if (!kindOf(type))
      throw this.error(`its input ${name} has element type ${type}`, 'use a model that takes numbers');
    return name;
  }

  private error(problem: string, remedy: string): NdconvError {
    return new NdconvError('NetworkError', `${this.file}: the model ${problem}; ${remedy}`, {
      path: this.file,
    });
  }
}

// Names that the graphs within a node read.
function readWithin(node: NodeProto): string[] {
  return node.attribute.flatMap(({ g }) =>
    g ? [...g.node.flatMap(n => [...n.input, ...readWithin(n)]), ...g.output.map(o => o.name ?? '')] : [],
  );
}
