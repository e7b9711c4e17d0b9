// The window of a grey or coloured picture: which values are shown as the darkest and the brightest. One window
// serves all fields that are to be compared.

import type { Field } from '../formats/field.ts';
import { count, formatNumber } from './text.ts';

export interface Window {
  low: number;
  high: number;
  /** How it was found, for the caption. */
  rule: string;
}

/** Samples of each field that decide: enough for a percentile, few enough to sort. */
const samplesPerField = 400_000;

/** Finite samples of a field, evenly spread; the odd step does not fall in step with the rows. */
function spread(data: Float32Array): Float32Array {
  const step = Math.floor(data.length / samplesPerField) + 1;
  const odd = step === 1 ? 1 : step | 1;
  const taken = new Float32Array(Math.ceil(data.length / odd));
  let length = 0;
  for (let i = 0; i < data.length; i += odd) if (Number.isFinite(data[i])) taken[length++] = data[i];
  return taken.subarray(0, length);
}

/** The 1st and 99th percentile of all samples of the fields, each field with the same weight. */
export function percentileWindow(fields: readonly Field[]): Window {
  const lists = fields.map(field => spread(field.data)).filter(list => list.length > 0);
  if (lists.length === 0) return { low: 0, high: 1, rule: 'no finite sample' };
  const each = Math.min(...lists.map(list => list.length));
  const pooled = new Float32Array(each * lists.length);
  lists.forEach((list, n) => {
    for (let i = 0; i < each; i++) pooled[n * each + i] = list[Math.floor((i * list.length) / each)];
  });
  pooled.sort();
  const at = (fraction: number) => pooled[Math.round(fraction * (pooled.length - 1))];
  if (at(0.99) > at(0.01)) return { low: at(0.01), high: at(0.99), rule: '1st to 99th percentile' };
  // Nearly all samples are equal, as in a mask: the percentiles coincide and the whole range is shown.
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { data } of fields) {
    for (const value of data) {
      if (value < low && Number.isFinite(value)) low = value;
      if (value > high && Number.isFinite(value)) high = value;
    }
  }
  if (high > low) return { low, high, rule: 'lowest to highest sample' };
  return { low, high: low + (Math.abs(low) || 1), rule: 'all samples are equal' };
}

/** Value to byte: `low` gives 0, `high` 255, values outside are limited, NaN gives 0. */
export function toByte(value: number, { low, high }: Window): number {
  const byte = ((value - low) / (high - low)) * 255;
  return byte >= 255 ? 255 : byte > 0 ? Math.round(byte) : 0;
}

/** The window in words: `−160 to 240 HU (1st to 99th percentile)`. */
export const describeWindow = ({ low, high, rule }: Window, unit: string): string =>
  `${formatNumber(low)} to ${formatNumber(high)}${unit && ` ${unit}`} (${rule})`;

/** One sentence on samples that no window can show, or none. */
export function notFiniteNotes(field: Field): string[] {
  let missing = 0;
  for (const value of field.data) if (!Number.isFinite(value)) missing++;
  return missing > 0 ? [`${count(missing, 'sample')} not finite, shown like the lowest.`] : [];
}
