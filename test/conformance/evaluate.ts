// Runs one operation with its gradients on a backend. The loss is the inner product of the result with a fixed probe, so
// that every element of the result takes part with a weight of its own.

import type { Backend } from '../../src/backends/backend.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { mul } from '../../src/ops/arithmetic.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';

export type Build = (...inputs: Value[]) => Value;

/** Normal values for a shape; equal labels give equal values. */
export function normals(shape: readonly number[], label: string): Float32Array {
  const random = createRandom(5, label);
  return Float32Array.from({ length: product(shape) }, () => random.normal());
}

/** Σ probe·y as a value of shape [1]. */
export function innerProduct(y: Value, probe: Value): Value {
  const ones = y.shape.map(() => 1);
  const sum =
    product(y.shape) === 1 ? mul(y, probe) : y.graph.reduce('sum', ['mul', 'x0', 'x1'], [y, probe], ones);
  return y.graph.reshape(sum, [1]);
}

/** A compiled operation whose inputs are written anew for each run. */
export interface Evaluation {
  readonly shape: readonly number[];
  /** The loss, the result, and, where asked for, the gradient of the loss for each input. */
  run(values: readonly Float32Array[]): Promise<{ loss: number; y: Float32Array; gradients: Float32Array[] }>;
  dispose(): Promise<void>;
}

/** Compiles `build` on inputs of the given shapes; `probe` weighs the result, `withGradients` adds the gradients. */
export async function compile(
  backend: Backend,
  shapes: readonly (readonly number[])[],
  build: Build,
  { withGradients = true, probe }: { withGradients?: boolean; probe?: Float32Array } = {},
): Promise<Evaluation> {
  const graph = new Graph();
  const inputs = shapes.map((shape, i) => graph.input(`x${i}`, shape));
  const y = build(...inputs);
  const weights = graph.constant(y.shape, probe ?? normals(y.shape, 'probe'), 'probe');
  const loss = innerProduct(y, weights);
  const gradients = withGradients ? differentiate(loss, inputs) : [];
  const outputs = { loss, y, ...Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])) };
  const program = await Program.compile(graph, { outputs }, backend);
  return {
    shape: y.shape,
    async run(values) {
      for (const [i, data] of values.entries())
        if (program.planned.leaves.has(`x${i}`)) await program.write(`x${i}`, data);
      await program.run();
      return {
        loss: await program.readScalar('loss'),
        y: await program.read('y'),
        gradients: await Promise.all(gradients.map((_, i) => program.read(`g${i}`))),
      };
    },
    dispose: () => program.dispose(),
  };
}

/** Compiles, runs once and frees. */
export async function once(
  backend: Backend,
  shapes: readonly (readonly number[])[],
  values: readonly Float32Array[],
  build: Build,
  options: { withGradients?: boolean; probe?: Float32Array } = {},
) {
  const evaluation = await compile(backend, shapes, build, options);
  const result = await evaluation.run(values);
  await evaluation.dispose();
  return { ...result, shape: evaluation.shape };
}

/** Largest difference over the largest magnitude of `wanted`; infinite where lengths differ or a value is not finite. */
export function relativeError(got: Float32Array, wanted: Float32Array): number {
  if (got.length !== wanted.length || got.some(v => !Number.isFinite(v))) return Number.POSITIVE_INFINITY;
  let [worst, largest] = [0, 1e-6];
  for (let i = 0; i < got.length; i++) {
    worst = Math.max(worst, Math.abs(got[i] - wanted[i]));
    largest = Math.max(largest, Math.abs(wanted[i]));
  }
  return worst / largest;
}

/** Inner product in double precision. */
export const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, v, i) => sum + v * b[i], 0);
