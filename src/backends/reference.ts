// The reference backend: every kernel in plain TypeScript with sums in float64. Slow and obviously right; it ignores
// margins and memory planning, so it also checks that they change nothing.

import { runReference } from '../../kernels/reference.ts';
import { sizeOf } from '../tensor/layout.ts';
import type { Backend, Executable, ProgramPlan } from './backend.ts';

/** The oracle as a backend. */
export const createReferenceBackend = async (): Promise<Backend> => ({
  name: 'reference',
  description: 'plain TypeScript, sums in float64',
  compile: async plan => new ReferenceExecutable(plan),
  close: async () => {},
});

class ReferenceExecutable implements Executable {
  private readonly plan: ProgramPlan;
  private readonly values: Float32Array[];

  constructor(plan: ProgramPlan) {
    this.plan = plan;
    this.values = plan.tensors.map(t =>
      t.data ? Float32Array.from(t.data) : new Float32Array(sizeOf(t.layout.shape)),
    );
  }

  async write(tensor: number, data: Float32Array): Promise<void> {
    this.values[tensor] = Float32Array.from(data);
  }

  async run(): Promise<void> {
    const { tensors, calls, updates } = this.plan;
    const held = (i: number) => this.values[tensors[i].aliasOf ?? i];
    for (const { call, inputs, output } of calls) {
      const packed = inputs.map((i, n) => ({ shape: call.inputs[n].shape, data: held(i) }));
      this.values[output] = runReference(call.kernel, packed, call.output.shape);
    }
    const next = updates.map(u => held(u.value));
    updates.forEach((u, i) => {
      this.values[u.variable] = Float32Array.from(next[i]);
    });
  }

  async read(tensor: number): Promise<Float32Array> {
    return Float32Array.from(this.values[this.plan.tensors[tensor].aliasOf ?? tensor]);
  }

  times() {
    return [];
  }

  async dispose(): Promise<void> {}
}
