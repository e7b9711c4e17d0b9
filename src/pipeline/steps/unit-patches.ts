// `unit-patches`: the parts of a dataset's inputs that excite units of a network most, with views of why and numbers of
// every unit, in any rank.

import type { Dataset } from '../../datasets/dataset.ts';
import { NdconvError } from '../../errors.ts';
import { planNetwork } from '../../networks/evaluate.ts';
import type { Network } from '../../networks/network.ts';
import type { ReceptiveField } from '../../networks/receptive-field.ts';
import type { Step } from '../step.ts';
import { type Parameters, schema } from './unit-patches/parameters.ts';

const times = (sizes: readonly number[]): string => sizes.join('×');

/** `A unit sees 11×11 cells of the input, and the next one lies 4×4 further.` */
function describeField(field: ReceptiveField | undefined): string {
  if (!field) return 'A unit sees nothing of the input.';
  if (field.size.some(size => !Number.isFinite(size))) return 'A unit sees all of the input.';
  const steps = field.stride.map(step => step ?? 0);
  return `A unit sees ${times(field.size)} ${field.size.length === 1 ? 'samples' : 'cells'} of the input; the next one lies ${times(steps)} further.`;
}

export const unitPatches: Step<Parameters> = {
  name: 'unit-patches',
  summary:
    'what units of a network have learned: the parts of inputs that excite them most, why, and numbers of each (Zeiler & Fergus 2014)',
  schema,
  outputs: { value: 'table' },
  effect: true,
  async check({ params, planOf, problem, forecast }) {
    const unknown = { outputs: { value: { kind: 'table' as const } } };
    const { network } = planOf(params.network) as { network?: Network };
    const { fieldShape: shape, items } = planOf(params.dataset) as { fieldShape?: number[]; items?: number };
    if (!network) return unknown;
    const names = network.layers.map(({ name }) => name);
    const layers = Object.keys(params.layers);
    let faults = 0;
    for (const layer of layers)
      if (!names.includes(layer)) {
        faults++;
        const message = `network ${network.name} has no layer '${layer}'`;
        problem({ at: ['layers', layer], message, candidates: names });
      }
    if (faults > 0 || !shape) return unknown;
    const { fieldsOf, fitNetwork } = await import('../../units/reader.ts');
    let planned: ReturnType<typeof planNetwork>;
    try {
      planned = planNetwork(fitNetwork(network, shape, layers), shape, layers, forecast);
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      problem({ at: ['dataset'], message: error.message });
      return unknown;
    }
    const receptive = fieldsOf(network, shape, layers).receptive();
    const lines = layers.map(layer => {
      const units = planned.shapes.get(layer)!.at(-1)!;
      const wanted = params.layers[layer];
      for (const [i, unit] of [wanted].flat().entries())
        if (Array.isArray(wanted) ? unit >= units : unit > units)
          problem({
            at: ['layers', layer, ...(Array.isArray(wanted) ? [i] : [])],
            message: Array.isArray(wanted)
              ? `layer ${layer} has units 0 to ${units - 1}; there is no unit ${unit}`
              : `layer ${layer} has ${units} units; ${unit} were asked for`,
          });
      return `${layer}: ${times(planned.shapes.get(layer)!)}. ${describeField(receptive.get(layer))}`;
    });
    return {
      outputs: { value: { kind: 'table' } },
      // A program that reads, and one that also sends back: about three times as much for every view.
      memory: planned.peak * (1 + 2 * params.views.length),
      ...(planned.seconds !== undefined && items !== undefined ? { seconds: planned.seconds * items } : {}),
      lines: [`inputs: ${times(shape)}${items === undefined ? '' : `, ${items} of them`}`, ...lines],
    };
  },
  async run(context) {
    const { params, valueOf, backend: open, progress, note, signal, report, write } = context;
    const network = valueOf<Network>(params.network);
    const dataset = valueOf<Dataset>(params.dataset);
    const [{ scanUnits }, { cutPatches }, numbers, { createUnitsReport }, { createUnitFiles }, { fieldsOf }] =
      await Promise.all([
        import('../../units/scan.ts'),
        import('../../units/patches.ts'),
        import('../../units/numbers.ts'),
        import('./unit-patches/report.ts'),
        import('./unit-patches/files.ts'),
        import('../../units/reader.ts'),
      ]);
    const backend = await open();
    const layers = Object.keys(params.layers);
    const { patches, perInput, views } = params;
    const { records, inputs, shape } = await scanUnits(network, dataset, layers, backend, {
      patches,
      spread: perInput,
      signal,
      onInput: (done, of) =>
        progress({ fraction: (0.5 * done) / of, iteration: done, iterations: of, message: 'reading inputs' }),
    });
    if (dataset.labels.length < 2 && (params.order === 'distance' || params.order === 'selectivity'))
      note(
        `all inputs have one label: units come in no order by ${params.order}; choose sparsity or highest`,
      );
    const order = params.order ?? (dataset.labels.length > 1 ? 'distance' : 'highest');
    const receptive = fieldsOf(network, shape, layers).receptive();
    const results = layers.map(layer => {
      const record = records.get(layer)!;
      const wanted = params.layers[layer];
      return {
        layer,
        numbers: Array.from({ length: record.units }, (_, unit) => numbers.numbersOf(record, unit)),
        chosen: Array.isArray(wanted) ? wanted : numbers.chooseUnits(record, wanted, order),
        field: describeField(receptive.get(layer)),
      };
    });
    const wanted = results.flatMap(({ layer, chosen }) =>
      chosen.flatMap(unit => {
        const { best, sums } = records.get(layer)!;
        // Where a unit is as low as anywhere, nothing excites it.
        const hits = best.lists[unit].filter(({ value }) => value > sums.least[unit]);
        return hits.map((hit, rank) => ({ layer, unit, rank, hit }));
      }),
    );
    const page = createUnitsReport(wanted.length, views);
    const files = params.folder === undefined ? undefined : createUnitFiles({ write, note }, params.folder);
    let done = 0;
    for await (const patch of cutPatches(network, dataset, wanted, views, backend)) {
      await page.add(patch);
      await files?.add(patch);
      done++;
      progress({ fraction: 0.5 + (0.5 * done) / wanted.length, message: 'cutting patches' });
      await new Promise(setImmediate);
      if (signal.aborted) break;
    }
    await files?.end(network.name, inputs, results);
    for (const section of page.sections(network.name, inputs, results)) report(section);
    for (const { layer, numbers: all } of results) {
      const dead = all.filter(unit => unit.dead).length;
      if (dead > 0) note(`${layer}: ${dead} of ${all.length} units are dead, the same for all inputs`);
    }
    return { value: results };
  },
};
