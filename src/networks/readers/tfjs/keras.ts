// TensorFlow.js layers-models: a Keras configuration (Sequential, Functional, nested) with weights by name, as a network.
// A configuration is data: layers outside the table of keras-layers.ts, Lambda among them, are refused by name.

import { NdconvError } from '../../../errors.ts';
import type { Network } from '../../network.ts';
import type { Constant } from '../constants.ts';
import { type Item, isStored, type Lowering } from '../lowering.ts';
import { Builder, networkOf } from './builder.ts';
import { type Config, kerasLayers } from './keras-layers.ts';

interface Model {
  layers: { class_name: string; name: string; config: Config; inbound: string[][] }[];
  inputs: string[];
  outputs: string[];
}

const isRecord = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function broken(file: string, what: string): NdconvError {
  return new NdconvError(
    'NetworkError',
    `${file}: the model ${what}; convert it again with tensorflowjs_converter`,
    {
      path: file,
    },
  );
}

/** A configuration with its connections as names of layers, the input of a Sequential model among them. */
function parseModel(file: string, className: string, config: unknown): Model {
  const given = isRecord(config) ? config.layers : config;
  if (!Array.isArray(given) || given.length === 0 || given.length > 2 ** 12)
    throw broken(file, 'has no layers');
  const layers = given.map(layer => {
    if (!isRecord(layer) || !isRecord(layer.config))
      throw broken(file, 'has a layer without a configuration');
    const name = String(layer.name ?? layer.config.name ?? layer.class_name);
    const calls = Array.isArray(layer.inbound_nodes) ? layer.inbound_nodes : [];
    if (calls.length > 1) throw broken(file, `calls layer ${name} ${calls.length} times, which is not read`);
    const inbound = calls.map(call => (Array.isArray(call) ? call.map(c => String(c?.[0])) : []));
    return { class_name: String(layer.class_name), name, config: layer.config, inbound };
  });
  const ends = (value: unknown): string[] => {
    if (!Array.isArray(value)) return [];
    return typeof value[0] === 'string' ? [value[0]] : value.map(v => String(v?.[0]));
  };
  if (className === 'Sequential') {
    if (layers[0].class_name !== 'InputLayer') {
      const shape = layers[0].config.batch_input_shape;
      layers.unshift({
        class_name: 'InputLayer',
        name: 'keras input',
        config: { batch_input_shape: shape },
        inbound: [],
      });
    }
    const linked = layers.map((layer, i) => ({ ...layer, inbound: i === 0 ? [] : [[layers[i - 1].name]] }));
    return { layers: linked, inputs: [layers[0].name], outputs: [layers.at(-1)!.name] };
  }
  const { input_layers: inputs, output_layers: outputs } = config as Config;
  return { layers, inputs: ends(inputs), outputs: ends(outputs) };
}

const modelClasses = ['Model', 'Functional', 'Sequential'];

/** Lowers a model over its inputs; gives its outputs. */
function lowerModel(
  file: string,
  model: Model,
  given: readonly Item[],
  builder: Builder,
  weights: ReadonlyMap<string, Constant>,
  depth: number,
): Item[] {
  if (depth > 8) throw broken(file, 'nests its models more than 8 deep');
  const values = new Map(model.inputs.map((name, i): [string, Item] => [name, given[i]]));
  // A layer may stand before one that it reads: passes go on until one finds nothing ready.
  let open = model.layers.filter(l => !values.has(l.name));
  while (open.length > 0) {
    const waiting: typeof open = [];
    for (const layer of open) {
      const sources = layer.inbound[0] ?? [];
      const items = sources.flatMap(name => values.get(name) ?? []);
      if (sources.length === 0 || items.length < sources.length) waiting.push(layer);
      else values.set(layer.name, lowerLayer(file, layer, items, builder, weights, depth));
    }
    if (waiting.length === open.length)
      throw broken(
        file,
        `has layers that wait for each other or for nothing: ${waiting
          .slice(0, 5)
          .map(l => l.name)
          .join(', ')}`,
      );
    open = waiting;
  }
  return model.outputs.map(name => {
    const item = values.get(name);
    if (!item) throw broken(file, `has no output ${name}`);
    return item;
  });
}

function lowerLayer(
  file: string,
  layer: Model['layers'][number],
  items: readonly Item[],
  builder: Builder,
  weights: ReadonlyMap<string, Constant>,
  depth: number,
): Item {
  const { class_name: type, name, config } = layer;
  if (items.length === 0) throw broken(file, `gives layer ${name} no input`);
  if (modelClasses.includes(type)) {
    const inner = parseModel(file, type, config);
    const [result] = lowerModel(file, inner, items, builder, weights, depth + 1);
    return builder.node(name, type, () => result)[0];
  }
  return builder.node(name, type, () => {
    const build = kerasLayers.get(type);
    if (!build)
      throw builder.unsupported(
        `there is no layer ${type} in ndconv`,
        `use ${type === 'Lambda' ? 'layers instead of code' : 'other layers'}, or cut the model before it`,
      );
    if (config.data_format === 'channels_first')
      throw builder.unsupported('data_format channels_first', 'convert the model with channels last');
    const weight = (role: string) =>
      weights.get(`${name}/${role}`) ??
      [...weights].find(
        ([key]) => key.endsWith(`/${name}/${role}`) || key === `${name}/${name}/${role}`,
      )?.[1];
    const need = (role: string) => {
      const found = weight(role);
      if (!found) throw broken(file, `has no weights '${name}/${role}'`);
      return found;
    };
    return build({ builder, config, items, weight, need });
  })[0];
}

/** A layers-model as a network; `topology` is its `modelTopology`. Errors: NetworkError, FormatError. */
export function kerasNetwork(
  file: string,
  topology: Config,
  weights: ReadonlyMap<string, Constant>,
): Network {
  const root = isRecord(topology.model_config) ? topology.model_config : topology;
  const type = String(root.class_name);
  if (!modelClasses.includes(type)) throw broken(file, `is a ${type}, not one of ${modelClasses.join(', ')}`);
  const model = parseModel(file, type, root.config);
  if (model.inputs.length !== 1)
    throw broken(file, `has ${model.inputs.length} inputs, and a network takes one`);
  const first = model.layers.find(l => l.name === model.inputs[0]);
  const shape = first?.config.batch_input_shape ?? first?.config.batch_shape;
  if (!Array.isArray(shape) || shape.length > 8 || shape.some(n => n !== null && !Number.isSafeInteger(n)))
    throw broken(file, 'does not say the shape of its input');
  const name = String((isRecord(root.config) && root.config.name) || 'tfjs');
  return networkOf(file, name, shape, (lowering: Lowering, input) => {
    const builder = new Builder(file, lowering);
    const outputs = lowerModel(file, model, [input], builder, weights, 0);
    if (outputs.some(o => !isStored(o)))
      throw broken(file, 'has an output that does not depend on its input');
  });
}
