// TensorFlow.js graph-models: a TensorFlow graph for inference, as JSON, with weights by the names of its constants. Nodes
// are lowered in the order in which they need each other; those that no output needs are left alone.

import { NdconvError } from '../../../errors.ts';
import type { Network } from '../../network.ts';
import type { Constant } from '../constants.ts';
import { type Item, isStored } from '../lowering.ts';
import { Builder, networkOf } from './builder.ts';
import { type TensorFlowNode, tensorFlowOperators } from './graph-operators.ts';

type Json = Record<string, any>;
const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface GraphNode {
  name: string;
  op: string;
  inputs: { name: string; index: number }[];
  attributes: Json;
}

const broken = (file: string, what: string): NdconvError =>
  new NdconvError(
    'NetworkError',
    `${file}: the model ${what}; convert it again with tensorflowjs_converter`,
    {
      path: file,
    },
  );

function parseNode(file: string, value: unknown): GraphNode {
  if (!isRecord(value) || typeof value.name !== 'string' || typeof value.op !== 'string')
    throw broken(file, 'has a node without name and op');
  const given = Array.isArray(value.input) ? value.input.map(String) : [];
  // `^name` only says what comes first; `name:2` is the third result.
  const inputs = given
    .filter(text => !text.startsWith('^'))
    .map(text => {
      const [name, index = '0'] = text.split(':');
      return { name, index: Number(index) };
    });
  return { name: value.name, op: value.op, inputs, attributes: isRecord(value.attr) ? value.attr : {} };
}

/** Sizes of a Placeholder: −1 where open, undefined where its rank is not known. */
function placeholderShape(node: GraphNode): (number | null)[] | undefined {
  const dim = node.attributes.shape?.shape?.dim;
  if (!Array.isArray(dim) || dim.length === 0 || dim.length > 8) return undefined;
  return dim.map(d => {
    const size = Number(d?.size ?? -1);
    return size > 0 && Number.isSafeInteger(size) ? size : null;
  });
}

/** Nodes in the order in which they can be lowered, only those that `outputs` need. Throws where they run in a circle. */
function inOrder(
  file: string,
  nodes: ReadonlyMap<string, GraphNode>,
  outputs: readonly string[],
): GraphNode[] {
  const state = new Map<string, 'open' | 'done'>();
  const order: GraphNode[] = [];
  const stack = outputs.map(name => ({ name, next: 0 })).reverse();
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const node = nodes.get(top.name);
    if (!node) throw broken(file, `reads '${top.name}', which is none of its nodes`);
    if (top.next === 0 && state.get(top.name) === 'done') {
      stack.pop();
      continue;
    }
    state.set(top.name, 'open');
    if (top.next < node.inputs.length) {
      const { name } = node.inputs[top.next++];
      if (state.get(name) === 'open') throw broken(file, `runs in a circle through '${name}'`);
      if (!state.has(name)) stack.push({ name, next: 0 });
      continue;
    }
    state.set(top.name, 'done');
    order.push(node);
    stack.pop();
  }
  return order;
}

/** Names of the outputs: those of the signature, else the nodes that nobody reads. */
function outputsOf(nodes: ReadonlyMap<string, GraphNode>, signature: unknown): string[] {
  const named = isRecord(signature) && isRecord(signature.outputs) ? Object.values(signature.outputs) : [];
  const names = named.map(o => String(o?.name ?? '').split(':')[0]).filter(name => nodes.has(name));
  if (names.length > 0) return names;
  const read = new Set([...nodes.values()].flatMap(n => n.inputs.map(i => i.name)));
  return [...nodes.values()]
    .filter(n => !read.has(n.name) && n.op !== 'Const' && n.op !== 'NoOp')
    .map(n => n.name);
}

