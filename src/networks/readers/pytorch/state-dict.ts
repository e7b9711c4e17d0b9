// PyTorch's .pth and .pt: the tensors of a state dictionary, by name. The file is a zip of a pickle and of the numbers;
// the pickle is read by our restricted machine, to which only tensors, storages and dictionaries are known. Files from
// before PyTorch 1.6 (no zip), TorchScript programs and whole pickled modules are refused by name.

import type { NdconvError } from '../../../errors.ts';
import { decoding, formatError } from '../../../formats/format.ts';
import { bytesOf, decodeSamples, type StoredType } from '../../../formats/samples.ts';
import { unzip } from '../../../formats/zip.ts';
import { product } from '../../../tensor/layout.ts';
import { strided } from '../constants.ts';
import { Dictionary, type Known, plainText, unpickle } from './pickle.ts';

/** Numbers of one tensor, row-major. */
export interface NamedTensor {
  shape: readonly number[];
  data: Float32Array;
}

const storageTypes: Record<string, StoredType> = {
  FloatStorage: 'float32',
  DoubleStorage: 'float64',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'uint8',
};

/** A pickle may name a storage type, and nothing can be called through it. */
class StorageType {
  readonly stored: StoredType;
  constructor(stored: StoredType) {
    this.stored = stored;
  }
}

class Storage {
  readonly stored: StoredType;
  readonly bytes: Uint8Array;
  private numbers: Float32Array | undefined;
  constructor(stored: StoredType, bytes: Uint8Array) {
    this.stored = stored;
    this.bytes = bytes;
  }
  get length(): number {
    return Math.floor(this.bytes.length / bytesOf[this.stored]);
  }
  get data(): Float32Array {
    this.numbers ??= decodeSamples(this.bytes, this.stored, this.length);
    return this.numbers;
  }
}

class Tensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

const whole = (list: unknown): list is number[] =>
  Array.isArray(list) && list.length <= 16 && list.every(n => Number.isSafeInteger(n) && n >= 0);

const rebuildTensor: Known = (storage, offset, shape, strides) => {
  if (!(storage instanceof Storage) || !whole([offset]) || !whole(shape) || !whole(strides))
    throw new RangeError('it describes a tensor that cannot be');
  const reach = shape.reduce((sum, n, a) => sum + (n - 1) * strides[a], offset as number);
  if (shape.length !== strides.length || (product(shape) > 0 && reach >= storage.length))
    throw new RangeError(`a tensor of shape [${shape}] reads past its ${storage.length} numbers`);
  return new Tensor(storage, offset as number, shape, strides);
};

const known: Record<string, Known> = {
  'collections.OrderedDict': (pairs = []) => {
    const made = new Dictionary();
    if (!Array.isArray(pairs)) throw new RangeError('it fills a dictionary with no pairs');
    for (const pair of pairs) if (Array.isArray(pair)) made.set(plainText(pair[0]), pair[1]);
    return made;
  },
  'collections.defaultdict': () => new Dictionary(),
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_parameter': tensor => tensor,
  'torch._utils._rebuild_parameter_with_state': tensor => tensor,
  'torch.Size': sizes => sizes,
};

function unknown(path: string, name: string): NdconvError {
  const script = name.startsWith('__torch__');
  return formatError(
    path,
    script
      ? 'is a TorchScript program, not a state dictionary'
      : `its pickle asks for ${name}, and only tensors and dictionaries are read, never code`,
    'save the weights alone: torch.save(model.state_dict(), path), or as safetensors',
    { name },
  );
}

function findKnown(path: string, name: string): Known {
  if (Object.hasOwn(known, name)) return known[name];
  const short = name.replace(/^torch\./, '');
  if (name.startsWith('torch.') && Object.hasOwn(storageTypes, short)) {
    const type = new StorageType(storageTypes[short]);
    const use: Known = () => {
      throw unknown(path, name);
    };
    return Object.assign(use, { type });
  }
  throw unknown(path, name);
}

