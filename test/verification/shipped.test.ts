// The shipped pipelines that verify faces, on two photos that come with a package and on a few of real persons.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'tape';
import { runPipeline } from '../../src/pipeline/index.ts';
import { testWith } from '../formats/support.ts';

const shipped = (name: string): string => join(import.meta.dirname, '../../pipelines', name);
const folder = mkdtempSync(join(tmpdir(), 'ndconv-shipped-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const read = (out: string, name: string) => JSON.parse(readFileSync(join(out, name), 'utf8'));

test('face-verify: one person in two photos', async t => {
  const out = join(folder, 'verify');
  await runPipeline(shipped('face-verify.yaml'), { out });
  const { pairs } = read(out, 'answer.json');
  t.equal(pairs.length, 1);
  t.ok(pairs[0].same && pairs[0].distance < 0.3, `distance ${pairs[0].distance}`);
  t.equal(pairs[0].probability, undefined, 'the published threshold says nothing of probability');
});

/** A list of the first photos of some persons. */
function listOf(orl: string, persons: number, photos: number): string {
  const path = join(folder, `list-${persons}.csv`);
  const rows = Array.from({ length: persons * photos }, (_, i) => {
    const person = `s${11 + Math.floor(i / photos)}`;
    return `${join(orl, person, `${1 + (i % photos)}.pgm`)},${person}`;
  });
  writeFileSync(path, `path,label\n${rows.join('\n')}\n`);
  return path;
}

testWith('faces/orl', 'face-evaluate and face-train-verifier on a few persons', async (t, orl) => {
  const faces = listOf(orl, 6, 3);
  const out = join(folder, 'evaluate');
  await runPipeline(shipped('face-evaluate.yaml'), { set: [`faces=${faces}`, 'far=0.1'], out });
  const { verifiers, identities } = read(out, 'evaluation.json');
  t.equal(identities, 3);
  t.ok(verifiers[0].rates.eer.value < 0.1, `EER ${verifiers[0].rates.eer.value}`);
  t.equal(read(out, 'verifier.json').rule.far, 0.1);
  const learned = join(folder, 'train');
  await runPipeline(shipped('face-train-verifier.yaml'), { set: [`faces=${faces}`], out: learned });
  for (const name of ['verifier-photos.json', 'verifier-faces.json'])
    t.equal(read(learned, name).comparison.weights.length, 128, name);
});
