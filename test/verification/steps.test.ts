// The steps of verification as pipelines use them, on embeddings in a file: what they write, show and refuse.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'tape';
import { writeEmbeddings } from '../../src/embeddings/store.ts';
import { checkPipeline, PipelineError, runPipeline } from '../../src/pipeline/index.ts';
import { steps } from '../../src/pipeline/steps/index.ts';
import { embedder, madeEmbeddings } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'ndconv-verification-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

const people = madeEmbeddings({ identities: 16, samples: 4, noise: [0.3, 1.2], common: 2 });
// Two of the pictures are there to be shown.
mkdirSync(at('p0'));
for (const k of [0, 1])
  writeFileSync(at(`p0/${k}.pgm`), Buffer.concat([Buffer.from('P5\n6 5\n255\n'), Buffer.alloc(30, 90 * k)]));
const items = people.items.map((item, i) => (i < 2 ? { ...item, path: at(`p0/${i}.pgm`) } : item));
await writeEmbeddings({ ...people, items }, at('people.json'));
const pick = (count: number) => ({
  ...people,
  items: items.slice(0, count),
  vectors: people.vectors.slice(0, 8 * count),
});
await writeEmbeddings(pick(4), at('one-label.json'));
await writeEmbeddings(
  { ...people, items, embedder: { ...embedder, name: 'other', sha256: 'bb' } },
  at('other.json'),
);
writeFileSync(at('pairs.csv'), 'first,second\np0/0.png,p0/1.png\np0/0.png,p3/1.png\n');

const files = { e: 'people', o: 'other', one: 'one-label' };

/** The text of a pipeline: the steps given, and what loads the embeddings that they refer to. */
const pipeline = (lines: string): string => {
  const loads = Object.entries(files)
    .filter(([id]) => lines.includes(`"@${id}"`))
    .map(([id, file]) => `  - { id: ${id}, uses: load-embeddings, with: { path: ${file}.json } }\n`);
  return `ndconv: 1\nseed: 3\nsteps:\n${loads.join('')}${lines}`;
};

let runs = 0;
async function run(lines: string): Promise<{ out: string; notes: string[]; report: string }> {
  const file = at(`run-${++runs}.yaml`);
  writeFileSync(file, pipeline(lines));
  const out = at(`out-${runs}`);
  const notes: string[] = [];
  await runPipeline(file, {
    steps,
    out,
    onEvent: event => {
      if (event.event === 'note') notes.push(event.message);
    },
  });
  return { out, notes, report: readFileSync(join(out, 'report.html'), 'utf8') };
}

const problemsOf = async (lines: string): Promise<string> => {
  const file = at('check.yaml');
  writeFileSync(file, pipeline(lines));
  return checkPipeline(file, { steps }).then(
    () => '',
    error => (error instanceof PipelineError ? error.message : Promise.reject(error)),
  );
};

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

test('calibrate, train, evaluate, verify in one pipeline', async t => {
  const { out, notes, report } = await run(`
  - { id: plain, uses: calibrate, with: { embeddings: "@e", threshold: { far: 0.01 }, probability: isotonic, path: plain.json } }
  - { id: learned, uses: train-verifier, with: { embeddings: "@e", folds: 3, resamples: 60, path: learned.json } }
  - { uses: evaluate, with: { embeddings: "@e", verifiers: ["@learned", "@plain", cosine], resamples: 60, hardest: 2, path: evaluation.json } }
  - { uses: verify, with: { embeddings: "@e", verifier: "@learned", pairs: pairs.csv, path: verdicts.csv } }
`);
  const said = notes.join('\n');
  t.match(said, /on 16 identities held out: EER .* points/);
  t.match(said, /squared-euclidean, same up to [\d.]+ \(false accept rate of at most 0.01\)/);
  t.match(said, /p0\/0\.png and p0\/1\.png: the same, probability of the same/);
  t.match(said, /p0\/0\.png and p3\/1\.png: different/);
  const evaluation = JSON.parse(read(out, 'evaluation.json'));
  t.equal(evaluation.samePairs, 96);
  t.equal(evaluation.verifiers.length, 3);
  t.ok(evaluation.verifiers[0].rates.eer.value < evaluation.verifiers[2].rates.eer.value);
  t.ok(evaluation.verifiers[1].rates.far.value <= 0.01, 'the FAR that was wished');
  t.equal(evaluation.verifiers[2].threshold, undefined, 'no threshold was given for cosine');
  t.equal(evaluation.verifiers[2].rates.accuracy, undefined);
  t.equal(evaluation.hardest.same.length, 2);
  const [head, ...rows] = read(out, 'verdicts.csv').trim().split('\n');
  t.equal(head, 'first,second,distance,squared distance,probability,decision,components');
  t.deepEqual(
    rows.map(row => row.split(',')[5]),
    ['same', 'different'],
  );
  t.equal(rows[0].split(',')[6].split(' ').length, 5, 'five components');
  for (const part of ['>ROC<', '>DET<', '>Calibration<', 'Distances: cosine', 'The most distant pairs'])
    t.ok(report.includes(part), part);
  const learned = JSON.parse(read(out, 'learned.json'));
  t.ok(
    Math.abs(learned.probability.slope - 1) < 1e-6 && Math.abs(learned.probability.offset) < 1e-6,
    'σ(Σ w·u + b) is the probability',
  );
  writeFileSync(at('learned.json'), read(out, 'learned.json'));
  t.match(
    await problemsOf(`  - { uses: verify, with: { embeddings: "@o", verifier: learned.json } }`),
    /the verifier is for embeddings by made and these are by other/,
  );
});

