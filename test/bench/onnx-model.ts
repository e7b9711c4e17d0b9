// An ONNX model of one convolution, for onnxruntime.

import { outputSize, type Task } from './tasks.ts';

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
const Model = protobuf.parse(schema, { keepCase: true }).root.lookupType('ModelProto');

const [FLOAT, INTS, INT] = [1, 7, 2];
const valueInfo = (name: string, dims: number[]) => ({
  name,
  type: { tensor_type: { elem_type: FLOAT, shape: { dim: dims.map(dim_value => ({ dim_value })) } } },
});

/** The model `y = Conv(x, w)`; `filters` is `[filters, channels / groups, ...kernel]`. */
export function convolutionModel(task: Task, filters: Float32Array): Uint8Array {
  const each = (value: number) => task.size.map(() => value);
  const attribute = [
    { name: 'strides', ints: each(task.stride), type: INTS },
    { name: 'dilations', ints: each(task.dilation), type: INTS },
    { name: 'pads', ints: [...each(task.padding), ...each(task.padding)], type: INTS },
    { name: 'group', i: task.groups, type: INT },
  ];
  const raw_data = new Uint8Array(filters.buffer, filters.byteOffset, filters.byteLength);
  const dims = [task.filters, task.channels / task.groups, ...task.kernel];
  const graph = {
    name: 'convolution',
    node: [{ input: ['x', 'w'], output: ['y'], op_type: 'Conv', attribute }],
    initializer: [{ name: 'w', dims, data_type: FLOAT, raw_data }],
    input: [valueInfo('x', [1, task.channels, ...task.size])],
    output: [valueInfo('y', [1, task.filters, ...outputSize(task)])],
  };
  return Model.encode(
    Model.fromObject({ ir_version: 8, graph, opset_import: [{ domain: '', version: 13 }] }),
  ).finish();
}
