// Calibrated and learned verifiers on embeddings made by rule, whose best comparison is known; their files; and what
// they refuse.

import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import { adapt, adaptationOf, spreadOf } from '../../src/verification/adaptation.ts';
import { type CalibrationChoice, calibrate } from '../../src/verification/calibrate.ts';
import { comparerOf, units } from '../../src/verification/comparison.ts';
import { symmetricEigen } from '../../src/verification/eigen.ts';
import { identityFolds } from '../../src/verification/identity-folds.ts';
import { type LearnChoice, learnVerifier } from '../../src/verification/learn.ts';
import { eer, rankPairs, ratesAt, rocOf } from '../../src/verification/metrics.ts';
import { choosePairs } from '../../src/verification/pairs.ts';
import {
  givenVerifier,
  isSame,
  probabilityOfSame,
  type Verifier,
  verifierDistances,
} from '../../src/verification/verifier.ts';
import { verifierFromJson, verifierToJson } from '../../src/verification/verifier-file.ts';
import { embedder, item, madeEmbeddings, refuses } from './support.ts';

const choice: CalibrationChoice = { threshold: { at: 'equal-error-rate' }, probability: 'platt', prior: 0.5 };
const learning: LearnChoice = { ...choice, unit: 'chi-square', folds: 4, seed: 1 };
const plain = givenVerifier('squared-euclidean', 1, 'a test');

const pairsIn = (embeddings: ReturnType<typeof madeEmbeddings>) =>
  choosePairs(embeddings.items, { kind: 'all', seed: 1 }).pairs;

const rateOf = (verifier: Verifier, embeddings: ReturnType<typeof madeEmbeddings>): number => {
  const pairs = pairsIn(embeddings);
  return eer(verifierDistances(verifier, embeddings, pairs), pairs.same);
};

test('eigenvalues of a symmetric matrix', t => {
  const { values, vectors } = symmetricEigen(Float64Array.of(4, 1, 0.5, 1, 3, -1, 0.5, -1, 2), 3);
  for (const [e, value] of values.entries()) {
    const v = vectors.subarray(3 * e, 3 * e + 3);
    const image = [4 * v[0] + v[1] + v[2] / 2, v[0] + 3 * v[1] - v[2], v[0] / 2 - v[1] + 2 * v[2]];
    t.ok(image.every((x, k) => Math.abs(x - value * v[k]) < 1e-12));
    t.ok(Math.abs(v[0] ** 2 + v[1] ** 2 + v[2] ** 2 - 1) < 1e-12);
  }
  t.end();
});

test('units: the χ² form where components are negative', t => {
  t.equal(units['chi-square'](1, 3), 1, '(1 − 3)² / (1 + 3)');
  t.equal(units['chi-square'](-1, 3), 4, '(−1 − 3)² / (1 + 3)');
  t.equal(units['chi-square'](0, 0), 0);
  t.equal(units['chi-square'](-2, -2), 0);
  t.equal(units.absolute(-1, 3), 4);
  t.equal(units.squared(-1, 3), 16);
  t.end();
});

test('adaptation: length 1, and the covariance within labels becomes even', t => {
  const embeddings = madeEmbeddings({ identities: 40, samples: 20, noise: [0.3, 3], common: 2 });
  const adaptation = adaptationOf(spreadOf(embeddings, true), { kind: 'whiten', shrinkage: 1e-9 })!;
  // Without shrinking, the noise of both halves has deviation 1 once mapped.
  const map = (component: number): number => adaptation.matrix![9 * component];
  t.ok(Math.abs(map(0) * 0.3 - 1) < 0.1 && Math.abs(map(7) * 3 - 1) < 0.1, `${map(0)}, ${map(7)}`);
  const adapted = adapt(adaptation, embeddings.vectors.subarray(0, 8));
  t.ok(Math.abs(Math.hypot(...adapted) - 1) < 1e-12);
  t.deepEqual(
    [...adapt(adaptation, adaptation.mean)],
    new Array(8).fill(0),
    'the mean itself has no direction',
  );
  t.equal(adaptationOf(spreadOf(embeddings, false), { kind: 'none' }), undefined);
  t.end();
});