test('verify with a threshold of its own says nothing of probability, and shows the pictures', async t => {
  const { out, notes, report } = await run(
    `  - { uses: verify, with: { embeddings: "@e", pairs: [[p0/0.png, p0/1.png]], threshold: 20, path: v.json } }`,
  );
  t.match(notes.join('\n'), /p0\/0\.png and p0\/1\.png: the same \(distance/);
  const { pairs } = JSON.parse(read(out, 'v.json'));
  t.equal(pairs[0].probability, undefined);
  const shares = pairs[0].parts.map(({ part }: { part: number }) => part);
  t.ok(
    shares.length === 5 &&
      shares.every((share: number, i: number) => share > 0 && share <= (shares[i - 1] ?? 1)),
  );
  t.equal([...report.matchAll(/<img class="image/g)].length, 2);
  t.ok(report.includes('none: it is not calibrated on data'));
});

test('all pairs with others', async t => {
  const { out } = await run(
    `  - { uses: verify, with: { embeddings: "@one", others: "@e", threshold: 4, components: 0, path: v.csv } }`,
  );
  t.equal(read(out, 'v.csv').trim().split('\n').length, 1 + 4 * 64);
});

test('what checking refuses', async t => {
  const cases: [string, RegExp][] = [
    ['{ uses: evaluate, with: { embeddings: "@one" } }', /one label: there are no different ones/],
    [
      '{ uses: verify, with: { embeddings: "@e" } }',
      /no threshold is known for the squared-euclidean distance of embeddings by made/,
    ],
    [
      '{ uses: verify, with: { embeddings: "@e", others: "@o", threshold: 1 } }',
      /by network other and embeddings by made/,
    ],
    ['{ uses: train-verifier, with: { embeddings: "@e", test: "@o" } }', /by network other/],
    [
      '{ uses: train-verifier, with: { embeddings: "@e", test: "@e", heldOut: 0.5 } }',
      /no effect beside test/,
    ],
    ['{ uses: calibrate, with: { embeddings: "@e", path: v.txt } }', /end in \.json/],
    ['{ uses: verify, with: { embeddings: "@e", verifier: people.json } }', /is no verifier/],
    ['{ uses: calibrate, with: { embeddings: "@e", threshold: { far: 2 } } }', /below 1/],
  ];
  for (const [step, pattern] of cases) t.match(await problemsOf(`  - ${step}`), pattern, step);
});

test('what running refuses', async t => {
  const refused = async (step: string, pattern: RegExp): Promise<void> => {
    try {
      await run(`  - ${step}`);
      t.fail(`${step} was not refused`);
    } catch (error) {
      t.match((error as Error).message, pattern, step);
    }
  };
  await refused(
    '{ uses: verify, with: { embeddings: "@e", pairs: [[p0/0.png, p0/9.png]], threshold: 1 } }',
    /no item "p0\/9\.png" among the 64/,
  );
  await refused(
    '{ uses: verify, with: { embeddings: "@e", pairs: [[0.png, p0/1.png]], threshold: 1 } }',
    /"0\.png" is p0\/0\.png or p1\/0\.png/,
  );
  await refused(
    '{ uses: calibrate, with: { embeddings: "@e", threshold: { far: 0.00001 } } }',
    /at least 100000: give more samples/,
  );
});
