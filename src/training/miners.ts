// Mining: which triplets (anchor a, positive p, negative n) of a batch count, as weights 0 or 1 computed in the graph from
// the distances of the same step. `random`, `batch-all` (every triplet), `hard` (for each a, p the nearest negative),
// `semi-hard` (FaceNet: the nearest negative that is farther than the positive; the farthest where there is none, as in
// TensorFlow's triplet_semihard_loss), `batch-hard` (for each a the farthest positive and the nearest negative; Hermans,
// Beyer & Leibe 2017). Negatives at the same distance all count. No gradient passes through a choice.

import type { Expr } from '../../kernels/map/expr.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { Miner } from './settings.ts';

/** What miners look at, for a batch of N. */
export interface Candidates {
  /** Squared distances of anchors to positives `[N, N, 1]` and to negatives `[N, 1, N]`: the same matrix twice. */
  near: Value;
  far: Value;
  /** 1 where p (n) may be a positive (negative) of a; in the same shapes. */
  positive: Value;
  negative: Value;
  /** `random` alone: 1 for the negative drawn for each a, p, `[N, N, N]`. */
  drawn?: Value;
}

/** Beyond any distance. */
const BEYOND = 1e30;

/** 1 where two expressions are equal. */
const equal = (a: Expr, b: Expr): Expr => ['sub', 1, ['step', ['abs', ['sub', a, b]]]];

/** The nearest negative of each anchor, `[N, 1, 1]`. */
function nearestNegative(graph: Graph, { far, negative }: Candidates): Value {
  const expr: Expr = ['select', 'x1', ['neg', 'x0'], -BEYOND];
  const most = graph.reduce('max', expr, [far, negative], [far.shape[0], 1, 1], 'nearest negative');
  return graph.map(['neg', 'x0'], [most], 'nearest negative');
}

/** Weights of all triplets, `[N, N, N]` by a, p, n. */
export function mine(miner: Miner, given: Candidates): Value {
  const { graph } = given.near;
  const seen = { ...given, near: graph.detach(given.near), far: graph.detach(given.far) };
  const { near, far, positive, negative } = seen;
  const n = far.shape[0];
  const possible: Expr = ['mul', 'x0', 'x1'];
  switch (miner) {
    case 'batch-all':
      return graph.map(possible, [positive, negative], 'triplets');
    case 'random':
      return graph.map(possible, [positive, given.drawn!], 'triplets');
    case 'hard':
      return graph.map(
        ['mul', possible, equal('x2', 'x3')],
        [positive, negative, far, nearestNegative(graph, seen)],
        'triplets',
      );
    case 'batch-hard': {
      const expr: Expr = ['select', 'x1', 'x0', -BEYOND];
      const farthest = graph.reduce('max', expr, [near, positive], [n, 1, 1], 'farthest positive');
      const hard = graph.map(
        ['mul', 'x0', equal('x1', 'x2')],
        [positive, near, farthest],
        'farthest positive',
      );
      return graph.map(
        ['mul', possible, equal('x2', 'x3')],
        [hard, negative, far, nearestNegative(graph, seen)],
        'triplets',
      );
    }
    case 'semi-hard': {
      const beyond: Expr = ['mul', 'x2', ['step', ['sub', 'x1', 'x0']]];
      const next = graph.reduce(
        'max',
        ['select', beyond, ['neg', 'x1'], -BEYOND],
        [near, far, negative],
        [n, n, 1],
        'semi-hard negative',
      );
      const last = graph.reduce(
        'max',
        ['select', 'x1', 'x0', -BEYOND],
        [far, negative],
        [n, 1, 1],
        'farthest negative',
      );
      const chosen = graph.map(
        ['select', ['add', 'x0', BEYOND / 2], ['neg', 'x0'], 'x1'],
        [next, last],
        'semi-hard negative',
      );
      return graph.map(['mul', possible, equal('x2', 'x3')], [positive, negative, far, chosen], 'triplets');
    }
  }
}
