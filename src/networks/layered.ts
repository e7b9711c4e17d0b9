// A network written out layer by layer, as in a YAML file: types and parameters of layers.ts, each with a name, what it
// reads, and where its weights come from. Everything that is wrong is collected with its place in the description.

import { NdconvError } from '../errors.ts';
import { weightsOf } from './layer-weights.ts';
import { type LayerType, type LayerTypeName, layerTypes } from './layers.ts';
import { INPUT, type Layer, type Network, type Weights } from './network.ts';
import { describe, fits, type Parameter } from './parameters.ts';
import { shapesOf, type WeightsFile } from './weights.ts';

/** One layer as a user writes it. */
export interface LayerDescription {
  type: LayerTypeName;
  /** The type with a number where absent: `relu2`. */
  name?: string;
  /** Names of the layers it reads, or `input`; the layer before where absent. */
  from?: string | string[];
  /** Prefix of its tensors in the weights file (its name where absent), names of the tensors by role, or `random`. */
  weights?: string | Readonly<Record<string, string>>;
  /** Parameters of the type. */
  [parameter: string]: unknown;
}

/** A whole network as a user writes it. */
export interface NetworkDescription {
  name?: string;
  rank: number;
  channels: number;
  layers: readonly LayerDescription[];
}

/** Something wrong with a description; `at` is the index of the layer and a key of it. */
export interface LayerProblem {
  at: (string | number)[];
  message: string;
  /** Names that would be right. */
  candidates?: string[];
}

/** What every layer may have, whatever its type. */
export const commonParameters: Readonly<Record<string, Parameter>> = {
  name: {
    type: 'string',
    description: 'its name; the type with a number where absent: convolution1, relu1, relu2',
  },
  from: {
    oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
    description: 'the layers it reads, or input; the layer before where absent',
  },
};

/** Parameters that have one number per spatial dimension. */
const perDimension = ['kernel', 'strides', 'dilations', 'padding', 'window', 'outputPadding', 'cells'];
/** Parameters that make the weights and are not needed afterwards. */
const ofWeights = ['kernel', 'filters', 'inputs', 'scale', 'shift'];

