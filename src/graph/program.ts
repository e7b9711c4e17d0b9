// A program: a planned graph compiled on a backend, run many times. Named inputs and variables are written, named
// outputs read; between runs the state stays where it is.

import type { Backend, CallTime, Executable } from '../backends/backend.ts';
import { debug } from '../debug.ts';
import { sizeOf } from '../tensor/layout.ts';
import { describeCalls, describeGraph, describeTimes } from './debug.ts';
import type { Graph } from './graph.ts';
import { type NamedPlan, type ProgramRequest, planProgram } from './plan.ts';

/** A compiled program. */
export class Program {
  readonly planned: NamedPlan;
  private readonly executable: Executable;
  private runs = 0;

  private constructor(planned: NamedPlan, executable: Executable) {
    this.planned = planned;
    this.executable = executable;
  }

  /** Plans and compiles a graph. */
  static async compile(graph: Graph, request: ProgramRequest, backend: Backend): Promise<Program> {
    debug(5, () => ['graph', ...describeGraph(graph)]);
    const planned = planProgram(graph, request);
    const { calls, bytes } = planned.plan;
    const started = performance.now();
    const executable = await backend.compile(planned.plan);
    debug(1, () => [
      `program on ${backend.name} (${backend.description}): ${calls.length} calls, ${(bytes / 2 ** 20).toFixed(1)} MiB of tensors, compiled in ${(performance.now() - started).toFixed(0)} ms`,
    ]);
    debug(3, () => describeCalls(planned.plan));
    return new Program(planned, executable);
  }

  /** Writes an input or a variable: packed values, row-major, channels last. */
  async write(name: string, data: Float32Array): Promise<void> {
    const tensor = this.planned.leaves.get(name);
    if (tensor === undefined) throw new Error(`the program has no input or variable '${name}'`);
    const { layout } = this.planned.plan.tensors[tensor];
    if (data.length !== sizeOf(layout.shape))
      throw new Error(`'${name}' [${layout.shape}] takes ${sizeOf(layout.shape)} values, got ${data.length}`);
    await this.executable.write(tensor, data);
  }

  run(): Promise<void> {
    this.runs++;
    return this.executable.run();
  }

  /** Reads an output, an input or a variable. */
  read(name: string): Promise<Float32Array> {
    const tensor = this.planned.outputs.get(name) ?? this.planned.leaves.get(name);
    if (tensor === undefined) throw new Error(`the program has no output or variable '${name}'`);
    return this.executable.read(tensor);
  }

  /** Reads an output of one element. */
  async readScalar(name: string): Promise<number> {
    return (await this.read(name))[0];
  }

  times(): CallTime[] {
    return this.executable.times();
  }

  dispose(): Promise<void> {
    const { runs } = this;
    if (runs > 0)
      debug(2, () => [
        `kernels, in ${runs === 1 ? '1 run' : `${runs} runs`}`,
        ...describeTimes(this.times(), runs),
      ]);
    return this.executable.dispose();
  }
}
