// What an engine makes of a task, and the small things that engines share.

import { samplesOf, type Task } from '../tasks.ts';

/** A task ready to run. */
export interface Prepared {
  /** Samples of the result, channels last. */
  samples(): Promise<number[]>;
  run(): Promise<unknown>;
  dispose(): unknown;
}

/** Throws where the engine has no such operation. */
export type Engine = (task: Task) => Promise<Prepared>;

export const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);

export const pick = (data: ArrayLike<number>): number[] => samplesOf(data.length).map(i => data[i]);

/** `[cells, channels]` to `[channels, cells]`, or back with the sizes swapped. */
export function turn(data: ArrayLike<number>, cells: number, channels: number): Float32Array {
  const out = new Float32Array(cells * channels);
  for (let p = 0; p < cells; p++)
    for (let c = 0; c < channels; c++) out[c * cells + p] = data[p * channels + c];
  return out;
}

/** Weights `[...kernel, C, K]` as `[K, C, ...kernel]`. */
export function filtersFirst(values: ArrayLike<number>, shape: readonly number[]): Float32Array {
  const [depth, filters] = shape.slice(-2);
  const taps = product(shape) / (depth * filters);
  const out = new Float32Array(values.length);
  for (let t = 0; t < taps; t++)
    for (let c = 0; c < depth; c++)
      for (let k = 0; k < filters; k++)
        out[(k * depth + c) * taps + t] = values[(t * depth + c) * filters + k];
  return out;
}
