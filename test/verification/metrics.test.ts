// Rates read off ranked pairs, against scikit-learn's (test/golden/verification.py) and against counting pair by pair.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import {
  areaUnder,
  averagePrecision,
  bestAccuracy,
  eer,
  equalErrorRate,
  isMeasurable,
  rankPairs,
  ratesAt,
  rocOf,
  validationAt,
} from '../../src/verification/metrics.ts';

interface Curves {
  fpr: number[];
  tpr: number[];
  det: [number[], number[]];
  auc: number;
  eer: number;
  accuracy: number;
  averagePrecision: number;
  val: Record<string, number>;
}

const golden: Record<
  string,
  { distances: number[]; same: number[]; weights: number[]; plain: Curves; weighted: Curves }
> = JSON.parse(readFileSync(new URL('../golden/data-verification/ranked.json', import.meta.url), 'utf8'));

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9;
const allClose = (a: ArrayLike<number>, b: number[]): boolean =>
  a.length === b.length && b.every((value, i) => close(value, a[i]));

for (const [name, { distances, same, weights, plain, weighted }] of Object.entries(golden)) {
  test(`scikit-learn: ${name}`, t => {
    const ranking = rankPairs(distances, same);
    const own = Float64Array.from(ranking.order, i => weights[i]);
    for (const [kind, expected, roc] of [
      ['plain', plain, rocOf(ranking)],
      ['weighted', weighted, rocOf(ranking, own)],
    ] as const) {
      // scikit-learn has no point for distances that weigh nothing.
      const points = [...roc.thresholds.keys()].filter(
        i =>
          i === 0 ||
          roc.falseAccepts[i] !== roc.falseAccepts[i - 1] ||
          roc.trueAccepts[i] !== roc.trueAccepts[i - 1],
      );
      t.ok(
        allClose(
          points.map(i => roc.falseAccepts[i]),
          expected.fpr.filter(
            (x, i) => i === 0 || x !== expected.fpr[i - 1] || expected.tpr[i] !== expected.tpr[i - 1],
          ),
        ),
        `${kind}: false accepts`,
      );
      t.ok(
        expected.det[0].every((fmr, i) =>
          points.some(
            p => close(roc.falseAccepts[p], fmr) && close(1 - roc.trueAccepts[p], expected.det[1][i]),
          ),
        ),
        `${kind}: every point of the DET curve`,
      );
      t.ok(close(areaUnder(roc), expected.auc), `${kind}: AUC ${expected.auc}`);
      t.ok(close(equalErrorRate(roc).rate, expected.eer), `${kind}: EER ${expected.eer}`);
      t.ok(close(bestAccuracy(roc).rate, expected.accuracy), `${kind}: accuracy ${expected.accuracy}`);
      t.ok(close(averagePrecision(roc), expected.averagePrecision), `${kind}: average precision`);
      for (const [far, val] of Object.entries(expected.val))
        t.ok(close(validationAt(roc, Number(far)).rate, val), `${kind}: VAL ${val} at FAR ${far}`);
    }
    t.end();
  });
}

const someDistances = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.boolean()), { minLength: 4, maxLength: 40 })
  .filter(pairs => pairs.some(([, s]) => s) && pairs.some(([, s]) => !s));

test('rates at a threshold are the counts, and thresholds give the rates that they are named for', t => {
  fc.assert(
    fc.property(someDistances, fc.double({ min: -1, max: 14, noNaN: true }), (pairs, threshold) => {
      const [distances, same] = [pairs.map(([d]) => d), pairs.map(([, s]) => s)];
      const roc = rocOf(rankPairs(distances, same));
      const share = (kind: boolean, at: number): number =>
        pairs.filter(([d, s]) => s === kind && d <= at).length / pairs.filter(([, s]) => s === kind).length;
      const { far, val } = ratesAt(roc, threshold);
      const best = bestAccuracy(roc);
      const at = validationAt(roc, 0.2);
      return (
        close(far, share(false, threshold)) &&
        close(val, share(true, threshold)) &&
        close(ratesAt(roc, best.threshold).accuracy, best.rate) &&
        close(at.rate, share(true, at.threshold)) &&
        share(false, at.threshold) <= 0.2
      );
    }),
  );
  t.end();
});

test('weights count pairs as often as they say', t => {
  fc.assert(
    fc.property(someDistances, fc.infiniteStream(fc.integer({ min: 0, max: 3 })), (pairs, stream) => {
      const weights = pairs.map(() => stream.next().value as number);
      const repeated = pairs.flatMap((pair, i) => Array.from({ length: weights[i] }, () => pair));
      if (!repeated.some(([, s]) => s) || !repeated.some(([, s]) => !s)) return true;
      const ranking = rankPairs(
        pairs.map(([d]) => d),
        pairs.map(([, s]) => s),
      );
      const weighted = rocOf(
        ranking,
        Float64Array.from(ranking.order, i => weights[i]),
      );
      const plain = rocOf(
        rankPairs(
          repeated.map(([d]) => d),
          repeated.map(([, s]) => s),
        ),
      );
      return (
        close(areaUnder(weighted), areaUnder(plain)) &&
        close(equalErrorRate(weighted).rate, equalErrorRate(plain).rate) &&
        close(averagePrecision(weighted), averagePrecision(plain))
      );
    }),
  );
  t.end();
});

test('what can be seen, and what cannot be ranked', t => {
  const roc = rocOf(rankPairs([1, 2, 3, 4], [1, 0, 1, 0]));
  t.ok(isMeasurable(roc, 0.5));
  t.notOk(isMeasurable(roc, 0.4), 'one of two different pairs is a half');
  t.equal(eer([1, 2, 3, 4], [true, true, false, false]), 0);
  t.equal(equalErrorRate(rocOf(rankPairs([1, 2, 3, 4], [1, 1, 0, 0]))).threshold, 2.5, 'middle of the gap');
  const refuses = (run: () => unknown, pattern: RegExp): void => {
    try {
      run();
      t.fail('was not refused');
    } catch (error) {
      t.ok(error instanceof NdconvError && pattern.test(error.message), (error as Error).message);
    }
  };
  refuses(() => rankPairs([1, Number.NaN], [1, 0]), /pair 2 is NaN/);
  refuses(() => rankPairs([1, 2], [1, 1]), /2 are of the same and 0 of different/);
  t.end();
});
