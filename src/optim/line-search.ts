// The line search of L-BFGS: finds a step along a descent direction that satisfies the strong Wolfe conditions. It
// compares values and slopes only with each other, so that a loss multiplied by any number is searched in the same way.
// A value or slope that is not finite counts as infinitely bad, and a step that raises the value is never taken.
// Source: Nocedal & Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6 and equation 3.59.

/** Value and gradient at x; `aside` is whatever else was computed there. */
export interface Evaluation<T> {
  value: number;
  gradient: Float32Array;
  aside: T;
}

/** What is minimised. */
export type Objective<T> = (x: Float32Array) => Promise<Evaluation<T>>;

/** An evaluated point. */
export interface Place<T> extends Evaluation<T> {
  x: Float32Array;
}

interface Point<T> extends Place<T> {
  /** Multiple of the direction. */
  t: number;
  /** Derivative with respect to t. */
  slope: number;
}

const sufficientDecrease = 1e-4;
const curvature = 0.9;
const mostTrials = 24;
/** Relative resolution of single precision. */
const resolution = 2 ** -24;

/**
 * A point lower than `from` along `direction`, where the slope there (`slope`) is negative; `first` is the multiple of
 * the direction that is tried first. Where none was found, `settled` says whether that is because the points left to try
 * could not be told apart from it in single precision, and no value rose where both slopes said that it falls.
 */
export async function searchLine<T>(
  objective: Objective<T>,
  from: Place<T>,
  direction: Float32Array,
  slope: number,
  first: number,
): Promise<{ place?: Place<T>; settled: boolean }> {
  const origin: Point<T> = { ...from, t: 0, slope };
  let best: Point<T> | undefined;
  let contradicted = false;
  const probe = async (t: number): Promise<Point<T>> => {
    const x = combine(from.x, 1, direction, t);
    const found = await objective(x);
    const along = dot(found.gradient, direction);
    if (!Number.isFinite(found.value) || !Number.isFinite(along))
      return { ...found, x, t, value: Number.POSITIVE_INFINITY, slope: Number.NaN };
    const point = { ...found, x, t, slope: along };
    if (point.value < (best?.value ?? from.value)) best = point;
    if (along < 0.5 * slope && point.value - from.value > 16 * resolution * Math.abs(from.value))
      contradicted = true;
    return point;
  };
  const low = (p: Point<T>) => p.value <= from.value + sufficientDecrease * p.t * slope;
  const flat = (p: Point<T>) => Math.abs(p.slope) <= -curvature * slope;
  // Two points that single precision cannot tell apart, by their place or by the difference in value that the slope allows.
  const [extent, reach] = [largest(from.x), largest(direction)];
  const same = (a: Point<T>, b: Point<T>) => {
    const apart = Math.abs(a.t - b.t);
    return apart * reach <= resolution * extent || apart * -slope <= 1e-3 * resolution * Math.abs(from.value);
  };

  // Outwards until a minimum is enclosed.
  let [lo, hi]: [Point<T>, Point<T> | undefined] = [origin, undefined];
  let trials = 0;
  for (let t = first; trials < mostTrials && !hi; trials++, t *= 4) {
    const p = await probe(t);
    if (!low(p) || (trials > 0 && p.value >= lo.value)) hi = p;
    else if (flat(p)) return { place: p, settled: false };
    else if (p.slope >= 0) [lo, hi] = [p, lo];
    else lo = p;
  }
  // Inwards: `lo` is the lowest point so far that decreases enough, and its slope points at `hi`.
  for (; hi && trials < mostTrials && !same(lo, hi); trials++) {
    const p = await probe(between(lo, hi));
    if (!low(p) || p.value >= lo.value) hi = p;
    else {
      if (flat(p)) return { place: p, settled: false };
      if (p.slope * (hi.t - lo.t) >= 0) hi = lo;
      lo = p;
    }
  }
  return { place: best, settled: hi !== undefined && same(lo, hi) && !contradicted };
}

// The minimum of the cubic through values and slopes at both ends, kept a tenth of the interval away from them; a tenth of
// the way where the far end is infinitely bad.
function between<T>(lo: Point<T>, hi: Point<T>): number {
  const d = hi.t - lo.t;
  if (!Number.isFinite(hi.value)) return lo.t + 0.1 * d;
  const s = lo.slope + hi.slope - (3 * (hi.value - lo.value)) / d;
  const root = Math.sign(d) * Math.sqrt(s * s - lo.slope * hi.slope);
  const t = hi.t - (d * (hi.slope + root - s)) / (hi.slope - lo.slope + 2 * root);
  if (!Number.isFinite(t)) return lo.t + d / 2;
  const [a, b] = d > 0 ? [lo.t, hi.t] : [hi.t, lo.t];
  return Math.min(Math.max(t, a + 0.1 * (b - a)), b - 0.1 * (b - a));
}

// Loops over plain typed arrays of one kind each, several sums at a time: `from` with a function and loops that meet two
// kinds of array take five to ten times as long.

/** a·x + b·y. */
export function combine(x: Float32Array, a: number, y: Float32Array, b: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = a * x[i] + b * y[i];
  return out;
}

/** Inner product in double precision. */
export function dot(a: Float32Array, b: Float32Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = a.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (let i = whole; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

/** `dot` with a vector in double precision. */
export function dotWide(a: Float32Array, b: Float64Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = a.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (let i = whole; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

function largest(x: Float32Array): number {
  let most = 0;
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i]));
  return most;
}
