// Reads layers of a network for inputs of any size, one after the other: a program is compiled for every shape that
// comes, and kept while there is room. Nothing is evaluated beyond the deepest layer asked for.

import type { Backend } from '../backends/backend.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { instantiate, layerIndex, type Network } from '../networks/network.ts';
import {
  type Box,
  clipBox,
  planReceptive,
  type ReceptiveField,
  type ReceptivePlan,
  receptiveBox,
  receptiveFields,
} from '../networks/receptive-field.ts';
import { gram } from '../ops/gram.ts';
import { product } from '../tensor/layout.ts';
import type { Packed } from '../tensor/packed.ts';
import { mostCompared } from './layer-record.ts';

/**
 * The network for inputs of this shape (`[...spatial, channels]`), without the layers after the last of `layers`. One that
 * takes a row of samples as its channels reads a signal of so many samples instead, so that its cells have a place in time.
 */
export function fitNetwork(network: Network, shape: readonly number[], layers: readonly string[]): Network {
  const { rank, channels, specialise } = network;
  const last = 1 + Math.max(...layers.map(name => layerIndex(network, name)));
  const isRow = rank === 0 && shape.length === 2 && shape[0] === channels && shape[1] === 1;
  const upTo = (all: Network['layers']) => all.slice(0, last);
  return {
    ...network,
    ...(isRow ? { rank: 1, channels: 1 } : {}),
    layers: upTo(network.layers),
    ...(specialise ? { specialise: (of: readonly number[]) => upTo(specialise(of)) } : {}),
  };
}

/** Fields of the cells of a network's layers in an input of one shape. */
export interface Fields {
  readonly network: Network;
  readonly plan: ReceptivePlan;
  /** Sizes of the input. */
  readonly spatial: readonly number[];
  /** Sizes of a layer, none where it gives one row. */
  sizesOf(layer: string): readonly number[];
  /** Coordinates of a cell, row-major over the layer's sizes. */
  coordinates(layer: string, cell: number): number[];
  /** What the cell reads, on a grid without edges; everywhere where it reads nothing. */
  box(layer: string, cell: number): Box;
  /** The part of it inside the input. */
  inside(layer: string, cell: number): Box;
  /** Size and step of every layer's fields. */
  receptive(): Map<string, ReceptiveField | undefined>;
}

/** Fields for inputs of a shape, computed when asked for. */
export function fieldsOf(network: Network, shape: readonly number[], layers: readonly string[]): Fields {
  const fitted = fitNetwork(network, shape, layers);
  const plan = planReceptive(fitted, shape);
  const spatial = shape.slice(0, -1);
  const sizes = new Map(plan.placed.map(({ layer, shape: own }) => [layer.name, own!.slice(1, -1)]));
  let receptive: ReturnType<typeof receptiveFields> | undefined;
  const known = new Map<string, Map<number, Box>>(layers.map(layer => [layer, new Map()]));
  const coordinates = (layer: string, cell: number): number[] => {
    const at: number[] = [];
    let rest = cell;
    for (const n of [...sizes.get(layer)!].reverse()) {
      at.unshift(rest % n);
      rest = Math.floor(rest / n);
    }
    return at;
  };
  const box = (layer: string, cell: number): Box => {
    const found = known.get(layer)!;
    let own = found.get(cell);
    if (!own) {
      own = receptiveBox(plan, layer, coordinates(layer, cell)) ?? {
        from: spatial.map(() => Number.NEGATIVE_INFINITY),
        to: spatial.map(() => Number.POSITIVE_INFINITY),
      };
      found.set(cell, own);
    }
    return own;
  };
  return {
    network: fitted,
    plan,
    spatial,
    sizesOf: layer => sizes.get(layer)!,
    coordinates,
    box,
    inside: (layer, cell) => clipBox(box(layer, cell), spatial),
    receptive: () => (receptive ??= receptiveFields(plan)),
  };
}

/** Whether two boxes have a cell in common. */
export const overlapping = (a: Box, b: Box): boolean =>
  a.from.every((from, axis) => from < b.to[axis] && b.from[axis] < a.to[axis]);

/** Keeps the few things that were used last; `dispose` is called for what goes. */
export function createStore<T>(most: number, dispose: (value: T) => Promise<void> | void) {
  const kept = new Map<string, T>();
  return {
    async get(key: string, make: () => Promise<T> | T): Promise<T> {
      let value = kept.get(key);
      if (value === undefined) {
        for (const [old, gone] of kept) {
          if (kept.size < most) break;
          kept.delete(old);
          await dispose(gone);
        }
        value = await make();
      } else kept.delete(key);
      kept.set(key, value);
      return value;
    },
    async clear() {
      for (const value of kept.values()) await dispose(value);
      kept.clear();
    },
  };
}

/** What a layer is for one input. */
export interface LayerValue {
  /** `[1, ...cells, units]`. */
  readonly value: Packed;
  readonly gram?: Float32Array;
}

/** Programs kept for shapes that come again. */
const mostShapes = 4;

/** Reads `layers` for inputs `[...spatial, channels]`; `dispose` when done. */
export function createReader(network: Network, layers: readonly string[], backend: Backend) {
  const store = createStore<{ program: Program; outputs: Map<string, Value>; fields: Fields }>(
    mostShapes,
    ({ program }) => program.dispose(),
  );
  const compile = async (shape: readonly number[]) => {
    const fields = fieldsOf(network, shape, layers);
    const graph = new Graph();
    const values = instantiate(fields.network, graph.input('x', [1, ...shape]), layers);
    const outputs = new Map<string, Value>(values);
    // Layers without space are compared by their values.
    for (const [name, value] of values)
      if (value.shape.length > 2 && value.shape.at(-1)! <= mostCompared)
        outputs.set(gramOf(name), gram(value));
    const program = await Program.compile(graph, { outputs: Object.fromEntries(outputs) }, backend);
    return { program, outputs, fields };
  };
  return {
    async read({ shape, data }: Packed): Promise<{ values: Map<string, LayerValue>; fields: Fields }> {
      const { program, outputs, fields } = await store.get(shape.join(), () => compile(shape));
      await program.write('x', data);
      await program.run();
      const values = new Map<string, LayerValue>();
      for (const layer of layers) {
        const value = { shape: outputs.get(layer)!.shape, data: await program.read(layer) };
        const product = outputs.has(gramOf(layer)) ? { gram: await program.read(gramOf(layer)) } : {};
        values.set(layer, { value, ...product });
      }
      return { values, fields };
    },
    dispose: store.clear,
  };
}

const gramOf = (layer: string): string => `gram of ${layer}`;

/** Units of a layer for inputs of a shape. Errors: NetworkError, ShapeError where the shape does not fit. */
export function unitsOf(fields: Fields, layer: string): number {
  const placed = fields.plan.placed.find(({ layer: { name } }) => name === layer)!;
  return product(placed.shape!.slice(-1));
}
