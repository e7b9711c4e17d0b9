// `maximise-activation`: an input that a unit, a channel or a class of a network responds to more than to any other, made
// from noise, in any rank.

import { NdconvError } from '../../errors.ts';
import type { Axis, Field } from '../../formats/field.ts';
import { planNetwork } from '../../networks/evaluate.ts';
import type { Network } from '../../networks/network.ts';
import type { Section } from '../../report/section.ts';
import type { MaximiseSettings, Target } from '../../units/maximise.ts';
import type { Schema, Step, ValuePlan } from '../step.ts';

interface Parameters extends Omit<MaximiseSettings, 'middle' | 'scale' | 'seed' | 'range'> {
  network: string;
  layer: string;
  unit: number;
  where: Target['where'];
  size?: number | number[];
  like?: string;
  range?: [number, number];
  seed?: number;
}

const number = (fallback: number, description: string, more: Partial<Schema> = {}): Schema => ({
  type: 'number',
  minimum: 0,
  default: fallback,
  description,
  ...more,
});

const count = (fallback: number, description: string, more: Partial<Schema> = {}): Schema =>
  number(fallback, description, { type: 'integer', ...more });

/** The network as it reads space, its sizes without channels, and what the result is. */
interface Planned {
  shape: number[];
  kind: Field['kind'];
  axes: Axis[];
}

/** Problems that `check` shows at a key. */
type Fault = { at: string[]; message: string; candidates?: string[] };

const isRow = ({ rank }: Network): boolean => rank === 0;

/** The shape and kind of the result; `like` is a field or what is known of it. */
async function planResult(
  { params: p }: { params: Parameters },
  network: Network,
  like: (Partial<Pick<Field, 'kind' | 'axes'>> & { shape?: readonly number[] }) | undefined,
): Promise<Planned | Fault> {
  const rank = isRow(network) ? 1 : network.rank;
  const channels = isRow(network) ? 1 : network.channels;
  let spatial: number[] | undefined;
  if (p.size !== undefined) {
    spatial = typeof p.size === 'number' ? new Array<number>(rank).fill(p.size) : p.size;
    if (spatial.length !== rank)
      return {
        at: ['size'],
        message: `${spatial.length} sizes for the ${rank} dimensions of ${network.name}; give one for each, or one for all`,
      };
  } else if (like?.shape) spatial = like.shape.slice(0, -1);
  else if (isRow(network)) spatial = [network.channels];
  else {
    const { planReceptive, receptiveFields } = await import('../../networks/receptive-field.ts');
    const field = receptiveFields(planReceptive(network)).get(p.layer);
    // Room for the whole field of the unit in the middle, wherever that lies.
    spatial = field?.size.map((size, axis) => size + 2 * (field.stride[axis] ?? 0));
    if (!spatial?.every(size => Number.isFinite(size)))
      return {
        at: ['layer'],
        message: `a unit of ${p.layer} sees all of the input, whatever its size: give size, or like`,
      };
  }
  if (like?.shape && (like.shape.length !== rank + 1 || like.shape.at(-1) !== channels))
    return {
      at: ['like'],
      message: `${network.name} takes ${rank} spatial dimensions and ${channels} channels, the field has shape ${like.shape.join('×')}`,
    };
  const isPicture = rank === 2 && (channels === 1 || channels === 3);
  const kind: Field['kind'] =
    like?.kind ?? (rank === 1 ? 'signal' : isPicture ? 'image' : rank === 3 ? 'volume' : 'array');
  const names = ['z', 'y', 'x'].slice(-rank);
  const axes =
    like?.axes ??
    spatial.map((_, axis) => ({
      name: rank === 1 ? 'sample' : (names[axis] ?? `axis ${axis + 1}`),
      spacing: 1,
      unit: isPicture ? 'px' : '',
    }));
  return { shape: [...spatial, channels], kind, axes };
}

