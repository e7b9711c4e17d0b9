// What the tests of readers share: real models, running a network that was read over an input in its origin's order, and
// checking that something is refused.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test, { type Test } from 'tape';
import type { Backend } from '../../../src/backends/backend.ts';
import { createReferenceBackend } from '../../../src/backends/reference.ts';
import { NdconvError } from '../../../src/errors.ts';
import { evaluateNetwork } from '../../../src/networks/evaluate.ts';
import { strided, stridesOf } from '../../../src/networks/readers/constants.ts';
import type { OnnxNetwork } from '../../../src/networks/readers/onnx/model.ts';

const root = resolve(import.meta.dirname, '../../..');
export const models = join(process.env.NDCONV_TEST_DATA ?? join(root, '../shared/data'), 'models');

/** A test that needs the real models; skipped, with the reason, where they are absent. */
export function testWithModels(name: string, run: (t: Test) => Promise<void>): void {
  const skip = !existsSync(models);
  test(skip ? `${name} # ${models} is absent` : name, { skip }, run);
}

/** A folder that is gone at the end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ndconv-readers-'));
  test.onFinish(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const permuted = (data: Float32Array, from: readonly number[], order: readonly number[]): Float32Array => {
  const strides = stridesOf(from);
  return strided(
    data,
    order.map(a => from[a]),
    order.map(a => strides[a]),
  );
};

/** Runs a model of one sample over `data` in its own order; gives its first output in its own order too. */
export async function runOnnx(
  network: OnnxNetwork,
  data: Float32Array,
  shape: readonly number[] = network.input.shape,
  given?: Backend,
): Promise<{ shape: readonly number[]; data: Float32Array }> {
  const backend = given ?? (await createReferenceBackend());
  const { order } = network.input;
  const stored = permuted(data, shape, order);
  const [{ value }] = network.outputs;
  if (!('layer' in value)) return { shape: value.shape, data: Float32Array.from(value.data) };
  const grid = { shape: order.map(a => shape[a]).slice(1), data: stored };
  const found = (await evaluateNetwork(network, grid, [value.layer], backend)).get(value.layer)!;
  const back = value.order.map((_, a) => value.order.indexOf(a));
  return { shape: back.map(a => found.shape[a]), data: permuted(found.data, found.shape, back) };
}

/** Largest difference between two lists of numbers. */
export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length
    ? Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0)
    : Number.POSITIVE_INFINITY;

/** Expects a tagged error whose message matches. */
export async function refuses(t: Test, run: () => unknown, pattern: RegExp, name: string): Promise<void> {
  try {
    await run();
    t.fail(`${name}: nothing was refused`);
  } catch (cause) {
    t.ok(cause instanceof NdconvError && pattern.test(cause.message), `${name}: ${(cause as Error).message}`);
  }
}
