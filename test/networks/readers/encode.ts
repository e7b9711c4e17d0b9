// Writes ONNX models for tests, by the same tables that read them: a value of a field is given under its name.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { FieldTable, MessageTable } from '../../../src/networks/readers/onnx/protobuf.ts';
import { modelTable } from '../../../src/networks/readers/onnx/schema.ts';

type Given = Record<string, any>;

export function encodeMessage(table: MessageTable, given: Given): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, field] of Object.entries(table.fields)) {
    const value = given[field.name];
    if (value === undefined) continue;
    for (const one of field.repeated ? value : [value]) encodeField(writer, Number(number), field, one);
  }
  return writer.finish();
}

function encodeField(writer: BinaryWriter, number: number, field: FieldTable, value: any): void {
  const type = typeof field.type === 'function' ? field.type() : field.type;
  if (typeof type !== 'string')
    writer.tag(number, WireType.LengthDelimited).bytes(encodeMessage(type, value));
  else if (type === 'string') writer.tag(number, WireType.LengthDelimited).string(value);
  else if (type === 'bytes') writer.tag(number, WireType.LengthDelimited).bytes(value);
  else if (type === 'float') writer.tag(number, WireType.Bit32).float(value);
  else if (type === 'double') writer.tag(number, WireType.Bit64).double(value);
  else writer.tag(number, WireType.Varint)[type](value);
}

/** A float32 tensor. */
export const tensor = (name: string, dims: number[], data: ArrayLike<number>): Given => ({
  name,
  dims,
  dataType: 1,
  rawData: new Uint8Array(Float32Array.from(data).buffer),
});

/** An int64 tensor. */
export const integers = (name: string, data: number[], dims = [data.length]): Given => ({
  name,
  dims,
  dataType: 7,
  int64Data: data,
});

/** An attribute by its value: numbers are integers, `{ f }` is a float. */
const attribute = (name: string, value: unknown): Given => {
  if (typeof value === 'number') return { name, i: value };
  if (typeof value === 'string') return { name, s: Buffer.from(value) };
  return Array.isArray(value) ? { name, ints: value } : { name, ...(value as Given) };
};

/** A node: operator, inputs, outputs, attributes, and a name where it has one. */
export const node = (
  opType: string,
  input: string[],
  output: string[],
  attributes: Given = {},
  name?: string,
): Given => ({
  opType,
  input,
  output,
  name,
  attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
});

/** A value's description; a text stands for an open size. */
export const info = (name: string, dims: (number | string)[], elementType = 1): Given => ({
  name,
  type: {
    tensorType: {
      elementType,
      shape: { dim: dims.map(d => (typeof d === 'number' ? { value: d } : { parameter: d })) },
    },
  },
});

/** A model from its graph. */
export const model = (graph: Given, opset = 13, more: Given = {}): Uint8Array =>
  encodeMessage(modelTable, {
    irVersion: 8,
    graph: { name: 'test', ...graph },
    opsetImport: [{ domain: '', version: opset }],
    ...more,
  });
