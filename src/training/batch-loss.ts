// Losses over all pairs or triplets of a batch of embeddings `[N, C]`, with the figures that tell how training goes. One
// matrix of squared distances serves them all.
//   triplet      J = Σ max(‖a − p‖² − ‖a − n‖² + margin, 0) over the triplets mined (Schroff et al. 2015)
//   contrastive  mean of ‖a − b‖² over equal pairs + mean of max(√margin − ‖a − b‖, 0)² over different ones (Hadsell et al. 2006)
//   pairs        cross-entropy of σ(Σ w_k·|a_k − b_k| + b) over pairs, equal and different ones weighing the same

import type { Expr } from '../../kernels/map/expr.ts';
import { NdconvError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { mine } from './miners.ts';
import type { LossName, Miner } from './settings.ts';

/** A loss `[1]` and figures of one element each. */
export interface BatchLoss {
  loss: Value;
  figures: Record<FigureName, Value>;
  /** `pairs`: the weights and bias of its unit, beside those of the network. */
  variables: Record<string, Value>;
}

/**
 * `terms`: triplets, or 2 for the two kinds of pair; `active`: of the triplets those whose loss is above 0, of the pairs
 * the share of different ones within the margin, or wrongly decided ones; `spread`: squared distances of pairs times their
 * weights, and `pairs` the sum of the weights.
 */
export const figureNames = ['terms', 'active', 'spread', 'pairs'] as const;
export type FigureName = (typeof figureNames)[number];

/** Names of the inputs of a batch's labels: see labels.ts. */
export const inputNames = { positive: 'positive', negative: 'negative', drawn: 'drawn' } as const;

/** Keeps the root of a squared distance of 0 differentiable. */
const EPSILON = 1e-8;

/** Σ of an expression over everything, `[1]`. */
function total(expr: Expr, inputs: readonly Value[], label: string): Value {
  const { graph } = inputs[0];
  const ones = inputs[0].shape.map(() => 1);
  return graph.reshape(graph.reduce('sum', expr, inputs, ones, label), [1]);
}

/** ‖a − b‖² of all pairs of rows: `[N, C]` to `[N, N, 1]`; exact where embeddings are close, unlike a product of matrices. */
export function allDistances(embeddings: Value): Value {
  const { graph } = embeddings;
  const [n, c] = embeddings.shape;
  const [rows, columns] = [graph.reshape(embeddings, [n, 1, c]), graph.reshape(embeddings, [1, n, c])];
  const difference: Expr = ['sub', 'x0', 'x1'];
  return graph.reduce('sum', ['mul', difference, difference], [rows, columns], [n, n, 1], 'distances');
}

/**
 * Records the loss of a batch. Errors: ShapeError where the margin is not above 0: then equal embeddings, which tell nothing apart,
 * have no loss.
 */
export function batchLoss(
  embeddings: Value,
  { loss, margin, miner }: { loss: LossName; margin: number; miner: Miner },
): BatchLoss {
  if (loss !== 'pairs') expectMargin(margin);
  const { graph } = embeddings;
  const n = embeddings.shape[0];
  const near = allDistances(embeddings);
  const positive = graph.input(inputNames.positive, [n, n, 1]);
  const negative = graph.input(inputNames.negative, [n, 1, n]);
  const [equal, different] = [positive, graph.reshape(negative, [n, n, 1])];
  const weight: Expr = ['add', 'x1', 'x2'];
  const of = {
    spread: total(['mul', 'x0', weight], [near, equal, different], 'spread'),
    pairs: total(['add', 'x0', 'x1'], [equal, different], 'pairs'),
  };
  if (loss === 'triplet') {
    const far = graph.reshape(near, [n, 1, n]);
    const drawn = miner === 'random' ? graph.input(inputNames.drawn, [n, n, n]) : undefined;
    const triplets = mine(miner, { near, far, positive, negative, drawn });
    const excess: Expr = ['add', ['sub', 'x0', 'x1'], margin];
    const values = [near, far, triplets];
    return {
      loss: total(['mul', 'x2', ['max', excess, 0]], values, 'triplet loss'),
      figures: {
        terms: total('x0', [triplets], 'triplets'),
        active: total(['mul', 'x2', ['step', excess]], values, 'active triplets'),
        ...of,
      },
      variables: {},
    };
  }
  // For pairs the weights of a kind add up to 1.
  const two = graph.constant([1], Float32Array.of(2), 'two');
  if (loss === 'contrastive') {
    const gap: Expr = ['sub', Math.sqrt(margin), ['sqrt', ['add', 'x0', EPSILON]]];
    const push: Expr = ['mul', ['max', gap, 0], ['max', gap, 0]];
    const values = [near, equal, different];
    return {
      loss: total(['add', ['mul', 'x1', 'x0'], ['mul', 'x2', push]], values, 'contrastive loss'),
      figures: { terms: two, active: total(['mul', 'x2', ['step', gap]], values, 'active pairs'), ...of },
      variables: {},
    };
  }
  const c = embeddings.shape[1];
  const weights = graph.variable('unit.weights', [1, 1, c], new Float32Array(c).fill(-2 / Math.sqrt(c)));
  const bias = graph.variable('unit.bias', [1, 1, 1], Float32Array.of(1));
  const [rows, columns] = [graph.reshape(embeddings, [n, 1, c]), graph.reshape(embeddings, [1, n, c])];
  const apart: Expr = ['mul', 'x2', ['abs', ['sub', 'x0', 'x1']]];
  const sum = graph.reduce('sum', apart, [rows, columns, weights], [n, n, 1], 'unit');
  const logits = graph.map(['add', 'x0', 'x1'], [sum, bias], 'unit');
  // −log σ(x) = log(1 + exp(−|x|)) + max(−x, 0)
  const rest: Expr = ['log', ['add', 1, ['exp', ['neg', ['abs', 'x0']]]]];
  const same: Expr = ['mul', 'x1', ['add', rest, ['max', ['neg', 'x0'], 0]]];
  const other: Expr = ['mul', 'x2', ['add', rest, ['max', 'x0', 0]]];
  const values = [logits, equal, different];
  const wrong: Expr = ['add', ['mul', 'x1', ['step', ['neg', 'x0']]], ['mul', 'x2', ['step', 'x0']]];
  return {
    loss: total(['add', same, other], values, 'cross-entropy of pairs'),
    figures: { terms: two, active: total(wrong, values, 'wrong pairs'), ...of },
    variables: { 'unit.weights': weights, 'unit.bias': bias },
  };
}

/** Errors: ShapeError where a margin is not above 0. */
export function expectMargin(margin: number): void {
  if (margin > 0) return;
  throw new NdconvError(
    'ShapeError',
    `the margin must be above 0 and is ${margin}: without one, equal embeddings for everything have no loss and nothing is learned; 0.2 is usual for embeddings of length 1`,
    { margin },
  );
}
