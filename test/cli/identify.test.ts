// The shipped pipeline that looks for the faces of one photo in others, and goes on where it left off.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { openSession } from './session.ts';
import { temporaryFolder } from './workshop.ts';

test('face-identify.yaml: one face of a photo is in another', async t => {
  const out = temporaryFolder();
  const session = openSession(join(import.meta.dirname, '../..'));
  const run = (...more: string[]) =>
    session.run('run', 'pipelines/face-identify.yaml', '--quiet', '--out', out, ...more);
  const first = await run('--set', 'files=sample3.jpg');
  t.equal(first.code, 0, first.err);
  const rows = readFileSync(join(out, 'identified.csv'), 'utf8').trim().split('\n').slice(1);
  const named = rows.map(row => row.split('"').filter((_, i) => i % 2 === 1));
  t.deepEqual(
    named.map(([name]) => name),
    ['sample3.jpg, face 1', 'sample3.jpg, face 2', 'sample3.jpg, face 3'],
  );
  t.equal(named[0][1], 'sample1.jpg, face 1', 'recognised');
  t.ok(
    rows.slice(1).every(row => row.includes(',unknown,')),
    'the others are not',
  );
  const again = await run('--set', 'files=sample3.jpg');
  t.equal(again.code, 0, again.err);
  const html = readFileSync(join(out, 'report.html'), 'utf8');
  for (const text of [
    '3 labels, 3 items',
    '0 computed, 3 taken from known.json',
    '1 of 3 items recognised, 2 unknown',
  ])
    t.ok(html.includes(text), `the report says: ${text}`);
  session.close();
  t.end();
});
