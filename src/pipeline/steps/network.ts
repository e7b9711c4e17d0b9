// `network`: random filters, a known architecture with its weights file, or one written out layer by layer.

import { basename } from 'node:path';
import { type KnownName, knownNetworks, loadKnownNetwork } from '../../networks/architectures.ts';
import { describeNetwork } from '../../networks/describe.ts';
import {
  commonParameters,
  type LayerDescription,
  type LayerProblem,
  planLayers,
} from '../../networks/layered.ts';
import { layerTypes } from '../../networks/layers.ts';
import type { Network } from '../../networks/network.ts';
import { randomFilters } from '../../networks/random-filters.ts';
import { readWeights, type WeightOrder, weightOrders } from '../../networks/weights.ts';
import type { CheckContext, RunContext, Schema, Step } from '../step.ts';

interface Parameters {
  from: 'random-filters' | 'layers' | KnownName;
  rank?: number;
  channels?: number;
  kernels?: number[];
  filters?: number;
  blocks?: number;
  seed?: number;
  weights?: string;
  order?: WeightOrder;
  normalise?: boolean;
  layers?: LayerDescription[];
}

/** Keys that each source takes, and those that it needs. */
const sources: Record<string, { takes: string[]; needs: string[] }> = {
  'random-filters': {
    takes: ['rank', 'channels', 'kernels', 'filters', 'blocks', 'seed'],
    needs: ['rank'],
  },
  layers: { takes: ['rank', 'channels', 'layers', 'weights', 'order', 'seed'], needs: ['rank', 'layers'] },
  ...Object.fromEntries(
    Object.keys(knownNetworks).map(name => [name, { takes: ['weights', 'normalise'], needs: ['weights'] }]),
  ),
};

/** Every parameter of any layer type; which belong to which is the check's. */
const layerSchema: Schema = {
  type: 'object',
  required: ['type'],
  properties: {
    type: { enum: Object.keys(layerTypes), description: 'what the layer does' },
    ...(commonParameters as Record<string, Schema>),
    weights: {
      oneOf: [
        { type: 'string' },
        { type: 'object', additionalProperties: { type: 'string' }, minProperties: 1 },
      ],
      description:
        'in the weights file: the prefix of its tensors (PREFIX.weight, PREFIX.bias), its name where absent; or their names by role (weights, bias; scale, shift, mean, variance); or random',
    },
    ...(Object.assign({}, ...Object.values(layerTypes).map(({ parameters }) => parameters)) as Record<
      string,
      Schema
    >),
    strides: layerTypes.convolution.parameters.strides as Schema,
    padding: layerTypes.convolution.parameters.padding as Schema,
  },
};

async function build(
  { params: p, seed: own }: Pick<RunContext<Parameters>, 'params' | 'seed'>,
  problem: (problem: LayerProblem) => void = () => {},
): Promise<Network> {
  const seed = p.seed ?? own;
  const channels = p.channels ?? 1;
  if (p.from === 'random-filters') {
    const { rank, kernels = [3, 5], filters = 32, blocks = 2 } = p;
    return randomFilters({ rank: rank!, channels, kernels, filters, blocks, seed });
  }
  if (p.from !== 'layers') return loadKnownNetwork(p.from, p.weights!, { normalise: p.normalise });
  const file = p.weights && {
    path: basename(p.weights),
    tensors: await readWeights(p.weights),
    order: p.order ?? 'out-first',
  };
  const { network, problems } = planLayers(
    { rank: p.rank!, channels, layers: p.layers! },
    seed,
    file || undefined,
  );
  problems.forEach(problem);
  return network;
}

export const network: Step<Parameters> = {
  name: 'network',
  summary: 'a network: random filters, a known one with its weights, or layers written out',
  schema: {
    required: ['from'],
    properties: {
      from: {
        enum: Object.keys(sources),
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
        description:
          'input channels (1 where absent); for a sound the number of frequency bins, 1025 a channel',
      },
      kernels: {
        type: 'array',
        items: { type: 'integer', minimum: 1 },
        minItems: 1,
        description: 'random filters: sizes in each block ([3, 5] where absent)',
      },
      filters: {
        type: 'integer',
        minimum: 1,
        description: 'random filters: how many of each size (32 where absent)',
      },
      blocks: {
        type: 'integer',
        minimum: 1,
        description: 'random filters: blocks, each at half the resolution of the one before (2 where absent)',
      },
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'random weights: another choice of them, whatever the seed of the pipeline',
      },
      weights: { path: 'read', description: 'weights file: .safetensors, .npz, .npy, or a folder of .npy' },
      order: {
        enum: weightOrders,
        description:
          'layers: order of the dimensions in the weights file: out-first as in PyTorch (where absent), out-last as in TensorFlow and Keras',
      },
      normalise: {
        type: 'boolean',
        description:
          'known networks: take RGB in [0, 1] and bring it to what the network was trained on (true where absent)',
      },
      layers: { type: 'array', minItems: 1, description: 'the layers in order', items: layerSchema },
    },
  },
  outputs: { value: 'network' },
  async check(context: CheckContext<Parameters>) {
    const { params, problem } = context;
    const { takes, needs } = sources[params.from];
    let faults = 0;
    const complain: CheckContext<Parameters>['problem'] = found => {
      faults++;
      problem(found);
    };
    for (const key of Object.keys(params))
      if (key !== 'from' && !takes.includes(key))
        complain({
          at: [key],
          message: `'${key}' has no effect with from: ${params.from}, which takes ${takes.join(', ')}`,
        });
    for (const key of needs)
      if (params[key as keyof Parameters] === undefined)
        complain({ at: ['from'], message: `from: ${params.from} needs '${key}'` });
    if (params.order !== undefined && takes.includes('order') && params.weights === undefined)
      complain({ at: ['order'], message: "'order' has no effect without a weights file" });
    if (params.kernels && new Set(params.kernels).size < params.kernels.length)
      complain({ at: ['kernels'], message: 'two kernels have the same size: layers are named by it' });
    if (faults > 0) return { outputs: { value: { kind: 'network' } } };
    const built = await build(context, found => complain({ ...found, at: ['layers', ...found.at] }));
    if (faults > 0) return { outputs: { value: { kind: 'network' } } };
    return { outputs: { value: { kind: 'network', network: built } }, lines: describeNetwork(built) };
  },
  run: async context => ({ value: await build(context) }),
};
