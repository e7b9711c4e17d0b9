// Named tensors from a weights file (safetensors, npz, npy, PyTorch, a manifest, or a folder of npy files), and their turn
// into the engine's order. PyTorch keeps convolution weights `[out, in/groups, ...kernel]` and dense weights `[out, in]`, which is called
// out-first here; the engine, TensorFlow and Keras keep `[...kernel, in/groups, out]` and `[in, out]`, out-last.

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { NdconvError } from '../errors.ts';
import { readNpy } from '../formats/npy.ts';
import type { Weights } from './network.ts';

export interface NamedTensor {
  shape: readonly number[];
  data: Float32Array;
}

/** Order of the dimensions of weights in a file. */
export const weightOrders = ['out-first', 'out-last'] as const;
export type WeightOrder = (typeof weightOrders)[number];

/** What was read of a weights file. */
export interface WeightsFile {
  /** For messages. */
  path: string;
  tensors: ReadonlyMap<string, NamedTensor>;
  order: WeightOrder;
}

/** Under which name PyTorch keeps each role, after the layer's prefix. */
export const suffixOf: Readonly<Record<string, string>> = {
  weights: 'weight',
  bias: 'bias',
  scale: 'weight',
  shift: 'bias',
  mean: 'running_mean',
  variance: 'running_var',
};

const unreadable = (path: string) => (cause: NodeJS.ErrnoException) => {
  throw new NdconvError(
    'FormatError',
    `${path}: cannot be read (${cause.code ?? cause.message})`,
    { path },
    cause,
  );
};

/**
 * Tensors by name: those of a file that readers/ knows, the one of an npy file or those of every npy file in a folder,
 * which are named as their files. Errors: FormatError naming the path.
 */
export async function readWeights(path: string): Promise<Map<string, NamedTensor>> {
  if ((await stat(path).catch(unreadable(path)))?.isDirectory()) return readFolder(path);
  const tensors: Map<string, NamedTensor> = await (await import('./readers/index.ts')).readTensors(path);
  const unnamed = tensors.get('');
  return unnamed && tensors.size === 1 ? new Map([[basename(path, extname(path)), unnamed]]) : tensors;
}

async function readFolder(path: string): Promise<Map<string, NamedTensor>> {
  const names = (await readdir(path)).filter(name => name.endsWith('.npy')).sort();
  if (names.length === 0)
    throw new NdconvError('FormatError', `${path}: the folder holds no .npy files`, { path });
  const tensors = new Map<string, NamedTensor>();
  for (const name of names) {
    const file = join(path, name);
    tensors.set(name.slice(0, -4), readNpy(await readFile(file).catch(unreadable(file)), file));
  }
  return tensors;
}

/**
 * Weights and bias of the layer stored as `prefix.weight` and `prefix.bias`, out first, in the engine's order; `shape` is
 * what the weights must be, `[out, in/groups, ...kernel]`. Errors: NetworkError naming file and tensor.
 */
export function layerWeights(
  { tensors, path }: Pick<WeightsFile, 'tensors' | 'path'>,
  prefix: string,
  shape: readonly number[],
): Weights {
  const file = { tensors, path };
  const weights = fromOutFirst(expectTensor(file, `${prefix}.weight`, shape));
  return tensors.has(`${prefix}.bias`)
    ? { weights, bias: expectTensor(file, `${prefix}.bias`, shape.slice(0, 1)) }
    : { weights };
}

/** The tensor of a name, which must have this shape. Errors: NetworkError naming file and tensor. */
export function expectTensor(
  { tensors, path }: Pick<WeightsFile, 'tensors' | 'path'>,
  name: string,
  shape: readonly number[],
): NamedTensor {
  const tensor = tensors.get(name);
  if (!tensor)
    throw new NdconvError('NetworkError', `${path}: no tensor '${name}'; it holds ${listTensors(tensors)}`, {
      path,
    });
  if (shape.join() !== tensor.shape.join())
    throw new NdconvError(
      'NetworkError',
      `${path}: '${name}' is [${tensor.shape.join(', ')}] where [${shape.join(', ')}] is wanted: it is the file of another network`,
      { path },
    );
  return tensor;
}

/** Shapes of weights by role. */
export const shapesOf = (weights: Weights = {}): Record<string, readonly number[]> =>
  Object.fromEntries(Object.entries(weights).map(([role, { shape }]) => [role, shape]));

/** The first few names. */
export const listTensors = (tensors: ReadonlyMap<string, NamedTensor>, limit = 12): string =>
  [...tensors.keys()].slice(0, limit).join(', ') +
  (tensors.size > limit ? ` and ${tensors.size - limit} more` : '');

/** `[out, in, ...kernel]` to `[...kernel, in, out]`. */
export function fromOutFirst({ shape, data }: NamedTensor): NamedTensor {
  const [out, into, ...kernel] = shape;
  const taps = kernel.reduce((a, b) => a * b, 1);
  const result = new Float32Array(data.length);
  for (let k = 0; k < out; k++)
    for (let c = 0; c < into; c++)
      for (let t = 0; t < taps; t++) result[(t * into + c) * out + k] = data[(k * into + c) * taps + t];
  return { shape: [...kernel, into, out], data: result };
}

/** `[...kernel, in, out]` to `[out, in, ...kernel]`. */
export function toOutFirst({ shape, data }: NamedTensor): NamedTensor {
  const [into, out] = shape.slice(-2);
  const kernel = shape.slice(0, -2);
  const taps = kernel.reduce((a, b) => a * b, 1);
  const result = new Float32Array(data.length);
  for (let k = 0; k < out; k++)
    for (let c = 0; c < into; c++)
      for (let t = 0; t < taps; t++) result[(k * into + c) * taps + t] = data[(t * into + c) * out + k];
  return { shape: [out, into, ...kernel], data: result };
}
