// What is remembered of one layer while inputs stream past: the best hits of every unit, the histogram of its activations,
// sums over all cells, and by label sums over inputs. Its size depends on the number of units and labels alone.

import { NdconvError } from '../errors.ts';
import type { Packed } from '../tensor/packed.ts';
import { type BestLists, createBestLists, type Hit } from './best.ts';
import { createHistograms, type Histograms } from './histograms.ts';

/** How many patches of a unit may come from one input: the best alone, or any number that do not overlap. */
export const spreads = ['one', 'apart'] as const;
export type Spread = (typeof spreads)[number];

/** Sums over all cells of all inputs; `r` is an activation a with what is below 0 left out. */
export interface LayerSums {
  cells: number;
  readonly a: Float64Array;
  readonly r: Float64Array;
  readonly rr: Float64Array;
  /** Cells above 0. */
  readonly active: Float64Array;
  readonly least: Float64Array;
  readonly most: Float64Array;
  /** Σ aᵢ·aⱼ, `[units, units]`; absent for layers of more units than are compared with each other. */
  readonly products?: Float64Array;
}

/** Over the inputs of one label: sums of the mean of r over an input's cells, and of its square. */
export interface LabelSums {
  inputs: number;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

/** What is remembered of a layer. */
export interface LayerRecord {
  readonly layer: string;
  readonly units: number;
  readonly best: BestLists;
  readonly histograms: Histograms;
  readonly sums: LayerSums;
  readonly byLabel: ReadonlyMap<string, LabelSums>;
}

/** What one input made of a layer. */
export interface Activations {
  readonly item: number;
  readonly name: string;
  readonly label: string;
  /** `[1, ...cells, units]`. */
  readonly value: Packed;
  /** Its Gram matrix `[units, units]`, where the record has products. */
  readonly gram?: Float32Array;
  /** Whether the fields of two cells overlap. */
  overlap(a: number, b: number): boolean;
}

/** Most units that are compared with each other. */
export const mostCompared = 1024;

/** A record of a layer of so many units. */
export function createRecord(
  layer: string,
  units: number,
  { patches, spread }: { patches: number; spread: Spread },
): LayerRecord & { add(activations: Activations): void } {
  const best = createBestLists(units, patches);
  const histograms = createHistograms(units);
  const zeros = () => new Float64Array(units);
  const sums: LayerSums = {
    cells: 0,
    a: zeros(),
    r: zeros(),
    rr: zeros(),
    active: zeros(),
    least: zeros().fill(Number.POSITIVE_INFINITY),
    most: zeros().fill(Number.NEGATIVE_INFINITY),
    ...(units <= mostCompared ? { products: new Float64Array(units * units) } : {}),
  };
  const byLabel = new Map<string, LabelSums>();
  const least = new Float32Array(units);
  const most = new Float32Array(units);
  const where = new Int32Array(units);
  const response = new Float64Array(units);

  /** Sums and extremes of one input; leaves Σ r in `response`. */
  const sumUp = (data: Float32Array, cells: number): void => {
    least.fill(Number.POSITIVE_INFINITY);
    most.fill(Number.NEGATIVE_INFINITY);
    response.fill(0);
    const { a, rr, active } = sums;
    for (let cell = 0, i = 0; cell < cells; cell++)
      for (let unit = 0; unit < units; unit++, i++) {
        const value = data[i];
        a[unit] += value;
        if (value > 0) {
          response[unit] += value;
          rr[unit] += value * value;
          active[unit]++;
        }
        if (value < least[unit]) least[unit] = value;
        if (value > most[unit]) {
          most[unit] = value;
          where[unit] = cell;
        }
      }
    sums.cells += cells;
    for (let unit = 0; unit < units; unit++) {
      sums.r[unit] += response[unit];
      if (least[unit] < sums.least[unit]) sums.least[unit] = least[unit];
      if (most[unit] > sums.most[unit]) sums.most[unit] = most[unit];
    }
  };

  /** Best cells of one unit whose fields do not overlap, as far as they may be kept. */
  const addApart = ({ item, value: { data }, overlap }: Activations, unit: number): void => {
    const candidates: Hit[] = [];
    for (let cell = 0, i = unit; i < data.length; cell++, i += units)
      if (best.accepts(unit, data[i])) candidates.push({ value: data[i], item, cell });
    candidates.sort((a, b) => b.value - a.value || a.cell - b.cell);
    const taken: Hit[] = [];
    for (const hit of candidates) {
      if (taken.length === patches || !best.accepts(unit, hit.value)) break;
      if (taken.some(({ cell }) => overlap(cell, hit.cell))) continue;
      taken.push(hit);
      best.add(unit, hit);
    }
  };

  return {
    layer,
    units,
    best,
    histograms,
    sums,
    byLabel,
    add(activations) {
      const { item, name, label, value, gram } = activations;
      const cells = value.data.length / units;
      sumUp(value.data, cells);
      if (sums.a.some(sum => !Number.isFinite(sum)))
        throw new NdconvError(
          'RunError',
          `layer ${layer} gives values that are not finite for ${name}: check that input, or leave it out`,
          { layer, item },
        );
      histograms.add(value.data, least, most);
      addProducts(sums.products, value.data, units, gram);
      let own = byLabel.get(label);
      if (!own) byLabel.set(label, (own = { inputs: 0, sum: zeros(), squares: zeros() }));
      own.inputs++;
      for (let unit = 0; unit < units; unit++) {
        const mean = response[unit] / cells;
        own.sum[unit] += mean;
        own.squares[unit] += mean * mean;
        if (!best.accepts(unit, most[unit])) continue;
        if (spread === 'one') best.add(unit, { value: most[unit], item, cell: where[unit] });
        else addApart(activations, unit);
      }
    },
  };
}

/** Adds a Gram matrix, or that of the one cell of a layer without space. */
function addProducts(
  products: Float64Array | undefined,
  data: Float32Array,
  units: number,
  gram: Float32Array | undefined,
): void {
  if (!products) return;
  if (gram) for (let i = 0; i < products.length; i++) products[i] += gram[i];
  else
    for (let i = 0; i < units; i++)
      for (let j = 0; j < units; j++) products[i * units + j] += data[i] * data[j];
}
