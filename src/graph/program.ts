// A program: a planned graph compiled on a backend, run many times. Named inputs and variables are written, named
// outputs read; between runs the state stays where it is.

import type { Backend, CallTime, Executable } from '../backends/backend.ts';
import { sizeOf } from '../tensor/layout.ts';
import type { Graph } from './graph.ts';
import { type NamedPlan, type ProgramRequest, planProgram } from './plan.ts';

/** A compiled program. */
export class Program {
  readonly planned: NamedPlan;
  private readonly executable: Executable;

  private constructor(planned: NamedPlan, executable: Executable) {
    this.planned = planned;
    this.executable = executable;
  }

  /** Plans and compiles a graph. */
  static async compile(graph: Graph, request: ProgramRequest, backend: Backend): Promise<Program> {
    const planned = planProgram(graph, request);
    return new Program(planned, await backend.compile(planned.plan));
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
    return this.executable.dispose();
  }
}
