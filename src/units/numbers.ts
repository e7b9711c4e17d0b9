// Numbers of a unit, from what was remembered of its layer. Sparsity is that of Treves & Rolls (1991) as Vinje & Gallant
// (2000) scale it: 0 where all cells respond alike, 1 where one alone does. Selectivity is that of Morcos et al. (2018),
// "On the importance of single directions for generalization": (μ − ν) / (μ + ν), where μ is the mean response to the label
// that excites the unit most and ν the mean over the other labels' means; the response to an input is the mean of what is
// above 0 over its cells.

import type { Histogram } from './histograms.ts';
import type { LayerRecord } from './layer-record.ts';

/** How a unit tells labels apart. */
export interface Selectivity {
  /** The label that excites it most. */
  readonly label: string;
  /** (μ − ν) / (μ + ν), from 0 to 1. */
  readonly value: number;
  /** Difference of the means of that label's inputs and all others, in pooled standard deviations (d′). */
  readonly distance: number;
}

/** One unit in numbers. */
export interface UnitNumbers {
  readonly unit: number;
  readonly lowest: number;
  readonly highest: number;
  readonly mean: number;
  /** Share of cells above 0. */
  readonly active: number;
  /** From 0 to 1; undefined for a unit that is never above 0. */
  readonly sparsity?: number;
  /** Undefined where there is one label, or no response. */
  readonly selectivity?: Selectivity;
  /** Mean response by label, in the order of the labels. */
  readonly responses: readonly { label: string; mean: number; inputs: number }[];
  /** Has one value at all cells of all inputs. */
  readonly dead: boolean;
  /** Units of the layer whose activations rise and fall with its own, best first. */
  readonly similar: readonly { unit: number; correlation: number }[];
  readonly histogram: Histogram;
}

/** Units that are named as similar. */
const mostSimilar = 3;

/** Numbers of one unit. */
export function numbersOf(record: LayerRecord, unit: number): UnitNumbers {
  const { sums, byLabel, histograms } = record;
  const { cells } = sums;
  const [mean, square] = [sums.r[unit] / cells, sums.rr[unit] / cells];
  const responses = [...byLabel].map(([label, { inputs, sum }]) => ({
    label,
    mean: sum[unit] / inputs,
    inputs,
  }));
  return {
    unit,
    lowest: sums.least[unit],
    highest: sums.most[unit],
    mean: sums.a[unit] / cells,
    active: sums.active[unit] / cells,
    ...(square > 0 && cells > 1 ? { sparsity: (1 - (mean * mean) / square) / (1 - 1 / cells) } : {}),
    ...(responses.length > 1 && mean > 0 ? { selectivity: selectivityOf(record, unit, responses) } : {}),
    responses,
    dead: sums.least[unit] === sums.most[unit],
    similar: similarTo(record, unit),
    histogram: histograms.of(unit),
  };
}

function selectivityOf(
  { byLabel }: LayerRecord,
  unit: number,
  responses: UnitNumbers['responses'],
): Selectivity {
  const best = responses.reduce((a, b) => (b.mean > a.mean ? b : a));
  const others = responses.filter(response => response !== best);
  const rest = others.reduce((sum, { mean }) => sum + mean, 0) / others.length;
  // Over inputs: those of the label, and all others together.
  let [inputs, sum, squares] = [0, 0, 0];
  for (const [label, own] of byLabel) {
    if (label === best.label) continue;
    inputs += own.inputs;
    sum += own.sum[unit];
    squares += own.squares[unit];
  }
  const variance = (n: number, s: number, q: number) => Math.max(0, q / n - (s / n) ** 2);
  const own = byLabel.get(best.label)!;
  const spread = Math.sqrt(
    (variance(own.inputs, own.sum[unit], own.squares[unit]) + variance(inputs, sum, squares)) / 2,
  );
  const difference = best.mean - sum / inputs;
  return {
    label: best.label,
    value: (best.mean - rest) / (best.mean + rest),
    distance: difference === 0 ? 0 : difference / spread,
  };
}

function similarTo({ units, sums }: LayerRecord, unit: number): { unit: number; correlation: number }[] {
  const { products, a, cells } = sums;
  if (!products) return [];
  const covariance = (i: number, j: number) =>
    products[i * units + j] / cells - (a[i] / cells) * (a[j] / cells);
  const own = covariance(unit, unit);
  const found: { unit: number; correlation: number }[] = [];
  for (let other = 0; other < units; other++) {
    const size = Math.sqrt(own * covariance(other, other));
    // Below the resolution of the products there is nothing to compare.
    const isConstant = (i: number) => sums.least[i] === sums.most[i];
    if (other === unit || !(size > 0) || isConstant(unit) || isConstant(other)) continue;
    found.push({ unit: other, correlation: Math.max(-1, Math.min(1, covariance(unit, other) / size)) });
  }
  return found.sort((x, y) => y.correlation - x.correlation || x.unit - y.unit).slice(0, mostSimilar);
}

/** Orders in which units are chosen: by d′, by selectivity, by sparsity, or by the highest activation. */
export const orders = ['distance', 'selectivity', 'sparsity', 'highest'] as const;
export type Order = (typeof orders)[number];

/**
 * The first `count` units by an order, dead ones left out; of equal ones the lower number comes first. By distance the best
 * unit of every label comes first, then the second of every label, so that no label takes all places.
 */
export function chooseUnits(record: LayerRecord, count: number, order: Order): number[] {
  const scored: { unit: number; score: number; turn: number; label?: string }[] = [];
  for (let unit = 0; unit < record.units; unit++) {
    const { dead, selectivity, sparsity, highest } = numbersOf(record, unit);
    if (dead) continue;
    const scores = { distance: selectivity?.distance, selectivity: selectivity?.value, sparsity, highest };
    const score = scores[order] ?? Number.NEGATIVE_INFINITY;
    scored.push({ unit, score, turn: 0, label: selectivity?.label });
  }
  scored.sort((a, b) => (a.score === b.score ? a.unit - b.unit : b.score - a.score));
  if (order === 'distance') {
    const turns = new Map<string | undefined, number>();
    for (const one of scored) {
      one.turn = turns.get(one.label) ?? 0;
      turns.set(one.label, one.turn + 1);
    }
    // Stable: within a turn the order of the scores stays.
    scored.sort((a, b) => a.turn - b.turn);
  }
  return scored.slice(0, count).map(({ unit }) => unit);
}