test('calibrated: threshold, probability, and what each component adds', async t => {
  const embeddings = madeEmbeddings({ identities: 12, samples: 6, noise: [0.3, 0.6] });
  const pairs = pairsIn(embeddings);
  const distances = verifierDistances(plain, embeddings, pairs);
  const roc = rocOf(rankPairs(distances, pairs.same));
  const at = (threshold: CalibrationChoice['threshold']): Verifier =>
    calibrate(plain, embeddings, pairs, { ...choice, threshold });
  const balanced = ratesAt(roc, at({ at: 'equal-error-rate' }).threshold);
  t.ok(Math.abs(balanced.far - (1 - balanced.val)) < 0.01, 'FAR and FNMR are equal');
  t.ok(ratesAt(roc, at({ at: 'far', far: 0.001 }).threshold).far <= 0.001);
  const best = ratesAt(roc, at({ at: 'best-accuracy' }).threshold).accuracy;
  t.ok(best >= balanced.accuracy);
  await refuses(
    t,
    () => at({ at: 'far', far: 1e-6 }),
    /0.000001 cannot be seen with 2376 .* at least 1000000/,
  );
  const verifier = at({ at: 'equal-error-rate' });
  t.deepEqual([isSame(verifier, 0), isSame(verifier, 100)], [true, false]);
  t.ok(probabilityOfSame(verifier, 0)! > 0.9 && probabilityOfSame(verifier, 100)! < 0.01);
  t.equal(probabilityOfSame(plain, 0), undefined, 'none without calibration');
  const parts = comparerOf(plain.comparison).parts([0, 0, 1], [0, 1, 3]);
  t.deepEqual([...parts], [0, 0.2, 0.8]);
  t.end();
});

test('learned: better than the plain distance on identities it has not seen', async t => {
  const embeddings = madeEmbeddings({ identities: 24, samples: 6, common: 3 });
  const unseen = madeEmbeddings({ identities: 24, samples: 6, common: 3, seed: 2 });
  for (const unit of ['absolute', 'squared', 'chi-square'] as const) {
    const folds: number[] = [];
    const { verifier, candidates, chosen } = await learnVerifier(
      embeddings,
      { ...learning, unit },
      async done => {
        folds.push(done);
      },
    );
    t.equal(folds.at(-1), 4);
    t.equal(candidates.length, 25);
    t.ok(chosen.foldRates.length === 4);
    const [before, after] = [rateOf(plain, unseen), rateOf(verifier, unseen)];
    t.ok(after < 0.8 * before, `${unit}: EER ${before.toFixed(3)} → ${after.toFixed(3)}`);
    const again = verifierFromJson(verifierToJson(verifier), 'v.json');
    t.deepEqual(again, verifier, 'its file holds all of it');
    t.equal(verifier.calibration!.heldOut, true);
  }
  t.end();
});

test('learned without adaptation: quiet components weigh more, and parts add up', async t => {
  const embeddings = madeEmbeddings({ identities: 24, samples: 6 });
  const { verifier } = await learnVerifier(embeddings, {
    ...learning,
    unit: 'absolute',
    adaptation: { kind: 'none' },
    regularisation: 0.01,
  });
  const { comparison } = verifier;
  if (comparison.kind !== 'learned') return t.fail('is a learned unit');
  t.equal(comparison.adaptation, undefined);
  const weight = (from: number): number =>
    comparison.weights.slice(from, from + 4).reduce((sum, w) => sum - w, 0);
  t.ok(weight(0) > 3 * Math.abs(weight(4)), `${weight(0)} and ${weight(4)}`);
  const { distance, parts, prepare } = comparerOf(comparison);
  const [a, b] = [0, 8].map(at => prepare(embeddings.vectors.subarray(at, at + 8)));
  const typical = comparison.typical.reduce((sum, u, k) => sum - comparison.weights[k] * u, -comparison.bias);
  const sum = parts(a, b).reduce((total, part) => total + part, typical);
  t.ok(Math.abs(sum - distance(a, b)) < 1e-9);
  t.end();
});

