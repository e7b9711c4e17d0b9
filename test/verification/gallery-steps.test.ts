// The steps enrol and identify as pipelines use them: a gallery over several runs, in its file and killed in the middle of
// writing it; tables, report, and what is refused.

import { fork } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import test from 'tape';
import type { Embeddings } from '../../src/embeddings/embeddings.ts';
import { readEmbeddings, writeEmbeddings } from '../../src/embeddings/store.ts';
import { writeField } from '../../src/formats/index.ts';
import { checkPipeline, PipelineError, runPipeline } from '../../src/pipeline/index.ts';
import { createRandom } from '../../src/random.ts';
import { indexedFrom } from '../../src/verification/gallery/neighbour-index.ts';
import { makeImage, temporaryFolder } from '../formats/support.ts';

const folder = temporaryFolder();

/** Embeddings about the whole numbers: the label `a3` is near 3 in every component. */
function lot(labels: readonly string[], each: number, size: number, seed: number, name = 'net'): Embeddings {
  const random = createRandom(seed);
  const items = labels.flatMap(label =>
    Array.from({ length: each }, (_, i) => ({
      path: join(folder, 'face.png'),
      name: `${label}/${seed}-${i}.png`,
      label,
      identity: label,
      sha256: `${label} ${seed} ${i}`,
      box: [2, 3, 8, 6],
    })),
  );
  const vectors = new Float32Array(items.length * size);
  for (let i = 0; i < items.length; i++)
    for (let k = 0; k < size; k++)
      vectors[i * size + k] = Number(items[i].label.slice(1)) + 0.01 * random.normal();
  return { embedder: { name, sha256: name }, size, items, vectors };
}

