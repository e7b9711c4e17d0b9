// Eigenvalues and vectors of a symmetric matrix by cyclic Jacobi rotations, in double precision. For covariances of some
// hundred components: time grows with the third power. Source: Golub & Van Loan, Matrix Computations (2013), 8.5.

/** Part of the matrix off its diagonal, in squares, at which the rotations end: the rest is below double precision. */
const negligible = 1e-26;

/** Eigenvalues in no order, and their vectors as the rows of `[n, n]`, of a symmetric matrix `[n, n]`. */
export function symmetricEigen(
  matrix: Float64Array,
  n: number,
): { values: Float64Array; vectors: Float64Array } {
  const a = Float64Array.from(matrix);
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const size = a.reduce((sum, x) => sum + x * x, 0);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p * n + q] ** 2;
    if (off <= negligible * size) break;
    // What is small beside the rest of this sweep's part changes nothing that the next would not.
    const small = (1e-6 * off) / (n * n);
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) if (a[p * n + q] ** 2 > small) rotate(a, vectors, n, p, q);
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]), vectors };
}

/** Turns rows and columns p and q so that a[p][q] becomes 0. */
function rotate(a: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  const [app, aqq] = [a[p * n + p] - t * apq, a[q * n + q] + t * apq];
  for (let k = 0, i = p * n, j = q * n; k < n; k++, i++, j++) {
    const x = a[i];
    const y = a[j];
    const below = c * x - s * y;
    const above = s * x + c * y;
    a[i] = below;
    a[j] = above;
    a[k * n + p] = below;
    a[k * n + q] = above;
    const vx = vectors[i];
    const vy = vectors[j];
    vectors[i] = c * vx - s * vy;
    vectors[j] = s * vx + c * vy;
  }
  a[p * n + p] = app;
  a[q * n + q] = aqq;
  a[p * n + q] = a[q * n + p] = 0;
}
