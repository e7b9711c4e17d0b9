// Galleries: enrolling, removing, the nearest labels exactly and by an index, open-set identification and its rates.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import type { Embeddings } from '../../src/embeddings/embeddings.ts';
import { vectorOf } from '../../src/embeddings/embeddings.ts';
import { NdconvError } from '../../src/errors.ts';
import {
  enrolItems,
  type Identification,
  identificationRates,
  identifyItems,
  meanOfLabels,
  missesAt,
  openSearcher,
  ratesAtThreshold,
  removeLabels,
  thresholdAtRate,
} from '../../src/index.ts';
import { createRandom } from '../../src/random.ts';
import { openIndex } from '../../src/verification/gallery/neighbour-index.ts';
import { temporaryFolder } from '../formats/support.ts';

const folder = temporaryFolder();

/** Embeddings of two numbers, each item given as label, first and second number; the name doubles as content. */
const points = (...given: [label: string, x: number, y: number, content?: string][]): Embeddings => ({
  embedder: { name: 'net', sha256: 'n' },
  size: 2,
  items: given.map(([label, x, y, content = `${x},${y}`]) => ({
    path: `/${content}`,
    name: content,
    label,
    identity: label,
    sha256: content,
  })),
  vectors: Float32Array.from(given.flatMap(([, x, y]) => [x, y])),
});

/** `count` vectors of `size` numbers about `labels` centres. */
function clusters(count: number, labels: number, size: number, seed: number): Embeddings {
  const random = createRandom(seed);
  const centres = Float32Array.from({ length: labels * size }, () => random.normal());
  const vectors = new Float32Array(count * size);
  const items = Array.from({ length: count }, (_, i) => {
    const centre = i % labels;
    for (let k = 0; k < size; k++) vectors[i * size + k] = centres[centre * size + k] + 0.6 * random.normal();
    return { path: `/${i}`, name: `${i}`, label: `c${centre}`, identity: `c${centre}` };
  });
  return { embedder: { name: 'net', sha256: 'n' }, size, items, vectors };
}

const labelsOf = ({ items }: Embeddings): string[] => items.map(({ label }) => label);

const refuses = (t: test.Test, run: () => unknown, pattern: RegExp): void => {
  try {
    run();
    t.fail('was not refused');
  } catch (error) {
    const isOurs = error instanceof NdconvError && error.tag === 'EmbeddingError';
    t.ok(isOurs && pattern.test(error.message), (error as Error).message);
  }
};

test('enrolling and removing', t => {
  const first = points(['ann', 0, 0], ['ann', 1, 0], ['bob', 5, 5]);
  const more = points(['bob', 6, 5], ['ann', 9, 9, '1,0'], ['cy', 3, 3]);
  const kept = enrolItems(first, more);
  t.deepEqual(
    kept.embeddings.items.map(({ label, name }) => `${label} ${name}`),
    ['ann 0,0', 'bob 5,5', 'bob 6,5', 'ann 1,0', 'cy 3,3'],
    'the same content once, the last',
  );
  t.deepEqual([...vectorOf(kept.embeddings, 3)], [9, 9], 'with its own vector');
  t.deepEqual([kept.added, kept.replaced, kept.dropped], [2, 1, 0]);
  const replaced = enrolItems(first, points(['bob', 7, 7]), 'replace');
  t.deepEqual(labelsOf(replaced.embeddings), ['ann', 'ann', 'bob']);
  t.deepEqual([replaced.added, replaced.dropped], [1, 1]);
  t.deepEqual(labelsOf(enrolItems(first, more, 'drop').embeddings), ['bob', 'ann', 'cy']);
  const twice = points(['ann', 0, 0, 'one'], ['ann', 2, 2, 'one']);
  t.deepEqual([...enrolItems(undefined, twice).embeddings.vectors], [2, 2], 'twice at once');
  t.deepEqual(labelsOf(removeLabels(kept.embeddings, ['ann', 'cy'])), ['bob', 'bob']);

  refuses(t, () => removeLabels(first, ['dan']), /dan is not enrolled.*ann, bob/);
  refuses(t, () => removeLabels(first, ['ann', 'bob']), /would leave nobody/);
  const other = { ...more, embedder: { name: 'other', sha256: 'o' } };
  refuses(t, () => enrolItems(first, other), /by net and by other/);
  refuses(t, () => enrolItems(first, points(['x', 1, Number.NaN])), /component 2 .* is NaN/);
  t.end();
});

