// One pass over a dataset that remembers, for chosen layers of a network, where every unit responded most and how all of
// its activations are spread. Inputs come one at a time and are let go, so that the dataset may be larger than memory.

import type { Backend } from '../backends/backend.ts';
import type { Dataset } from '../datasets/dataset.ts';
import type { Item } from '../datasets/list.ts';
import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import type { Network } from '../networks/network.ts';
import { createRecord, type LayerRecord, type Spread } from './layer-record.ts';
import { createReader, overlapping } from './reader.ts';

export interface ScanOptions {
  /** Patches kept of every unit. */
  readonly patches: number;
  /** How many of them may come from one input. */
  readonly spread: Spread;
  readonly signal?: AbortSignal;
  /** Told after every input. */
  readonly onInput?: (done: number, of: number) => void;
}

/** Every item that can be read with its place among the items. */
export async function* readPlaced(
  dataset: Dataset,
  items: Iterable<number> = dataset.items.keys(),
): AsyncGenerator<{ at: number; item: Item; field: Field }> {
  for (const at of items) {
    const item = dataset.items[at];
    const field = await dataset.read(item);
    if (field) yield { at, item, field };
  }
}

/**
 * Records of the layers, by name, after all inputs (or those before `signal`), and the shape of the last. Errors: NetworkError and ShapeError naming
 * the input that does not fit the network; RunError where activations are not finite, or nothing could be read.
 */
export async function scanUnits(
  network: Network,
  dataset: Dataset,
  layers: readonly string[],
  backend: Backend,
  { patches, spread, signal, onInput }: ScanOptions,
): Promise<{ records: Map<string, LayerRecord>; inputs: number; shape: readonly number[] }> {
  const reader = createReader(network, layers, backend);
  const records = new Map<string, ReturnType<typeof createRecord>>();
  let inputs = 0;
  let shape: readonly number[] = [];
  try {
    for await (const { at, item, field } of readPlaced(dataset)) {
      if (signal?.aborted) break;
      const { values, fields } = await reader.read(field).catch(error => {
        if (!(error instanceof NdconvError)) throw error;
        throw new NdconvError(error.tag, `${item.name}: ${error.message}`, error.fields, error);
      });
      for (const layer of layers) {
        const { value, gram } = values.get(layer)!;
        const units = value.shape.at(-1)!;
        let record = records.get(layer);
        if (!record) records.set(layer, (record = createRecord(layer, units, { patches, spread })));
        if (record.units !== units)
          throw new NdconvError(
            'ShapeError',
            `${item.name}: layer ${layer} has ${units} units for it and ${record.units} for the inputs before; bring all to one size`,
            { layer, shape: field.shape },
          );
        record.add({
          item: at,
          name: item.name,
          label: item.label,
          value,
          gram,
          overlap: (a, b) => overlapping(fields.inside(layer, a), fields.inside(layer, b)),
        });
      }
      inputs++;
      shape = field.shape;
      onInput?.(inputs, dataset.items.length);
      // Lets a signal be seen.
      await new Promise(setImmediate);
    }
  } finally {
    await reader.dispose();
  }
  if (inputs === 0)
    throw new NdconvError(
      'RunError',
      `units: ${signal?.aborted ? 'stopped before the first input' : 'no input of the dataset can be read'}`,
    );
  return { records, inputs, shape };
}
