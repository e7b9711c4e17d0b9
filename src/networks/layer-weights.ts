// Where the weights of a described layer come from: numbers in the description, tensors of a weights file by name, or the
// seed (He et al. 2015; a bias begins at 0). What does not fit is a problem at a key of the layer.

import { createRandom } from '../random.ts';
import { product } from '../tensor/layout.ts';
import type { LayerDescription, LayerProblem } from './layered.ts';
import type { LayerType } from './layers.ts';
import type { Weights } from './network.ts';
import { fromOutFirst, type NamedTensor, suffixOf, type WeightsFile } from './weights.ts';

/** A layer whose weights are wanted. */
export interface Wanting {
  name: string;
  layer: LayerDescription;
  type: LayerType;
  rank: number;
  /** Channels that it reads, where known. */
  depth: number | undefined;
}

/** Thrown where a layer cannot have weights; `at` is a key of the layer, or nothing where it is the layer as a whole. */
class Unfit extends Error {
  readonly problem: LayerProblem;
  constructor(at: string | undefined, message: string, candidates?: string[]) {
    super(message);
    this.problem = { at: at === undefined ? [] : [at], message, ...(candidates ? { candidates } : {}) };
  }
}

/** The weights, or what is wrong. */
export function weightsOf(wanting: Wanting, seed: number, file?: WeightsFile): Weights | LayerProblem {
  try {
    const { layer, name, type } = wanting;
    const { weights: source } = layer;
    const constants = type.parameters.scale && (layer.scale !== undefined || layer.shift !== undefined);
    if (constants && source === undefined) return constantWeights(wanting);
    if (constants)
      throw new Unfit('weights', `layer ${name} has scale and shift here; take them from one place only`);
    if (source === 'random' || (source === undefined && !file)) return randomWeights(wanting, seed);
    if (!file) throw new Unfit('weights', `layer ${name} takes its weights from a file, but none is given`);
    return storedWeights(wanting, file);
  } catch (error) {
    if (error instanceof Unfit) return error.problem;
    throw error;
  }
}

function constantWeights({ name, layer, depth }: Wanting): Weights {
  const vector = (key: 'scale' | 'shift', standard: number): NamedTensor => {
    const given = layer[key] ?? standard;
    const values = Array.isArray(given) ? (given as number[]) : undefined;
    if (values && depth !== undefined && values.length !== depth)
      throw new Unfit(
        key,
        `layer ${name}: ${key} has ${values.length} numbers, the layer reads ${depth} channels`,
      );
    // One number a channel also where one is given for all, so that training may tell them apart.
    const numbers = values ?? new Array<number>(depth ?? 1).fill(given as number);
    return { shape: [numbers.length], data: Float32Array.from(numbers) };
  };
  return { scale: vector('scale', 1), shift: vector('shift', 0) };
}

const sizes = (value: unknown, rank: number): number[] | undefined =>
  value === undefined
    ? undefined
    : Array.isArray(value)
      ? (value as number[])
      : new Array<number>(rank).fill(value as number);

const isDense = ({ layer }: Wanting) => layer.type === 'dense';
const groupsOf = ({ layer }: Wanting) => Number(layer.groups ?? 1);

/** `[...kernel, in, out]` of the description, as the engine keeps weights; undefined where it does not say. */
function describedShape(wanting: Wanting): (number | undefined)[] {
  const { layer, depth, rank } = wanting;
  const filters = layer.filters as number | undefined;
  const groups = groupsOf(wanting);
  if (isDense(wanting)) return [(layer.inputs as number | undefined) ?? depth, filters];
  const kernel = sizes(layer.kernel, rank) ?? new Array<undefined>(rank).fill(undefined);
  const part = (n: number | undefined) => (n === undefined ? undefined : n / groups);
  return layer.type === 'transposed-convolution'
    ? [...kernel, part(filters), depth]
    : [...kernel, part(depth), filters];
}

function randomWeights(wanting: Wanting, seed: number): Weights {
  const { name, layer, type, depth } = wanting;
  if (type.allWeights)
    throw new Unfit(
      'type',
      type.parameters.scale
        ? `layer ${name} (${layer.type}) needs scale or shift, or weights from a weights file`
        : `layer ${name} (${layer.type}) needs weights from a weights file`,
    );
  for (const key of isDense(wanting) ? ['filters'] : ['kernel', 'filters'])
    if (layer[key] === undefined)
      throw new Unfit(
        'type',
        `layer ${name} (${layer.type}) needs '${key}': ${type.parameters[key].description}`,
      );
  const shape = describedShape(wanting);
  if (shape.includes(undefined))
    throw new Unfit(
      'type',
      isDense(wanting)
        ? `layer ${name} (dense) needs 'inputs': after flatten the values of a sample depend on the size of the input`
        : `layer ${name} (${layer.type}) reads an unknown number of channels; it cannot follow flatten`,
    );
  checkGroups(wanting, depth, layer.filters as number);
  const known = shape as number[];
  const random = createRandom(seed, `weights of ${name}`);
  const out = layer.filters as number;
  const scale = Math.sqrt((2 * out) / product(known));
  const data = Float32Array.from({ length: product(known) }, () => scale * random.normal());
  return { weights: { shape: known, data }, bias: { shape: [out], data: new Float32Array(out) } };
}

