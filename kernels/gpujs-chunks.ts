// Long sums for gpu.js, shared by reduce and tap-correlate: the cells summed over are cut into rows, the rows dealt to
// chunks that different threads sum, and a second pass adds the chunks. Every loop has a sum of its own, so that the
// error stays near that of a pairwise sum.

import { type Layout, layoutOf, product } from '../src/tensor/layout.ts';
import type { GpujsPass, PassArgument } from './gpujs-pass.ts';
import { decompose, elementIndex, guard, kernelSource, loop, outputOf, sumOver } from './gpujs-text.ts';

/** Threads that keep a device busy. */
const THREADS = 1 << 16;
const LONGEST_ROW = 256;

/** What is summed (or maximised) over. */
export interface ChunkedSum {
  readonly kind: 'sum' | 'max';
  readonly output: Layout;
  /** Sizes of the dimensions summed over, in row-major order. */
  readonly over: readonly number[];
  /** Source parameters and where they come from. */
  readonly parameters: readonly string[];
  readonly arguments: readonly PassArgument[];
  /** Statements that pass each term to `add`, from the output's coordinates and those summed over. */
  readonly term: (at: string[], over: string[], add: (value: string) => string) => string;
}

/** One or two passes. */
export function chunkedSum(sum: ChunkedSum): GpujsPass[] {
  const rank = sum.over.length;
  const last = rank === 0 ? 1 : sum.over[rank - 1];
  const segments = Math.ceil(last / LONGEST_ROW);
  const row = Math.ceil(last / segments);
  const outer = [...sum.over.slice(0, -1), segments];
  const rows = product(outer);
  const wanted = Math.max(1, Math.ceil(THREADS / product(sum.output.shape)));
  const balanced = 2 * Math.ceil(Math.sqrt(rows));
  const each = Math.ceil(rows / Math.min(rows, wanted, balanced));
  const chunks = Math.ceil(rows / each);
  const partial = chunks === 1 ? sum.output : layoutOf([chunks, ...sum.output.shape]);

  const source = kernelSource(sum.parameters, partial, at => {
    const [chunk, rest] = chunks === 1 ? ['0', at] : [at[0], at.slice(1)];
    return accumulate(sum.kind, [each, row], 'i', (add, [i, j]) => {
      const index = chunk === '0' ? i : `((${chunk} | 0) * ${each} + (${i} | 0))`;
      const { text, at: found } = decompose(rows === 1 ? '0' : `(${index} | 0)`, outer, 'r');
      const segment = found.at(-1)!;
      const cell = segments === 1 ? j : `(${segment} * ${row} + ${j})`;
      const over = rank === 0 ? [] : [...found.slice(0, -1), cell];
      const inner = guard(segments * row === last ? [] : [`${cell} < ${last}`], sum.term(rest, over, add));
      return guard(chunks * each === rows ? [] : [`${index} < ${rows}`], `${text}\n${inner}`);
    });
  });
  const first: GpujsPass = { source, arguments: sum.arguments, output: outputOf(partial) };
  if (chunks === 1) return [first];
  const second = kernelSource(['parts'], sum.output, at =>
    accumulate(sum.kind, [chunks], 'i', (add, [i]) => add(`parts[${elementIndex(partial, [i, ...at])}]`)),
  );
  return [first, { source: second, arguments: ['previous'], output: outputOf(sum.output) }];
}

// Loops over a box whose terms go into `y`.
function accumulate(
  kind: 'sum' | 'max',
  sizes: readonly number[],
  name: string,
  body: (add: (value: string) => string, counters: string[]) => string,
): string {
  if (kind === 'sum')
    return sumOver('y', sizes, name, (s, counters) => body(v => `${s} = ${s} + ${v};`, counters));
  const nest = (a: number, counters: string[]): string =>
    a === sizes.length
      ? body(v => `y = Math.max(y, ${v});`, counters)
      : loop(`${name}${a}`, sizes[a], i => nest(a + 1, [...counters, i]));
  return `y = -3.4028234663852886e38;\n${nest(0, [])}`;
}
