// gather for gpu.js: one thread per output element; the maps are one table, looped over term by term. The map is linear
// in the concatenated inputs, so more of them than a kernel has arguments are added up in several passes.

import type { Layout } from '../../src/tensor/layout.ts';
import type { GpujsPass, GpujsRendering, PassArgument } from '../gpujs-pass.ts';
import { affine, elementIndex, guard, kernelSource, outputOf, sumOver } from '../gpujs-text.ts';
import type { KernelCall } from '../kernel.ts';
import type { Gather } from './spec.ts';

/** Inputs of one pass: beside them a kernel binds the table and the sum so far. */
const INPUTS = 5;

/** Renders a gather. */
export function renderGather(call: KernelCall): GpujsRendering {
  const kernel = call.kernel as Gather;
  // Per mapped dimension: indices, then weights.
  const starts: number[] = [];
  const values: number[] = [];
  for (const map of kernel.maps) {
    starts.push(values.length);
    if (map) for (const list of [map.index, map.weight]) for (const v of list) values.push(v);
  }
  const tables = values.length > 0 ? [Float32Array.from(values)] : [];
  const passes: GpujsPass[] = [];
  for (let from = 0; from < call.inputs.length; from += INPUTS)
    passes.push(renderPart(kernel, call, starts, from, Math.min(call.inputs.length, from + INPUTS)));
  return { passes, tables };
}

function renderPart(
  kernel: Gather,
  call: KernelCall,
  starts: readonly number[],
  from: number,
  to: number,
): GpujsPass {
  const names: string[] = [];
  const sources: PassArgument[] = [];
  for (let input = from; input < to; input++) {
    names.push(`x${input}`);
    sources.push({ input });
  }
  if (kernel.maps.some(m => m !== null)) {
    names.push('table');
    sources.push({ table: 0 });
  }
  if (from > 0) {
    names.push('before');
    sources.push('previous');
  }
  const source = kernelSource(names, call.output, at => {
    const first = from > 0 ? `y = before[${elementIndex(call.output, at)}];\n` : '';
    return first + terms(kernel, call.inputs, starts, at, 0, [], '', 'y', [from, to]);
  });
  return { source, arguments: sources, output: outputOf(call.output) };
}

// One dimension after the other: its terms' index and weight, then the dimensions after it.
function terms(
  kernel: Gather,
  inputs: readonly Layout[],
  starts: readonly number[],
  at: readonly string[],
  a: number,
  source: string[],
  weight: string,
  sum: string,
  range: readonly [number, number],
): string {
  if (a === at.length) return read(kernel, inputs, source, weight, sum, range);
  const map = kernel.maps[a];
  if (!map) return terms(kernel, inputs, starts, at, a + 1, [...source, at[a]], weight, sum, range);
  const count = map.index.length;
  return sumOver(sum, [map.terms], `j${a}d`, (own, [j]) => {
    const entry = [[at[a], map.terms] as const, [j, 1] as const];
    const w = weight === '' ? `w${a}` : `(${weight} * w${a})`;
    const inner = terms(kernel, inputs, starts, at, a + 1, [...source, `u${a}`], w, own, range);
    const there = map.index.some(i => i < 0) ? [`u${a} >= 0`] : [];
    return [
      `let u${a} = table[${affine(entry, starts[a])}];`,
      `let w${a} = table[${affine(entry, starts[a] + count)}];`,
      guard(there, inner),
    ].join('\n');
  });
}

function read(
  kernel: Gather,
  inputs: readonly Layout[],
  source: readonly string[],
  weight: string,
  sum: string,
  [from, to]: readonly [number, number],
): string {
  const at = new Array<string>(source.length);
  kernel.permutation.forEach((dimension, a) => {
    at[dimension] = source[a];
  });
  const axis = kernel.concatAxis;
  let offset = 0;
  const lines: string[] = [];
  inputs.forEach((x, i) => {
    const start = offset;
    offset += x.shape[axis];
    if (i < from || i >= to) return;
    const inside = at.map((p, a) => (a === axis && start > 0 ? `(${p} - ${start})` : p));
    const value = `x${i}[${elementIndex(x, inside)}]`;
    const conditions = [
      ...(i > 0 ? [`${at[axis]} >= ${start}`] : []),
      ...(i < inputs.length - 1 ? [`${at[axis]} < ${offset}`] : []),
    ];
    lines.push(guard(conditions, `${sum} = ${sum} + ${weight === '' ? value : `${weight} * ${value}`};`));
  });
  return lines.join('\n');
}