const numbered = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${letter}${i}`);

/** Writes a pipeline of load-embeddings steps and others. */
function pipeline(name: string, loads: string[], ...steps: string[]): string {
  const path = join(folder, `${name}.yaml`);
  const lines = loads.map(id => `  - { id: ${id}, uses: load-embeddings, with: { path: ${id}.json } }`);
  writeFileSync(
    path,
    ['ndconv: 1', `name: ${name}`, 'steps:', ...lines, ...steps.map(line => `  - ${line}`)].join('\n'),
  );
  return path;
}

const galleryItems = async (): Promise<string[]> =>
  (await readEmbeddings(join(folder, 'gallery.json'))).items.map(({ label }) => label);

test('a gallery over several runs', async t => {
  await writeField(makeImage(12, 16, 3), join(folder, 'face.png'));
  await writeEmbeddings(lot(numbered('a', 3), 2, 4, 1), join(folder, 'first.json'));
  await writeEmbeddings(lot(['a2', 'a5'], 2, 4, 2), join(folder, 'second.json'));
  await writeEmbeddings(lot(['a1', 'a5', 'a9'], 1, 4, 3), join(folder, 'probes.json'));
  const enrol = (what: string): string => `{ uses: enrol, with: { ${what}, path: gallery.json } }`;
  const run = (path: string) => runPipeline(path, { out: folder });
  await run(pipeline('one', ['first'], enrol('embeddings: "@first"')));
  t.deepEqual(await galleryItems(), ['a0', 'a0', 'a1', 'a1', 'a2', 'a2']);
  await run(pipeline('one', ['first'], enrol('embeddings: "@first"')));
  t.equal((await galleryItems()).length, 6, 'the same again changes nothing');
  await run(pipeline('two', ['second'], enrol('embeddings: "@second", earlier: replace, remove: [a0]')));
  t.deepEqual(await galleryItems(), ['a1', 'a1', 'a2', 'a2', 'a5', 'a5']);
  t.equal(readdirSync(folder).filter(name => /^gallery-.*npy$/.test(name)).length, 1, 'old vectors are gone');

  const identify =
    '{ uses: identify, with: { gallery: gallery.json, embeddings: "@probes", threshold: 0.5, path: found.csv } }';
  await run(pipeline('three', ['probes'], identify));
  const rows = readFileSync(join(folder, 'found.csv'), 'utf8').trim().split('\n');
  t.equal(
    rows[0],
    'file,name,box,identity,candidate 1,distance 1,candidate 2,distance 2,candidate 3,distance 3',
  );
  t.deepEqual(
    rows.slice(1).map(row => row.split(',').slice(1, 5).join()),
    ['a1/3-0.png,2 3 8 6,a1,a1', 'a5/3-0.png,2 3 8 6,a5,a5', 'a9/3-0.png,2 3 8 6,unknown,a5'],
  );
  const html = readFileSync(join(folder, 'report.html'), 'utf8');
  for (const text of [
    'Identification',
    'a stranger',
    'among the first 1',
    '100.00 %',
    'FPIR',
    '8 × 6 pixels',
  ])
    t.ok(html.includes(text), `the report says ${text}`);
  await run(
    pipeline(
      'four',
      ['probes'],
      identify.replace('found.csv', 'found.json').replace('threshold: 0.5', 'falsePositives: 0'),
    ),
  );
  const found = JSON.parse(readFileSync(join(folder, 'found.json'), 'utf8'));
  t.deepEqual(
    found.map(({ identity }: { identity: string }) => identity),
    ['a1', 'a5', null],
  );
  t.equal(found[0].candidates[0].match.startsWith('a1/'), true);
  t.end();
});

test('identified by a verifier, from a step and from its file', async t => {
  await writeEmbeddings(lot(numbered('a', 12), 4, 4, 7), join(folder, 'pairs.json'));
  const calibrate = '{ id: c, uses: calibrate, with: { embeddings: "@pairs", path: verifier.json } }';
  const identify = (verifier: string): string =>
    `{ uses: identify, with: { gallery: gallery.json, embeddings: "@probes", verifier: ${verifier}, path: by.json } }`;
  for (const [name, loads, steps] of [
    ['by-step', ['pairs', 'probes'], [calibrate, identify('"@c"')]],
    ['by-file', ['probes'], [identify('verifier.json')]],
  ] as [string, string[], string[]][]) {
    await runPipeline(pipeline(name, loads, ...steps), { out: folder });
    const found = JSON.parse(readFileSync(join(folder, 'by.json'), 'utf8'));
    t.deepEqual(
      found.map(({ identity }: { identity: string }) => identity),
      ['a1', 'a5', null],
      name,
    );
    const [own, other] = found[0].candidates;
    t.ok(
      own.probability > 0.5 && other.probability < 0.5,
      `probabilities ${own.probability}, ${other.probability}`,
    );
    t.ok(readFileSync(join(folder, 'report.html'), 'utf8').includes('probability'));
  }
  t.end();
});

test('above 10,000 embeddings an index lies beside the gallery', async t => {
  const labels = numbered('a', indexedFrom / 2 + 10);
  await writeEmbeddings(lot(labels, 2, 2, 1), join(folder, 'many.json'));
  await writeEmbeddings(lot(['a3'], 1, 2, 5), join(folder, 'more.json'));
  await writeEmbeddings(lot(['a7'], 1, 2, 6), join(folder, 'seven.json'));
  const notes: string[] = [];
  const onEvent = (event: { event: string; message?: string }): void => {
    if (event.event === 'note') notes.push(event.message!);
  };
  const run = (path: string) => runPipeline(path, { out: folder, onEvent });
  await run(
    pipeline('many', ['many'], '{ uses: enrol, with: { embeddings: "@many", path: many-gallery.json } }'),
  );
  if (notes.some(note => /cannot be loaded/.test(note))) {
    t.skip(notes.join());
    return t.end();
  }
  t.ok(existsSync(join(folder, 'many-gallery-squared-euclidean.index')));
  notes.length = 0;
  const more = '{ uses: enrol, with: { embeddings: "@more", remove: [a0, a1], path: many-gallery.json } }';
  await run(pipeline('more', ['more'], more));
  t.ok(notes.includes('index of neighbours: 1 added, 4 removed'), notes.join('; '));
  notes.length = 0;
  const identify =
    '{ uses: identify, with: { gallery: many-gallery.json, embeddings: "@seven", candidates: 2, path: seven.json } }';
  await run(pipeline('seven-of-many', ['seven'], identify));
  const [{ identity, candidates }] = JSON.parse(readFileSync(join(folder, 'seven.json'), 'utf8'));
  t.equal(identity, 'a7');
  t.equal(candidates.length, 2);
  t.ok(readFileSync(join(folder, 'report.html'), 'utf8').includes('approximate search'));
  t.end();
});

test('a gallery is whole whenever its writing is cut off', async t => {
  // Large enough that most of the time goes into writing.
  for (const name of ['a', 'b'])
    await writeEmbeddings(lot(numbered(name, 2500), 2, 64, 1), join(folder, `${name}.json`));
  for (const name of ['a', 'b'])
    pipeline(
      `enrol-${name}`,
      [name],
      `{ uses: enrol, with: { embeddings: "@${name}", earlier: drop, path: killed.json } }`,
    );
  await runPipeline(join(folder, 'enrol-a.yaml'), { out: folder });
  const random = createRandom(3);
  const found = new Map<string, number>();
  for (let round = 0; round < 4; round++) {
    const child = fork(join(import.meta.dirname, 'enrolling.ts'), [folder], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      silent: true,
    });
    await new Promise(resolve => child.once('message', resolve));
    await setTimeout(100 + 900 * random.uniform());
    const gone = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const { items, vectors } = await readEmbeddings(join(folder, 'killed.json'));
    const letters = new Set(items.map(({ label }) => label[0]));
    const whole = letters.size === 1 && items.length === 5000 && vectors.length === 64 * 5000;
    const state = `${whole ? 'whole' : 'broken'} ${[...letters].join('')}`;
    found.set(state, (found.get(state) ?? 0) + 1);
  }
  t.ok(
    [...found.keys()].every(state => state.startsWith('whole')),
    [...found].join('; '),
  );
  await runPipeline(join(folder, 'enrol-a.yaml'), { out: folder });
  t.equal(
    readdirSync(folder).filter(name => /^killed-.*npy$/.test(name)).length,
    1,
    'and tidy after the next',
  );
  t.end();
});

test('what is refused before and while running', async t => {
  const refused = async (
    what: string,
    loads: string[],
    step: string,
    ...patterns: RegExp[]
  ): Promise<void> => {
    const path = pipeline('refused', loads, step);
    const error = await runPipeline(path, { out: folder }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const text = error instanceof PipelineError ? `${error.message}` : String(error);
    const missing = error === undefined ? ['no error'] : patterns.filter(pattern => !pattern.test(text));
    t.deepEqual(missing.map(String), [], `${what}: ${text}`);
  };
  await writeEmbeddings(lot(['a1'], 1, 3, 1, 'other'), join(folder, 'other.json'));
  await writeEmbeddings(lot(['a1'], 3, 4, 1), join(folder, 'single.json'));
  await refused(
    'nothing',
    [],
    '{ uses: enrol, with: { path: g.json } }',
    /embeddings to enrol, or labels to remove/,
  );
  await refused('from nowhere', [], '{ uses: enrol, with: { remove: [a] } }', /give gallery or path/);
  await refused(
    'no effect',
    ['first'],
    '{ uses: enrol, with: { embeddings: "@first", earlier: drop } }',
    /no effect without path/,
  );
  await refused(
    'not json',
    ['first'],
    '{ uses: enrol, with: { embeddings: "@first", path: g.npy } }',
    /end in \.json/,
  );
  await refused(
    'a stranger',
    ['first'],
    '{ uses: enrol, with: { embeddings: "@first", gallery: gallery.json, remove: [a7] } }',
    /a7 is not enrolled/,
  );
  await refused(
    'another network',
    ['other'],
    '{ uses: enrol, with: { embeddings: "@other", gallery: gallery.json } }',
    /by net and by other/,
  );
  const identify = (gallery: string, rest = ''): string =>
    `{ uses: identify, with: { gallery: ${gallery}, embeddings: "@probes"${rest} } }`;
  await refused(
    'of other sizes',
    ['probes'],
    identify('other.json'),
    /by net and those of the gallery by other/,
  );
  await refused(
    'two rules',
    ['probes'],
    identify('gallery.json', ', threshold: 1, falsePositives: 0.1'),
    /no effect beside threshold/,
  );
  await refused('one label', ['probes'], identify('single.json', ', falsePositives: 0.1'), /one label/);
  await refused('no gallery', ['probes'], identify('face.png'), /no JSON/);
  await refused('table', ['probes'], identify('gallery.json', ', path: found.txt'), /\.csv or \.json/);
  const checked = await checkPipeline(pipeline('fine', ['probes'], identify('gallery.json')));
  t.ok(checked, 'and what is right is not');
  t.end();
});