test('the nearest labels, by their nearest item and by their mean', async t => {
  const embeddings = points(['ann', 0, 0], ['ann', 10, 0], ['bob', 4, 0], ['bob', 5, 0]);
  const probe = Float32Array.of(0.5, 0);
  const search = (by: 'item' | 'mean') => openSearcher({ embeddings }, { name: 'squared-euclidean' }, { by });
  t.deepEqual(
    (await search('item')).nearest(probe, 5),
    [
      { label: 'ann', item: 0, distance: 0.25 },
      { label: 'bob', item: 2, distance: 12.25 },
    ],
    'every label once',
  );
  t.deepEqual(
    (await search('mean')).nearest(probe, 1),
    [{ label: 'bob', item: 2, distance: 16 }],
    'ann has her mean at 5, bob at 4.5',
  );
  const cosine = await openSearcher({ embeddings: points(['a', 1, 0], ['b', 9, 9]) }, { name: 'cosine' });
  t.equal(cosine.nearest(Float32Array.of(0.1, 0.09), 1)[0].label, 'b', 'angles, not lengths');
  t.deepEqual(
    [...meanOfLabels(points(['a', 2, 0], ['a', 0, 6]), true).vectors],
    [0.5, 0.5],
    'means of directions',
  );
  const odd = await openSearcher(
    { embeddings },
    { name: 'euclidean', distance: (a, b) => -Math.abs(a[0] - b[0]) },
  );
  t.equal(odd.nearest(probe, 1)[0].item, 1, 'a distance of its own: the farthest');
  t.end();
});

test('an index finds what a full search finds, takes and loses items without a rebuild', async t => {
  const all = clusters(3000, 300, 32, 1);
  const probes = clusters(3000, 300, 32, 1);
  // The same centres, other noise: the middle between two items of one centre.
  for (let i = 0; i < probes.vectors.length - 300 * 32; i++)
    probes.vectors[i] = (all.vectors[i] + all.vectors[i + 300 * 32]) / 2;
  const notes: string[] = [];
  const options = { metric: 'squared-euclidean' as const, note: (message: string) => notes.push(message) };
  const index = await openIndex(all, options);
  if (!index) {
    t.skip(notes.join());
    return t.end();
  }
  t.deepEqual([index.added, index.removed], [3000, 0]);
  const exact = await openSearcher({ embeddings: all }, { name: 'squared-euclidean' });
  const quick = await openSearcher(
    { embeddings: all, index },
    { name: 'squared-euclidean' },
    { indexed: 100 },
  );
  t.deepEqual([exact.way, quick.way], ['exact', 'approximate']);
  let [first, ten] = [0, 0];
  const looked = 200;
  for (let i = 0; i < looked; i++) {
    const vector = vectorOf(probes, i);
    const truth = exact.nearest(vector, 10);
    const found = quick.nearest(vector, 10);
    if (found[0].item === truth[0].item) first++;
    ten += truth.filter(({ item }) => found.some(other => other.item === item)).length / 10;
  }
  t.ok(first / looked >= 0.99, `recall@1 ${first / looked}`);
  t.ok(ten / looked >= 0.97, `recall@10 ${(ten / looked).toFixed(4)}`);

  const path = join(folder, 'all.index');
  await index.save(path);
  const more = enrolItems(all, points2(32, 'new', 0.5)).embeddings;
  const grown = (await openIndex(more, { ...options, path, before: all }))!;
  t.deepEqual([grown.added, grown.removed], [1, 0], 'only the new one is added');
  t.equal(grown.search(vectorOf(more, 3000), 1)[0], 3000);
  await grown.save(path);
  const fewer = removeLabels(more, ['c7', 'new']);
  const shrunk = (await openIndex(fewer, { ...options, path, before: more }))!;
  t.deepEqual([shrunk.added, shrunk.removed], [0, 11], 'only those gone are removed');
  const near = shrunk.search(vectorOf(all, 7), 20);
  t.equal(near.length, 20);
  t.ok(near.every(place => fewer.items[place].label !== 'c7'));
  const untold = (await openIndex(fewer, { ...options, path }))!;
  t.ok(
    untold.search(vectorOf(all, 7), 20).every(place => fewer.items[place].label !== 'c7'),
    'what is gone without a word is passed over',
  );
  t.deepEqual(notes, []);

  const bytes = readFileSync(path);
  for (const [what, damaged] of [
    ['cut', bytes.subarray(0, bytes.length >> 1)],
    ['empty', bytes.subarray(0, 0)],
    ['changed', Buffer.concat([bytes.subarray(0, 5000), Buffer.alloc(64, 255), bytes.subarray(5064)])],
  ] as const) {
    writeFileSync(path, damaged);
    notes.length = 0;
    const again = await openIndex(removeLabels(all, ['c0']), { ...options, path });
    t.equal(again?.added, 2990, `${what}: made anew`);
    t.ok(/damaged/.test(notes.join()), notes.join());
  }
  rmSync(path);
  t.end();
});

