// Networks kept whole in one file: weights as safetensors, out first and under the names that PyTorch gives them, so that other
// programs and a written-out network can take them by name; and in the metadata the layers, so that ndconv needs nothing else.

import { NdconvError } from '../errors.ts';
import { readWhole } from '../formats/bytes.ts';
import { formatError } from '../formats/format.ts';
import { readSafetensors, readSafetensorsMetadata } from '../formats/safetensors.ts';
import { encodeSafetensors } from '../formats/safetensors-writing.ts';
import type { Layer, Network, Weights } from './network.ts';
import { fromOutFirst, type NamedTensor, suffixOf, toOutFirst } from './weights.ts';

/** Under which the metadata describe the network. */
const KEY = 'ndconv.network';

/** What the metadata say: of every layer all but its weights, of which the roles. */
interface Description {
  name: string;
  rank: number;
  channels: number;
  layers: (Omit<Layer, 'weights'> & { roles: string[] })[];
}

/** PyTorch has no two tensors of one name in a layer; neither have we. */
const tensorName = (layer: string, role: string): string => `${layer}.${suffixOf[role] ?? role}`;

const isMatrix = (role: string, { shape }: NamedTensor): boolean => role === 'weights' && shape.length >= 2;

/**
 * The bytes of a file for a network of layers. Errors: NetworkError for one whose layers depend on the size of its input,
 * which come from files that hold them already.
 */
export function encodeNetwork(network: Network): Uint8Array[] {
  const { name, rank, channels, layers, specialise } = network;
  if (specialise)
    throw new NdconvError(
      'NetworkError',
      `network ${name} has layers that depend on the size of its input, which cannot be written; train one that is written out layer by layer`,
    );
  const tensors = new Map<string, NamedTensor>();
  const description: Description = { name, rank, channels, layers: [] };
  for (const { weights = {}, ...layer } of layers) {
    description.layers.push({ ...layer, roles: Object.keys(weights) });
    for (const [role, weight] of Object.entries(weights))
      tensors.set(tensorName(layer.name, role), isMatrix(role, weight) ? toOutFirst(weight) : weight);
  }
  return encodeSafetensors(tensors, { [KEY]: JSON.stringify(description) });
}

/** The network of a file that `encodeNetwork` made; undefined for other safetensors. Errors: FormatError. */
export async function readStoredNetwork(path: string): Promise<Network | undefined> {
  const bytes = await readWhole(path);
  const text = readSafetensorsMetadata(bytes, path)[KEY];
  if (text === undefined) return undefined;
  const tensors = await readSafetensors(bytes, path);
  let description: Description;
  try {
    description = JSON.parse(text) as Description;
  } catch (cause) {
    throw formatError(path, 'its description of the network is no JSON', 'write it again', {}, cause);
  }
  const layers = description.layers.map(({ roles, ...layer }): Layer => {
    const weights: Weights = {};
    for (const role of roles) {
      const tensor = tensors.get(tensorName(layer.name, role));
      if (!tensor)
        throw formatError(
          path,
          `describes layer ${layer.name} and holds no tensor '${tensorName(layer.name, role)}'`,
          'write it again',
        );
      weights[role] = isMatrix(role, tensor) ? fromOutFirst(tensor) : tensor;
    }
    return roles.length > 0 ? { ...layer, weights } : layer;
  });
  return { ...description, layers };
}
