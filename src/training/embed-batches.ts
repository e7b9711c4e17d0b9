// Embeddings of many fields by one compiled program, in batches of a fixed size; the weights can be written between
// passes, so that a network in training is validated without compiling again.

import type { Backend } from '../backends/backend.ts';
import type { Field } from '../formats/field.ts';
import { Graph } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import type { Network } from '../networks/network.ts';
import { instantiateTrainable } from '../networks/trainable.ts';

/** Embeds with weights that change. */
export interface BatchEmbedder {
  /** Rows `[fields, C]` of the fields, which have the shape given, with the weights as last written. */
  embed(fields: readonly Field[]): Promise<Float32Array>;
  /** Values of weights by name; others are ignored. */
  write(weights: ReadonlyMap<string, Float32Array>): Promise<void>;
  dispose(): Promise<void>;
}

/** Compiles the network for batches of `size` fields `[...spatial, channels]` of one shape. */
export async function batchEmbedder(
  network: Network,
  shape: readonly number[],
  size: number,
  backend: Backend,
): Promise<BatchEmbedder> {
  const graph = new Graph();
  const { output, variables } = instantiateTrainable(network, graph.input('x', [size, ...shape]));
  const program = await Program.compile(graph, { outputs: { embedding: output } }, backend);
  const length = shape.reduce((a, b) => a * b, 1);
  const width = output.shape[1];
  return {
    async embed(fields) {
      const rows = new Float32Array(fields.length * width);
      for (let from = 0; from < fields.length; from += size) {
        const part = fields.slice(from, from + size);
        const x = new Float32Array(size * length);
        for (const [i, { data }] of part.entries()) x.set(data, i * length);
        await program.write('x', x);
        await program.run();
        rows.set((await program.read('embedding')).subarray(0, part.length * width), from * width);
      }
      return rows;
    },
    async write(weights) {
      for (const [name, values] of weights) if (name in variables) await program.write(name, values);
    },
    dispose: () => program.dispose(),
  };
}
