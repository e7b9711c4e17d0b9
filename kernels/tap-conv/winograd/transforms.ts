// The small matrices of Winograd's (Toom's and Cook's) fast correlation along one axis: F(m, k) gives m outputs of a
// k-tap correlation from n = m + k − 1 inputs with n multiplications instead of m·k,
//     y = A ( (G g) ⊙ (B d) ),      y[i] = Σ_t g[t] · d[i + t].
// Both factors are polynomials evaluated in n − 1 points and at infinity. Everything is computed in exact fractions; the
// points are dyadic, so that A and B are exact in float32, and G carries the odd denominators (it is applied in
// double precision). Source: Winograd 1980; Lavin & Gray 2015 for convolutional layers.

/** Matrices of F(m, k): B `[n][n]` for inputs, G `[n][k]` for weights, A `[m][n]` for products. */
export interface Transform {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly B: readonly (readonly number[])[];
  readonly G: readonly (readonly number[])[];
  readonly A: readonly (readonly number[])[];
  /** Where the value of a polynomial is the sum of its coefficients: A times this unit vector is 1 in every row. */
  readonly unit: number;
}

type Fraction = readonly [numerator: number, denominator: number];

// The first n − 1 are taken. Beside 0, 1 and −1 a half and minus two, each other's negative inverse: with them the
// errors of F(4, 3) are less than half of those with ±2 (Barabasz et al. 2020); 1 must be the second.
const POINTS: readonly Fraction[] = [
  [0, 1],
  [1, 1],
  [-1, 1],
  [1, 2],
  [-2, 1],
  [2, 1],
  [-1, 2],
  [4, 1],
];

/** Largest n for which there are points. */
export const LARGEST = POINTS.length + 1;

/** F(m, k); F(1, 1) is the identity. Throws where n is over `LARGEST`. */
export function transformOf(m: number, k: number): Transform {
  const n = m + k - 1;
  if (n > LARGEST) throw new RangeError(`F(${m}, ${k}) needs ${n} points, there are ${LARGEST}`);
  const points = POINTS.slice(0, n - 1);
  const others = (j: number) => points.filter((_, l) => l !== j);
  const unitVector = (length: number, at: number) =>
    Array.from({ length }, (_, i): Fraction => [Number(i === at), 1]);
  const powers = (p: Fraction, count: number) => Array.from({ length: count }, (_, i) => power(p, i));

  const B = [...points.map((_, j) => [...withRoots(others(j)), [0, 1] as const]), withRoots(points)];
  const G = points.map((p, j) => {
    const scale = others(j).reduce((s, q) => times(s, minus(p, q)), [1, 1] as Fraction);
    return powers(p, k).map(v => over(v, scale));
  });
  const columns = [...points.map(p => powers(p, m)), unitVector(m, m - 1)];
  return {
    m,
    k,
    n,
    B: B.map(row => row.map(toNumber)),
    G: [...G, unitVector(k, k - 1)].map(row => row.map(toNumber)),
    A: Array.from({ length: m }, (_, i) => columns.map(c => toNumber(c[i]))),
    unit: n === 1 ? 0 : 1,
  };
}

/**
 * The transform for the taps in reverse order that needs the same transformed weights: with the inputs in reverse, the
 * outputs come in reverse.
 */
export const reversed = <T extends Pick<Transform, 'A' | 'B'>>(transform: T): T => ({
  ...transform,
  B: transform.B.map(row => row.toReversed()),
  A: transform.A.toReversed(),
});

// Coefficients, lowest first, of the monic polynomial with these roots.
function withRoots(roots: readonly Fraction[]): Fraction[] {
  let coefficients: Fraction[] = [[1, 1]];
  for (const root of roots) {
    const shifted: Fraction[] = [[0, 1], ...coefficients];
    const scaled: Fraction[] = [...coefficients.map(c => times(c, root)), [0, 1]];
    coefficients = shifted.map((c, i) => minus(c, scaled[i]));
  }
  return coefficients;
}

function reduced(numerator: number, denominator: number): Fraction {
  let [a, b] = [Math.abs(numerator), Math.abs(denominator)];
  while (b) [a, b] = [b, a % b];
  const sign = Math.sign(denominator);
  return [(sign * numerator) / a, Math.abs(denominator) / a];
}

const times = (a: Fraction, b: Fraction): Fraction => reduced(a[0] * b[0], a[1] * b[1]);
const over = (a: Fraction, b: Fraction): Fraction => reduced(a[0] * b[1], a[1] * b[0]);
const minus = (a: Fraction, b: Fraction): Fraction => reduced(a[0] * b[1] - b[0] * a[1], a[1] * b[1]);
const power = (a: Fraction, exponent: number): Fraction => reduced(a[0] ** exponent, a[1] ** exponent);
const toNumber = ([numerator, denominator]: Fraction): number => numerator / denominator;