/** A graph-model as a network. Errors: NetworkError naming the node and operator that are not read. */
export function graphNetwork(
  file: string,
  topology: Json,
  weights: ReadonlyMap<string, Constant>,
  signature?: unknown,
): Network {
  if (!Array.isArray(topology.node) || topology.node.length > 2 ** 16) throw broken(file, 'has no nodes');
  const nodes = new Map<string, GraphNode>();
  for (const value of topology.node) {
    const node = parseNode(file, value);
    if (nodes.has(node.name)) throw broken(file, `has two nodes named '${node.name}'`);
    nodes.set(node.name, node);
  }
  const outputs = outputsOf(nodes, signature);
  const order = inOrder(file, nodes, outputs);
  const inputs = order.filter(n => n.op === 'Placeholder');
  if (inputs.length !== 1)
    throw broken(
      file,
      `has ${inputs.length} inputs (${inputs.map(n => n.name).join(', ')}), and a network takes one`,
    );
  const shape = placeholderShape(inputs[0]);
  if (!shape) throw broken(file, `does not say the shape of its input ${inputs[0].name}`);
  return networkOf(file, 'tfjs', shape, (lowering, input) => {
    const builder = new Builder(file, lowering);
    const values = new Map<string, readonly Item[]>();
    for (const node of order) {
      if (node.op === 'Placeholder') values.set(node.name, [input]);
      else if (node.op === 'Const') {
        const constant = weights.get(node.name);
        if (!constant) throw broken(file, `has no weights '${node.name}'`);
        values.set(node.name, [constant]);
      } else values.set(node.name, lowerNode(file, builder, node, values));
    }
    for (const name of outputs)
      if (!values.get(name)?.some(isStored))
        throw broken(file, `has an output ${name} that does not depend on its input`);
  });
}

function lowerNode(
  file: string,
  builder: Builder,
  node: GraphNode,
  values: ReadonlyMap<string, readonly Item[]>,
): Item[] {
  const items = node.inputs.map(({ name, index }) => {
    const item = values.get(name)?.[index];
    if (!item)
      throw broken(
        file,
        `node ${node.name} (${node.op}) reads result ${index} of '${name}', which is not there`,
      );
    return item;
  });
  return builder.node(node.name, node.op, () => {
    const operator = Object.hasOwn(tensorFlowOperators, node.op) ? tensorFlowOperators[node.op] : undefined;
    if (!operator)
      throw builder.unsupported(
        `there is no operator ${node.op} in ndconv`,
        'cut the model before it, or export it without its pre- and post-processing',
      );
    return operator(asNode(builder, node, items));
  });
}

// Text in a graph-model's JSON is base64.
const textOf = (value: unknown): string => Buffer.from(String(value), 'base64').toString('utf8');

function asNode(builder: Builder, node: GraphNode, items: readonly Item[]): TensorFlowNode {
  const attribute = (name: string): Json => (isRecord(node.attributes[name]) ? node.attributes[name] : {});
  return {
    builder,
    items,
    op: node.op,
    item(i) {
      if (!items[i]) throw builder.unsupported(`it has ${items.length} inputs`, 'convert the model again');
      return items[i];
    },
    constant(i) {
      const item = items[i];
      if (!item || isStored(item))
        throw builder.unsupported(
          `input ${i + 1} depends on the network's input`,
          'convert the model with its weights and sizes as constants',
        );
      return item;
    },
    int: (name, fallback) => (attribute(name).i === undefined ? fallback : Number(attribute(name).i)),
    float: (name, fallback) => (attribute(name).f === undefined ? fallback : Number(attribute(name).f)),
    flag: (name, fallback) => (attribute(name).b === undefined ? fallback : attribute(name).b === true),
    text: (name, fallback) => (attribute(name).s === undefined ? fallback : textOf(attribute(name).s)),
    ints: name => (Array.isArray(attribute(name).list?.i) ? attribute(name).list.i.map(Number) : []),
    texts: name => (Array.isArray(attribute(name).list?.s) ? attribute(name).list.s.map(textOf) : []),
    type: (name, fallback) => String(attribute(name).type ?? fallback),
  };
}
