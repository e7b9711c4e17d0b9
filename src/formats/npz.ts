// NumPy's .npz, in and out: named arrays in a zip file, unpacked by fflate. A field is written as `data`, `spacing`,
// `affine` (4×4, array index to RAS+ mm) for people with NumPy, and `ndconv`, a text that lets it come back whole.

import { arrayOptions, describeArray } from './arrays.ts';
import { readWhole, startsWith } from './bytes.ts';
import type { Field } from './field.ts';
import { type Encoded, type FieldHeader, type Format, formatError, type ReadOptions } from './format.ts';
import {
  arrayOf,
  decodeNpyText,
  encodeNpy,
  encodeNpyText,
  isNpy,
  type NpyArray,
  parseNpyHeader,
  quantiserOf,
  readNpy,
} from './npy.ts';
import { sampleTypeOf } from './samples.ts';
import { unzip } from './zip.ts';

/** Unpacked members by name without `.npy`, only those that are arrays. */
async function unpack(path: string, bytes: Uint8Array): Promise<Map<string, Uint8Array>> {
  const members = await unzip(path, bytes, 'npz', name => name.endsWith('.npy'));
  return new Map([...members].map(([name, data]) => [name.slice(0, -4), data]));
}

/**
 * Reads every numeric array of an npz file, by name; text members are left out. Errors: FormatError naming `path`.
 */
export async function readNpz(bytes: Uint8Array, path = 'npz file'): Promise<Map<string, NpyArray>> {
  const arrays = new Map<string, NpyArray>();
  for (const [name, data] of await unpack(path, bytes))
    if (decodeNpyText(data, `${path} (${name})`) === undefined)
      arrays.set(name, readNpy(data, `${path} (${name})`));
  return arrays;
}

/** An npz file of float32 arrays, deflated. */
export async function writeNpz(
  arrays: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
): Promise<Uint8Array> {
  const members: [string, Uint8Array][] = [];
  for (const [name, array] of arrays) members.push([name, Buffer.concat(encodeNpy(array, 'float32').parts)]);
  return pack(members);
}

async function pack(members: [string, Uint8Array][]): Promise<Uint8Array> {
  const { zipSync } = await import('fflate');
  // A fixed date, so that equal fields give equal bytes.
  const mtime = '1980-01-01T12:00:00';
  return zipSync(Object.fromEntries(members.map(([name, data]) => [`${name}.npy`, data])), {
    level: 3,
    mtime,
  });
}

/** What the `ndconv` member says of the `data` beside it. */
type Description = Pick<
  Field,
  'kind' | 'axes' | 'valueUnit' | 'sampleType' | 'affine' | 'channelNames' | 'annotations'
> & {
  channels: number;
  /** What the stored numbers are multiplied with, where they are integers that stand for fractions. */
  scale?: number;
};

const kinds: readonly string[] = ['sound', 'signal', 'image', 'volume', 'array'];

