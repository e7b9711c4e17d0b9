// Protocol buffers by table: a message is described by its fields, and its bytes become a plain object. The wire format is
// read by @bufbuild/protobuf; here are the limits that keep a lying file from costing more than its own size. Unknown
// fields are skipped, as protocol buffers want it.

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** Types of a field: scalars of onnx.proto, or a message. `bytes` stay a view on the file. */
export type FieldType = 'int64' | 'int32' | 'uint64' | 'float' | 'double' | 'string' | 'bytes' | MessageTable;

/** One field: its name, its type, and whether it repeats. */
export interface FieldTable {
  readonly name: string;
  readonly type: FieldType | (() => MessageTable);
  readonly repeated?: boolean;
}

/** Fields of a message by number. */
export interface MessageTable {
  readonly message: string;
  readonly fields: Readonly<Record<number, FieldTable>>;
}

/** Messages within messages; graphs in graphs are rare and shallow. */
const deepest = 64;

/** What may be left to decode: two bytes of a file can announce an object, so that objects and numbers are counted. */
export interface Allowance {
  messages: number;
  numbers: number;
}

const usual = (): Allowance => ({ messages: 2 ** 20, numbers: 2 ** 26 });

/** A decoded message. Repeated fields are always arrays; others are absent where the file holds none. */
export type Message = Record<string, any>;

/** Decodes a message. Throws RangeError where the bytes are no such message. */
export function decodeMessage(
  table: MessageTable,
  bytes: Uint8Array,
  left: Allowance = usual(),
  depth = 0,
): Message {
  if (--left.messages < 0) throw new RangeError(`${table.message}: more messages than a network has`);
  if (depth > deepest) throw new RangeError(`${table.message}: messages lie more than ${deepest} deep`);
  const reader = new BinaryReader(bytes);
  const message: Message = {};
  for (const field of Object.values(table.fields)) if (field.repeated) message[field.name] = [];
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const field = table.fields[number];
    if (!field) {
      reader.skip(wire, number);
      continue;
    }
    const type = typeof field.type === 'function' ? field.type() : field.type;
    if (typeof type !== 'string') {
      expectWire(table, field, wire, WireType.LengthDelimited);
      put(message, field, decodeMessage(type, reader.bytes(), left, depth + 1));
    } else if (type === 'string' || type === 'bytes') {
      expectWire(table, field, wire, WireType.LengthDelimited);
      put(message, field, type === 'string' ? reader.string() : reader.bytes());
    } else if (wire === WireType.LengthDelimited && field.repeated) {
      const end = reader.uint32() + reader.pos;
      if (end > reader.len) throw new RangeError(`${table.message}.${field.name}: ends past its message`);
      if ((left.numbers -= end - reader.pos) < 0)
        throw new RangeError(`${table.message}.${field.name}: more numbers than are read outside raw data`);
      while (reader.pos < end) message[field.name].push(scalar(reader, type));
      if (reader.pos !== end) throw new RangeError(`${table.message}.${field.name}: its numbers are cut off`);
    } else {
      expectWire(table, field, wire, wireOf[type]);
      left.numbers--;
      put(message, field, scalar(reader, type));
    }
  }
  return message;
}

const wireOf = {
  int64: WireType.Varint,
  int32: WireType.Varint,
  uint64: WireType.Varint,
  float: WireType.Bit32,
  double: WireType.Bit64,
};

function scalar(reader: BinaryReader, type: keyof typeof wireOf): number {
  return type === 'int64' || type === 'uint64' ? Number(reader[type]()) : reader[type]();
}

function put(message: Message, field: FieldTable, value: unknown): void {
  if (field.repeated) message[field.name].push(value);
  else message[field.name] = value;
}

function expectWire(table: MessageTable, field: FieldTable, have: WireType, want: WireType): void {
  if (have !== want)
    throw new RangeError(`${table.message}.${field.name}: wire type ${have} where ${want} belongs`);
}
