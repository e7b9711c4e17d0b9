// A backend that takes the plan literally: one memory of exactly the planned bytes, full of NaN at the start, in which
// calls read and write their planned places in order and updates happen one after the other. A plan that reuses bytes
// too early, forgets a margin or overlaps two tensors gives wrong numbers here, where the reference backend, which
// ignores plans, gives right ones.

import { runReference } from '../../kernels/reference.ts';
import type { Backend, Executable, ProgramPlan } from '../../src/backends/backend.ts';
import {
  cellCount,
  channelsOf,
  elementCount,
  extentsOf,
  type Layout,
  pack,
  spread,
} from '../../src/tensor/layout.ts';

export const createFlatBackend = async (): Promise<Backend> => ({
  name: 'flat',
  description: 'one memory, as planned',
  compile: async plan => new FlatExecutable(plan),
  close: async () => {},
});

/** Whether every cell outside the shape holds zeros. */
function marginIsZero(layout: Layout, laid: Float32Array): boolean {
  const channels = channelsOf(layout);
  const extents = extentsOf(layout);
  for (let cell = 0; cell < cellCount(layout); cell++) {
    let rest = cell;
    let inside = true;
    for (let a = extents.length - 1; a >= 0; a--) {
      const at = (rest % extents[a]) - layout.margin[a][0];
      rest = Math.floor(rest / extents[a]);
      inside &&= at >= 0 && at < layout.shape[a];
    }
    if (!inside && laid.subarray(cell * channels, (cell + 1) * channels).some(v => v !== 0)) return false;
  }
  return true;
}

class FlatExecutable implements Executable {
  private readonly plan: ProgramPlan;
  private readonly memory: Float32Array;

  constructor(plan: ProgramPlan) {
    this.plan = plan;
    this.memory = new Float32Array(plan.bytes / 4).fill(Number.NaN);
    plan.tensors.forEach((t, i) => {
      if (t.data) spread(t.layout, t.data, this.at(i));
    });
  }

  async write(tensor: number, data: Float32Array): Promise<void> {
    spread(this.plan.tensors[tensor].layout, data, this.at(tensor));
  }

  async run(): Promise<void> {
    for (const { call, inputs, output, label } of this.plan.calls) {
      const packed = inputs.map((i, n) => {
        if (!marginIsZero(call.inputs[n], this.at(i)))
          throw new Error(`${label}: input ${n} has no zero margin`);
        return { shape: call.inputs[n].shape, data: pack(call.inputs[n], this.at(i)) };
      });
      spread(call.output, runReference(call.kernel, packed, call.output.shape), this.at(output));
    }
    for (const { variable, value, inPlace } of this.plan.updates)
      if (!inPlace) await this.write(variable, await this.read(value));
  }

  async read(tensor: number): Promise<Float32Array> {
    return pack(this.plan.tensors[tensor].layout, this.at(tensor));
  }

  times() {
    return [];
  }

  async dispose(): Promise<void> {}

  private at(tensor: number): Float32Array {
    const { offset, layout } = this.plan.tensors[tensor];
    return this.memory.subarray(offset / 4, offset / 4 + elementCount(layout));
  }
}
