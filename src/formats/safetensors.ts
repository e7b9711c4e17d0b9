// Safetensors, in: named tensors, mostly the weights of networks, as float32. A header can claim anything, so that
// ranges, overlaps and sizes are checked before a number is read. As a field one tensor is a bare array.
// Source: "Format" in the README of huggingface/safetensors.

import { arrayOptions, describeArray } from './arrays.ts';
import { expectSizes, readHead, readWhole, sizeOf, viewOf } from './bytes.ts';
import { type Format, formatError, type ReadOptions } from './format.ts';
import { bytesOf, decodeSamples, type StoredType } from './samples.ts';

/** Numbers of one tensor, row-major. A scalar has shape []. */
export interface NamedTensor {
  shape: number[];
  data: Float32Array;
}

const types: Record<string, StoredType> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'uint8',
};

interface Entry {
  name: string;
  shape: number[];
  stored: StoredType;
  /** Byte range within the file. */
  from: number;
  to: number;
}

/** The reference implementation's own limit. */
const longestHeader = 100_000_000;

/** Length of the header's text, or an error; `size` is that of the file. */
function headerLength(path: string, head: Uint8Array, size: number): number {
  const length = head.length < 8 ? -1 : Number(viewOf(head).getBigUint64(0, true));
  if (length >= 2 && length <= longestHeader && 8 + length <= size) return length;
  throw formatError(
    path,
    length < 0
      ? 'is shorter than a header'
      : `its header is said to be ${length} bytes long, and the file holds ${Math.max(0, size - 8)} after that number`,
    'it is truncated or no safetensors file: copy or export it again',
    { length, size },
  );
}

/** The tensors that a header describes, checked against the file's size and each other. */
function parseHeader(path: string, text: string, start: number, size: number): Map<string, Entry> {
  const broken = (what: string, fields: Record<string, unknown> = {}): never => {
    throw formatError(
      path,
      what,
      'the file is damaged or was made to look like one: export it again',
      fields,
    );
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw formatError(path, 'its header is no JSON', 'copy or export it again', {}, cause);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return broken('its header is no JSON object');
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(json as Record<string, unknown>)) {
    if (name === '__metadata__') continue;
    const {
      dtype,
      shape,
      data_offsets: range,
    } = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    const stored = types[String(dtype)];
    const whole = (list: unknown): list is number[] =>
      Array.isArray(list) && list.every(item => Number.isSafeInteger(item) && item >= 0);
    if (!stored) broken(`tensor ${name} has type ${String(dtype)}, which is not read`, { tensor: name });
    if (!whole(shape) || !whole(range) || range.length !== 2)
      return broken(`tensor ${name} has no valid shape and data_offsets`, { tensor: name });
    const need = shape.reduce((a, b) => a * b, 1) * bytesOf[stored];
    const [from, to] = range;
    if (to - from !== need)
      broken(
        `tensor ${name} of shape ${shape.join('×')} and type ${dtype} needs ${need} bytes and has ${to - from}`,
        { tensor: name },
      );
    if (start + to > size)
      broken(`tensor ${name} ends at byte ${start + to} and the file at ${size}: it is truncated`, {
        tensor: name,
        need: start + to,
        have: size,
      });
    entries.push({ name, shape, stored, from: start + from, to: start + to });
  }
  entries.sort((a, b) => a.from - b.from || a.to - b.to);
  for (let i = 1; i < entries.length; i++)
    if (entries[i].from < entries[i - 1].to)
      broken(`tensors ${entries[i - 1].name} and ${entries[i].name} overlap`, {
        tensors: [entries[i - 1].name, entries[i].name],
      });
  return new Map(entries.map(entry => [entry.name, entry]));
}

/**
 * Reads every tensor of a safetensors file, given by its bytes or path, as float32.
 * Errors: FormatError where the header lies or the file is truncated.
 */
export async function readSafetensors(
  input: Uint8Array | string,
  label = 'safetensors file',
): Promise<Map<string, NamedTensor>> {
  const path = typeof input === 'string' ? input : label;
  const bytes = typeof input === 'string' ? await readWhole(input) : input;
  const length = headerLength(path, bytes, bytes.length);
  const entries = parseHeader(
    path,
    Buffer.from(bytes.subarray(8, 8 + length)).toString('utf8'),
    8 + length,
    bytes.length,
  );
  const tensors = new Map<string, NamedTensor>();
  for (const { name, shape, stored, from, to } of entries.values())
    tensors.set(name, {
      shape,
      data: decodeSamples(bytes.subarray(from, to), stored, (to - from) / bytesOf[stored]),
    });
  return tensors;
}

/** Texts about the tensors of a safetensors file. Errors: FormatError where the header lies. */
export function readSafetensorsMetadata(bytes: Uint8Array, path: string): Record<string, string> {
  const length = headerLength(path, bytes, bytes.length);
  const text = Buffer.from(bytes.subarray(8, 8 + length)).toString('utf8');
  parseHeader(path, text, 8 + length, bytes.length);
  const { __metadata__: metadata } = JSON.parse(text) as { __metadata__?: unknown };
  return typeof metadata === 'object' && metadata !== null ? (metadata as Record<string, string>) : {};
}

/** The tensor to read as a field: the one named, or the only one. */
function pick(path: string, entries: Map<string, Entry>, entry: string | undefined): Entry {
  const found =
    entry === undefined && entries.size === 1 ? [...entries.values()][0] : entries.get(entry ?? '');
  if (found) {
    if (found.shape.length > 0) expectSizes(path, found.shape);
    return found;
  }
  const names = [...entries.keys()];
  throw formatError(
    path,
    entry === undefined ? `holds ${names.length} tensors` : `holds no tensor "${entry}"`,
    `set entry to one of ${names.slice(0, 20).join(', ')}${names.length > 20 ? ' …' : ''}`,
    { entries: names },
  );
}

async function describe(path: string, bytes: Uint8Array, size: number, options: ReadOptions) {
  const length = headerLength(path, bytes, size);
  const text = Buffer.from(
    bytes.length >= 8 + length
      ? bytes.subarray(8, 8 + length)
      : (await readHead(path, 8 + length)).subarray(8),
  );
  const entry = pick(path, parseHeader(path, text.toString('utf8'), 8 + length, size), options.entry);
  return { entry, ...describeArray(`${path} (${entry.name})`, entry.shape, entry.stored, options) };
}

export const safetensors: Format = {
  name: 'safetensors',
  kinds: ['array'],
  extensions: ['.safetensors'],
  summary: 'named tensors, mostly weights of networks, in only',
  readOptions: ['entry', ...arrayOptions],
  detect: head =>
    head.length > 9 && head[8] === 0x7b && viewOf(head).getBigUint64(0, true) <= BigInt(longestHeader),

  peek: async (path, options) =>
    (await describe(path, await readHead(path), await sizeOf(path), options)).header,

  async read(path, options) {
    const bytes = await readWhole(path);
    const { entry, header, scale } = await describe(path, bytes, bytes.length, options);
    const count = (entry.to - entry.from) / bytesOf[entry.stored];
    return {
      ...header,
      data: decodeSamples(bytes.subarray(entry.from, entry.to), entry.stored, count, { scale }),
    };
  },
};
