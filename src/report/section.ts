// What a step contributes to the run's HTML report; report/html.ts renders a list of these into one
// self-contained page.

import type { Field } from '../formats/field.ts';
import type { UnitEntry } from './units-view.ts';

/** One block of the report. */
export type Block =
  | { type: 'text'; text: string }
  | { type: 'table'; columns: string[]; rows: (string | number)[][] }
  /** Lines over a common x: losses, learning curves. */
  | {
      type: 'curves';
      title: string;
      xLabel: string;
      yLabel: string;
      log?: boolean;
      curves: { label: string; x: number[]; y: number[] }[];
    }
  /** Fields shown side by side: a sound as player and spectrogram, an image as itself, a volume as three
   *  orthogonal slices, a signal as curves. */
  | { type: 'fields'; items: { label: string; field: Field }[] }
  /** Units of a network: numbers, and the parts of inputs that excite them most. */
  | { type: 'units'; units: UnitEntry[] };

/** A titled part of the report. */
export interface Section {
  title: string;
  blocks: Block[];
}
