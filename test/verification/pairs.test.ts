// Pairs of items and their distances.

import fc from 'fast-check';
import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import { createRandom } from '../../src/random.ts';
import {
  distances,
  expectFinite,
  pairDistances,
  squaredDistanceMatrix,
} from '../../src/verification/distances.ts';
import { choosePairs, type Paired } from '../../src/verification/pairs.ts';

const named = (labels: string[]): Paired[] => labels.map((label, i) => ({ name: `${i}.png`, label }));
const keys = ({ first, second }: { first: Uint32Array; second: Uint32Array }): string[] =>
  [...first].map((a, i) => `${a} ${second[i]}`);

const refuses = (t: test.Test, run: () => unknown, pattern: RegExp): void => {
  try {
    run();
    t.fail('was not refused');
  } catch (error) {
    const isOurs = error instanceof NdconvError && error.tag === 'EmbeddingError';
    t.ok(isOurs && pattern.test(error.message), (error as Error).message);
  }
};

test('all pairs: each once, same ones first', t => {
  const { pairs, drawn } = choosePairs(named(['a', 'b', 'a', 'b', 'c']), { kind: 'all', seed: 1 });
  t.notOk(drawn);
  t.equal(pairs.first.length, 10);
  t.equal(new Set(keys(pairs)).size, 10);
  t.deepEqual([...pairs.same], [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  t.deepEqual(keys(pairs).slice(0, 2), ['0 2', '1 3']);
  t.end();
});

test('balanced pairs: as many different ones, each once, by seed', t => {
  const items = named(Array.from({ length: 60 }, (_, i) => `p${i % 12}`));
  const draw = (seed: number): ReturnType<typeof choosePairs> =>
    choosePairs(items, { kind: 'balanced', seed });
  const { pairs, drawn } = draw(1);
  t.ok(drawn);
  t.equal(pairs.same.filter(Boolean).length, 120);
  t.equal(pairs.first.length, 240);
  t.equal(new Set(keys(pairs)).size, 240);
  t.ok(
    [...pairs.first].every((a, i) => (items[a].label === items[pairs.second[i]].label) === !!pairs.same[i]),
  );
  t.deepEqual(keys(draw(1).pairs), keys(pairs));
  t.notDeepEqual(keys(draw(2).pairs), keys(pairs));
  t.end();
});

test('of many items different pairs are drawn', t => {
  const items = named(Array.from({ length: 3000 }, (_, i) => `p${i % 300}`));
  const { pairs, drawn } = choosePairs(items, { kind: 'all', seed: 3, most: 50_000 });
  t.ok(drawn);
  t.equal(pairs.first.length, 50_000);
  t.equal(new Set(keys(pairs)).size, 50_000);
  t.equal(pairs.same.filter(Boolean).length, 300 * 45);
  t.end();
});

test('one file twice is no pair', t => {
  const items: Paired[] = [
    { name: 'a1', label: 'a', sha256: '1' },
    { name: 'a2', label: 'a', sha256: '1' },
    { name: 'a3', label: 'a', sha256: '1', box: [0, 1] },
    { name: 'b1', label: 'b', sha256: '2' },
    { name: 'b2', label: 'b' },
    { name: 'b3', label: 'b' },
  ];
  const { pairs } = choosePairs(items, { kind: 'all', seed: 1 });
  t.notOk(keys(pairs).includes('0 1'));
  t.ok(keys(pairs).includes('0 2'), 'two parts of one file are');
  t.ok(keys(pairs).includes('4 5'), 'what is not known to be the same content is');
  t.end();
});

test('labels that give no pairs are refused', t => {
  refuses(t, () => choosePairs(named(['a', 'a']), { kind: 'all', seed: 1 }), /one label, a: .*at least two/);
  refuses(t, () => choosePairs(named(['a', 'b', 'c', 'd']), { kind: 'all', seed: 1 }), /one sample of each/);
  t.end();
});

const vectors = (seed: number, n: number, size: number): Float32Array => {
  const random = createRandom(seed);
  return Float32Array.from({ length: n * size }, () => random.normal());
};

test('distances', t => {
  t.equal(distances['squared-euclidean']([1, 2, 3], [3, 2, 0]), 13);
  t.equal(distances.euclidean([0, 3], [4, 0]), 5);
  t.equal(distances.cosine([1, 0], [0, 2]), 1);
  t.ok(Math.abs(distances.cosine([1, 1], [-2, -2]) - 2) < 1e-12);
  t.equal(distances.cosine([0, 0], [1, 1]), 1, 'a zero vector has no direction');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1000 }), seed => {
      const [a, b] = [vectors(seed, 1, 7), vectors(seed + 1, 1, 7)];
      const unit = (v: Float32Array): number[] => [...v].map(x => x / Math.hypot(...v));
      const half = distances['squared-euclidean'](unit(a), unit(b)) / 2;
      return Math.abs(distances.cosine(a, b) - half) < 1e-12;
    }),
  );
  const embeddings = {
    embedder: { name: 'test', sha256: '0' },
    size: 4,
    items: named(['a', 'b', 'a']).map(item => ({ ...item, path: item.name, identity: item.label })),
    vectors: vectors(1, 3, 4),
  };
  const { pairs } = choosePairs(embeddings.items, { kind: 'all', seed: 1 });
  const matrix = squaredDistanceMatrix(embeddings.vectors, 4);
  const found = pairDistances(embeddings, pairs, 'squared-euclidean');
  t.deepEqual(
    [...found],
    [...pairs.first].map((a, i) => matrix[3 * a + pairs.second[i]]),
  );
  embeddings.vectors[6] = Number.NaN;
  refuses(t, () => expectFinite(embeddings), /component 3 of the embedding of 1\.png is NaN/);
  t.end();
});