/** Where values start and how far they go. */
function rangeOf(p: Parameters, kind: Field['kind'], like: Field | undefined) {
  const range = p.range ?? (kind === 'image' ? ([0, 1] as const) : undefined);
  if (range) return { range, middle: (range[0] + range[1]) / 2, scale: range[1] - range[0] };
  if (!like) return { middle: 0, scale: 1 };
  const mean = like.data.reduce((a, b) => a + b, 0) / like.data.length;
  const square = like.data.reduce((a, b) => a + (b - mean) ** 2, 0) / like.data.length;
  return { middle: mean, scale: Math.sqrt(square) || 1 };
}

export const maximise: Step<Parameters> = {
  name: 'maximise-activation',
  summary:
    'what would excite a unit, a channel or a class of a network most: an input made from noise, in any rank',
  schema: {
    required: ['network', 'layer', 'unit'],
    properties: {
      network: { reference: ['network'], description: 'the network' },
      layer: {
        type: 'string',
        description:
          'the layer of the unit; for a class the scores before a softmax say more than those after it',
      },
      unit: { type: 'integer', minimum: 0, description: 'number of the unit, channel or class, from 0' },
      where: {
        enum: ['middle', 'all'],
        default: 'middle',
        description: 'middle: the unit at the cell in the middle; all: its mean over all cells (the channel)',
      },
      size: {
        oneOf: [
          { type: 'integer', minimum: 1 },
          { type: 'array', minItems: 1, items: { type: 'integer', minimum: 1 } },
        ],
        costly: true,
        description:
          'size of the result, for each dimension or one for all; as much as the unit sees where absent',
      },
      like: {
        reference: ['field'],
        description:
          'a field that the result is to be like: kind, axes, size where absent, and range of values',
      },
      range: {
        type: 'array',
        minItems: 2,
        maxItems: 2,
        items: { type: 'number' },
        description: 'lowest and highest value; 0 and 1 for images, none for others, where absent',
      },
      iterations: count(256, 'steps', { minimum: 1 }),
      rate: number(0.02, 'root mean square of a step, as a part of the range (of the deviation of like)', {
        minimum: undefined,
        exclusiveMinimum: 0,
      }),
      noise: number(0.05, 'deviation of the values at the start, as a part of the range'),
      jitter: count(4, 'largest random shift before a step, in cells'),
      blur: number(2, 'smooths the gradient: deviation in cells at the start, a quarter of it at the end'),
      octaves: count(3, 'sizes from coarse to fine', { minimum: 1, maximum: 16 }),
      octaveScale: number(1.4, 'from one size to the next', { minimum: undefined, exclusiveMinimum: 1 }),
      totalVariation: number(
        0.05,
        'against total variation: part of the way to its neighbours that a value goes per step',
        {
          exclusiveMaximum: 1,
        },
      ),
      l2: number(
        0.005,
        'against the L2 norm: part of the way to the middle of the range that a value goes per step',
        {
          exclusiveMaximum: 1,
        },
      ),
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'another start and other shifts, whatever the seed of the pipeline',
      },
    },
  },
  outputs: { value: 'field' },
  effect: true,
  async check({ params: p, planOf, problem, forecast }) {
    const unknown = { outputs: { value: { kind: 'field' as const } } };
    const { network } = planOf(p.network) as { network?: Network };
    if (!network) return unknown;
    const names = network.layers.map(({ name }) => name);
    if (!names.includes(p.layer)) {
      const message = `network ${network.name} has no layer '${p.layer}'`;
      problem({ at: ['layer'], message, candidates: names });
      return unknown;
    }
    if (p.range && !(p.range[0] < p.range[1]))
      problem({
        at: ['range'],
        message: `the range ${p.range.join(' to ')} is none: the lower end comes first`,
      });
    const like = p.like === undefined ? undefined : fieldPlanOf(planOf(p.like));
    if (p.like !== undefined && !like?.shape) return unknown;
    const planned = await planResult({ params: p }, network, like);
    if ('message' in planned) {
      problem(planned);
      return unknown;
    }
    const { fitNetwork } = await import('../../units/reader.ts');
    const { shape, kind } = planned;
    try {
      const { shapes, peak, seconds } = planNetwork(
        fitNetwork(network, shape, [p.layer]),
        shape,
        [p.layer],
        forecast,
      );
      const layer = shapes.get(p.layer)!;
      if (p.unit >= layer.at(-1)!)
        problem({
          at: ['unit'],
          message: `layer ${p.layer} has units 0 to ${layer.at(-1)! - 1}; there is no unit ${p.unit}`,
        });
      return {
        outputs: { value: { kind: 'field', shape, fieldKind: kind, ...(like?.details ?? {}) } },
        // Forward and back.
        memory: 3 * peak,
        ...(seconds === undefined ? {} : { seconds: 3 * seconds * p.iterations }),
        lines: [
          `unit ${p.unit} of ${p.layer}, ${layer.length === 1 ? 'which has no cells' : `${layer.slice(0, -1).join('×')} cells`}: an input of ${shape.join('×')}`,
        ],
      };
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      problem({
        at: [p.size !== undefined ? 'size' : p.like !== undefined ? 'like' : 'layer'],
        message: error.message,
      });
      return unknown;
    }
  },
  async run(context) {
    const { params: p, valueOf, backend: open, progress, note, signal, report } = context;
    const network = valueOf<Network>(p.network);
    const like = p.like === undefined ? undefined : valueOf<Field>(p.like);
    const planned = await planResult(context, network, like);
    if ('message' in planned) throw new NdconvError('NetworkError', planned.message);
    const { shape, kind, axes } = planned;
    const { maximiseActivation } = await import('../../units/maximise.ts');
    const target: Target = { layer: p.layer, unit: p.unit, where: p.where };
    const settings = { ...p, ...rangeOf(p, kind, like), seed: p.seed ?? context.seed };
    const found = await maximiseActivation(
      network,
      target,
      shape,
      settings,
      await open(),
      async (i, activation) => {
        progress({
          fraction: i / p.iterations,
          iteration: i,
          iterations: p.iterations,
          figures: { activation },
        });
        // Lets a signal be seen.
        await new Promise(setImmediate);
        return !signal.aborted;
      },
    );
    if (found.left.length > 0)
      note(
        `the network takes no input of ${found.left.map(size => size.join('×')).join(', ')}: those octaves are left out`,
      );
    const value: Field = {
      kind,
      shape: [...found.shape],
      data: found.data,
      axes,
      source: `unit ${p.unit} of ${p.layer} of ${network.name}`,
      valueUnit: like?.valueUnit ?? '',
      sampleType: kind === 'image' ? 'uint8' : 'float32',
    };
    note(
      `activation of unit ${p.unit} of ${p.layer}: ${found.activations[0].toPrecision(4)} at the start, ${found.activations.at(-1)!.toPrecision(4)} at the end`,
    );
    report(sectionOf(p, value, found.activations));
    return { value };
  },
};

/** What is known of a field before it is there. */
function fieldPlanOf(plan: ValuePlan) {
  const { shape, fieldKind, axes } = plan as ValuePlan & { fieldKind?: Field['kind']; axes?: Axis[] };
  const { kind: _, shape: __, ...details } = plan;
  return { shape, kind: fieldKind, axes, details };
}

const sectionOf = (
  { unit, layer, where }: Parameters,
  field: Field,
  activations: readonly number[],
): Section => ({
  title: `What excites unit ${unit} of ${layer}`,
  blocks: [
    {
      type: 'fields',
      items: [{ label: `made for unit ${unit} of ${layer}${where === 'all' ? ', all cells' : ''}`, field }],
    },
    {
      type: 'curves',
      title: 'Activation',
      xLabel: 'step',
      yLabel: 'activation',
      curves: [{ label: `unit ${unit}`, x: activations.map((_, i) => i), y: [...activations] }],
    },
  ],
});
