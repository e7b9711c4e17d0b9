// How a field becomes an embedding: which network and layer, how the field is fitted to the network, whether the vector is
// brought to length 1. Its hash covers all of that and what was done to the items before, so that embeddings are compared
// only where comparing means something.

import { createHash } from 'node:crypto';
import { NdconvError } from '../errors.ts';
import { channelsOf, type Field } from '../formats/field.ts';
import { INPUT, type Layer, layerIndex, type Network } from '../networks/network.ts';
import type { Operation } from '../prepare/operations.ts';
import { applyOperations } from '../prepare/run.ts';
import type { Embedder } from './embeddings.ts';

/** A network as it is used for embedding. */
export interface EmbeddingNetwork {
  readonly network: Network;
  /** The layer that is read; one of cells is averaged over them. */
  readonly layer: string;
  /** Vectors are brought to length 1. */
  readonly normalise: boolean;
  /** Spatial axis along which the mirror image is embedded as well, and both vectors added. */
  readonly mirror?: number;
}

export interface EmbeddingOptions {
  /** The last of the network where absent. */
  layer?: string;
  normalise?: boolean;
  mirror?: number;
}

/** Errors: NetworkError for a layer that there is not. */
export function embeddingNetwork(
  network: Network,
  { layer, normalise = false, mirror }: EmbeddingOptions = {},
): EmbeddingNetwork {
  const last = layer === undefined ? network.layers.length - 1 : layerIndex(network, layer);
  if (mirror !== undefined && mirror >= network.rank)
    throw new NdconvError(
      'NetworkError',
      `mirror: there is no axis ${mirror} in the ${network.rank} spatial dimensions of network ${network.name}; count from 0`,
    );
  return {
    network,
    layer: network.layers[last].name,
    normalise,
    ...(mirror === undefined ? {} : { mirror }),
  };
}

/** Raised where embeddings of the same network and items come out differently than before. */
const revision = 1;

/**
 * What embeddings are made with: the layers up to the one read, their weights, how fields are fitted, and `preparation`, what
 * was done to the items before (`Dataset.preparation`).
 */
export function embedderOf(
  { network, layer, normalise, mirror }: EmbeddingNetwork,
  preparation: readonly unknown[] = [],
): Embedder {
  const hash = createHash('sha256');
  const { rank, channels, sizes } = network;
  const layers = network.layers.slice(0, layerIndex(network, layer) + 1);
  hash.update(JSON.stringify({ revision, rank, channels, sizes, normalise, mirror, preparation }));
  for (const [i, { name, type, from, parameters, weights = {} }] of layers.entries()) {
    // Names that come from where a layer stands are not what it computes.
    const reads = from ?? [i === 0 ? INPUT : layers[i - 1].name];
    hash.update(JSON.stringify({ name, type, from: reads, parameters }));
    for (const role of Object.keys(weights).sort()) {
      const { shape, data } = weights[role as keyof Layer['weights']];
      hash.update(JSON.stringify({ role, shape }));
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  }
  return { name: network.name, sha256: hash.digest('hex') };
}

/** Weights of red, green and blue in grey (ITU-R BT.601). */
const luma = [0.299, 0.587, 0.114];

/** The shape that a field has once fitted; errors as of `fitField`. */
export function fittedShape(
  network: Pick<Network, 'name' | 'rank' | 'channels' | 'sizes'>,
  shape: readonly number[],
  source: string,
): number[] {
  const { name, rank, channels, sizes } = network;
  const [spatial, own] = [shape.slice(0, -1), shape[shape.length - 1]];
  if (spatial.length !== rank)
    throw new NdconvError(
      'ShapeError',
      `${source}: has ${spatial.length} spatial dimensions (${shape.join('×')}) and network ${name} takes ${rank}; inflate or project the network, or choose another`,
      { shape, rank },
    );
  if (own !== channels && own !== 1 && !(own === 3 && channels === 1))
    throw new NdconvError(
      'ShapeError',
      `${source}: has ${own} channels and network ${name} takes ${channels}; only one channel is repeated, and colour made grey`,
      { channels: own, expected: channels },
    );
  return [...(sizes ?? spatial), channels];
}

/**
 * A field as the network takes it: one channel repeated or colour made grey, and for a network of one size padded with
 * zeros to its proportions and resampled. Errors: ShapeError for another rank or other channels.
 */
export function fitField(network: Network, field: Field): Field {
  const shape = fittedShape(network, field.shape, field.source);
  const { sizes } = network;
  let fitted = withChannels(field, network.channels);
  if (sizes) {
    const operations = fittingOperations(fitted.shape.slice(0, -1), sizes);
    if (operations.length > 0) fitted = applyOperations(fitted, operations).field;
  }
  return { ...fitted, shape };
}

function fittingOperations(spatial: readonly number[], sizes: readonly number[]): Operation[] {
  if (spatial.join() === sizes.join()) return [];
  // Cells of the field per cell of the network.
  const ratio = Math.max(...spatial.map((n, a) => n / sizes[a]));
  const padded = sizes.map((n, a) => Math.max(spatial[a], Math.round(n * ratio)));
  return [
    ...(padded.join() === spatial.join() ? [] : [{ pad: { size: padded } }]),
    { resample: { size: [...sizes] } },
  ];
}

function withChannels(field: Field, channels: number): Field {
  const own = channelsOf(field);
  if (own === channels) return field;
  const cells = field.data.length / own;
  const data = new Float32Array(cells * channels);
  for (let i = 0; i < cells; i++)
    if (own === 1) data.fill(field.data[i], i * channels, (i + 1) * channels);
    else for (const [c, weight] of luma.entries()) data[i] += weight * field.data[i * own + c];
  const { channelNames: _, iccProfile: __, ...rest } = field;
  return { ...rest, shape: [...field.shape.slice(0, -1), channels], data };
}
