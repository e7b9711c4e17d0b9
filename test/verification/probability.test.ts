// Logistic regression, Platt's and the isotonic curve, and how good probabilities are, against scikit-learn's
// (test/golden/verification.py).

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import test from 'tape';
import { fitLogistic } from '../../src/verification/logistic.ts';
import {
  calibrationBins,
  fitIsotonic,
  fitPlatt,
  priorWeights,
  probabilityAt,
  probabilityQuality,
} from '../../src/verification/probability.ts';
import { refuses } from './support.ts';

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../golden/data-verification/${name}.json`, import.meta.url), 'utf8'));

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i])));
};

interface Logistic {
  features: number[];
  targets: number[];
  weights: number[];
  lambda: number;
  coefficients: number[];
  bias: number;
}

for (const [name, golden] of Object.entries<Logistic>(read('logistic')))
  test(`logistic regression: ${name}`, t => {
    const samples = {
      features: Float64Array.from(golden.features),
      size: golden.coefficients.length,
      targets: golden.targets,
      weights: golden.weights,
    };
    const { weights, bias } = fitLogistic(samples, golden.lambda);
    t.ok(largest(weights, golden.coefficients) < 1e-9, `${largest(weights, golden.coefficients)}`);
    t.ok(Math.abs(bias - golden.bias) < 1e-9);
    const near = fitLogistic(samples, golden.lambda, { exact: false });
    t.ok(largest(near.weights, golden.coefficients) < 1e-3, 'the quick one is near');
    t.end();
  });

interface Probabilities {
  distances: number[];
  same: number[];
  prior: number;
  slope: number;
  offset: number;
  at: number[];
  isotonic: number[];
  said: number[];
  brier: number;
  logLoss: number;
  bins: { seen: number[]; said: number[] };
}

for (const [name, golden] of Object.entries<Probabilities>(read('probabilities')))
  test(`probabilities: ${name}`, t => {
    const distances = Float64Array.from(golden.distances);
    const { same, prior, said } = golden;
    const platt = fitPlatt(distances, same, prior);
    t.ok(Math.abs(platt.slope - golden.slope) < 1e-9, `slope ${platt.slope}`);
    t.ok(Math.abs(platt.offset - golden.offset) < 1e-9, `offset ${platt.offset}`);
    const own = Array.from(distances, d => probabilityAt(platt, d));
    t.ok(largest(own, said) < 1e-9, 'probabilities');
    const isotonic = fitIsotonic(distances, same, prior);
    const drawn = golden.at.map(d => probabilityAt(isotonic, d));
    t.ok(largest(drawn, golden.isotonic) < 1e-9, `isotonic ${largest(drawn, golden.isotonic)}`);
    const quality = probabilityQuality(said, same, priorWeights(same, prior));
    t.ok(Math.abs(quality.brier - golden.brier) < 1e-9, `Brier ${quality.brier}`);
    t.ok(Math.abs(quality.logLoss - golden.logLoss) < 1e-9, `log loss ${quality.logLoss}`);
    const even = same.map(() => 1);
    const bins = calibrationBins(said, same, even);
    t.ok(
      largest(
        bins.map(bin => bin.said),
        golden.bins.said,
      ) < 1e-9,
      'bins: said',
    );
    t.ok(
      largest(
        bins.map(bin => bin.seen),
        golden.bins.seen,
      ) < 1e-9,
      'bins: seen',
    );
    const expected = bins.reduce((sum, { said, seen, weight }) => sum + weight * Math.abs(said - seen), 0);
    t.ok(Math.abs(probabilityQuality(said, same, even).calibrationError - expected / same.length) < 1e-12);
    t.end();
  });

test('isotonic: never rises, and is never quite sure', t => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.double({ min: 0, max: 9, noNaN: true }), fc.boolean()), { minLength: 3 }),
      pairs => {
        const same = pairs.map(([, s]) => (s ? 1 : 0));
        if (!same.includes(0) || !same.includes(1)) return true;
        const curve = fitIsotonic(
          Float64Array.from(pairs, ([d]) => d),
          same,
        );
        const drawn = Array.from({ length: 50 }, (_, i) => probabilityAt(curve, i / 5));
        return drawn.every((p, i) => p > 0 && p < 1 && (i === 0 || p <= drawn[i - 1]));
      },
    ),
  );
  t.end();
});

test('parted pairs give finite probabilities, useless distances none', async t => {
  const curve = fitPlatt(Float64Array.of(1, 1.1, 1.2, 5, 5.1, 5.2), [1, 1, 1, 0, 0, 0]);
  t.ok(probabilityAt(curve, 1) > 0.7 && probabilityAt(curve, 1) < 1, `${probabilityAt(curve, 1)}`);
  await refuses(t, () => fitPlatt(Float64Array.of(5, 5, 1, 1), [1, 1, 0, 0]), /not closer than different/);
  t.end();
});