test('folds by identity', async t => {
  const { items } = madeEmbeddings({ identities: 7, samples: 3 });
  const { foldOf, count } = identityFolds(items, 10, 1);
  t.equal(count, 3, 'two identities in each');
  const seen = new Map<string, Set<number>>();
  for (const [i, { identity }] of items.entries())
    seen.set(identity, (seen.get(identity) ?? new Set()).add(foldOf[i]));
  t.ok([...seen.values()].every(({ size }) => size === 1));
  await refuses(t, () => identityFolds(items.slice(0, 9), 10, 1), /3 identities: .* need four/);
  t.end();
});

test('what cannot be learned from, or compared', async t => {
  const embeddings = madeEmbeddings({ identities: 6, samples: 2 });
  const without = (keep: (k: number) => boolean) => {
    const places = [...embeddings.items.keys()].filter(keep);
    const vectors = Float32Array.from(
      places.flatMap(i => [...embeddings.vectors.subarray(8 * i, 8 * i + 8)]),
    );
    return { ...embeddings, items: places.map(i => embeddings.items[i]), vectors };
  };
  await refuses(
    t,
    () =>
      learnVerifier(
        without(k => k % 2 === 0),
        learning,
      ),
    /one sample of each of the 6 labels/,
  );
  await refuses(
    t,
    () =>
      learnVerifier(
        without(k => k < 2),
        learning,
      ),
    /one label, p0/,
  );
  await refuses(
    t,
    () =>
      learnVerifier(
        without(k => k < 6),
        learning,
      ),
    /3 identities/,
  );
  const broken = { ...embeddings, vectors: embeddings.vectors.slice() };
  broken.vectors[20] = Number.NaN;
  await refuses(
    t,
    () => learnVerifier(broken, learning),
    /component 5 of the embedding of p1\/0\.png is NaN/,
  );
  const bound = calibrate(plain, embeddings, pairsIn(embeddings), choice);
  t.deepEqual(bound.embedder, embedder, 'calibrated for a network');
  const others = { ...embeddings, embedder: { name: 'other', sha256: 'bb' } };
  await refuses(t, () => verifierDistances(bound, others, pairsIn(others)), /by made and by other/);
  const retrained = { ...embeddings, embedder: { name: 'made', sha256: 'bb' } };
  await refuses(t, () => verifierDistances(bound, retrained, pairsIn(others)), /other weights/);
  const three = [item('a', 1), item('a', 2), item('b', 1)];
  const small = { embedder, size: 8, items: three, vectors: embeddings.vectors.slice(0, 24) };
  await refuses(t, () => learnVerifier(small, learning), /2 identities/);
  t.end();
});

test('damaged files of verifiers are refused', t => {
  const text = verifierToJson(plain);
  const refused = (changed: string, pattern: RegExp): void => {
    try {
      verifierFromJson(changed, 'v.json');
      t.fail('was not refused');
    } catch (error) {
      t.ok(error instanceof NdconvError && pattern.test(error.message), (error as Error).message);
    }
  };
  refused(text.slice(0, 40), /v\.json: .*no JSON/);
  refused('[1]', /is no verifier/);
  refused(text.replace('"ndconv-verifier": 1', '"ndconv-verifier": 9'), /version 9/);
  refused(text.replace('squared-euclidean', 'manhattan'), /manhattan/);
  refused(text.replace('"threshold": 1', '"threshold": "x"'), /threshold is missing/);
  t.end();
});
