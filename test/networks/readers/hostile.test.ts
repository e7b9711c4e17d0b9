// Hostile files of networks: they announce far more than they hold. Mutated ones are in test/fuzz.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import test from 'tape';
import { NdconvError } from '../../../src/errors.ts';
import { readTensors } from '../../../src/networks/readers/index.ts';
import { readOnnx } from '../../../src/networks/readers/onnx/model.ts';
import { temporaryFolder } from './support.ts';

const folder = temporaryFolder();

test('files that announce far more than they hold', async t => {
  const bombs: [string, Uint8Array][] = [
    [
      '2^20 empty nodes',
      Uint8Array.from([
        8,
        8,
        0x3a,
        0x80,
        0x80,
        0x80,
        1,
        ...new Array(2 ** 21).fill(0).flatMap((_, i) => (i % 2 === 0 ? [0x0a] : [0])),
      ]),
    ],
    ['a message of 4 GB', Uint8Array.of(8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    [
      'a zip of zeros',
      zipSync(
        { 'm/data.pkl': Uint8Array.of(0x80, 2, 0x7d, 0x2e), 'm/data/0': new Uint8Array(2 ** 24) },
        { level: 9 },
      ),
    ],
    ['messages in messages', Uint8Array.from({ length: 4096 }, (_, i) => (i % 2 === 0 ? 0x3a : 0x7f))],
    ['JSON of brackets', Buffer.from('['.repeat(1 << 20))],
  ];
  for (const [name, bytes] of bombs) {
    const path = join(folder, name.includes('node') || name.includes('message') ? 'bomb.onnx' : 'bomb.bin');
    writeFileSync(path, bytes);
    // Seconds of the processor, so that a busy machine does not count.
    const start = process.cpuUsage();
    const failed = await readTensors(path).then(
      () => undefined,
      cause => cause,
    );
    t.ok(failed instanceof NdconvError, `${name}: ${String(failed?.message).slice(0, 160)}`);
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    t.ok(seconds < 5, `${name}: ${seconds.toFixed(2)} s`);
  }
  const bytes = new Uint8Array(64).fill(255);
  t.ok(
    await readOnnx(bytes).then(
      () => false,
      cause => cause instanceof NdconvError,
    ),
    'noise',
  );
});
