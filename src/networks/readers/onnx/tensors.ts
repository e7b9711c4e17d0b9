// Tensors in ONNX files, in every way they are stored: raw bytes, typed lists, a file beside the model. External data is
// read from the model's own folder alone.

import { NdconvError } from '../../../errors.ts';
import { sizeOf as fileSize, readRange } from '../../../formats/bytes.ts';
import { decodeSamples, halfToNumber, type StoredType } from '../../../formats/samples.ts';
import { product } from '../../../tensor/layout.ts';
import { besidePath } from '../beside.ts';
import type { Constant, ElementKind } from '../constants.ts';
import type { GraphProto, TensorProto } from './schema.ts';

const bfloat = new Float32Array(1);
const bfloatBits = new Uint32Array(bfloat.buffer);

/** A type of TensorProto.DataType: bytes each, where its list is, and how its list's numbers are meant. */
interface DataType {
  kind: ElementKind;
  width: number;
  stored?: StoredType;
  list: 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data';
  fromList?: (value: number) => number;
}

const dataTypes: Record<number, DataType> = {
  1: { kind: 'float', width: 4, stored: 'float32', list: 'floatData' },
  2: { kind: 'int', width: 1, stored: 'uint8', list: 'int32Data' },
  3: { kind: 'int', width: 1, stored: 'int8', list: 'int32Data' },
  4: { kind: 'int', width: 2, stored: 'uint16', list: 'int32Data' },
  5: { kind: 'int', width: 2, stored: 'int16', list: 'int32Data' },
  6: { kind: 'int', width: 4, list: 'int32Data' },
  7: { kind: 'int', width: 8, list: 'int64Data' },
  9: { kind: 'bool', width: 1, stored: 'uint8', list: 'int32Data' },
  10: { kind: 'float', width: 2, stored: 'float16', list: 'int32Data', fromList: halfToNumber },
  11: { kind: 'float', width: 8, list: 'doubleData' },
  12: { kind: 'int', width: 4, list: 'uint64Data' },
  13: { kind: 'int', width: 8, list: 'uint64Data' },
  16: {
    kind: 'float',
    width: 2,
    stored: 'bfloat16',
    list: 'int32Data',
    fromList: bits => {
      bfloatBits[0] = bits << 16;
      return bfloat[0];
    },
  },
};

/** Kind of an element type; undefined where it holds no numbers. */
export const kindOf = (type: number | undefined): ElementKind | undefined => dataTypes[type ?? 0]?.kind;

function wideNumbers(type: number, raw: Uint8Array, count: number): Float64Array {
  const bytes = new Uint8Array(raw.subarray(0, count * dataTypes[type].width)).buffer;
  if (type === 6) return Float64Array.from(new Int32Array(bytes));
  if (type === 12) return Float64Array.from(new Uint32Array(bytes));
  if (type === 11) return new Float64Array(bytes);
  return Float64Array.from(type === 7 ? new BigInt64Array(bytes) : new BigUint64Array(bytes), Number);
}

/** A tensor as a constant; `external` holds the bytes of what lies beside the model. Errors: FormatError. */
export function decodeTensor(
  file: string,
  tensor: TensorProto,
  external?: ReadonlyMap<TensorProto, Uint8Array>,
): Constant {
  const broken = (what: string) =>
    new NdconvError('FormatError', `${file}: tensor '${tensor.name ?? ''}' ${what}; export the model again`, {
      path: file,
      tensor: tensor.name,
    });
  const type = dataTypes[tensor.dataType ?? 0];
  if (!type) throw broken(`has element type ${tensor.dataType ?? 'none'}, which is not read`);
  const shape = tensor.dims;
  const count = product(shape);
  if (shape.some(n => !Number.isSafeInteger(n) || n < 0) || !(count <= 2 ** 31))
    throw broken(`has the impossible shape [${shape}]`);
  const raw = tensor.dataLocation === 1 ? external?.get(tensor) : tensor.rawData;
  if (tensor.dataLocation === 1 && !raw) throw broken('lies outside the model where none can be read');
  if (raw && (raw.length > 0 || count === 0)) {
    if (raw.length !== count * type.width)
      throw broken(`of shape [${shape}] needs ${count * type.width} bytes and has ${raw.length}`);
    return type.stored
      ? { kind: type.kind, shape, data: decodeSamples(raw, type.stored, count) }
      : { kind: type.kind, shape, data: wideNumbers(tensor.dataType!, raw, count) };
  }
  const list = tensor[type.list];
  if (list.length !== count)
    throw broken(`of shape [${shape}] needs ${count} numbers and has ${list.length}`);
  const numbers = type.fromList ? list.map(type.fromList) : list;
  return {
    kind: type.kind,
    shape,
    data:
      type.kind === 'float' && tensor.dataType !== 11
        ? Float32Array.from(numbers)
        : Float64Array.from(numbers),
  };
}

/** Every tensor of a graph that lies in another file, with its bytes. Errors: FormatError naming the file. */
export async function readExternal(
  file: string,
  folder: string | undefined,
  graph: GraphProto,
): Promise<Map<TensorProto, Uint8Array>> {
  const found = new Map<TensorProto, Uint8Array>();
  const tensors = graph.initializer.filter(t => t.dataLocation === 1);
  for (const node of graph.node)
    for (const { t } of node.attribute) if (t?.dataLocation === 1) tensors.push(t);
  // Tensors may share bytes, but together they may not be much more than the files that hold them.
  const held = new Map<string, number>();
  let taken = 0;
  for (const tensor of tensors) {
    const entries = new Map(tensor.externalData.map(e => [e.key ?? '', e.value ?? '']));
    const broken = (what: string) =>
      new NdconvError(
        'FormatError',
        `${file}: tensor '${tensor.name ?? ''}' ${what}; put the files of the model into one folder, or export it again`,
        { path: file, tensor: tensor.name },
      );
    const location = entries.get('location') ?? '';
    if (folder === undefined) throw broken('lies in another file, and the model was given as bytes');
    const path = besidePath(file, folder, location);
    const size = await fileSize(path);
    const offset = Number(entries.get('offset') ?? 0);
    const length = entries.has('length') ? Number(entries.get('length')) : size - offset;
    if (
      !Number.isSafeInteger(offset) ||
      !Number.isSafeInteger(length) ||
      offset < 0 ||
      length < 0 ||
      offset + length > size
    )
      throw broken(`is said to be bytes ${offset} to ${offset + length} of ${location}, which has ${size}`);
    held.set(path, size);
    taken += length;
    const most = [...held.values()].reduce((a, b) => a + b, 0);
    if (taken > 4 * most + (1 << 20)) throw broken('and others overlap many times in one file');
    found.set(tensor, await readRange(path, offset, length));
  }
  return found;
}
