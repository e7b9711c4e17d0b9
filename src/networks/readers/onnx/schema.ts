// What is needed of onnx.proto, as tables for `decodeMessage`. Field numbers are those of the ONNX specification
// (onnx/onnx.proto, IR version 10); what networks are not made of (sequences, optionals, training) is left out.

import type { FieldTable, MessageTable } from './protobuf.ts';

const one = (name: string, type: FieldTable['type']): FieldTable => ({ name, type });
const many = (name: string, type: FieldTable['type']): FieldTable => ({ name, type, repeated: true });

const entry: MessageTable = {
  message: 'StringStringEntryProto',
  fields: { 1: one('key', 'string'), 2: one('value', 'string') },
};

export const tensorTable: MessageTable = {
  message: 'TensorProto',
  fields: {
    1: many('dims', 'int64'),
    2: one('dataType', 'int32'),
    4: many('floatData', 'float'),
    5: many('int32Data', 'int32'),
    7: many('int64Data', 'int64'),
    8: one('name', 'string'),
    9: one('rawData', 'bytes'),
    10: many('doubleData', 'double'),
    11: many('uint64Data', 'uint64'),
    13: many('externalData', entry),
    14: one('dataLocation', 'int32'),
  },
};

const attribute: MessageTable = {
  message: 'AttributeProto',
  fields: {
    1: one('name', 'string'),
    2: one('f', 'float'),
    3: one('i', 'int64'),
    4: one('s', 'bytes'),
    5: one('t', tensorTable),
    6: one('g', () => graphTable),
    7: many('floats', 'float'),
    8: many('ints', 'int64'),
    9: many('strings', 'bytes'),
    20: one('type', 'int32'),
  },
};

const node: MessageTable = {
  message: 'NodeProto',
  fields: {
    1: many('input', 'string'),
    2: many('output', 'string'),
    3: one('name', 'string'),
    4: one('opType', 'string'),
    5: many('attribute', attribute),
    7: one('domain', 'string'),
  },
};

const dimension: MessageTable = {
  message: 'TensorShapeProto.Dimension',
  fields: { 1: one('value', 'int64'), 2: one('parameter', 'string') },
};
const shape: MessageTable = { message: 'TensorShapeProto', fields: { 1: many('dim', dimension) } };
const tensorType: MessageTable = {
  message: 'TypeProto.Tensor',
  fields: { 1: one('elementType', 'int32'), 2: one('shape', shape) },
};
const type: MessageTable = { message: 'TypeProto', fields: { 1: one('tensorType', tensorType) } };
const valueInfo: MessageTable = {
  message: 'ValueInfoProto',
  fields: { 1: one('name', 'string'), 2: one('type', type) },
};

export const graphTable: MessageTable = {
  message: 'GraphProto',
  fields: {
    1: many('node', node),
    2: one('name', 'string'),
    5: many('initializer', tensorTable),
    11: many('input', valueInfo),
    12: many('output', valueInfo),
  },
};

const operatorSet: MessageTable = {
  message: 'OperatorSetIdProto',
  fields: { 1: one('domain', 'string'), 2: one('version', 'int64') },
};

export const modelTable: MessageTable = {
  message: 'ModelProto',
  fields: {
    1: one('irVersion', 'int64'),
    2: one('producerName', 'string'),
    7: one('graph', graphTable),
    8: many('opsetImport', operatorSet),
  },
};

/** Decoded messages, as the tables above name their fields. */
export interface TensorProto {
  dims: number[];
  dataType?: number;
  floatData: number[];
  int32Data: number[];
  int64Data: number[];
  doubleData: number[];
  uint64Data: number[];
  name?: string;
  rawData?: Uint8Array;
  externalData: { key?: string; value?: string }[];
  dataLocation?: number;
}
export interface AttributeProto {
  name?: string;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats: number[];
  ints: number[];
  strings: Uint8Array[];
  type?: number;
}
export interface NodeProto {
  input: string[];
  output: string[];
  name?: string;
  opType?: string;
  domain?: string;
  attribute: AttributeProto[];
}
export interface ValueInfoProto {
  name?: string;
  type?: { tensorType?: { elementType?: number; shape?: { dim: { value?: number; parameter?: string }[] } } };
}
export interface GraphProto {
  node: NodeProto[];
  name?: string;
  initializer: TensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
}
export interface ModelProto {
  irVersion?: number;
  producerName?: string;
  graph?: GraphProto;
  opsetImport: { domain?: string; version?: number }[];
}