/** The description, if it is one and fits an array of this shape. */
function parseDescription(text: string | undefined, shape: readonly number[]): Description | undefined {
  if (text === undefined) return undefined;
  try {
    const found = JSON.parse(text) as Description;
    const rank = found.channels === 1 ? shape.length : shape.length - 1;
    const numbers = [...(found.affine?.origin ?? []), ...(found.affine?.direction.flat() ?? [])];
    const sound =
      kinds.includes(found.kind) &&
      found.axes.length === rank &&
      (found.scale === undefined || Number.isFinite(found.scale)) &&
      found.axes.every(
        axis => axis.spacing > 0 && typeof axis.name === 'string' && typeof axis.unit === 'string',
      ) &&
      (!found.annotations ||
        found.annotations.every(({ at, label }) => Number.isFinite(at) && typeof label === 'string')) &&
      (!found.affine || (numbers.length === 12 && numbers.every(Number.isFinite))) &&
      (found.channels === 1 || shape[shape.length - 1] === found.channels);
    return sound ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Picks the member to read: the one named, the field's own, or the only one. */
function pick(path: string, members: Map<string, Uint8Array>, entry: string | undefined): string {
  const names = [...members.keys()];
  if (entry !== undefined && members.has(entry)) return entry;
  if (entry === undefined && members.has('ndconv') && members.has('data')) return 'data';
  if (entry === undefined && names.length === 1) return names[0];
  const problem =
    entry === undefined
      ? names.length === 0
        ? 'holds no array'
        : `holds ${names.length} arrays`
      : `holds no array "${entry}"`;
  const choice = names.slice(0, 20).join(', ');
  throw formatError(
    path,
    problem,
    names.length === 0 ? 'use another file' : `set entry to one of ${choice}`,
    { entries: names },
  );
}

async function open(
  path: string,
  options: ReadOptions,
): Promise<{ header: FieldHeader; scale: number; bytes: Uint8Array; name: string }> {
  const members = await unpack(path, await readWhole(path));
  const entry = pick(path, members, options.entry);
  const bytes = members.get(entry) as Uint8Array;
  const name = `${path} (${entry})`;
  const { shape, stored } = parseNpyHeader(name, bytes);
  const description = members.get('ndconv');
  const asked = options.kind !== undefined || options.channels !== undefined || options.spacing !== undefined;
  const own =
    entry === 'data' && description && !asked
      ? parseDescription(decodeNpyText(description, path), shape)
      : undefined;
  if (!own) return { ...describeArray(name, shape, stored, options), bytes, name };
  const { channels, scale = 1, ...kept } = own;
  const header = {
    ...kept,
    shape: channels === 1 ? [...shape, 1] : shape,
    source: path,
    sampleType: kept.sampleType ?? sampleTypeOf(stored),
  };
  return { header, scale, bytes, name };
}

export const npz: Format = {
  name: 'npz',
  kinds: ['array', 'signal', 'volume', 'image', 'sound'],
  extensions: ['.npz'],
  summary: 'NumPy arrays; what ndconv writes keeps every property of a field',
  readOptions: ['entry', ...arrayOptions],
  writeOptions: ['sampleType'],
  keepsAnnotations: true,
  detect: head =>
    startsWith(head, 'PK\x05\x06') ||
    (startsWith(head, 'PK\x03\x04') && (head.length < 30 || endsAsNpy(head))),

  peek: async (path, options) => (await open(path, options)).header,

  async read(path, options) {
    const { header, scale, bytes, name } = await open(path, options);
    const { data } = readNpy(bytes, name);
    return { ...header, data: scale === 1 ? data : data.map(value => value * scale) };
  },

  async encode(field, _target, options): Promise<Encoded> {
    const { shape, type } = arrayOf(field, 'npz', options);
    const quantiser = quantiserOf(field.kind, type);
    const { parts, clipped } = encodeNpy({ shape, data: field.data }, type, quantiser);
    const { kind, axes, valueUnit, sampleType, affine, channelNames, annotations } = field;
    const channels = field.shape[field.shape.length - 1];
    const spacing = Float32Array.from(axes, axis => axis.spacing);
    const members: [string, Uint8Array][] = [
      ['data', Buffer.concat(parts)],
      ['spacing', Buffer.concat(encodeNpy({ shape: [axes.length], data: spacing }, 'float32').parts)],
    ];
    if (affine) {
      const matrix = affine.direction.flatMap((row, at) => [...row, affine.origin[at]]).concat(0, 0, 0, 1);
      members.push([
        'affine',
        Buffer.concat(encodeNpy({ shape: [4, 4], data: Float32Array.from(matrix) }, 'float32').parts),
      ]);
    }
    const scale = quantiser.scale && 1 / quantiser.scale;
    const description: Description = {
      kind,
      channels,
      scale,
      axes,
      valueUnit,
      sampleType,
      affine,
      channelNames,
      annotations,
    };
    members.push(['ndconv', encodeNpyText(JSON.stringify(description))]);
    return { parts: [await pack(members)], sampleType: type, clipped };
  },
};

/** Whether the first member of a zip is called `….npy`, so that other zips (docx, jar) are told apart. */
function endsAsNpy(head: Uint8Array): boolean {
  const length = head[26] | (head[27] << 8);
  return (
    Buffer.from(head.subarray(30, 30 + length))
      .toString('latin1')
      .endsWith('.npy') || isNpy(head.subarray(30 + length))
  );
}
