// Softmax over the channels; the largest value is taken off first, without a gradient of its own.

import type { Value } from '../graph/graph.ts';
import { sub } from './arithmetic.ts';

const last = (x: Value): number[] => x.shape.map((n, a) => (a === x.shape.length - 1 ? 1 : n));

function centred(x: Value): Value {
  if (x.shape.at(-1) === 1) return sub(x, x.graph.detach(x));
  return sub(x, x.graph.detach(x.graph.reduce('max', 'x0', [x], last(x), 'max')));
}

/** exp(x) / Σ exp(x) over the channels. */
export function softmax(x: Value): Value {
  const c = centred(x);
  const total = x.graph.reduce('sum', ['exp', 'x0'], [c], last(x), 'softmax sum');
  return x.graph.map(['div', ['exp', 'x0'], 'x1'], [c, total], 'softmax');
}

/** x − log Σ exp(x) over the channels. */
export function logSoftmax(x: Value): Value {
  const c = centred(x);
  const total = x.graph.reduce('sum', ['exp', 'x0'], [c], last(x), 'softmax sum');
  return x.graph.map(['sub', 'x0', ['log', 'x1']], [c, total], 'log-softmax');
}