function checkGroups(wanting: Wanting, depth: number | undefined, filters: number): void {
  const groups = groupsOf(wanting);
  for (const [what, n] of [
    ['channels that it reads', depth],
    ['filters', filters],
  ] as const)
    if (n !== undefined && n % groups !== 0)
      throw new Unfit('groups', `layer ${wanting.name}: ${groups} groups do not divide the ${n} ${what}`);
}

function storedWeights(wanting: Wanting, file: WeightsFile): Weights {
  const { name, layer, type, rank, depth } = wanting;
  const roles = type.weights!;
  const named = typeof layer.weights === 'object' ? layer.weights : undefined;
  const prefix = typeof layer.weights === 'string' ? layer.weights : name;
  for (const role of Object.keys(named ?? {}))
    if (!roles.includes(role))
      throw new Unfit(
        'weights',
        `layer ${name} (${layer.type}) has no '${role}'; it has ${roles.join(', ')}`,
      );
  const weights: Weights = {};
  for (const [i, role] of roles.entries()) {
    const needed = i === 0 || type.allWeights;
    const key = named ? named[role] : `${prefix}.${suffixOf[role]}`;
    const tensor = key === undefined ? undefined : file.tensors.get(key);
    if (!tensor && (needed || (named && key !== undefined)))
      throw named
        ? new Unfit(
            'weights',
            key === undefined
              ? `layer ${name}: weights names no '${role}'`
              : `${file.path} holds no tensor '${key}' (${role} of layer ${name})`,
          )
        : missing(wanting, prefix, key!, file);
    if (!tensor) continue;
    if (role !== 'weights') weights[role] = { shape: [tensor.data.length], data: tensor.data };
    else weights.weights = inOrder(wanting, tensor, key!, file);
  }
  if (weights.weights) {
    const { shape } = weights.weights;
    const out =
      layer.type === 'transposed-convolution' ? shape[rank] * groupsOf(wanting) : shape[shape.length - 1];
    checkGroups(wanting, depth, out);
    expectLength(weights, 'bias', out, wanting, file);
  } else for (const role of roles) expectLength(weights, role, depth, wanting, file);
  return weights;
}

function missing({ name, layer }: Wanting, prefix: string, key: string, file: WeightsFile): Unfit {
  const held = [...file.tensors.keys()].filter(other => other.startsWith(`${prefix}.`));
  const unnamed = layer.weights === undefined;
  const remedy = unnamed ? ': name its tensors with weights, or write weights: random' : '';
  const message = `${file.path} holds no tensor '${key}' for layer ${name}`;
  return held.length > 0
    ? new Unfit(unnamed ? undefined : 'weights', `${message}; it holds ${held.slice(0, 6).join(', ')}`)
    : new Unfit(unnamed ? undefined : 'weights', message + remedy, prefixes(file));
}

function expectLength(
  weights: Weights,
  role: string,
  wanted: number | undefined,
  { name }: Wanting,
  file: WeightsFile,
): void {
  const found = weights[role]?.data.length;
  if (found !== undefined && wanted !== undefined && found !== wanted)
    throw new Unfit(
      'weights',
      `layer ${name}: its ${role} in ${file.path} has ${found} numbers, ${wanted} are wanted`,
    );
}

/** The tensor in the engine's order, once it fits what is described. */
function inOrder(wanting: Wanting, tensor: NamedTensor, key: string, file: WeightsFile): NamedTensor {
  const { name, layer, rank } = wanting;
  const wanted = describedShape(wanting);
  const fit = (shape: readonly number[]) =>
    shape.length === wanted.length && wanted.every((n, a) => n === undefined || n === shape[a]);
  const turned = ([out, into, ...kernel]: readonly number[]) => [...kernel, into, out];
  const shown = (shape: readonly unknown[]) => `[${shape.map(n => n ?? 'any').join(', ')}]`;
  const outFirst = file.order === 'out-first';
  if (fit(outFirst ? turned(tensor.shape) : tensor.shape)) return outFirst ? fromOutFirst(tensor) : tensor;
  const expected = outFirst ? [...wanted.slice(-1), ...wanted.slice(-2, -1), ...wanted.slice(0, -2)] : wanted;
  const other = fit(outFirst ? tensor.shape : turned(tensor.shape));
  const hint = other
    ? `; it fits with order: ${outFirst ? 'out-last' : 'out-first'}`
    : tensor.shape.length !== expected.length && !isDense(wanting)
      ? `; the network has rank ${rank}`
      : '';
  throw new Unfit(
    layer.weights === undefined ? undefined : 'weights',
    `layer ${name} (${layer.type}): '${key}' of ${file.path} is ${shown(tensor.shape)}, but ${shown(expected)} is wanted${hint}`,
  );
}

/** Names that layers can have in `weights`. */
const prefixes = ({ tensors }: WeightsFile): string[] => [
  ...new Set(
    [...tensors.keys()].filter(name => name.includes('.')).map(name => name.replace(/\.[^.]*$/, '')),
  ),
];
