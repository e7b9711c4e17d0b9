// A few mutated files of every kind that is read, each of which ends in a result or a tagged error, quickly and in little
// memory. `npm run fuzz` takes many more, each kind in a process of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'tape';
import { formats } from '../../src/formats/index.ts';
import { fuzzKinds } from './kinds.ts';
import { fuzz } from './run.ts';

const files = Number(process.env.NDCONV_FUZZ ?? 20);
const folder = mkdtempSync(join(tmpdir(), 'ndconv-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const kinds = await fuzzKinds(folder);

test('fuzz: every format is among the kinds, and what is mutated is read', async t => {
  const extensions = kinds.map(({ path }) => path.toLowerCase());
  for (const format of Object.values(formats))
    t.ok(
      format.name === 'dicom' || format.extensions.some(end => extensions.some(path => path.endsWith(end))),
      format.name,
    );
  for (const { name, attempts } of kinds) {
    // Sounds are cut where a download would have been, which not every decoder takes.
    if (/^(flac|mp3|ogg|opus)$/.test(name)) continue;
    // Weights alone are no network, but one of the attempts reads them.
    const outcomes = await Promise.allSettled(attempts.map(attempt => attempt()));
    t.ok(
      outcomes.some(({ status }) => status === 'fulfilled'),
      `${name}: ${outcomes.map(one => ('reason' in one ? String(one.reason.message) : 'read')).join('; ')}`,
    );
  }
});

for (const kind of kinds)
  test(`fuzz: ${kind.name}`, async t => {
    const { odd, slowest, read, refused } = await fuzz(kind, 11, 0, files);
    t.deepEqual(odd.slice(0, 3), [], `${read} results, ${refused} tagged errors`);
    t.ok(slowest < 5000, `the slowest took ${slowest.toFixed(0)} ms`);
  });

test('fuzz: memory', t => {
  const megabytes = process.resourceUsage().maxRSS / 1024;
  t.ok(megabytes < 1024, `${megabytes.toFixed(0)} MB at most`);
  t.end();
});
