// `network`: random filters, a known architecture with its weights, a network from a file, or one written out layer by
// layer; as it is, or inflated or projected to another rank.

import { basename } from 'node:path';
import { NdconvError } from '../../errors.ts';
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
import {
  acceptOneChannel,
  type Inflation,
  inflate,
  inflations,
  type Projection,
  project,
  projections,
  type Reshaped,
} from '../../networks/ranks.ts';
import { locateNetwork, openNetwork } from '../../networks/registry/index.ts';
import { residualNetwork } from '../../networks/residual.ts';
import { takeSignal } from '../../networks/vector-input.ts';
import { readWeights, type WeightOrder, weightOrders } from '../../networks/weights.ts';
import type { CheckContext, RunContext, Schema, Step } from '../step.ts';

interface Parameters {
  from: 'random-filters' | 'residual' | 'layers' | 'file' | 'added' | KnownName;
  path?: string;
  name?: string;
  inflate?: Inflation;
  project?: Projection;
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
  widths?: number[];
  stem?: { kernel?: number; strides?: number };
  cells?: number | number[];
  size?: number;
}

/** Keys that every source takes. */
const ranks = ['inflate', 'project'];

/** Keys that each source takes besides, and those that it needs. */
const sources: Record<string, { takes: string[]; needs: string[] }> = {
  'random-filters': {
    takes: ['rank', 'channels', 'kernels', 'filters', 'blocks', 'seed'],
    needs: ['rank'],
  },
  residual: {
    takes: ['rank', 'channels', 'widths', 'stem', 'cells', 'size', 'weights', 'seed'],
    needs: ['rank'],
  },
  layers: { takes: ['rank', 'channels', 'layers', 'weights', 'order', 'seed'], needs: ['rank', 'layers'] },
  file: { takes: ['path', 'channels'], needs: ['path'] },
  added: { takes: ['name', 'channels'], needs: ['name'] },
  ...Object.fromEntries(
    Object.keys(knownNetworks).map(name => [
      name,
      { takes: ['weights', 'normalise', 'channels'], needs: [] },
    ]),
  ),
};

/** Sources whose networks have their own number of channels. */
const isFixed = (from: string): boolean => !['random-filters', 'residual', 'layers'].includes(from);

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

type Built = Pick<RunContext<Parameters>, 'params' | 'seed'>;

async function build(context: Built, problem: (problem: LayerProblem) => void = () => {}): Promise<Reshaped> {
  const { params: p } = context;
  const made = takeSignal(await originOf(context, problem));
  const network = isFixed(p.from) && p.channels === 1 ? acceptOneChannel(made) : made;
  if (p.inflate) return inflate(network, p.inflate);
  if (p.project) return project(network, p.project);
  return { network, left: [] };
}

/** The network in its own rank. */
async function originOf(
  { params: p, seed: own }: Built,
  problem: (problem: LayerProblem) => void,
): Promise<Network> {
  const seed = p.seed ?? own;
  const channels = p.channels ?? 1;
  if (p.from === 'random-filters') {
    const { rank, kernels = [3, 5], filters = 32, blocks = 2 } = p;
    return randomFilters({ rank: rank!, channels, kernels, filters, blocks, seed });
  }
  if (p.from === 'file') return (await import('../../networks/readers/index.ts')).readNetwork(p.path!);
  if (p.from === 'added') return openNetwork(p.name!);
  if (p.from !== 'layers' && p.from !== 'residual')
    return loadKnownNetwork(p.from, p.weights ?? (await locateNetwork(p.from)), { normalise: p.normalise });
  const file = p.weights && {
    path: basename(p.weights),
    tensors: await readWeights(p.weights),
    order: p.order ?? 'out-first',
  };
  if (p.from === 'residual') {
    const { rank, widths = [32, 48], stem = {}, cells = 6, size = 128 } = p;
    const { kernel = 5, strides = 2 } = stem;
    return residualNetwork(
      { rank: rank!, channels, widths, kernel, strides, cells, size, seed },
      file || undefined,
    );
  }
  const { network, problems } = planLayers(
    { rank: p.rank!, channels, layers: p.layers! },
    seed,
    file || undefined,
  );
  problems.forEach(problem);
  return network;
}

/** What is said of a network in another rank. */
function describeRank({ inflate: more, project: less }: Parameters, { left }: Reshaped): string[] {
  const change = more
    ? [`inflated along axis ${more.axis}: ${more.how ?? 'average'}`]
    : less
      ? [`projected along axis ${less.axis}: ${less.how ?? 'sum'}`]
      : [];
  return left.length === 0
    ? change
    : [...change, `left out, as they depend on how cells are arranged: ${left.join(', ')}`];
}

