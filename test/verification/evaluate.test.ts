// Evaluating: folds, resampling by identity, differences of verifiers, the hardest pairs.

import test from 'tape';
import { calibrate } from '../../src/verification/calibrate.ts';
import { type EvaluationChoice, evaluateVerifiers, hardestPairs } from '../../src/verification/evaluate.ts';
import { foldAccuracy } from '../../src/verification/fold-accuracy.ts';
import { learnVerifier } from '../../src/verification/learn.ts';
import { eer } from '../../src/verification/metrics.ts';
import { choosePairs } from '../../src/verification/pairs.ts';
import { drawIdentities, identitiesOf, intervalOf, weighPairs } from '../../src/verification/resample.ts';
import { givenVerifier, verifierDistances } from '../../src/verification/verifier.ts';
import { madeEmbeddings, refuses } from './support.ts';

const choice: EvaluationChoice = { pairs: 'all', fars: [1e-6, 0.01], folds: 5, resamples: 300, seed: 1 };
const plain = givenVerifier('squared-euclidean', 8, 'a test');

test('resampling: identities with replacement, pairs as often as both are drawn', t => {
  const draws = drawIdentities(5, 200, 1);
  t.ok(draws.every(counts => counts.reduce((sum, c) => sum + c, 0) === 5));
  t.deepEqual(drawIdentities(5, 200, 1), draws, 'by seed');
  const { items } = madeEmbeddings({ identities: 3, samples: 2 });
  const { pairs } = choosePairs(items, { kind: 'all', seed: 1 });
  const order = [...pairs.first.keys()];
  const weights = new Float64Array(order.length);
  weighPairs(identitiesOf(items, pairs, order), Uint16Array.of(2, 0, 1), weights);
  t.deepEqual([...weights.slice(0, 3)], [2, 0, 1], 'same pairs');
  const between = (a: number, b: number): number[] =>
    order.filter(i => Math.floor(pairs.first[i] / 2) === a && Math.floor(pairs.second[i] / 2) === b);
  t.ok(between(0, 2).length === 4 && between(0, 2).every(i => weights[i] === 2));
  t.ok(between(0, 1).length === 4 && between(0, 1).every(i => weights[i] === 0));
  t.deepEqual(intervalOf(3, [1, 2, 3, Number.NaN, 4, 5]), { value: 3, low: 1.1, high: 4.9 });
  t.end();
});

test('evaluation: rates with intervals, and by folds', async t => {
  const embeddings = madeEmbeddings({ identities: 20, samples: 5, noise: [0.5, 0.9] });
  const { pairs } = choosePairs(embeddings.items, { kind: 'all', seed: 1 });
  const calibrated = calibrate(plain, embeddings, pairs, {
    threshold: { at: 'best-accuracy' },
    probability: 'platt',
    prior: 0.5,
  });
  const fractions: number[] = [];
  const { results, unseen, drawn } = await evaluateVerifiers(
    embeddings,
    [calibrated, plain],
    choice,
    async f => void fractions.push(f),
  );
  t.equal(fractions.at(-1), 1);
  t.notOk(drawn);
  t.deepEqual(unseen, [1e-6], 'too few pairs to see it');
  const [first, second] = results;
  const rate = (key: string, of = first) => of.rates.find(row => row.key === key)!;
  const distances = verifierDistances(plain, embeddings, pairs);
  t.equal(rate('eer').value, eer(distances, pairs.same));
  t.ok(
    first.rates.every(({ value, low, high }) => low <= value && value <= high && low < high),
    'intervals',
  );
  t.ok(Math.abs(rate('val@0.01').value + rate('fnmr@0.01').value - 1) < 1e-12);
  t.ok(rate('brier').value < 0.25 && rate('calibrationError').value < 0.1);
  t.notOk(
    second.rates.some(({ key }) => key === 'brier'),
    'no probabilities without calibration',
  );
  t.deepEqual(second.difference, { value: 0, low: 0, high: 0, lower: 0 }, 'alike');
  const { accuracies, mean, error } = first.folds!;
  t.equal(accuracies.length, 5);
  t.ok(mean > 0.8 && mean <= rate('accuracy').value + 2 * error, `${mean} ± ${error}`);
  const same = await evaluateVerifiers(embeddings, [calibrated, plain], choice);
  t.deepEqual(same.results[0].rates, first.rates, 'by seed');
  t.end();
});

test('intervals hold the rate of many other identities about as often as they say', async t => {
  const truth = madeEmbeddings({ identities: 300, samples: 4, noise: [0.6, 0.9], seed: 99 });
  const { pairs } = choosePairs(truth.items, { kind: 'all', seed: 1 });
  const rate = eer(verifierDistances(plain, truth, pairs), pairs.same);
  let held = 0;
  const runs = 24;
  for (let seed = 0; seed < runs; seed++) {
    const embeddings = madeEmbeddings({ identities: 20, samples: 4, noise: [0.6, 0.9], seed });
    const { results } = await evaluateVerifiers(embeddings, [plain], { ...choice, resamples: 120, seed });
    const { low, high } = results[0].rates[0];
    if (low <= rate && rate <= high) held++;
  }
  t.ok(held >= 0.8 * runs, `${held} of ${runs} hold EER ${rate.toFixed(4)}`);
  t.end();
});

test('a learned verifier is better than the plain distance by more than chance', async t => {
  const options = { identities: 24, samples: 6, common: 3 };
  const { verifier } = await learnVerifier(madeEmbeddings(options), {
    unit: 'chi-square',
    folds: 4,
    seed: 1,
    threshold: { at: 'equal-error-rate' },
    probability: 'platt',
    prior: 0.5,
  });
  const unseen = madeEmbeddings({ ...options, seed: 7 });
  const { results } = await evaluateVerifiers(unseen, [plain, verifier], choice);
  const { value, low, high, lower } = results[1].difference!;
  t.ok(high < 0 && low < value && value < high, `${value} (${low} to ${high})`);
  t.equal(lower, 1);
  t.end();
});

test('hardest pairs', t => {
  const embeddings = madeEmbeddings({ identities: 6, samples: 3 });
  const { pairs } = choosePairs(embeddings.items, { kind: 'all', seed: 1 });
  const distances = verifierDistances(plain, embeddings, pairs);
  return evaluateVerifiers(embeddings, [plain], { ...choice, resamples: 2 }).then(
    ({ results: [{ ranking }] }) => {
      const { same, different } = hardestPairs(ranking, 2);
      const of = (kind: number): number[] => [...distances].filter((_, i) => pairs.same[i] === kind);
      t.equal(distances[same[0]], Math.max(...of(1)));
      t.equal(distances[different[0]], Math.min(...of(0)));
      t.ok(distances[different[1]] > distances[different[0]]);
      t.equal(hardestPairs(ranking, 1000).same.length, 18);
    },
  );
});

test('folds need identities', async t => {
  const { items } = madeEmbeddings({ identities: 3, samples: 3 });
  const { pairs } = choosePairs(items, { kind: 'all', seed: 1 });
  const distances = Float64Array.from(pairs.first, (_, i) => i);
  await refuses(t, () => foldAccuracy(items, pairs, distances, { folds: 10, seed: 1 }), /need four/);
  t.end();
});
