// Every family rendered for gpu.js against the reference, in every mode this machine has.

import test from 'tape';
import { runReference } from '../../kernels/reference.ts';
import type { Backend, ProgramPlan } from '../../src/backends/backend.ts';

import { type Case, randomCases } from './gpujs-cases.ts';
import { availableBackends } from './gpujs-modes.ts';

/** Runs one call as a program; returns the packed output. */
async function runCase(backend: Backend, { call, inputs }: Case): Promise<Float32Array> {
  const plan: ProgramPlan = {
    tensors: [
      ...call.inputs.map((layout, i) => ({
        layout,
        role: 'constant' as const,
        offset: 0,
        data: inputs[i],
        label: `input ${i}`,
      })),
      { layout: call.output, role: 'output' as const, offset: 0, label: 'output' },
    ],
    calls: [{ call, inputs: call.inputs.map((_, i) => i), output: call.inputs.length, label: 'call' }],
    updates: [],
    bytes: 0,
  };
  const executable = await backend.compile(plan);
  await executable.run();
  const result = await executable.read(call.inputs.length);
  await executable.dispose();
  return result;
}

/** Largest difference, relative to the largest value. */
function difference(found: Float32Array, wanted: Float32Array): number {
  let scale = 1e-3;
  let error = found.length === wanted.length ? 0 : Number.POSITIVE_INFINITY;
  for (const v of wanted) scale = Math.max(scale, Math.abs(v));
  found.forEach((v, i) => {
    const d = Math.abs(v - wanted[i]);
    error = Math.max(error, Number.isFinite(d) ? d : Number.POSITIVE_INFINITY);
  });
  return error / scale;
}

test('gpujs kernels agree with the reference', async t => {
  for (const backend of await availableBackends()) {
    let worst = 0;
    for (const c of randomCases(1, 2)) {
      const packed = c.inputs.map((data, i) => ({ shape: c.call.inputs[i].shape, data }));
      const wanted = runReference(c.call.kernel, packed, c.call.output.shape);
      try {
        const error = difference(await runCase(backend, c), wanted);
        worst = Math.max(worst, error);
        if (!(error <= 1e-4)) t.fail(`${backend.name}: ${c.name}: error ${error} ${JSON.stringify(c.call)}`);
      } catch (error) {
        t.fail(`${backend.name}: ${c.name}: ${(error as Error).message}`);
      }
    }
    t.ok(worst <= 1e-4, `${backend.name}: largest relative error ${worst.toExponential(1)}`);
    await backend.close();
  }
});
