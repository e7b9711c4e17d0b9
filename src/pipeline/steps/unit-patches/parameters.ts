// What `unit-patches` is given in a pipeline.

import { type Spread, spreads } from '../../../units/layer-record.ts';
import { type Order, orders } from '../../../units/numbers.ts';
import { type ViewName, viewNames } from '../../../units/views.ts';
import type { Schema } from '../../step.ts';

export interface Parameters {
  network: string;
  dataset: string;
  layers: Record<string, number | number[]>;
  patches: number;
  perInput: Spread;
  order?: Order;
  views: ViewName[];
  folder?: string;
}

export const schema: Schema = {
  required: ['network', 'dataset', 'layers'],
  properties: {
    network: { reference: ['network'], description: 'the network' },
    dataset: { reference: ['dataset'], description: 'the inputs, as the network takes them' },
    layers: {
      type: 'object',
      minProperties: 1,
      additionalProperties: {
        oneOf: [
          { type: 'integer', minimum: 1 },
          { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0 } },
        ],
      },
      description: 'by layer name: how many units, the first by order, or a list of their numbers from 0',
      examples: [{ relu1: 20, conv3: [4, 17] }],
    },
    patches: {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: 9,
      description: 'patches of each unit: the parts of inputs that excite it most',
    },
    perInput: {
      enum: spreads,
      default: 'one',
      description: 'patches that an input may give to a unit: one, or any number that do not overlap (apart)',
    },
    order: {
      enum: orders,
      description:
        'which units come first: distance (where absent) tells a label from the others by most deviations (d′), the best of every label first, selectivity is (μ − ν) / (μ + ν) of Morcos et al. 2018, sparsity that of Treves & Rolls 1991, highest the largest activation (where absent and there is one label)',
    },
    views: {
      type: 'array',
      items: { enum: viewNames },
      default: [...viewNames],
      description:
        'why a unit responds: deconvolution (Zeiler & Fergus 2014), guided backpropagation, gradient; [] leaves them out',
    },
    folder: {
      path: 'write',
      description:
        'also writes every patch and view as a file (PNG, WAV, NIfTI, NPZ) with units.json: coordinates and numbers',
    },
  },
};
