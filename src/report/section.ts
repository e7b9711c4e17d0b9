// What a step contributes to the run's HTML report; report/html.ts renders a list of these into one
// self-contained page.

import type { Field } from '../formats/field.ts';
import type { UnitEntry } from './units-view.ts';

export interface PlotAxis {
  label: string;
  /** `probit` for rates, by normal quantiles. */
  scale: 'linear' | 'log' | 'probit';
  low: number;
  high: number;
  /** Ticks as percentages. */
  rates?: true;
}

export interface PlotLine {
  label: string;
  x: number[];
  y: number[];
  /** A band behind the line, of its colour. */
  band?: { x: number[]; low: number[]; high: number[] };
  /** Points that are marked, not only joined. */
  points?: true;
}

export interface PlotBlock {
  type: 'plot';
  title: string;
  x: PlotAxis;
  y: PlotAxis;
  lines: PlotLine[];
  /** A thin line where x and y are equal. */
  diagonal?: true;
  note?: string;
}

export interface HistogramBlock {
  type: 'histogram';
  title: string;
  xLabel: string;
  yLabel: string;
  /** Borders of the bins, one more than bins. */
  edges: number[];
  groups: { label: string; heights: number[] }[];
  /** Vertical lines with a name. */
  marks?: { label: string; x: number }[];
  note?: string;
}

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
  /** Lines over scales of their own, with bands: ROC, DET, calibration curves. */
  | PlotBlock
  /** How values are spread, group by group. */
  | HistogramBlock
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
