// Limited-memory BFGS on the host, in double precision, for a function that returns its value and gradient. The line
// search satisfies the strong Wolfe conditions, treats a value that is not finite as infinitely bad, and never accepts
// a step that raises the value, so the method can stall but not explode.
// Source: Nocedal & Wright, Numerical Optimization (2006), algorithms 3.5, 3.6 and 7.4.

/** Value and gradient at x. */
export type Objective = (x: Float32Array) => Promise<{ value: number; gradient: Float32Array }>;

/** One accepted step; return false from `onStep` to stop. */
export interface LbfgsStep {
  iteration: number;
  value: number;
  x: Float32Array;
  evaluations: number;
}

const SUFFICIENT = 1e-4;
const CURVATURE = 0.9;
const MAX_TRIALS = 20;

interface Point {
  t: number;
  value: number;
  slope: number;
  x: Float32Array;
  gradient: Float32Array;
}

/** Minimises from `start`; resolves with the last point, the reason it stopped and the number of evaluations. */
export async function lbfgs(
  objective: Objective,
  start: Float32Array,
  { iterations, history }: { iterations: number; history: number },
  onStep: (step: LbfgsStep) => Promise<boolean>,
): Promise<{
  x: Float32Array;
  value: number;
  reason: 'iterations' | 'stopped' | 'converged';
  evaluations: number;
}> {
  let evaluations = 0;
  const evaluate = async (x: Float32Array) => {
    evaluations++;
    return objective(x);
  };
  let x: Float32Array = Float32Array.from(start);
  let { value, gradient } = await evaluate(x);
  const pairs: { s: Float32Array; y: Float32Array; rho: number }[] = [];

  for (let iteration = 1; iteration <= iterations; iteration++) {
    let direction = descend(gradient, pairs);
    let slope = dot(gradient, direction);
    if (!(slope < 0)) {
      pairs.length = 0;
      direction = Float32Array.from(gradient, g => -g);
      slope = dot(gradient, direction);
    }
    if (slope === 0 || !Number.isFinite(slope)) return { x, value, reason: 'converged', evaluations };
    const first = pairs.length > 0 ? 1 : 1 / Math.sqrt(-slope);
    let found = await search(evaluate, x, direction, { value, slope, gradient }, first);
    if (!found && pairs.length > 0) {
      // The model was bad: forget it and try plain descent once.
      pairs.length = 0;
      direction = Float32Array.from(gradient, g => -g);
      slope = dot(gradient, direction);
      found = await search(evaluate, x, direction, { value, slope, gradient }, 1 / Math.sqrt(-slope));
    }
    if (!found) return { x, value, reason: 'converged', evaluations };

    const s = difference(found.x, x);
    const y = difference(found.gradient, gradient);
    const sy = dot(s, y);
    if (sy > 1e-10 * Math.sqrt(dot(s, s) * dot(y, y))) {
      pairs.push({ s, y, rho: 1 / sy });
      if (pairs.length > history) pairs.shift();
    }
    x = found.x;
    value = found.value;
    gradient = found.gradient;
    if (!(await onStep({ iteration, value, x, evaluations })))
      return { x, value, reason: 'stopped', evaluations };
  }
  return { x, value, reason: 'iterations', evaluations };
}

// The two-loop recursion: −H·g.
function descend(
  gradient: Float32Array,
  pairs: readonly { s: Float32Array; y: Float32Array; rho: number }[],
): Float32Array {
  const q = Float64Array.from(gradient);
  const alphas = new Array<number>(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    alphas[i] = pairs[i].rho * dot(pairs[i].s, q);
    accumulate(q, pairs[i].y, -alphas[i]);
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < q.length; i++) q[i] *= scale;
  }
  pairs.forEach(({ s, y, rho }, i) => accumulate(q, s, alphas[i] - rho * dot(y, q)));
  return Float32Array.from(q, v => -v);
}

// Strong-Wolfe search along a direction; undefined where no lower point was found.
async function search(
  evaluate: Objective,
  x: Float32Array,
  direction: Float32Array,
  origin: { value: number; slope: number; gradient: Float32Array },
  first: number,
): Promise<Point | undefined> {
  const probe = async (t: number): Promise<Point> => {
    const at = Float32Array.from(x, (v, i) => v + t * direction[i]);
    const { value, gradient } = await evaluate(at);
    const finite = Number.isFinite(value);
    return {
      t,
      value: finite ? value : Number.POSITIVE_INFINITY,
      slope: finite ? dot(gradient, direction) : Number.NaN,
      x: at,
      gradient,
    };
  };
  const low = (p: Point) => p.value <= origin.value + SUFFICIENT * p.t * origin.slope;
  const flat = (p: Point) => Math.abs(p.slope) <= -CURVATURE * origin.slope;
  let best: Point | undefined;
  const keep = (p: Point) => {
    if (p.value < (best?.value ?? origin.value)) best = p;
    return p;
  };

  let previous: Point = { t: 0, value: origin.value, slope: origin.slope, x, gradient: origin.gradient };
  let t = first;
  let bracket: [Point, Point] | undefined;
  let trials = 0;
  for (; trials < MAX_TRIALS && !bracket; trials++) {
    const p = keep(await probe(t));
    if (!low(p) || (trials > 0 && p.value >= previous.value)) bracket = [previous, p];
    else if (flat(p)) return p;
    else if (p.slope >= 0) bracket = [p, previous];
    else {
      previous = p;
      t *= 4;
    }
  }
  if (!bracket) return best;
  let [lo, hi] = bracket;
  for (; trials < MAX_TRIALS; trials++) {
    const p = keep(await probe(between(lo, hi)));
    if (!low(p) || p.value >= lo.value) hi = p;
    else {
      if (flat(p)) return p;
      if (p.slope * (hi.t - lo.t) >= 0) hi = lo;
      lo = p;
    }
    if (
      Math.abs(hi.t - lo.t) * Math.max(1, Math.abs(origin.slope)) <
      1e-12 * Math.max(1, Math.abs(origin.value))
    )
      break;
  }
  return best && best.value < origin.value ? best : undefined;
}

// Quadratic interpolation inside the bracket, kept a tenth away from its ends; the middle where values are infinite.
function between(lo: Point, hi: Point): number {
  const d = hi.t - lo.t;
  const curve = hi.value - lo.value - lo.slope * d;
  const t = curve > 0 && Number.isFinite(curve) ? lo.t - (lo.slope * d * d) / (2 * curve) : lo.t + d / 2;
  const [a, b] = [Math.min(lo.t, hi.t), Math.max(lo.t, hi.t)];
  const edge = 0.1 * (b - a);
  return Math.min(Math.max(t, a + edge), b - edge);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function accumulate(target: Float64Array, v: Float32Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i] += factor * v[i];
}

const difference = (a: Float32Array, b: Float32Array): Float32Array =>
  Float32Array.from(a, (v, i) => v - b[i]);
