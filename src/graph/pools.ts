// Max pools and what goes back through them, rewritten before planning; exact.
//   Behind a ReLU the gradient is unpool(dY, A) and then a map with the ReLU's mask over the tensor that was pooled. A
//   window sends its gradient to the cell that holds its maximum, so the mask is known by the window: its place in A is −1
//   where the maximum is not above 0, and the map is gone.
//   A is computed right behind the maximum, where a backend can do both in one pass, and what was pooled need not be kept.

import type { Window } from '../../kernels/window/spec.ts';
import type { Node } from './graph.ts';

const MASK = JSON.stringify(['mul', 'x0', ['step', 'x1']]);

/** Rewrites the list; `keep` are read from outside. Nodes that nothing reads any more are left in it. */
export function rewritePools(nodes: readonly Node[], keep: ReadonlySet<number>): Node[] {
  return placeBehindMaxima(maskInPlaces(nodes, keep));
}

function maskInPlaces(nodes: readonly Node[], keep: ReadonlySet<number>): Node[] {
  const byId = new Map(nodes.map(n => [n.id, n]));
  const readers = new Map<number, number>();
  for (const n of nodes) for (const i of n.inputs) readers.set(i, (readers.get(i) ?? 0) + 1);
  const rewritten = new Map(byId);
  for (const mask of nodes) {
    if (mask.kernel?.family !== 'map' || JSON.stringify(mask.kernel.expr) !== MASK) continue;
    const [unpool, x] = mask.inputs.map(id => byId.get(id)!);
    if (kindOf(unpool) !== 'unpool' || readers.get(unpool.id) !== 1 || keep.has(unpool.id)) continue;
    const [dY, places] = unpool.inputs.map(id => byId.get(id)!);
    if (kindOf(places) !== 'argmax' || places.inputs[0] !== x.id) continue;
    // The unpool takes the place of the mask, and places of its own take that of the unpool.
    const kernel = { ...(places.kernel as Window), positive: true };
    rewritten.set(unpool.id, { ...places, id: unpool.id, kernel });
    rewritten.set(mask.id, { ...unpool, id: mask.id, inputs: [dY.id, unpool.id] });
  }
  return nodes.map(n => rewritten.get(n.id)!);
}

function placeBehindMaxima(nodes: readonly Node[]): Node[] {
  const windowsOf = (n: Node) =>
    JSON.stringify({ ...n.kernel, kind: undefined, positive: undefined, x: n.inputs });
  const maxima = new Set(nodes.filter(n => kindOf(n) === 'max').map(windowsOf));
  const moved = nodes.filter(n => kindOf(n) === 'argmax' && maxima.has(windowsOf(n)));
  return nodes.flatMap(n => {
    if (moved.includes(n)) return [];
    return kindOf(n) === 'max' ? [n, ...moved.filter(m => windowsOf(m) === windowsOf(n))] : [n];
  });
}

const kindOf = ({ kernel }: Node): Window['kind'] | undefined =>
  kernel?.family === 'window' ? kernel.kind : undefined;
