// Reads Python pickles, but none of their power: a pickle is a program for a small stack machine that may call any
// function of Python. Here the only things it can name are those in the caller's table, each a function of ours; a name
// outside it ends in an error. Source of the opcodes: pickletools in Python's standard library.

import { latin, viewOf } from '../../../formats/bytes.ts';

/** A name of Python that is known here; called with the arguments that the pickle gives. */
export type Known = (...args: unknown[]) => unknown;

/** What a pickle may use: names, and how to find what lies outside of it. */
export interface Unpickling {
  /** The known thing called `module.name`; throws for all others. */
  find(name: string): Known;
  /** What a persistent id stands for. */
  load(id: unknown): unknown;
}

/** A Python dictionary with its keys as text. */
export class Dictionary extends Map<string, unknown> {}

/** Most objects that one pickle may make. */
const mostObjects = 2 ** 22;

const mark = Symbol('mark');

class Stack {
  readonly items: unknown[] = [];

  push(value: unknown): void {
    if (this.items.length >= mostObjects) throw new RangeError('its stack grows without end');
    this.items.push(value);
  }

  pop(): unknown {
    if (this.items.length === 0) throw new RangeError('it takes from an empty stack');
    return this.items.pop();
  }

  top(): unknown {
    if (this.items.length === 0) throw new RangeError('it looks at an empty stack');
    return this.items[this.items.length - 1];
  }

  /** What was pushed since the last mark, which is taken away too. */
  popMark(): unknown[] {
    const at = this.items.lastIndexOf(mark);
    if (at < 0) throw new RangeError('it goes back to a mark that is not there');
    const taken = this.items.splice(at);
    taken.shift();
    return taken;
  }
}

/** Reads bytes of the pickle in order. */
class Cursor {
  private at = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  take(length: number): number {
    const from = this.at;
    if (!(length >= 0 && from + length <= this.bytes.length)) throw new RangeError('it ends too early');
    this.at += length;
    return from;
  }

  u8 = () => this.view.getUint8(this.take(1));
  u16 = () => this.view.getUint16(this.take(2), true);
  i32 = () => this.view.getInt32(this.take(4), true);
  u32 = () => this.view.getUint32(this.take(4), true);
  u64 = () => Number(this.view.getBigUint64(this.take(8), true));
  f64 = () => this.view.getFloat64(this.take(8));

  text(length: number): string {
    const from = this.take(length);
    return Buffer.from(this.bytes.subarray(from, from + length)).toString('utf8');
  }

  bytesOf(length: number): Uint8Array {
    const from = this.take(length);
    return this.bytes.subarray(from, from + length);
  }

  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw new RangeError('it ends within a line');
    const from = this.at;
    this.at = end + 1;
    return latin(this.bytes, from, end);
  }

  /** A whole number of any length, little-endian two's complement; past 2^53 it is rounded. */
  long(length: number): number {
    if (length > 16) throw new RangeError(`it holds a number of ${length} bytes`);
    const from = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]);
    return length === 0 ? 0 : Number(BigInt.asIntN(8 * length, value));
  }
}

function setItems(target: unknown, pairs: readonly unknown[]): void {
  if (!(target instanceof Dictionary)) throw new RangeError('it sets items of what is no dictionary');
  for (let i = 0; i + 1 < pairs.length; i += 2) target.set(plainText(pairs[i]), pairs[i + 1]);
}

/** Text or a number as text; lists, which may hold themselves, have none. */
export function plainText(value: unknown): string {
  if (typeof value === 'object' && value !== null) throw new RangeError('it names something by a list');
  return String(value);
}

function append(target: unknown, items: readonly unknown[]): void {
  if (!Array.isArray(target)) throw new RangeError('it appends to what is no list');
  for (const item of items) target.push(item);
}

function call(known: unknown, args: unknown): unknown {
  if (typeof known !== 'function' || !Array.isArray(args))
    throw new RangeError('it calls what is no function');
  return (known as Known)(...args);
}

/** The object that a pickle describes. Throws RangeError where it is damaged, and what `find` and `load` throw. */
export function unpickle(bytes: Uint8Array, { find, load }: Unpickling): unknown {
  const cursor = new Cursor(bytes);
  const stack = new Stack();
  const memo = new Map<number, unknown>();
  const recall = (at: number) => {
    if (!memo.has(at)) throw new RangeError('it recalls what it never kept');
    stack.push(memo.get(at));
  };
  const known = (module: unknown, name: unknown) =>
    stack.push(find(`${plainText(module)}.${plainText(name)}`));
  const tuple = (count: number) => stack.push(Array.from({ length: count }, () => stack.pop()).reverse());
  const steps: Record<number, () => void> = {
    128: () => cursor.u8(),
    149: () => cursor.u64(),
    40: () => stack.push(mark),
    48: () => stack.pop(),
    49: () => stack.popMark(),
    50: () => stack.push(stack.top()),
    78: () => stack.push(null),
    136: () => stack.push(true),
    137: () => stack.push(false),
    74: () => stack.push(cursor.i32()),
    75: () => stack.push(cursor.u8()),
    77: () => stack.push(cursor.u16()),
    138: () => stack.push(cursor.long(cursor.u8())),
    71: () => stack.push(cursor.f64()),
    88: () => stack.push(cursor.text(cursor.u32())),
    140: () => stack.push(cursor.text(cursor.u8())),
    141: () => stack.push(cursor.text(cursor.u64())),
    84: () => stack.push(cursor.text(cursor.u32())),
    85: () => stack.push(cursor.text(cursor.u8())),
    66: () => stack.push(cursor.bytesOf(cursor.u32())),
    67: () => stack.push(cursor.bytesOf(cursor.u8())),
    93: () => stack.push([]),
    41: () => stack.push([]),
    125: () => stack.push(new Dictionary()),
    116: () => stack.push(stack.popMark()),
    108: () => stack.push(stack.popMark()),
    133: () => tuple(1),
    134: () => tuple(2),
    135: () => tuple(3),
    100: () => {
      const made = new Dictionary();
      setItems(made, stack.popMark());
      stack.push(made);
    },
    97: () => {
      const item = stack.pop();
      append(stack.top(), [item]);
    },
    101: () => {
      const items = stack.popMark();
      append(stack.top(), items);
    },
    115: () => {
      const value = stack.pop();
      const key = stack.pop();
      setItems(stack.top(), [key, value]);
    },
    117: () => {
      const pairs = stack.popMark();
      setItems(stack.top(), pairs);
    },
    113: () => memo.set(cursor.u8(), stack.top()),
    114: () => memo.set(cursor.u32(), stack.top()),
    148: () => memo.set(memo.size, stack.top()),
    104: () => recall(cursor.u8()),
    106: () => recall(cursor.u32()),
    99: () => known(cursor.line(), cursor.line()),
    147: () => {
      const name = stack.pop();
      known(stack.pop(), name);
    },
    81: () => stack.push(load(stack.pop())),
    82: () => {
      const args = stack.pop();
      stack.push(call(stack.pop(), args));
    },
    129: () => {
      const args = stack.pop();
      stack.push(call(stack.pop(), args));
    },
    // State of an object (the metadata of a state dictionary): nothing that weights are made of.
    98: () => stack.pop(),
  };
  for (let made = 0; ; made++) {
    if (made > 4 * mostObjects) throw new RangeError('it never ends');
    const code = cursor.u8();
    if (code === 0x2e) return stack.pop();
    const step = steps[code];
    if (!step) throw new RangeError(`it holds the operation 0x${code.toString(16)}, which is not read`);
    step();
  }
}
