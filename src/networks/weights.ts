// Named tensors from a weights file (safetensors, npz, npy, or a folder of npy files), and their turn into the engine's
// order. PyTorch keeps convolution weights `[out, in/groups, ...kernel]` and dense weights `[out, in]`, which is called
// out-first here; the engine, TensorFlow and Keras keep `[...kernel, in/groups, out]` and `[in, out]`, out-last.

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { NdconvError } from '../errors.ts';
import { isNpy, readNpy } from '../formats/npy.ts';
import { readNpz } from '../formats/npz.ts';
import { readSafetensors } from '../formats/safetensors.ts';
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
 * Tensors by name: those of a safetensors or npz file, the one of an npy file or those of every npy file in a folder, which
 * are named as their files. Errors: FormatError naming the path.
 */
export async function readWeights(path: string): Promise<Map<string, NamedTensor>> {
  if ((await stat(path).catch(unreadable(path)))?.isDirectory()) return readFolder(path);
  const bytes = await readFile(path).catch(unreadable(path));
  if (isNpy(bytes)) return new Map([[basename(path, extname(path)), readNpy(bytes, path)]]);
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return readNpz(bytes, path);
  return readSafetensors(bytes, path);
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
  const weight = tensors.get(`${prefix}.weight`);
  if (!weight)
    throw new NdconvError(
      'NetworkError',
      `${path}: no tensor '${prefix}.weight'; it holds ${listTensors(tensors)}`,
      { path },
    );
  const bias = tensors.get(`${prefix}.bias`);
  const wrong = [
    { name: `${prefix}.weight`, wanted: shape, found: weight.shape },
    ...(bias ? [{ name: `${prefix}.bias`, wanted: shape.slice(0, 1), found: bias.shape }] : []),
  ].find(({ wanted, found }) => wanted.join() !== found.join());
  if (wrong)
    throw new NdconvError(
      'NetworkError',
      `${path}: '${wrong.name}' is [${wrong.found.join(', ')}] where [${wrong.wanted.join(', ')}] is wanted: it is the file of another network`,
      { path },
    );
  return { weights: fromOutFirst(weight), ...(bias ? { bias } : {}) };
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
