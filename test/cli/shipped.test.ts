// The shipped pipelines that need nothing but what is installed, at a small size: each runs, and the style loss falls by
// the twenty times that it promises. Nothing is looked at or listened to here.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'tape';
import { openSession } from './session.ts';

const folder = mkdtempSync(join(tmpdir(), 'ndconv-shipped-'));
test.onFinish(() => rmSync(folder, { recursive: true, force: true }));
const shipped = (name: string): string =>
  fileURLToPath(new URL(`../../pipelines/${name}.yaml`, import.meta.url));

const transfers = {
  'style-audio': { settings: ['duration=1', 'iterations=40', 'net.filters=512'], result: 'result.wav' },
  'style-image': { settings: ['size=96', 'iterations=40'], result: 'result.png' },
  'style-volume': { settings: ['voxel=8', 'iterations=40'], result: 'result.nii.gz' },
  'style-ecg': { settings: ['duration=5', 'iterations=60'], result: 'result.npz' },
};

test('shipped: style transfers', async t => {
  const session = openSession(folder);
  for (const [name, { settings, result }] of Object.entries(transfers)) {
    const args = settings.flatMap(setting => ['--set', setting]);
    const { code, out, err } = await session.run('run', shipped(name), '--out', name, ...args);
    t.deepEqual([code, err], [0, ''], `${name} runs`);
    const times = Number(/\(÷ ([\d.]+)\)/.exec(out)?.[1]);
    t.ok(times >= 20, `${name}: the style loss is ${times} times smaller`);
    t.ok(existsSync(join(folder, name, result)), `${name}: wrote ${result}`);
  }
  session.close();
});

test('shipped: the shapes of the course', async t => {
  const session = openSession(folder);
  const { code, out } = await session.run('run', shipped('course'), '--out', 'course');
  t.equal(code, 0);
  const shapes = [...out.matchAll(/^ {2}(?:input|conv\d): (\S+)/gm)].map(([, shape]) => shape);
  t.deepEqual(
    shapes,
    ['14×1', '10×16', '6×32', '14×14×3', '10×10×16', '6×6×32', '14×14×14×1', '10×10×10×16', '6×6×6×32'],
    'in one, two and three dimensions',
  );
  session.close();
});
