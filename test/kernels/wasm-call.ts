// Runs one kernel call from its WebAssembly text alone, without the engine: buffers lie in a memory full of garbage, with
// guards around the output; the threads' shares run one after the other. Shared by the tests of the families.

import fc from 'fast-check';
import type { Test } from 'tape';
import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import { runReference } from '../../kernels/reference.ts';
import type { RenderWasm, WasmRendering } from '../../kernels/wasm.ts';
import { assemble } from '../../src/backends/wasm/assemble.ts';
import {
  elementCount,
  type Layout,
  layoutOf,
  type Margin,
  pack,
  sizeOf,
  spread,
} from '../../src/tensor/layout.ts';

const GARBAGE = 12345;
const GUARD = 256;
/** The most threads that calls are run with. */
const THREADS = 3;

/** Output as laid out in memory, margins included, and whether the guards held. */
export interface Outcome {
  laid: Float32Array;
  guarded: boolean;
}

export interface Placing {
  /** Input whose bytes the output shares. */
  inPlace?: number;
}

/** A compiled call that runs with any number of threads. */
export interface Compiled {
  run(inputs: readonly Float32Array[], threads: number): Outcome;
  /** Runs all phases once more on what is in memory. */
  again(threads: number): void;
}

export async function compileCall(
  render: RenderWasm,
  call: KernelCall,
  placing: Placing = {},
): Promise<Compiled> {
  const rendering: WasmRendering = render(call, { relaxed: false, wide: false });
  let bytes = 64;
  const reserve = (size: number) => {
    const at = bytes;
    bytes = Math.ceil((at + size + 2 * GUARD) / 64) * 64;
    return at;
  };
  const inputs = call.inputs.map(l => reserve(elementCount(l) * 4));
  reserve(GUARD);
  const output =
    placing.inPlace === undefined ? reserve(elementCount(call.output) * 4) : inputs[placing.inPlace];
  const tables = (rendering.tables ?? []).map(table => reserve(table.byteLength));
  const scratch = reserve(rendering.scratch ?? 0);
  const workspace = reserve((rendering.workspace ?? 0) * THREADS);
  const pages = Math.ceil(bytes / 65536) + 1;
  const shared = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  const { instance } = await WebAssembly.instantiate(await assemble(rendering.text), {
    env: { memory: shared },
  });
  const entry = instance.exports.run as (...args: number[]) => void;
  const memory = new Float32Array(shared.buffer);
  const again = (threads: number) => {
    for (let phase = 0; phase < (rendering.phases ?? 1); phase++)
      for (let thread = threads - 1; thread >= 0; thread--)
        entry(phase, thread, threads, output, ...inputs, ...tables, scratch, workspace);
  };
  const at = (l: Layout, address: number) => memory.subarray(address / 4, address / 4 + elementCount(l));
  return {
    again,
    run(values, threads) {
      memory.fill(GARBAGE);
      rendering.tables?.forEach((table, i) => {
        const bits = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
        new Uint8Array(shared.buffer, tables[i], bits.length).set(bits);
      });
      call.inputs.forEach((l, i) => spread(l, values[i], at(l, inputs[i])));
      again(threads);
      const laid = at(call.output, output).slice();
      const from = output / 4;
      const guards = [
        memory.subarray(from - 16, from),
        memory.subarray(from + laid.length, from + laid.length + GUARD / 4),
      ];
      return { laid, guarded: guards.every(g => g.every(v => v === GARBAGE)) };
    },
  };
}

/** Largest difference relative to 1 + the size of the wanted value; NaN and infinities must agree exactly. */
export function difference(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let worst = got.length === wanted.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < wanted.length; i++) {
    if (Object.is(got[i], wanted[i]) || got[i] === wanted[i]) continue;
    const d = Math.abs(got[i] - wanted[i]) / (1 + Math.abs(wanted[i]));
    worst = Math.max(worst, Number.isNaN(d) ? Number.POSITIVE_INFINITY : d);
  }
  return worst;
}

/** What is wrong with the rendering of a call on these values; empty where all is well. */
export async function faults(
  render: RenderWasm,
  kernel: Kernel,
  inputs: readonly Layout[],
  output: Layout,
  values: readonly Float32Array[],
  tolerance: number,
  placing?: Placing,
): Promise<string[]> {
  const compiled = await compileCall(render, { kernel, inputs, output }, placing);
  const one = compiled.run(values, 1);
  const wanted = runReference(
    kernel,
    inputs.map((l, i) => ({ shape: l.shape, data: values[i] })),
    output.shape,
  );
  const found: string[] = [];
  const error = difference(pack(output, one.laid), wanted);
  if (!(error <= tolerance)) found.push(`differs from the reference by ${error}`);
  const zeros = spread(output, pack(output, one.laid));
  if (difference(one.laid, zeros) !== 0) found.push('the margin is not zero');
  if (!one.guarded) found.push('wrote outside the output');
  for (const threads of [2, 3]) {
    const more = compiled.run(values, threads);
    if (!one.laid.every((v, i) => Object.is(v, more.laid[i])))
      found.push(`${threads} threads differ from one`);
  }
  return found;
}

/** Asserts that a call agrees with the reference, keeps its margins and does not depend on threads. */
export async function agrees(t: Test, name: string, ...call: Parameters<typeof faults>): Promise<void> {
  t.deepEqual(await faults(...call), [], name);
}

/** Reproducible values in [−2, 2). */
export function noise(shape: readonly number[], seed = 1): Float32Array {
  let state = (seed * 2654435761) >>> 0 || 1;
  return Float32Array.from({ length: sizeOf(shape) }, () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 30 - 2;
  });
}

/** Shapes of rank 1 to 5 with few cells and awkward channel counts. */
export const shapes = fc
  .integer({ min: 0, max: 4 })
  .chain(cells =>
    fc.tuple(
      fc.array(fc.integer({ min: 1, max: cells > 2 ? 3 : 7 }), { minLength: cells, maxLength: cells }),
      fc.constantFrom(1, 2, 3, 4, 5, 8, 17),
    ),
  )
  .map(([cells, channels]) => [...cells, channels]);

/** Layouts of a shape: without margins or with random ones. */
export const layouts = (shape: readonly number[]): fc.Arbitrary<Layout> => {
  const side = fc.integer({ min: 0, max: 2 });
  const margins = fc.array(fc.tuple(side, side), {
    minLength: shape.length - 1,
    maxLength: shape.length - 1,
  });
  return fc
    .option(margins, { nil: undefined })
    .map(margin => layoutOf(shape, margin as readonly Margin[] | undefined));
};

/** The shape with some dimensions of size 1. */
export const broadcasts = (shape: readonly number[]): fc.Arbitrary<number[]> =>
  fc
    .array(fc.boolean(), { minLength: shape.length, maxLength: shape.length })
    .map(keep => shape.map((n, a) => (keep[a] ? n : 1)));

/** Runs a property with a fixed seed and reports a counterexample through `t`. */
export async function holds<T>(
  t: Test,
  name: string,
  runs: number,
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<string[]>,
): Promise<void> {
  const result = await fc.check(
    fc.asyncProperty(arbitrary, async value => {
      const found = await check(value);
      if (found.length > 0) throw new Error(found.join('; '));
    }),
    { numRuns: runs, seed: 7 },
  );
  t.notOk(
    result.failed,
    result.failed ? `${name}: ${JSON.stringify(result.counterexample)}: ${result.errorInstance}` : name,
  );
}
