// Runs a network once over one grid and reads layers of it: what features, style targets and embeddings are made of.
// Nothing is trained here.

import type { Backend } from '../backends/backend.ts';
import type { Forecast } from '../backends/forecast.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { planProgram } from '../graph/plan.ts';
import { Program } from '../graph/program.ts';
import type { Packed } from '../tensor/packed.ts';
import { instantiate, type Network } from './network.ts';

interface Recorded {
  graph: Graph;
  outputs: Record<string, Value>;
}

/** What is read of a layer; its value itself where absent. */
type Reading = (value: Value) => Value;

const itself: Reading = value => value;

function record(
  network: Network,
  shape: readonly number[],
  layers: readonly string[],
  read: Reading,
): Recorded {
  const graph = new Graph();
  const values = instantiate(network, graph.input('x', [1, ...shape]), layers);
  return { graph, outputs: Object.fromEntries([...values].map(([name, value]) => [name, read(value)])) };
}

/** Shapes without the batch, `[...spatial, channels]`, of layers (all where absent), and what reading them takes on a backend. */
export function planNetwork(
  network: Network,
  shape: readonly number[],
  layers: readonly string[] = network.layers.map(({ name }) => name),
  forecast?: Forecast,
): { shapes: Map<string, number[]>; peak: number; seconds?: number; heaviest: string[] } {
  const { graph, outputs } = record(network, shape, layers, itself);
  const { plan } = planProgram(graph, { outputs });
  const shapes = Object.entries(outputs).map(([name, value]) => [name, value.shape.slice(1)] as const);
  return {
    shapes: new Map(shapes),
    peak: forecast?.bytes(plan) ?? plan.bytes,
    seconds: forecast?.seconds(plan),
    heaviest: forecast?.heaviest(plan, 3) ?? [],
  };
}

/** A network compiled for grids of one shape, to be run over many. */
export interface CompiledNetwork {
  /** Values of the layers for a grid `[...spatial, channels]`, by name: `[1, ...spatial, channels]`. */
  run(data: Float32Array): Promise<Map<string, Packed>>;
  dispose(): Promise<void>;
}

/**
 * Compiles a network up to some layers for grids of a shape `[...spatial, channels]`. `read` makes what is read out of a
 * layer's value `[1, ...spatial, channels]` (a Gram matrix, say). Throws NetworkError where the shape does not fit it.
 */
export async function compileNetwork(
  network: Network,
  shape: readonly number[],
  layers: readonly string[],
  backend: Backend,
  read: Reading = itself,
): Promise<CompiledNetwork> {
  const { graph, outputs } = record(network, shape, layers, read);
  const program = await Program.compile(graph, { outputs }, backend);
  return {
    async run(data) {
      await program.write('x', data);
      await program.run();
      const found = new Map<string, Packed>();
      for (const [name, value] of Object.entries(outputs))
        found.set(name, { shape: value.shape, data: await program.read(name) });
      return found;
    },
    dispose: () => program.dispose(),
  };
}

/** Values of layers for one grid; as `compileNetwork`, once. */
export async function evaluateNetwork(
  network: Network,
  grid: Packed,
  layers: readonly string[],
  backend: Backend,
  read: Reading = itself,
): Promise<Map<string, Packed>> {
  const compiled = await compileNetwork(network, grid.shape, layers, backend, read);
  try {
    return await compiled.run(grid.data);
  } finally {
    await compiled.dispose();
  }
}
