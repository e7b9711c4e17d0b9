// Logistic regression with L2 on the weights (not on the bias): Newton's method, its linear systems by conjugate
// gradients, so that many components cost memory for the features alone. In double precision, because calibration and
// the learned unit are to be the minimum itself and not near it. Source: Lin, Weng & Keerthi, Trust region Newton method
// for large-scale logistic regression (2008), here with a line search.

/** Weighted samples: features `[n, size]`, targets in [0, 1], weights that add up to 1. */
export interface Samples {
  readonly features: Float64Array;
  readonly size: number;
  readonly targets: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
}

export interface LogisticModel {
  weights: Float64Array;
  bias: number;
}

export const sigmoid = (z: number): number => (z >= 0 ? 1 / (1 + Math.exp(-z)) : 1 - 1 / (1 + Math.exp(z)));

/** −t·log σ(z) − (1 − t)·log(1 − σ(z)), without overflow. */
export const crossEntropyAt = (z: number, target: number): number =>
  Math.max(z, 0) - z * target + Math.log1p(Math.exp(-Math.abs(z)));

const steps = 100;
/** Length of the gradient at the minimum: as exact as double precision, or enough to compare candidates. */
const exactly = 1e-14;
const nearly = 1e-6;
const cgSteps = 250;

/**
 * Minimises Σ_i weight_i·crossEntropy(w·x_i + b, target_i) + λ/2·‖w‖². scikit-learn's C is 1/λ with these sample weights.
 * `start` is a model near it, that of another λ say; not `exact` is quicker and right to some six digits.
 */
export function fitLogistic(
  samples: Samples,
  lambda: number,
  { start, exact = true }: { start?: LogisticModel; exact?: boolean } = {},
): LogisticModel {
  const { size, targets, weights } = samples;
  const n = targets.length;
  // The bias is the last component.
  const x = new Float64Array(size + 1);
  if (start) {
    x.set(start.weights);
    x[size] = start.bias;
  }
  const scores = scoresOf(samples, x);
  const curvature = new Float64Array(n);
  const residual = new Float64Array(n);
  let loss = lossOf(samples, scores, x, lambda);
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < n; i++) {
      const p = sigmoid(scores[i]);
      residual[i] = weights[i] * (p - targets[i]);
      curvature[i] = weights[i] * p * (1 - p);
    }
    const gradient = transposed(samples, residual);
    for (let k = 0; k < size; k++) gradient[k] += lambda * x[k];
    const norm = Math.sqrt(dot(gradient, gradient));
    if (norm < (exact ? exactly : nearly)) break;
    const direction = solve(samples, curvature, lambda, gradient, Math.min(0.1, Math.sqrt(norm)));
    const along = scoresOf(samples, direction);
    const slope = dot(gradient, direction);
    let length = 1;
    let next = Number.POSITIVE_INFINITY;
    for (; length > 1e-10; length /= 2) {
      const moved = scores.map((z, i) => z + length * along[i]);
      const place = x.map((value, k) => value + length * direction[k]);
      next = lossOf(samples, moved, place, lambda);
      if (next <= loss + 1e-4 * length * slope) break;
    }
    // At the minimum rounding decides; a whole Newton step there still brings it closer.
    const stuck = !(next < loss);
    if (stuck && Math.abs(slope) > 1e-13 * Math.max(1, loss)) break;
    if (stuck) length = 1;
    for (let k = 0; k <= size; k++) x[k] += length * direction[k];
    for (let i = 0; i < n; i++) scores[i] += length * along[i];
    if (stuck) break;
    loss = next;
  }
  return { weights: x.slice(0, size), bias: x[size] };
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
};

/** w·x + b of every sample. */
function scoresOf({ features, size, targets }: Samples, x: Float64Array): Float64Array {
  const scores = new Float64Array(targets.length);
  for (let i = 0, at = 0; i < scores.length; i++) {
    let sum = x[size];
    for (let k = 0; k < size; k++, at++) sum += x[k] * features[at];
    scores[i] = sum;
  }
  return scores;
}

/** Σ_i values_i·(features_i, 1). */
function transposed({ features, size }: Samples, values: Float64Array): Float64Array {
  const result = new Float64Array(size + 1);
  for (let i = 0, at = 0; i < values.length; i++) {
    const value = values[i];
    for (let k = 0; k < size; k++, at++) result[k] += value * features[at];
    result[size] += value;
  }
  return result;
}

function lossOf(
  { targets, weights, size }: Samples,
  scores: Float64Array,
  x: Float64Array,
  lambda: number,
): number {
  let loss = 0;
  for (let i = 0; i < scores.length; i++) loss += weights[i] * crossEntropyAt(scores[i], targets[i]);
  let squares = 0;
  for (let k = 0; k < size; k++) squares += x[k] * x[k];
  return loss + (lambda / 2) * squares;
}

/** −H⁻¹·gradient, until what is left is below `tolerance` of the gradient. */
function solve(
  samples: Samples,
  curvature: Float64Array,
  lambda: number,
  gradient: Float64Array,
  tolerance: number,
): Float64Array {
  const { size } = samples;
  const solution = new Float64Array(size + 1);
  const left = gradient.map(g => -g);
  const direction = left.slice();
  let norm = dot(left, left);
  const enough = tolerance ** 2 * norm;
  for (let step = 0; step < cgSteps && norm > enough; step++) {
    const along = scoresOf(samples, direction);
    for (let i = 0; i < along.length; i++) along[i] *= curvature[i];
    const image = transposed(samples, along);
    for (let k = 0; k < size; k++) image[k] += lambda * direction[k];
    const bend = dot(direction, image);
    if (!(bend > 0)) break;
    const length = norm / bend;
    for (let k = 0; k <= size; k++) {
      solution[k] += length * direction[k];
      left[k] -= length * image[k];
    }
    const next = dot(left, left);
    for (let k = 0; k <= size; k++) direction[k] = left[k] + (next / norm) * direction[k];
    norm = next;
  }
  return solution;
}