/** Members of the zip by their names within its one folder. */
async function unpack(path: string, bytes: Uint8Array): Promise<Map<string, Uint8Array>> {
  const members = await unzip(path, bytes, 'a PyTorch file');
  return new Map([...members].map(([name, data]) => [name.slice(name.indexOf('/') + 1), data]));
}

/** Whether these are the first bytes of a PyTorch file from before 1.6: a pickle whose first object is its magic number. */
export const isLegacyPyTorch = (head: Uint8Array): boolean =>
  head[0] === 0x80 && head[1] <= 5 && head[2] === 0x8a && head[3] === 0x0a;

/** Dictionaries in which checkpoints keep the weights beside what else there is. */
const holders = ['state_dict', 'model_state_dict', 'model', 'params', 'params_ema', 'net', 'generator'];

function collect(value: unknown, prefix: string, found: Map<string, Tensor>, seen: Set<unknown>): void {
  if (value instanceof Tensor) {
    found.set(prefix, value);
    return;
  }
  const entries =
    value instanceof Dictionary
      ? [...value]
      : Array.isArray(value)
        ? value.map((v, i) => [String(i), v] as const)
        : [];
  // What contains itself is looked into once.
  if (entries.length === 0 || seen.has(value)) return;
  seen.add(value);
  if (seen.size > 2 ** 16) throw new RangeError('it nests more dictionaries than a network has');
  for (const [key, inner] of entries) collect(inner, prefix === '' ? key : `${prefix}.${key}`, found, seen);
}

/**
 * The tensors of a state dictionary, or of the one within a checkpoint, as float32. Nested dictionaries give names with
 * dots. Errors: FormatError where the file is damaged, holds code, or is of another kind.
 */
export async function readPyTorch(
  bytes: Uint8Array,
  path = 'PyTorch file',
): Promise<Map<string, NamedTensor>> {
  if (isLegacyPyTorch(bytes))
    throw formatError(
      path,
      'was saved by PyTorch before 1.6, or with the old format',
      'load it with torch.load and save it again with torch.save',
    );
  const members = await unpack(path, bytes);
  const pickle = members.get('data.pkl');
  if (!pickle)
    throw formatError(
      path,
      'is a zip without data.pkl, so no PyTorch file',
      'check that it was written by torch.save',
    );
  const order = members.get('byteorder');
  if (order && Buffer.from(order).toString('latin1') !== 'little')
    throw formatError(path, 'was saved on a big-endian machine', 'save it again on another machine');
  const storages = new Map<string, Storage>();
  const load = (id: unknown): Storage => {
    const [kind, type, place] = Array.isArray(id) ? id : [];
    const key = plainText(place);
    const stored = (type as { type?: StorageType } | undefined)?.type?.stored;
    const data = members.get(`data/${key}`);
    if (kind !== 'storage' || !stored || !data)
      throw new RangeError(`it reads storage '${key}', which is not there`);
    const name = `${key} ${stored}`;
    const made = storages.get(name) ?? new Storage(stored, data);
    storages.set(name, made);
    return made;
  };
  const found = new Map<string, Tensor>();
  const tensors = new Map<string, NamedTensor>();
  await decoding(path, 'a PyTorch state dictionary', () => {
    const root = unpickle(pickle, { find: name => findKnown(path, name), load });
    const holder =
      root instanceof Dictionary ? holders.find(h => root.get(h) instanceof Dictionary) : undefined;
    collect(holder === undefined ? root : (root as Dictionary).get(holder), '', found, new Set());
    let elements = 0;
    for (const [name, { storage, offset, shape, strides }] of found) {
      elements += product(shape);
      if (elements > 4 * bytes.length + 2 ** 20)
        throw new RangeError('its tensors repeat their numbers many times over');
      tensors.set(name, { shape, data: strided(storage.data, shape, strides, offset) });
    }
  });
  if (tensors.size === 0)
    throw formatError(
      path,
      'holds no tensors',
      'save a state dictionary: torch.save(model.state_dict(), path)',
    );
  return tensors;
}
