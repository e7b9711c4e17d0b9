// `features`: what a network makes of an input. Prints the shape of every layer on the way; the value is one layer's.

import type { Field } from '../../formats/field.ts';
import { evaluateNetwork, planNetwork } from '../../networks/evaluate.ts';
import { type Layer, layerIndex, type Network } from '../../networks/network.ts';
import type { Step } from '../step.ts';

interface Parameters {
  network: string;
  input: string;
  layer?: string;
}

const times = (shape: readonly number[]): string => shape.join('×');

/** Names of the layers up to the one asked for, the last of the network where none is. */
function layersTo(network: Network, layer: string | undefined): string[] {
  const last = layer === undefined ? network.layers.length - 1 : layerIndex(network, layer);
  return network.layers.slice(0, last + 1).map(({ name }) => name);
}

/** `conv1: 10×16 (convolution 5, 16 filters)`. */
function describeLayer({ name, type, weights }: Layer, shape: readonly number[]): string {
  const filters = weights?.weights;
  const size = filters && filters.shape.length > 2 ? ` ${times(filters.shape.slice(0, -2))}` : '';
  return `${name}: ${times(shape)} (${type}${size}${filters ? `, ${shape.at(-1)} filters` : ''})`;
}

export const features: Step<Parameters> = {
  name: 'features',
  summary: "what a layer of a network makes of an input; prints every layer's shape",
  schema: {
    required: ['network', 'input'],
    properties: {
      network: { reference: ['network'], description: 'the network' },
      input: {
        reference: ['field'],
        description: 'its input, sample by sample: a sound is its samples, not its spectrogram',
      },
      layer: { type: 'string', description: 'the layer to keep; the last of the network where absent' },
    },
  },
  outputs: { value: 'field' },
  effect: true,
  check({ params, planOf, problem, forecast }) {
    const unknown = { outputs: { value: { kind: 'field' as const } } };
    const network = planOf(params.network).network as Network | undefined;
    const { shape } = planOf(params.input);
    if (!network || !shape) return unknown;
    const names = network.layers.map(({ name }) => name);
    if (params.layer !== undefined && !names.includes(params.layer)) {
      const message = `network ${network.name} has no layer '${params.layer}'`;
      problem({ at: ['layer'], message, candidates: names });
      return unknown;
    }
    const kept = layersTo(network, params.layer);
    let planned: ReturnType<typeof planNetwork>;
    try {
      planned = planNetwork(network, shape, kept, forecast);
    } catch (error) {
      problem({ at: ['input'], message: (error as Error).message });
      return unknown;
    }
    const lines = network.layers
      .slice(0, kept.length)
      .map(layer => describeLayer(layer, planned.shapes.get(layer.name)!));
    return {
      outputs: { value: { kind: 'field', fieldKind: 'array', shape: planned.shapes.get(kept.at(-1)!)! } },
      memory: planned.peak,
      seconds: planned.seconds,
      lines: [`input: ${times(shape)}`, ...lines, ...planned.heaviest],
    };
  },
  async run({ params, valueOf, backend, note, report }) {
    const network = valueOf<Network>(params.network);
    const input = valueOf<Field>(params.input);
    const kept = layersTo(network, params.layer);
    const values = await evaluateNetwork(network, input, kept, await backend());
    note(`input: ${times(input.shape)}`);
    const rows = network.layers.slice(0, kept.length).map(layer => {
      const { shape, data } = values.get(layer.name)!;
      const text = describeLayer(layer, shape.slice(1));
      note(text);
      return [layer.name, layer.type, times(shape.slice(1)), ...statistics(data)];
    });
    report({
      title: 'Layers',
      blocks: [
        { type: 'fields', items: [{ label: 'input', field: input }] },
        { type: 'table', columns: ['layer', 'type', 'shape', 'mean', 'deviation', 'zero'], rows },
      ],
    });
    const { shape, data } = values.get(kept.at(-1)!)!;
    const axes = shape
      .slice(1, -1)
      .map((_, i) => ({ name: input.axes[i]?.name ?? `axis ${i}`, spacing: 1, unit: '' }));
    const value: Field = {
      kind: 'array',
      shape: shape.slice(1) as number[],
      data,
      axes,
      source: `${kept.at(-1)} of ${input.source}`,
      valueUnit: '',
      sampleType: 'float32',
    };
    return { value };
  },
};

/** Mean, standard deviation and share of zeros. */
function statistics(data: Float32Array): string[] {
  let [sum, squares, zeros] = [0, 0, 0];
  for (const v of data) {
    sum += v;
    squares += v * v;
    if (v === 0) zeros++;
  }
  const mean = sum / data.length;
  const deviation = Math.sqrt(Math.max(0, squares / data.length - mean * mean));
  return [mean.toPrecision(3), deviation.toPrecision(3), `${((100 * zeros) / data.length).toFixed(0)} %`];
}
