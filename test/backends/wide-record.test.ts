// What is remembered of the check of wide vectors: written by the first start, read by the next, and without harm where
// the file is damaged, of another version, or cannot be written.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tape from 'tape';
import { mayWiden } from '../../src/backends/wasm/features.ts';
import { type Circumstances, recall, remember } from '../../src/backends/wasm/wide-record.ts';

const folder = mkdtempSync(join(tmpdir(), 'ndconv-wide-'));
tape.onFinish(() => rmSync(folder, { recursive: true, force: true }));

const here: Circumstances = { ndconv: '1', kernels: 'abc', node: '24.0.0', v8: '13', processor: 'some' };

tape('wide record: what passed is known again, under the same circumstances alone', async t => {
  const path = join(folder, 'new', 'folders', 'record.json');
  t.equal(await recall(path, here), undefined, 'no file');
  await remember(path, here, true);
  t.ok(Date.parse((await recall(path, here))!) <= Date.now(), 'written');
  for (const key of Object.keys(here))
    t.equal(await recall(path, { ...here, [key]: 'other' }), undefined, `another ${key}`);

  const newer = { ...here, node: '25.0.0' };
  await remember(path, newer, true);
  t.ok((await recall(path, here)) && (await recall(path, newer)), 'two versions side by side');
  await remember(path, newer, false);
  t.equal(await recall(path, newer), undefined, 'what is wrong now is not known as right any more');
  t.ok(await recall(path, here), 'and the other stays');
});

tape('wide record: old entries make room for new ones', async t => {
  const path = join(folder, 'many.json');
  for (let i = 0; i < 20; i++) await remember(path, { ...here, v8: String(i) }, true);
  t.ok(await recall(path, { ...here, v8: '19' }), 'the latest');
  t.equal(await recall(path, { ...here, v8: '0' }), undefined, 'not the first');
});

tape('wide record: a failure is never remembered', async t => {
  const path = join(folder, 'failure.json');
  await remember(path, here, false);
  t.notOk(readdirSync(folder).includes('failure.json'), 'nothing is written');
});

tape('wide record: damaged files count as none and are replaced', async t => {
  const path = join(folder, 'damaged.json');
  const truncated = `[{"passed": "2026-01-01", "ndconv": "1"`;
  for (const text of ['', truncated, '{}', 'null', '[null, 1, {"passed": 3}]', '\0\0\0']) {
    writeFileSync(path, text);
    t.equal(await recall(path, here), undefined, JSON.stringify(text));
    await remember(path, here, true);
    t.ok(await recall(path, here), 'replaced');
  }
});

tape('wide record: many writers leave a whole file and nothing aside', async t => {
  const path = join(folder, 'shared', 'record.json');
  const all = Array.from({ length: 20 }, (_, i) => ({ ...here, node: String(i) }));
  await Promise.all(all.map(now => remember(path, now, true)));
  t.ok(JSON.parse(readFileSync(path, 'utf8')).length >= 1, 'it can be read');
  t.deepEqual(readdirSync(join(folder, 'shared')), ['record.json'], 'no file is left aside');
});

tape('wide record: no harm where the file cannot be written', async t => {
  // A file stands where the folder should be: refused whoever runs the test, unlike permissions.
  const blocked = join(folder, 'blocked');
  writeFileSync(blocked, '');
  await remember(join(blocked, 'record.json'), here, true);
  t.equal(await recall(join(blocked, 'record.json'), here), undefined, 'nothing is known');
});

const start = (cache: string) => {
  const url = new URL('../../src/backends/wasm/wide.ts', import.meta.url).href;
  const script = `const { enableWide } = await import('${url}'); console.log(await enableWide());`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, NDCONV_CACHE: cache, NDCONV_DEBUG: '1' },
  });
  return { right: stdout.trim() === 'true', said: stderr };
};

tape('wide vectors: the first start checks them, the second goes by what is remembered', t => {
  if (!mayWiden()) {
    t.skip('wide vectors need Node 24 on an x64 processor');
    return t.end();
  }
  const cache = join(folder, 'cache');
  const first = start(cache);
  t.ok(first.right && /wide vectors: checked, right/.test(first.said), 'checked');
  const second = start(cache);
  t.ok(second.right && /wide vectors: right when checked at 2/.test(second.said), 'remembered');

  const path = join(cache, 'wide-vectors.json');
  const entries = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify(entries.map((entry: object) => ({ ...entry, kernels: 'other' }))));
  const third = start(cache);
  t.ok(third.right && /checked, right/.test(third.said), 'other kernels are checked');
  rmSync(path);
  mkdirSync(path);
  const fourth = start(cache);
  t.ok(fourth.right && /cannot be written/.test(fourth.said), 'checked and not remembered');
  t.ok(/checked, right/.test(start('not/absolute').said), 'checked where there is no folder to remember in');
  t.end();
});
