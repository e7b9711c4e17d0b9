// Embedding: any rank, inputs fitted to the network, what is known is taken over, what cannot be used is left out and
// named; the store survives what is interrupted.

import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createDataset, type Dataset, derivedDataset } from '../../src/datasets/dataset.ts';
import { embedDataset, embedFields } from '../../src/embeddings/embed.ts';
import { embedderOf, embeddingNetwork, fitField } from '../../src/embeddings/embedder.ts';
import { type EmbeddedItem, type Embeddings, vectorOf } from '../../src/embeddings/embeddings.ts';
import { hashItem } from '../../src/embeddings/hash.ts';
import { readEmbeddings, removeStale, writeEmbeddings } from '../../src/embeddings/store.ts';
import type { Field } from '../../src/formats/field.ts';
import type { Network } from '../../src/networks/network.ts';
import { randomFilters } from '../../src/networks/random-filters.ts';

const folder = mkdtempSync(join(tmpdir(), 'ndconv-embeddings-'));
test.onFinish(() => rmSync(folder, { recursive: true, force: true }));

const fieldOf = (shape: number[], f: (i: number) => number): Field => ({
  kind: 'array',
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => f(i)),
  axes: shape.slice(0, -1).map((_, a) => ({ name: `axis ${a}`, spacing: 1, unit: '' })),
  source: 'made',
  valueUnit: '',
  sampleType: 'float32',
});

/** A dataset of fields by name; names are labels too. */
function datasetOf(fields: Record<string, Field>, leftOut: string[] = [], how?: unknown): Dataset {
  const items = Object.keys(fields).map(
    (name): EmbeddedItem => ({
      path: `/none/${name}`,
      name,
      label: name,
      identity: name,
      sha256: `hash of ${name}`,
    }),
  );
  const none = createDataset([], { leaveOut: (name, reason) => leftOut.push(`${name}: ${reason}`) });
  return derivedDataset(none, items, async ({ name }) => fields[name], how);
}

const small = (rank: number): Network =>
  randomFilters({ rank, channels: 1, kernels: [3], filters: 4, blocks: 1, seed: 1 });

test('fields of ranks 1 to 3 and of several shapes are embedded as the network alone would', async t => {
  const backend = await createReferenceBackend();
  for (const rank of [1, 2, 3]) {
    const shape = (n: number) => [...new Array<number>(rank).fill(n), 1];
    const fields = {
      a: fieldOf(shape(6), i => Math.sin(i)),
      b: fieldOf(shape(6), i => Math.cos(i)),
      c: fieldOf(shape(8), i => Math.sin(3 * i)),
      d: fieldOf(shape(6), i => i % 3),
    };
    const embedding = embeddingNetwork(small(rank));
    const { embeddings, computed } = await embedDataset(datasetOf(fields), embedding, backend);
    t.equal(computed, 4);
    t.deepEqual(
      embeddings.items.map(({ name }) => name),
      ['a', 'b', 'c', 'd'],
      'in the order of the dataset',
    );
    const alone = await embedFields(Object.values(fields), embedding, backend);
    for (const [i, vector] of alone.entries()) t.deepEqual(vectorOf(embeddings, i), vector);
    t.equal(embeddings.size, 4, 'averaged over cells');
  }
  await backend.close();
});

test('normalised vectors have length 1, and make another embedder', async t => {
  const backend = await createReferenceBackend();
  const [plain, normal] = [embeddingNetwork(small(1)), embeddingNetwork(small(1), { normalise: true })];
  const [vector] = await embedFields([fieldOf([9, 1], i => i)], normal, backend);
  t.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-6);
  t.notEqual(embedderOf(plain).sha256, embedderOf(normal).sha256);
  await backend.close();
});

test('the embedder says what embeddings depend on', t => {
  const network = small(1);
  const embedding = embeddingNetwork(network);
  const hash = embedderOf(embedding).sha256;
  t.equal(embedderOf(embeddingNetwork(small(1))).sha256, hash, 'the same network built again');
  t.notEqual(embedderOf(embedding, [{ operations: [{ flip: { axes: [0] } }] }]).sha256, hash, 'preparation');
  t.notEqual(embedderOf(embeddingNetwork(network, { layer: network.layers[0].name })).sha256, hash, 'layer');
  const layers = network.layers.map(layer =>
    layer.weights?.weights
      ? {
          ...layer,
          weights: {
            ...layer.weights,
            weights: { ...layer.weights.weights, data: layer.weights.weights.data.map(v => v * 2) },
          },
        }
      : layer,
  );
  t.notEqual(embedderOf(embeddingNetwork({ ...network, layers })).sha256, hash, 'weights');
  t.throws(() => embeddingNetwork(network, { layer: 'relu9' }), /has no layer 'relu9'/);
  t.end();
});

test('inputs are fitted: grey repeated, colour made grey, padded to the proportions and resampled', t => {
  const network = { ...small(2), channels: 3, sizes: [8, 8] };
  const fitted = fitField(
    network,
    fieldOf([8, 4, 1], () => 1),
  );
  t.deepEqual(fitted.shape, [8, 8, 3]);
  t.deepEqual(
    [...fitted.data.subarray(0, 24)],
    [0, 0, 1, 1, 1, 1, 0, 0].flatMap(v => [v, v, v]),
    'zeros on both sides',
  );
  t.equal(
    fitField(
      network,
      fieldOf([30, 20, 3], i => i),
    ).data.length,
    192,
  );
  const grey = fitField(
    { ...network, channels: 1 },
    fieldOf([8, 8, 3], i => (i % 3 === 1 ? 1 : 0)),
  );
  t.ok(Math.abs(grey.data[5] - 0.587) < 1e-6);
  t.throws(
    () =>
      fitField(
        network,
        fieldOf([8, 1], i => i),
      ),
    /has 1 spatial dimensions \(8×1\) and network .* takes 2/,
  );
  t.throws(
    () =>
      fitField(
        network,
        fieldOf([8, 8, 2], i => i),
      ),
    /has 2 channels and network .* takes 3/,
  );
  t.end();
});