export const network: Step<Parameters> = {
  name: 'network',
  summary:
    'a network: random filters, a residual one to train, a known one, one from a file, or layers written out',
  schema: {
    required: ['from'],
    properties: {
      from: {
        enum: Object.keys(sources),
        description:
          'where it comes from: a known network, random filters, a small residual network that ends in one row of values (to train embeddings with), layers written out, a file, or one added by ndconv network add',
      },
      path: {
        path: 'read',
        description: 'file: a network that describes its layers: .onnx, or model.json of TensorFlow.js',
      },
      name: { type: 'string', description: 'added: the name of the network' },
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
          'input channels (1 where absent); for a sound the number of frequency bins, 1025 a channel; known networks and files: 1 repeats one channel for all that the network has',
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
        costly: true,
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
      weights: {
        path: 'read',
        description:
          'weights file: .safetensors, .npz, .npy, .pth, .onnx, a manifest, or a folder of .npy; a known network without it takes what ndconv network get brought',
      },
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
      widths: {
        type: 'array',
        items: { type: 'integer', minimum: 1 },
        minItems: 1,
        description:
          'residual: channels of the first filters and of every block, each at half the resolution of the one before ([32, 48] where absent)',
      },
      stem: {
        type: 'object',
        minProperties: 1,
        description: 'residual: the first filters',
        properties: {
          kernel: { type: 'integer', minimum: 1, description: 'their size (5 where absent)' },
          strides: {
            type: 'integer',
            minimum: 1,
            description: 'step from one to the next (2 where absent)',
          },
        },
      },
      cells: {
        oneOf: [
          { type: 'integer', minimum: 1 },
          { type: 'array', items: { type: 'integer', minimum: 1 }, minItems: 1 },
        ],
        description:
          'residual: overlapping parts of every dimension over which is averaged in the end, one number or one per dimension (6 where absent)',
      },
      size: { type: 'integer', minimum: 1, description: 'residual: values that come out (128 where absent)' },
      layers: { type: 'array', minItems: 1, description: 'the layers in order', items: layerSchema },
      inflate: {
        type: 'object',
        description: 'one spatial dimension more: a network of images for volumes',
        required: ['axis'],
        properties: {
          axis: { type: 'integer', minimum: 0, description: 'place of the new axis; 0 puts it first' },
          how: {
            enum: inflations,
            description:
              'average (where absent) repeats filters along the axis and divides them, centre puts them in its middle, planes lays them by turns into the planes across every axis',
          },
          length: {
            type: 'integer',
            minimum: 1,
            description: 'length of the filters along the axis; as along its neighbour where absent',
          },
          shrink: {
            type: 'boolean',
            description:
              'strides and pools make the axis smaller as they do its neighbour (true where absent)',
          },
        },
      },
      project: {
        type: 'object',
        description: 'one spatial dimension less: a network of images for signals',
        required: ['axis'],
        properties: {
          axis: { type: 'integer', minimum: 0, description: 'the axis that goes' },
          how: {
            enum: projections,
            description: 'sum (where absent) adds filters up along the axis, centre takes their middle',
          },
        },
      },
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
      if (key !== 'from' && !takes.includes(key) && !ranks.includes(key))
        complain({
          at: [key],
          message: `'${key}' has no effect with from: ${params.from}, which takes ${[...takes, ...ranks].join(', ')}`,
        });
    if (params.inflate && params.project)
      complain({ at: ['project'], message: "'inflate' and 'project' undo each other: give one of them" });
    for (const key of needs)
      if (params[key as keyof Parameters] === undefined)
        complain({ at: ['from'], message: `from: ${params.from} needs '${key}'` });
    if (params.order !== undefined && takes.includes('order') && params.weights === undefined)
      complain({ at: ['order'], message: "'order' has no effect without a weights file" });
    if (Array.isArray(params.cells) && params.cells.length !== params.rank)
      complain({
        at: ['cells'],
        message: `cells has ${params.cells.length} entries, but the network has rank ${params.rank}: give one number, or one per dimension`,
      });
    if (params.kernels && new Set(params.kernels).size < params.kernels.length)
      complain({ at: ['kernels'], message: 'two kernels have the same size: layers are named by it' });
    if (faults > 0) return { outputs: { value: { kind: 'network' } } };
    const unknown = { outputs: { value: { kind: 'network' as const } } };
    if (
      params.weights === undefined &&
      (params.from === 'added' || Object.hasOwn(knownNetworks, params.from))
    )
      try {
        await locateNetwork(params.from === 'added' ? params.name! : params.from);
      } catch (error) {
        if (!(error instanceof NdconvError)) throw error;
        const at = params.from === 'added' ? ['name'] : ['from'];
        const or = params.from === 'added' ? '' : ", or name a file with 'weights'";
        problem({ at, message: `${error.message}${or}`, candidates: error.fields.candidates as string[] });
        return unknown;
      }
    const built = await build(context, found => complain({ ...found, at: ['layers', ...found.at] })).catch(
      error => {
        const key = ranks.find(name => (error as Error).message.startsWith(`${name}: `));
        if (!(error instanceof NdconvError) || !key) throw error;
        complain({ at: [key], message: error.message });
      },
    );
    if (!built || faults > 0) return unknown;
    const { channels } = built.network;
    if (isFixed(params.from) && params.channels !== undefined && params.channels !== channels) {
      const message = `the network takes ${channels} channels; give 1 to repeat one for all of them, or leave 'channels' out`;
      complain({ at: ['channels'], message });
      return unknown;
    }
    return {
      outputs: { value: { kind: 'network', network: built.network } },
      lines: [...describeNetwork(built.network), ...describeRank(params, built)],
    };
  },
  run: async context => ({ value: (await build(context)).network }),
};
