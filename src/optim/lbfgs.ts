// Limited-memory BFGS on the host, in double precision, for a function that returns its value and gradient. Nothing in
// it compares a loss, a gradient or a step with a fixed number: multiply the loss by anything that single precision
// holds, and the same points are visited. It never accepts a step that raises the value, so that it cannot explode.
// Source: Nocedal & Wright, Numerical Optimization (2006), algorithm 7.4.

import { NdconvError } from '../errors.ts';
import { combine, dot, dotWide, type Objective, type Place, searchLine } from './line-search.ts';
import type { Ending } from './settings.ts';

/** One accepted step. */
export interface LbfgsStep<T> extends Place<T> {
  iteration: number;
  /** Evaluations so far, the one at the start included. */
  evaluations: number;
}

/** Length of the first step of plain descent, in relation to the point. */
const firstStep = 0.01;
/** Over how many steps the value must have fallen by less than `leastFall` of itself for the search to have converged. */
const patience = 10;
const leastFall = 1e-6;

interface Pair {
  s: Float32Array;
  y: Float32Array;
  rho: number;
}

/**
 * Minimises from `start`, up to `iterations` steps, remembering `history` of them; `onStep` returns false to stop. Resolves
 * with the lowest point and why it ended. Errors: RunError where value or gradient at the start is not finite.
 */
export async function lbfgs<T>(
  objective: Objective<T>,
  start: Float32Array,
  { iterations, history }: { iterations: number; history: number },
  onStep: (step: LbfgsStep<T>) => Promise<boolean> | boolean,
): Promise<{ x: Float32Array; value: number; reason: Ending; evaluations: number }> {
  let evaluations = 0;
  const counted: Objective<T> = x => {
    evaluations++;
    return objective(x);
  };
  let at: Place<T> = { x: Float32Array.from(start), ...(await counted(start)) };
  const size = dot(at.gradient, at.gradient);
  if (!Number.isFinite(at.value) || !Number.isFinite(size))
    throw new NdconvError(
      'RunError',
      `lbfgs: at the start the loss is ${at.value}${Number.isFinite(size) ? '' : ' and its gradient not finite'}: check the inputs for values that are not finite or far out of range`,
      { loss: at.value },
    );
  let pairs: Pair[] = [];
  const values = [at.value];
  const end = (reason: Ending) => ({ x: at.x, value: at.value, reason, evaluations });

  for (let iteration = 1; iteration <= iterations; iteration++) {
    if (dot(at.gradient, at.gradient) === 0) return end('converged');
    let found = pairs.length > 0 ? await tryModel(counted, at, pairs) : undefined;
    if (!found) {
      // No model yet, or a bad one: plain descent.
      pairs = [];
      const direction = combine(at.gradient, -1, at.gradient, 0);
      const slope = -dot(at.gradient, at.gradient);
      const length = firstStep * Math.sqrt(dot(at.x, at.x)) || 1;
      const { place, settled } = await searchLine(counted, at, direction, slope, length / Math.sqrt(-slope));
      if (!place) return end(settled ? 'converged' : 'stalled');
      found = place;
    }

    const s = difference(found.x, at.x);
    const y = difference(found.gradient, at.gradient);
    const sy = dot(s, y);
    if (sy > 1e-10 * Math.sqrt(dot(s, s) * dot(y, y))) {
      pairs.push({ s, y, rho: 1 / sy });
      if (pairs.length > history) pairs.shift();
    }
    at = found;
    if (!(await onStep({ ...at, iteration, evaluations }))) return end('stopped');
    values.push(at.value);
    const before = values.at(-1 - patience);
    if (before !== undefined && before - at.value <= leastFall * Math.abs(at.value)) return end('converged');
  }
  return end('iterations');
}

// A step along −H·g; undefined where that is no descent or leads nowhere.
async function tryModel<T>(
  objective: Objective<T>,
  at: Place<T>,
  pairs: readonly Pair[],
): Promise<Place<T> | undefined> {
  const direction = descend(at.gradient, pairs);
  const slope = dot(at.gradient, direction);
  if (!(slope < 0) || !Number.isFinite(slope)) return undefined;
  return (await searchLine(objective, at, direction, slope, 1)).place;
}

// The two-loop recursion: −H·g.
function descend(gradient: Float32Array, pairs: readonly Pair[]): Float32Array {
  const q = new Float64Array(gradient);
  const alphas = new Array<number>(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    alphas[i] = pairs[i].rho * dotWide(pairs[i].s, q);
    accumulate(q, pairs[i].y, -alphas[i]);
  }
  const last = pairs[pairs.length - 1];
  const scale = 1 / (last.rho * dot(last.y, last.y));
  for (let i = 0; i < q.length; i++) q[i] *= scale;
  pairs.forEach(({ s, y, rho }, i) => accumulate(q, s, alphas[i] - rho * dotWide(y, q)));
  const direction = new Float32Array(q.length);
  for (let i = 0; i < q.length; i++) direction[i] = -q[i];
  return direction;
}

function accumulate(target: Float64Array, v: Float32Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i] += factor * v[i];
}

const difference = (a: Float32Array, b: Float32Array): Float32Array => combine(a, 1, b, -1);
