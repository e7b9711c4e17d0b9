// One step of training as a program: a batch through the network, its loss, gradients, the optimiser's step and the moving
// average of the weights. All of the state stays on the backend from step to step.

import { NdconvError } from '../errors.ts';
import { differentiate } from '../graph/differentiate.ts';
import { Graph, type Value } from '../graph/graph.ts';
import type { ProgramRequest } from '../graph/plan.ts';
import type { Network } from '../networks/network.ts';
import { instantiateTrainable } from '../networks/trainable.ts';
import { firstOrder, type Stepper } from '../optim/first-order.ts';
import { batchLoss } from './batch-loss.ts';
import type { TrainingSettings } from './settings.ts';

/** Prefix of the variables that hold moving averages. */
const AVERAGE = 'average of ';
/** Input: the part of the old average that goes. */
const RENEWAL = 'renewal';

/** A step ready to be compiled. */
export interface TrainingStep {
  graph: Graph;
  request: ProgramRequest;
  stepper: Stepper;
  /** Names of the trained weights, and of the pair unit's where there is one. */
  weights: string[];
  /** Everything that a checkpoint holds. */
  state: string[];
  /** Name of the variable whose values are validated and kept. */
  keptAs(weight: string): string;
  /** Inputs of the moving average. */
  renewal(decay: number): Record<string, Float32Array>;
}

/** The network with embeddings of length 1, where `normalise` is set and it does not give them by itself. */
export function withUnitLength(network: Network, normalise: boolean): Network {
  const last = network.layers[network.layers.length - 1];
  if (!normalise || last.type === 'l2-normalise') return network;
  const layer = { name: 'unit length', type: 'l2-normalise', parameters: {} } as const;
  const { specialise } = network;
  return {
    ...network,
    layers: [...network.layers, layer],
    ...(specialise ? { specialise: (shape: readonly number[]) => [...specialise(shape), layer] } : {}),
  };
}

/** Errors: NetworkError where the network does not give one row a sample. */
export function expectRows(network: Network, output: Value): void {
  if (output.shape.length === 2) return;
  throw new NdconvError(
    'NetworkError',
    `network ${network.name} ends with [${output.shape.slice(1).join(', ')}] values a sample, but an embedding is one row: end it with global-average-pool, or flatten and dense`,
  );
}

/** Records a step for inputs `[...spatial, channels]` of this shape. Errors: NetworkError, ShapeError. */
export function recordStep(
  network: Network,
  shape: readonly number[],
  settings: TrainingSettings,
): TrainingStep {
  const graph = new Graph();
  const n = settings.identities * settings.samples;
  const { output, variables: own } = instantiateTrainable(
    network,
    graph.input('x', [n, ...shape]),
    settings.freeze,
  );
  expectRows(network, output);
  const { loss, figures, variables: others } = graph.scope('loss', () => batchLoss(output, settings));
  const variables = { ...own, ...others };
  const names = Object.keys(variables);
  const values = Object.values(variables);
  const stepper = firstOrder(graph, settings.optimiser, values, differentiate(loss, values));
  const updates = [...stepper.updates];
  const averaged = settings.average > 0;
  const renewals: string[] = [];
  if (averaged)
    for (const [i, variable] of values.entries()) {
      const next = stepper.updates.find(update => update.variable.id === variable.id)!.value;
      const data = graph.nodes[variable.id].data;
      const average = graph.variable(`${AVERAGE}${names[i]}`, variable.shape, data);
      const renewal = graph.input(
        `${RENEWAL} ${i}`,
        variable.shape.map(() => 1),
      );
      renewals.push(`${RENEWAL} ${i}`);
      const value = graph.map(
        ['add', 'x0', ['mul', 'x2', ['sub', 'x1', 'x0']]],
        [average, next, renewal],
        'average',
      );
      // Before the weights move on, as it reads what they become.
      updates.unshift({ variable: average, value });
    }
  return {
    graph,
    request: { outputs: { loss, ...figures }, updates },
    stepper,
    weights: names,
    state: [...names, ...(averaged ? names.map(name => `${AVERAGE}${name}`) : []), ...stepper.state],
    keptAs: weight => (averaged ? `${AVERAGE}${weight}` : weight),
    renewal: decay => Object.fromEntries(renewals.map(name => [name, Float32Array.of(1 - decay)])),
  };
}
