// ONNX models of one convolution and of whole networks, for onnxruntime.

import { filtersFirst, product } from './engines/prepared.ts';
import { type NetworkLayer, parametersOf, shapesOf } from './networks.ts';
import { makeValues, outputSize, type Task, weightsOf } from './tasks.ts';

const schema = `syntax = "proto3";
message ModelProto { int64 ir_version = 1; GraphProto graph = 7; repeated OperatorSetId opset_import = 8; }
message OperatorSetId { string domain = 1; int64 version = 2; }
message GraphProto { repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5; repeated ValueInfo input = 11; repeated ValueInfo output = 12; }
message NodeProto { repeated string input = 1; repeated string output = 2; string op_type = 4; repeated Attribute attribute = 5; }
message Attribute { string name = 1; int64 i = 3; repeated int64 ints = 8; int32 type = 20; }
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message ValueInfo { string name = 1; TypeProto type = 2; }
message TypeProto { TensorType tensor_type = 1; }
message TensorType { int32 elem_type = 1; Shape shape = 2; }
message Shape { repeated Dimension dim = 1; }
message Dimension { int64 dim_value = 1; }`;

// Installed beside the bench alone, so its types are not at hand.
const { default: protobuf }: any = await import('protobufjs' as string);
const Encoded = protobuf.parse(schema, { keepCase: true }).root.lookupType('ModelProto');

const [FLOAT, INT64, INTS, INT] = [1, 7, 7, 2];
const valueInfo = (name: string, dims: readonly number[]) => ({
  name,
  type: { tensor_type: { elem_type: FLOAT, shape: { dim: dims.map(dim_value => ({ dim_value })) } } },
});

interface Node {
  input: string[];
  output: string[];
  op_type: string;
  attribute: { name: string; type: number; i?: number; ints?: number[] }[];
}

// Collects nodes and the values that they read.
class Recording {
  readonly nodes: Node[] = [];
  readonly initializer: unknown[] = [];

  tensor(name: string, dims: readonly number[], values: Float32Array | BigInt64Array): string {
    const data_type = values instanceof Float32Array ? FLOAT : INT64;
    const raw_data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializer.push({ name, dims, data_type, raw_data });
    return name;
  }

  add(op_type: string, input: string[], attributes: Record<string, number | number[]> = {}): string {
    const output = `value${this.nodes.length}`;
    const attribute = Object.entries(attributes).map(([name, value]) =>
      Array.isArray(value) ? { name, ints: value, type: INTS } : { name, i: value, type: INT },
    );
    this.nodes.push({ input, output: [output], op_type, attribute });
    return output;
  }

  /** The whole model with input `x` and output `y`, the last node's. */
  encode(x: readonly number[], y: readonly number[]): Uint8Array {
    this.nodes.at(-1)!.output[0] = 'y';
    const graph = {
      name: 'task',
      node: this.nodes,
      initializer: this.initializer,
      input: [valueInfo('x', x)],
      output: [valueInfo('y', y)],
    };
    return Encoded.encode(
      Encoded.fromObject({ ir_version: 8, graph, opset_import: [{ domain: '', version: 13 }] }),
    ).finish();
  }
}

/** The model `y = Conv(x, w)`. */
export function convolutionModel(task: Task): Uint8Array {
  const each = (value: number) => task.size.map(() => value);
  const { shape, scale } = weightsOf(task);
  const filters = filtersFirst(makeValues(product(shape), 2, scale), shape);
  const model = new Recording();
  const w = model.tensor('w', [task.filters, task.channels / task.groups, ...task.kernel], filters);
  model.add('Conv', ['x', w], {
    strides: each(task.stride),
    dilations: each(task.dilation),
    pads: each(task.padding).concat(each(task.padding)),
    group: task.groups,
  });
  return model.encode([1, task.channels, ...task.size], [1, task.filters, ...outputSize(task)]);
}

/** A whole network, channels first. */
export function networkModel(task: Task, layers: readonly NetworkLayer[]): Uint8Array {
  const batch = task.batch ?? 1;
  const shapes = shapesOf(layers, task.size, task.channels);
  const each = (value: number) => task.size.map(() => value);
  const model = new Recording();
  const values: string[] = [];
  layers.forEach((layer, i) => {
    const from = 'from' in layer && layer.from !== undefined ? layer.from : i - 1;
    const x = values[from] ?? 'x';
    const parameters = parametersOf(layer, i, shapes[i].input.at(-1)!, task.size.length).map((p, j) => {
      const data = makeValues(product(p.shape), p.salt, p.scale).map(v => v + p.around);
      const [depth, filters] = p.shape.slice(-2);
      if (layer.op === 'dense') return model.tensor(`p${i} ${j}`, p.shape, data);
      if (j === 0)
        return model.tensor(
          `p${i} ${j}`,
          [filters, depth, ...each(layer.op === 'convolution' ? layer.kernel : 1)],
          filtersFirst(data, p.shape),
        );
      return model.tensor(`p${i} ${j}`, j === 1 ? p.shape : [...p.shape, ...each(1)], data);
    });
    values.push(applied(model, layer, { x, i, each, parameters, values }));
  });
  return model.encode([batch, task.channels, ...task.size], [batch, ...shapes.at(-1)!.output]);
}

interface Place {
  x: string;
  i: number;
  each: (value: number) => number[];
  parameters: string[];
  values: readonly string[];
}

function applied(
  model: Recording,
  layer: NetworkLayer,
  { x, i, each, parameters: [w, b, scale, shift], values }: Place,
): string {
  switch (layer.op) {
    case 'convolution': {
      const pads = [...each(layer.padding), ...each(layer.padding)];
      const y = model.add('Conv', [x, w, b], { strides: each(layer.stride), pads });
      const scaled = layer.scaled ? model.add('Add', [model.add('Mul', [y, scale]), shift]) : y;
      return layer.relu ? model.add('Relu', [scaled]) : scaled;
    }
    case 'max-pool':
      return model.add('MaxPool', [x], { kernel_shape: each(layer.window), strides: each(layer.stride) });
    case 'average-pool':
      return model.add('AveragePool', [x], { kernel_shape: each(layer.window), strides: each(layer.window) });
    case 'pad': {
      const pads = [0, 0, ...each(0), 0, layer.channels, ...each(layer.cells)];
      const name = model.tensor(`pads${i}`, [pads.length], BigInt64Array.from(pads, BigInt));
      return model.add('Pad', [x, name]);
    }
    case 'add':
      return model.add('Relu', [model.add('Add', [x, values[layer.with]])]);
    case 'mean':
      return model.add('Flatten', [model.add('GlobalAveragePool', [x])]);
    case 'dense':
      return model.add('MatMul', [x, w]);
  }
}
