// `segment`: which class a network says every cell of a field belongs to: tissue of a scan, phases of a signal. The result
// is a field of whole numbers on the same grid.

import type { Field } from '../../formats/field.ts';
import { evaluateNetwork, planNetwork } from '../../networks/evaluate.ts';
import type { Network } from '../../networks/network.ts';
import { product } from '../../tensor/layout.ts';
import type { CheckContext, Step } from '../step.ts';
import { percent } from './classify/report.ts';
import { largestIndex } from './classify/score.ts';

interface Parameters {
  network: string;
  input: string;
  layer?: string;
  classes?: string[];
  threshold?: number;
}

const times = (shape: readonly number[]): string => shape.join('×');

/** Most classes that a label file of 8 bits has names for. */
const mostClasses = 256;

/** What is wrong with a layer of this shape for a grid `[...spatial, channels]`. */
function faultOf(
  layer: string,
  shape: readonly number[],
  grid: readonly number[],
  { classes, threshold }: Parameters,
): { at: string; message: string } | undefined {
  const [spatial, own] = [shape.slice(0, -1), grid.slice(0, -1)];
  const count = shape[shape.length - 1];
  if (spatial.join() !== own.join())
    return {
      at: 'input',
      message: `layer ${layer} gives ${times(spatial)} cells for the ${times(own)} of the input, which are to be as many; pad or crop the input (prepare), or name another layer`,
    };
  if (count > mostClasses)
    return {
      at: 'network',
      message: `layer ${layer} gives ${count} channels, more than ${mostClasses} classes`,
    };
  if (count > 1 && threshold !== undefined)
    return {
      at: 'threshold',
      message: `it has no effect on ${count} channels, of which the largest is taken`,
    };
  const expected = Math.max(2, count);
  if (classes && classes.length !== expected)
    return {
      at: 'classes',
      message: `${classes.length} names for the ${expected} classes of layer ${layer}`,
    };
  return undefined;
}

/** The class of every cell: its largest channel, or whether its only one is above a threshold. */
function labelsOf(data: Float32Array, channels: number, threshold: number): Float32Array {
  if (channels === 1) return data.map(value => (value > threshold ? 1 : 0));
  const labels = new Float32Array(data.length / channels);
  for (let cell = 0, at = 0; cell < labels.length; cell++, at += channels)
    labels[cell] = largestIndex(data, at, at + channels);
  return labels;
}

/** `12.3 cm³`, where the axes say how large a cell is. */
function describeVolume(cells: number, { axes }: Field): string {
  if (axes.length !== 3 || axes.some(({ unit }) => unit !== 'mm')) return '';
  return `${((cells * axes.reduce((size, { spacing }) => size * Math.abs(spacing), 1)) / 1000).toFixed(1)} cm³`;
}

export const segment: Step<Parameters> = {
  name: 'segment',
  summary: 'which class every cell of a field belongs to: tissue of a scan, say; a field of whole numbers',
  schema: {
    required: ['network', 'input'],
    properties: {
      network: {
        reference: ['network'],
        description: 'a network with as many cells out as in, a channel for every class',
      },
      input: { reference: ['field'], description: 'what to segment' },
      layer: { type: 'string', description: 'the layer to read; the last of the network where absent' },
      classes: {
        type: 'array',
        minItems: 2,
        items: { type: 'string' },
        description: 'names in the order of the network, for the report; numbers from 0 where absent',
      },
      threshold: {
        type: 'number',
        description: 'a network of one channel: class 1 above it (0.5 where absent)',
      },
    },
  },
  effect: true,
  outputs: { value: 'field' },
  check({ params: p, planOf, problem, forecast }: CheckContext<Parameters>) {
    const unknown = { outputs: { value: { kind: 'field' as const } } };
    const network = planOf(p.network).network as Network | undefined;
    const plan = planOf(p.input);
    const { shape } = plan;
    if (!network || !shape) return unknown;
    const names = network.layers.map(({ name }) => name);
    if (p.layer !== undefined && !names.includes(p.layer)) {
      const message = `network ${network.name} has no layer '${p.layer}'`;
      problem({ at: ['layer'], message, candidates: names });
      return unknown;
    }
    const layer = p.layer ?? names[names.length - 1];
    let planned: ReturnType<typeof planNetwork>;
    try {
      planned = planNetwork(network, shape, [layer], forecast);
    } catch (error) {
      problem({ at: ['input'], message: (error as Error).message });
      return unknown;
    }
    const made = planned.shapes.get(layer)!;
    const fault = faultOf(layer, made, shape, p);
    if (fault) problem({ at: [fault.at], message: fault.message });
    const { channelNames: _, annotations: __, valueUnit: ___, ...grid } = plan;
    return {
      outputs: { value: { ...grid, kind: 'field', shape: [...shape.slice(0, -1), 1] } },
      memory: planned.peak + 4 * product(shape),
      seconds: planned.seconds,
      lines: [
        `${times(shape)} → ${layer}: ${Math.max(2, made[made.length - 1])} classes`,
        ...planned.heaviest,
      ],
    };
  },
  async run({ params: p, valueOf, backend, note, report }) {
    const network = valueOf<Network>(p.network);
    const input = valueOf<Field>(p.input);
    const layer = p.layer ?? network.layers[network.layers.length - 1].name;
    const found = (await evaluateNetwork(network, input, [layer], await backend())).get(layer)!;
    const channels = found.shape[found.shape.length - 1];
    const data = labelsOf(found.data, channels, p.threshold ?? 0.5);
    const { channelNames: _, iccProfile: __, ...grid } = input;
    const value: Field = {
      ...grid,
      shape: [...input.shape.slice(0, -1), 1],
      data,
      valueUnit: '',
      sampleType: 'uint8',
      source: `${layer} of ${input.source}`,
    };
    const counts = new Array<number>(Math.max(2, channels)).fill(0);
    for (const label of data) counts[label]++;
    const rows = counts.map((count, at) => [
      p.classes?.[at] ?? String(at),
      count,
      percent(count / data.length),
      describeVolume(count, input),
    ]);
    for (const [name, , share, volume] of rows) note(`${name}: ${share}${volume ? `, ${volume}` : ''}`);
    report({
      title: 'Segmentation',
      blocks: [
        { type: 'table', columns: ['class', 'cells', 'share', 'volume'], rows },
        // Apart, as their values share no window.
        { type: 'fields', items: [{ label: 'input', field: input }] },
        { type: 'fields', items: [{ label: 'classes', field: value }] },
      ],
    });
    return { value };
  },
};