/** Builds a network from a description; without a weights file weights come from the seed. Errors: NetworkError. */
export function layeredNetwork(description: NetworkDescription, seed: number, file?: WeightsFile): Network {
  const { network, problems } = planLayers(description, seed, file);
  if (problems.length === 0) return network;
  const [{ at, message, candidates }] = problems;
  const where = at.length > 0 ? `layers[${at[0]}]${at.length > 1 ? `.${at.slice(1).join('.')}` : ''}: ` : '';
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more problems)` : '';
  const known = candidates ? `; there are ${candidates.join(', ')}` : '';
  throw new NdconvError('NetworkError', `${where}${message}${known}${more}`, { problems });
}

/** The network, complete where there are no problems. */
export function planLayers(
  description: NetworkDescription,
  seed: number,
  file?: WeightsFile,
): { network: Network; problems: LayerProblem[] } {
  const { rank, channels } = description;
  const problems: LayerProblem[] = [];
  const known = new Map<string, Known>([[INPUT, { channels, rows: false }]]);
  const counts = new Map<string, number>();
  const layers: Layer[] = [];
  let previous = INPUT;
  for (const [i, layer] of description.layers.entries()) {
    const before = problems.length;
    const complain = ({ at, ...rest }: LayerProblem) => problems.push({ at: [i, ...at], ...rest });
    const count = (counts.get(layer.type) ?? 0) + 1;
    counts.set(layer.type, count);
    const name = layer.name ?? `${layer.type}${count}`;
    const from = layer.from === undefined ? [previous] : [layer.from].flat();
    previous = name;
    if (known.has(name))
      complain({
        at: layer.name === undefined ? [] : ['name'],
        message: name === INPUT ? `'${INPUT}' is the network's input` : `two layers are named '${name}'`,
      });
    for (const [j, f] of from.entries())
      if (!known.has(f))
        complain({
          at: Array.isArray(layer.from) ? ['from', j] : ['from'],
          message: `no layer before ${name} is named '${f}'`,
          candidates: [...known.keys()],
        });
    const sources = from.map(f => known.get(f) ?? 'broken');
    known.set(name, 'broken');
    if (!Object.hasOwn(layerTypes, layer.type)) {
      complain({
        at: ['type'],
        message: `there is no layer type '${layer.type}'`,
        candidates: Object.keys(layerTypes),
      });
      continue;
    }
    const type = layerTypes[layer.type];
    for (const problem of parameterProblems(layer, type, rank, from.length)) complain(problem);
    const { name: _, type: typeName, from: __, weights: ___, ...given } = layer;
    const parameters = Object.fromEntries(Object.entries(given).filter(([key]) => !ofWeights.includes(key)));
    if (typeName === 'flatten')
      parameters.order ??= file?.order === 'out-first' ? 'channels-first' : 'channels-last';
    // After a problem, what is known nevertheless lets the layers after it be checked.
    const sound = sources.filter(source => source !== 'broken');
    const whole = sound.length === sources.length;
    const rows = type.givesRows ?? sound[0]?.rows ?? false;
    const into = sources.map(source => (source === 'broken' ? undefined : source.channels));
    if (whole && type.reads && (type.reads === 'rows') !== sound[0].rows)
      complain({
        at: ['type'],
        message:
          type.reads === 'cells'
            ? `a ${typeName} layer reads cells in space, but ${from[0]} gives one row of values a sample`
            : `a ${typeName} layer reads one row of values a sample: put flatten or global-average-pool before it`,
      });
    let weights: Weights | undefined;
    const random = !file || layer.weights === 'random';
    if (type.weights && problems.length === before && (whole || !random)) {
      const found = weightsOf({ name, layer, type, rank, depth: into[0] }, seed, file);
      if (isProblem(found)) complain(found);
      else weights = found;
    }
    const out =
      weights || (whole && !type.weights)
        ? type.channels(into, shapesOf(weights), parameters)
        : layer.filters;
    if (problems.length === before && (whole || weights))
      known.set(name, { channels: out as number | undefined, rows });
    else if (typeof out === 'number') known.set(name, { channels: out, rows });
    layers.push({ name, type: typeName, from, parameters, weights });
  }
  return { network: { name: description.name ?? 'layers', rank, channels, layers }, problems };
}

/** What comes out of a layer: channels where they do not depend on the input's size, and whether it has lost its cells. */
type Known = { channels: number | undefined; rows: boolean } | 'broken';

const isProblem = (found: Weights | LayerProblem): found is LayerProblem =>
  typeof (found as LayerProblem).message === 'string';

function parameterProblems(
  layer: LayerDescription,
  type: LayerType,
  rank: number,
  inputs: number,
): LayerProblem[] {
  const problems: LayerProblem[] = [];
  const known = { ...commonParameters, ...type.parameters };
  const own = [...Object.keys(type.parameters), ...(type.weights ? ['weights'] : [])];
  for (const [key, value] of Object.entries(layer)) {
    if (key === 'type' || (key === 'weights' && type.weights) || value === undefined) continue;
    const parameter = Object.hasOwn(known, key) ? known[key] : undefined;
    if (!parameter)
      problems.push({
        at: [key],
        message: `a ${layer.type} layer has no '${key}'; it takes ${own.length > 0 ? own.join(', ') : 'no parameters'}`,
      });
    else if (!fits(parameter, value))
      problems.push({
        at: [key],
        message: `${key} must be ${describe(parameter)}, but is ${JSON.stringify(value)}`,
      });
    else if (perDimension.includes(key) && Array.isArray(value) && value.length !== rank)
      problems.push({
        at: [key],
        message: `${key} has ${value.length} entries, but the network has rank ${rank}: give one number, or one per dimension`,
      });
  }
  for (const key of type.required ?? [])
    if (layer[key] === undefined)
      problems.push({
        at: ['type'],
        message: `a ${layer.type} layer needs '${key}': ${type.parameters[key].description}`,
      });
  if (type.inputs === 'several' ? inputs < 2 : inputs !== 1)
    problems.push({
      at: layer.from === undefined ? ['type'] : ['from'],
      message: `a ${layer.type} layer reads ${type.inputs ? 'two layers or more: name them with from' : 'one layer'}, not ${inputs}`,
    });
  return problems;
}
