// Named tensors from a weights file (safetensors, npz), and their turn into the engine's order. PyTorch keeps
// convolution weights `[out, in/groups, ...kernel]` and dense weights `[out, in]`; the engine keeps
// `[...kernel, in/groups, out]` and `[in, out]`.

import { readFile } from 'node:fs/promises';
import { NdconvError } from '../errors.ts';
import { readNpz } from '../formats/npz.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import type { Weights } from './network.ts';

export interface NamedTensor {
  shape: readonly number[];
  data: Float32Array;
}

/** Tensors of a file by name. */
export async function readWeights(path: string): Promise<Map<string, NamedTensor>> {
  const bytes = await readFile(path).catch(cause => {
    throw new NdconvError(
      'FormatError',
      `${path}: cannot be read (${cause.code ?? cause.message})`,
      { path },
      cause,
    );
  });
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) return readSafetensors(bytes, path);
  const arrays = await readNpz(bytes, path);
  return new Map(
    [...arrays].map(([name, a]) => [
      name,
      { shape: a.shape, data: Float32Array.from(a.data as ArrayLike<number>) },
    ]),
  );
}

/** Weights and bias of the layer stored as `prefix.weight` and `prefix.bias`, in the engine's order. */
export function layerWeights(
  tensors: ReadonlyMap<string, NamedTensor>,
  prefix: string,
  file: string,
): Weights {
  const weight = tensors.get(`${prefix}.weight`);
  if (!weight)
    throw new NdconvError(
      'NetworkError',
      `${file}: no tensor '${prefix}.weight'; it holds ${[...tensors.keys()].slice(0, 12).join(', ')} …`,
    );
  const bias = tensors.get(`${prefix}.bias`);
  const weights: Weights = { weights: fromOutFirst(weight) };
  if (bias) weights.bias = { shape: bias.shape, data: bias.data };
  return weights;
}

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
