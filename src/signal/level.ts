// Levels of sounds: the peak, and scaling to one. Sounds are floats that may pass ±1 until they are written;
// whoever writes them decides here what then happens.

import type { Field } from '../formats/field.ts';

/** The largest absolute value. */
export const peakOf = (data: ArrayLike<number>): number => {
  let peak = 0;
  for (let i = 0; i < data.length; i++) peak = Math.max(peak, Math.abs(data[i]));
  return peak;
};

/** The field scaled so that its largest absolute value is `peak`; silence stays silence. */
export const scaleToPeak = (field: Field, peak: number): Field => {
  const present = peakOf(field.data);
  return present === 0 ? field : { ...field, data: field.data.map(v => (v * peak) / present) };
};
