// SGD with momentum and Adam as graph nodes: the moments are variables beside the trained ones, so that the state stays
// on the backend and one run of the program is one step. What changes from step to step (bias correction, rate) comes
// in through one small input.

import type { Graph, Value } from '../graph/graph.ts';
import { sizeOf } from '../tensor/layout.ts';
import type { AdamSettings, SgdSettings } from './settings.ts';

/** Updates for `ProgramRequest.updates`, and what to write before step `t` (counted from 1). */
export interface Stepper {
  updates: { variable: Value; value: Value }[];
  /** Names of the variables that hold the optimiser's own state, for checkpoints. */
  state: string[];
  /** Values of the inputs for step t, at a part of the rate. */
  inputs(t: number, part?: number): Record<string, Float32Array>;
}

const ones = (shape: readonly number[]) => shape.map(() => 1);

/** Records the update of every variable from its gradient. */
export function firstOrder(
  graph: Graph,
  settings: SgdSettings | AdamSettings,
  variables: readonly Value[],
  gradients: readonly Value[],
): Stepper {
  return settings.name === 'sgd'
    ? sgd(graph, settings, variables, gradients)
    : adam(graph, settings, variables, gradients);
}

function sgd(
  graph: Graph,
  { rate, momentum }: SgdSettings,
  variables: readonly Value[],
  gradients: readonly Value[],
): Stepper {
  const updates: Stepper['updates'] = [];
  const state: string[] = [];
  const names: string[] = [];
  const move = (x: Value, by: Value, i: number): void => {
    const name = `sgd rate ${i}`;
    names.push(name);
    const value = graph.map(
      ['sub', 'x0', ['mul', 'x1', 'x2']],
      [x, graph.input(name, ones(x.shape)), by],
      'sgd',
    );
    updates.push({ variable: x, value });
  };
  variables.forEach((x, i) => {
    if (momentum === 0) {
      move(x, gradients[i], i);
      return;
    }
    const name = `velocity ${i}`;
    state.push(name);
    const v = graph.variable(name, x.shape, new Float32Array(sizeOf(x.shape)));
    const next = graph.map(['add', ['mul', momentum, 'x0'], 'x1'], [v, gradients[i]], 'sgd velocity');
    updates.push({ variable: v, value: next });
    move(x, next, i);
  });
  return {
    updates,
    state,
    inputs: (_, part = 1) => Object.fromEntries(names.map(name => [name, Float32Array.of(part * rate)])),
  };
}

// x ← x − rate·(m/c1) / (√(v/c2) + ε) with c = 1 − βᵗ, written as x − a·m / (√v + e), a = rate·√c2/c1, e = ε·√c2.
function adam(
  graph: Graph,
  settings: AdamSettings,
  variables: readonly Value[],
  gradients: readonly Value[],
): Stepper {
  const { rate, beta1, beta2, epsilon } = settings;
  const updates: Stepper['updates'] = [];
  const state: string[] = [];
  const names: string[] = [];
  variables.forEach((x, i) => {
    const zeros = () => new Float32Array(sizeOf(x.shape));
    const m = graph.variable(`first moment ${i}`, x.shape, zeros());
    const v = graph.variable(`second moment ${i}`, x.shape, zeros());
    state.push(`first moment ${i}`, `second moment ${i}`);
    const step = graph.input(`adam step ${i}`, ones(x.shape));
    const floor = graph.input(`adam floor ${i}`, ones(x.shape));
    names.push(`adam step ${i}`, `adam floor ${i}`);
    const g = gradients[i];
    const m1 = graph.map(['add', ['mul', beta1, 'x0'], ['mul', 1 - beta1, 'x1']], [m, g], 'adam m');
    const v1 = graph.map(
      ['add', ['mul', beta2, 'x0'], ['mul', 1 - beta2, ['mul', 'x1', 'x1']]],
      [v, g],
      'adam v',
    );
    const x1 = graph.map(
      ['sub', 'x0', ['div', ['mul', 'x1', 'x2'], ['add', ['sqrt', 'x3'], 'x4']]],
      [x, step, m1, v1, floor],
      'adam x',
    );
    updates.push({ variable: m, value: m1 }, { variable: v, value: v1 }, { variable: x, value: x1 });
  });
  return {
    updates,
    state,
    inputs: (t, part = 1) => {
      const [c1, c2] = [1 - beta1 ** t, 1 - beta2 ** t];
      const values = [(part * rate * Math.sqrt(c2)) / c1, epsilon * Math.sqrt(c2)];
      return Object.fromEntries(names.map((name, i) => [name, Float32Array.of(values[i % 2])]));
    },
  };
}
