// Sets of positions along one axis, as sorted runs that do not touch: what a unit reads is a few runs, however many cells
// they hold. Ends may be infinite. Nothing here knows of networks.

/** Runs `[from, to)`, in order, with a gap between any two. */
export type Runs = readonly (readonly [from: number, to: number])[];

export const everything: Runs = [[Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]];
export const nothing: Runs = [];
export const single = (at: number): Runs => [[at, at + 1]];

/** Runs in any order, overlapping or not, as a set. */
export function runsOf(given: readonly (readonly [number, number])[]): Runs {
  const sorted = given.filter(([from, to]) => to > from).sort((a, b) => a[0] - b[0]);
  const runs: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = runs.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else runs.push([from, to]);
  }
  return runs;
}

export const union = (a: Runs, b: Runs): Runs =>
  a === everything || b === everything ? everything : runsOf([...a, ...b]);

/** The part inside `[from, to)`. */
export const within = (runs: Runs, from: number, to: number): Runs =>
  runsOf(runs.map(([a, b]) => [Math.max(a, from), Math.min(b, to)] as const));

export const isEverything = (runs: Runs): boolean =>
  runs.length === 1 && runs[0][0] === Number.NEGATIVE_INFINITY && runs[0][1] === Number.POSITIVE_INFINITY;

/** The smallest run that holds all; undefined where there is none. */
export const hull = (runs: Runs): readonly [number, number] | undefined =>
  runs.length === 0 ? undefined : [runs[0][0], runs[runs.length - 1][1]];

/** The positions of a finite set, in order. */
export function* positions(runs: Runs): Generator<number> {
  for (const [from, to] of runs) for (let p = from; p < to; p++) yield p;
}

/** The set of `f(p)` for every position; −1 is none. */
export const mapped = (runs: Runs, f: (p: number) => Iterable<number>): Runs => {
  const found = new Set<number>();
  for (const p of positions(runs)) for (const q of f(p)) found.add(q);
  return runsOf([...found].map(q => [q, q + 1] as const));
};

/** How a window reads an axis; see `windowReads` and `transposedReads`. */
export interface Taps {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Cells of padding before the first. */
  readonly low: number;
}

/** Cells that windows at `runs` read: p·stride + t·dilation − low for taps t. */
export function windowReads(runs: Runs, { kernel, stride, dilation, low }: Taps): Runs {
  const read: [number, number][] = [];
  for (const [from, to] of runs) {
    if (!Number.isFinite(from) || !Number.isFinite(to)) return everything;
    const reach = (kernel - 1) * dilation + 1;
    if (dilation === 1 && stride <= kernel) read.push([from * stride - low, (to - 1) * stride - low + reach]);
    else if (stride === 1)
      for (let t = 0; t < kernel; t++) read.push([from - low + t * dilation, to - low + t * dilation]);
    else
      for (let p = from; p < to; p++)
        for (let t = 0; t < kernel; t++) {
          const q = p * stride + t * dilation - low;
          read.push([q, q + 1]);
        }
  }
  return runsOf(read);
}

/** Cells that a transposed convolution reads for `runs` of its output: q with q·stride + t·dilation − low = p. */
export const transposedReads = (runs: Runs, { kernel, stride, dilation, low }: Taps): Runs =>
  isEverything(runs)
    ? everything
    : mapped(runs, function* (p) {
        for (let t = 0; t < kernel; t++) {
          const q = (p + low - t * dilation) / stride;
          if (Number.isInteger(q)) yield q;
        }
      });