test('what is known is taken over by hash, box and embedder', async t => {
  const backend = await createReferenceBackend();
  const embedding = embeddingNetwork(small(1));
  const fields = { a: fieldOf([9, 1], i => i), b: fieldOf([9, 1], i => -i) };
  const first = (await embedDataset(datasetOf(fields), embedding, backend)).embeddings;
  const more = datasetOf({ ...fields, c: fieldOf([9, 1], i => i * i) });
  const never = () => Promise.reject(new Error('no backend is needed'));
  const again = await embedDataset(datasetOf(fields), embedding, never, { known: first });
  t.deepEqual([again.reused, again.computed], [2, 0]);
  t.deepEqual(again.embeddings, first);
  const grown = await embedDataset(more, embedding, backend, { known: first });
  t.deepEqual([grown.reused, grown.computed], [2, 1]);
  t.deepEqual(vectorOf(grown.embeddings, 1), vectorOf(first, 1));
  const other = await embedDataset(datasetOf(fields, [], { cut: 1 }), embedding, backend, { known: first });
  t.deepEqual([other.reused, other.computed], [0, 2], 'other preparation');
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  const { kept, embeddings } = await embedDataset(more, embedding, backend, {
    known: first,
    signal: stop.signal,
    onProgress,
  });
  t.deepEqual([embeddings.items.length, kept.items.length], [1, 2], 'what was aborted keeps what is known');
  const boxed = { ...first, items: first.items.map(item => ({ ...item, box: [0, 1] })) };
  t.equal(
    (await embedDataset(datasetOf(fields), embedding, backend, { known: boxed })).reused,
    0,
    'another box',
  );
  await backend.close();
});

test('what cannot be used is left out and named', async t => {
  const backend = await createReferenceBackend();
  const leftOut: string[] = [];
  const fields = {
    good: fieldOf([9, 1], i => i),
    holes: fieldOf([9, 1], () => Number.NaN),
    flat: fieldOf([3, 3, 1], i => i),
  };
  const { embeddings } = await embedDataset(datasetOf(fields, leftOut), embeddingNetwork(small(1)), backend);
  t.deepEqual(
    embeddings.items.map(({ name }) => name),
    ['good'],
  );
  t.equal(leftOut.length, 2);
  t.ok(leftOut.some(line => /^holes: its embedding is not finite \(NaN/.test(line)));
  t.ok(leftOut.some(line => /^flat: has 2 spatial dimensions/.test(line)));
  await backend.close();
});

const stored: Embeddings = {
  embedder: { name: 'net', sha256: 'ab' },
  size: 2,
  items: [
    {
      path: join(folder, 'x/a.png'),
      name: 'a.png',
      label: 'a',
      identity: 'a',
      sha256: '01',
      box: [1, 2, 3, 4],
      score: 0.5,
    },
    { path: join(folder, 'b.png'), name: 'b.png', label: 'b', identity: 'b', part: 'test' },
  ],
  vectors: Float32Array.of(1, 2, 3, 4),
};

test('embeddings are read as they were written', async t => {
  const path = join(folder, 'store.json');
  await writeEmbeddings(stored, path);
  t.deepEqual(await readEmbeddings(path), stored);
  // Another pair takes their place; until the JSON names the new vectors the old pair stays whole.
  const next = { ...stored, vectors: Float32Array.of(5, 6, 7, 8) };
  await writeEmbeddings(next, path, join(folder, 'aside.json'));
  t.deepEqual(await readEmbeddings(path), stored, 'interrupted before the JSON is renamed');
  await writeEmbeddings(next, path);
  await removeStale(path);
  t.deepEqual(await readEmbeddings(path), next);
  t.equal(readdirSync(folder).filter(name => name.endsWith('.npy')).length, 1, 'no vectors are left over');
  t.end();
});

test('damaged stores are refused', async t => {
  const refuses = async (path: string, pattern: RegExp) => {
    const message = await readEmbeddings(path).then(
      () => 'was read',
      (error: Error) => error.message,
    );
    t.match(message, pattern);
  };
  const path = join(folder, 'damaged.json');
  const vectors = await writeEmbeddings(stored, path);
  truncateSync(vectors, 130);
  await refuses(path, /is not the file that damaged\.json was written with; embed again/);
  rmSync(vectors);
  await refuses(path, /cannot be read/);
  writeFileSync(path, '{ "ndconv": "embeddings"');
  await refuses(path, /is no JSON/);
  writeFileSync(path, '{ "some": "thing" }');
  await refuses(path, /holds no embeddings; give the \.json that a step embed wrote/);
  const outside = { ndconv: 'embeddings', version: 1, embedder: stored.embedder, size: 2, items: [] };
  writeFileSync(path, JSON.stringify({ ...outside, vectors: { file: '../x.npy', sha256: '' } }));
  await refuses(path, /names no file of vectors beside it/);
});

test('the hash of an item covers what belongs to it', async t => {
  const header = join(folder, 'record.hea');
  writeFileSync(header, 'a header');
  writeFileSync(join(folder, 'record.dat'), 'samples');
  const before = await hashItem(header);
  writeFileSync(join(folder, 'record.dat'), 'other samples');
  t.notEqual(await hashItem(header), before);
  t.equal(await hashItem(join(folder, 'absent')), undefined);
  t.ok(existsSync(header) && (await hashItem(folder)));
  t.end();
});