/** One vector of equal numbers. */
const points2 = (size: number, label: string, value: number): Embeddings => ({
  embedder: { name: 'net', sha256: 'n' },
  size,
  items: [{ path: '/new', name: 'new', label, identity: label }],
  vectors: new Float32Array(size).fill(value),
});

test('open-set identification', async t => {
  const embeddings = points(['ann', 0, 0], ['ann', 1, 0], ['bob', 5, 0], ['cy', 9, 0]);
  const gallery = { embeddings };
  const searcher = await openSearcher(gallery, { name: 'euclidean' });
  const probes = points(['ann', 0, 1], ['bob', 9, 1], ['dan', 5, 7], ['eve', 5, 0.5], ['ann', 1, 0]);
  const found = await identifyItems(gallery, searcher, probes, { candidates: 3, threshold: 2 });
  t.deepEqual(
    found.map(({ label }) => label),
    ['ann', 'cy', undefined, 'bob', 'ann'],
  );
  t.deepEqual(
    found.map(({ enrolled }) => enrolled),
    [false, false, false, false, true],
  );
  t.deepEqual(
    found[1].candidates.map(({ label }) => label),
    ['cy', 'bob', 'ann'],
  );
  const labels = new Set(labelsOf(embeddings));
  const rates = identificationRates(found, labels);
  t.deepEqual([rates.mated, rates.strangers, rates.enrolled], [2, 2, 1]);
  t.deepEqual(rates.cmc, [0.5, 1, 1]);
  t.deepEqual(rates.curve, [
    { threshold: 0.5, fpir: 0.5, fnir: 1 },
    { threshold: 1, fpir: 0.5, fnir: 0.5 },
    { threshold: 7, fpir: 1, fnir: 0.5 },
  ]);
  t.deepEqual(ratesAtThreshold(found, labels, 2), { fpir: 0.5, fnir: 0.5 });
  t.equal(missesAt(rates, 0.5), 0.5);
  t.equal(missesAt(rates, 0.1), undefined, 'two strangers cannot show 10 %');
  const nobody: Identification[] = await identifyItems(gallery, searcher, probes, {
    candidates: 1,
    threshold: 0.1,
  });
  t.equal(nobody.filter(({ label }) => label !== undefined).length, 1, 'the enrolled one');

  // Nearest others: ann (0) 5, ann (1) 4, bob 4, cy 4.
  t.equal(await thresholdAtRate(gallery, searcher, 0, { seed: 1 }), 2, 'half of the nearest');
  t.equal(await thresholdAtRate(gallery, searcher, 0.75, { seed: 1 }), 4.5);
  t.equal(await thresholdAtRate(gallery, searcher, 1, { seed: 1 }), 5);
  const alone = { embeddings: points(['ann', 0, 0], ['ann', 1, 0]) };
  const one = await openSearcher(alone, { name: 'euclidean' });
  t.equal(await thresholdAtRate(alone, one, 0.1, { seed: 1 }), undefined);
  t.end();
});
