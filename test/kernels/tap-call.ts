// Runs one kernel on a backend with margins as the planner gives them, for comparison with the reference.

import type { Kernel } from '../../kernels/kernel.ts';
import { runReference } from '../../kernels/reference.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { planCall } from '../../src/backends/wasm/self-check.ts';
import { createRandom, type Random } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';
import type { Packed } from '../../src/tensor/packed.ts';

/** One kernel with the shapes of its inputs and its output. */
export interface Single {
  kernel: Kernel;
  shapes: number[][];
  output: number[];
}

export const randomOf = (label: string): Random => createRandom(11, label);

/** Uniform values for every input; equal shapes get different values unless `same`. */
export function valuesFor({ shapes }: Single, random: Random, same = false): Packed[] {
  const packed = shapes.map(
    (shape): Packed => ({
      shape,
      data: Float32Array.from({ length: product(shape) }, () => random.uniform() - 0.5),
    }),
  );
  return same ? packed.map(() => packed[0]) : packed;
}

/** The kernel's result on a backend, run twice into the same memory. */
export async function runOn(
  backend: Backend,
  single: Single,
  inputs: readonly Packed[],
): Promise<Float32Array> {
  const plan = planCall(single.kernel, single.shapes, single.output);
  const executable = await backend.compile(plan);
  for (const [i, { data }] of inputs.entries()) await executable.write(i, data);
  await executable.run();
  await executable.run();
  const result = await executable.read(inputs.length);
  await executable.dispose();
  return result;
}

/** Largest difference from the reference over the largest value of the reference. */
export function errorOf({ kernel, output }: Single, inputs: readonly Packed[], got: Float32Array): number {
  const wanted = runReference(kernel, inputs, output);
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let [scale, worst] = [1e-3, 0];
  for (const [i, v] of wanted.entries()) {
    scale = Math.max(scale, Math.abs(v));
    const difference = Math.abs(v - got[i]);
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }
  return worst / scale;
}

export const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;
