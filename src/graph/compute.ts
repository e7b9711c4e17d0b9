// The shortest way through the engine, for programs: ndarrays in, a function that records operations, ndarrays out.
// Records, compiles, runs once and cleans up; what runs more than once uses Graph and Program itself.

import type { NdArray } from 'ndarray';
import type { Backend } from '../backends/backend.ts';
import { chooseBackend } from '../backends/choose.ts';
import { NdconvError } from '../errors.ts';
import { product } from '../tensor/layout.ts';
import { packNdarray, toNdarray } from '../tensor/ndarray.ts';
import { differentiate } from './differentiate.ts';
import { Graph, type Value } from './graph.ts';
import { Program } from './program.ts';

/** Arrays by name. */
export type Arrays = Record<string, NdArray>;
/** Results by name, packed float32. */
export type Results = Record<string, NdArray<Float32Array>>;
/** Recorded values by name. */
export type Values = Record<string, Value>;

/** `backend` is a name ('auto' where absent) or a backend that the caller keeps. */
export interface ComputeOptions {
  backend?: string | Backend;
}

/**
 * Computes what `build` records over the inputs. Tensors are `[batch, ...spatial, channels]`.
 *
 *     const { y } = await compute({ x, w }, ({ x, w }) => ({ y: operations.convolution(x, w) }));
 */
export async function compute(
  inputs: Arrays,
  build: (inputs: Values) => Values,
  options: ComputeOptions = {},
): Promise<Results> {
  const { graph, values, packed } = recordInputs(inputs);
  return evaluate(graph, packed, build(values), options);
}

/**
 * The loss that `build` records (one element) and its gradient with respect to every input, under the input's name.
 * Throws ShapeError where the loss has more than one element.
 */
export async function computeGradients(
  inputs: Arrays,
  build: (inputs: Values) => Value,
  options: ComputeOptions = {},
): Promise<{ loss: number; gradients: Results }> {
  const { graph, values, packed } = recordInputs(inputs);
  const loss = build(values);
  if (product(loss.shape) !== 1)
    throw new NdconvError('ShapeError', `a loss has one element, this one has shape [${loss.shape}]`);
  const names = Object.keys(inputs);
  const gradients = differentiate(
    loss,
    names.map(name => values[name]),
  );
  const wanted: Values = { loss };
  for (const [i, name] of names.entries()) wanted[`gradient ${name}`] = gradients[i];
  const found = await evaluate(graph, packed, wanted, options);
  return {
    loss: found.loss.data[0],
    gradients: Object.fromEntries(names.map(name => [name, found[`gradient ${name}`]])),
  };
}

type Inputs = Record<string, ReturnType<typeof packNdarray>>;

function recordInputs(inputs: Arrays): { graph: Graph; values: Values; packed: Inputs } {
  const graph = new Graph();
  const packed: Inputs = {};
  const values: Values = {};
  for (const [name, array] of Object.entries(inputs)) {
    packed[name] = packNdarray(array);
    values[name] = graph.input(name, packed[name].shape);
  }
  return { graph, values, packed };
}

async function evaluate(
  graph: Graph,
  inputs: Inputs,
  outputs: Values,
  options: ComputeOptions,
): Promise<Results> {
  const { backend = 'auto' } = options;
  const made = typeof backend === 'string' ? await chooseBackend(backend, {}) : undefined;
  try {
    const program = await Program.compile(graph, { outputs }, made ?? (backend as Backend));
    try {
      for (const [name, { data }] of Object.entries(inputs))
        if (program.planned.leaves.has(name)) await program.write(name, data);
      await program.run();
      const results: Results = {};
      for (const [name, { shape }] of Object.entries(outputs))
        results[name] = toNdarray({ shape, data: await program.read(name) });
      return results;
    } finally {
      await program.dispose();
    }
  } finally {
    await made?.close();
  }
}
