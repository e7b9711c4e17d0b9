// `network`: random filters, a known architecture with its weights file, or one written out layer by layer.

import { type LayerDescription, layeredNetwork } from '../../networks/layered.ts';
import { layerTypes } from '../../networks/layers.ts';
import { type Network, parameterCount } from '../../networks/network.ts';
import { randomFilters } from '../../networks/random-filters.ts';
import { type KnownName, knownNetworks, loadKnownNetwork } from '../../networks/registry.ts';
import { readWeights } from '../../networks/weights.ts';
import type { CheckContext, RunContext, Step } from '../step.ts';

interface Parameters {
  from: 'random-filters' | 'layers' | KnownName;
  rank?: number;
  channels?: number;
  kernels?: number[];
  filters?: number;
  blocks?: number;
  weights?: string;
  layers?: LayerDescription[];
}

const keysOf: Record<string, string[]> = {
  'random-filters': ['rank', 'channels', 'kernels', 'filters', 'blocks'],
  layers: ['rank', 'channels', 'layers', 'weights'],
};

async function build({ params: p, seed }: Pick<RunContext<Parameters>, 'params' | 'seed'>): Promise<Network> {
  if (p.from === 'random-filters')
    return randomFilters({
      rank: p.rank!,
      channels: p.channels ?? 1,
      kernels: p.kernels ?? [3, 5],
      filters: p.filters ?? 32,
      blocks: p.blocks ?? 2,
      seed,
    });
  if (p.from !== 'layers') return loadKnownNetwork(p.from, p.weights!);
  const tensors = p.weights ? await readWeights(p.weights) : undefined;
  return layeredNetwork(
    { rank: p.rank!, channels: p.channels ?? 1, layers: p.layers! },
    seed,
    tensors,
    p.weights,
  );
}

export const network: Step<Parameters> = {
  name: 'network',
  summary: 'a network: random filters, a known one with its weights, or layers written out',
  schema: {
    required: ['from'],
    properties: {
      from: {
        enum: ['random-filters', 'layers', ...Object.keys(knownNetworks)],
        description: 'where it comes from',
      },
      rank: {
        type: 'integer',
        minimum: 1,
        maximum: 5,
        description: 'spatial dimensions: 1 for signals and sounds, 2 for images, 3 for volumes',
      },
      channels: {
        type: 'integer',
        minimum: 1,
        description: 'input channels; for a sound the number of frequency bins, 1025 a channel',
      },
      kernels: {
        type: 'array',
        items: { type: 'integer', minimum: 1 },
        minItems: 1,
        description: 'random filters: sizes in each block',
      },
      filters: { type: 'integer', minimum: 1, description: 'random filters: how many of each size' },
      blocks: {
        type: 'integer',
        minimum: 1,
        description: 'random filters: blocks, each at half the resolution of the one before',
      },
      weights: { path: 'read', description: 'weights file (.safetensors or .npz)' },
      layers: {
        type: 'array',
        minItems: 1,
        description: 'the layers in order',
        items: { type: 'object', additionalProperties: true },
      },
    },
  },
  outputs: { value: 'network' },
  async check(context: CheckContext<Parameters>) {
    const { params, problem } = context;
    const allowed = keysOf[params.from] ?? ['weights'];
    for (const key of Object.keys(params))
      if (key !== 'from' && !allowed.includes(key))
        problem({ at: [key], message: `'${key}' has no effect with from: ${params.from}` });
    const needed = { 'random-filters': ['rank'], layers: ['rank', 'layers'] }[params.from as string] ?? [
      'weights',
    ];
    const missing = needed.filter(k => params[k as keyof Parameters] === undefined);
    for (const key of missing) problem({ at: ['from'], message: `from: ${params.from} needs '${key}'` });
    for (const [i, layer] of (params.layers ?? []).entries())
      if (!Object.hasOwn(layerTypes, layer.type))
        problem({
          at: ['layers', i, 'type'],
          message: `there is no layer type '${layer.type}'; there are ${Object.keys(layerTypes).join(', ')}`,
        });
    if (missing.length > 0 || (params.layers ?? []).some(l => !Object.hasOwn(layerTypes, l.type)))
      return { outputs: { value: { kind: 'network' } } };
    const built = await build(context);
    return {
      outputs: { value: { kind: 'network', network: built } },
      lines: [`${built.name}: ${built.layers.length} layers, ${parameterCount(built)} weights`],
    };
  },
  run: async context => ({ value: await build(context) }),
};
