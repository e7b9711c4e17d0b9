// Every walk-through of examples/ runs as its first lines say and tells what it is there to show.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import tape, { type Test } from 'tape';
import { readField } from '../src/formats/index.ts';

const examples = fileURLToPath(new URL('../examples/', import.meta.url));

const run = (name: string, ...args: string[]): string[] =>
  execFileSync(process.execPath, [join(examples, `${name}.ts`), ...args], { encoding: 'utf8' })
    .trim()
    .split('\n');

/** The numbers that a pattern finds in each line. */
const numbers = (t: Test, lines: string[], pattern: RegExp): number[] =>
  lines.map(line => {
    const found = pattern.exec(line);
    t.ok(found, line);
    return Number(found?.[1]);
  });

const tests: Record<string, (t: Test) => void | Promise<void>> = {
  convolve(t) {
    const ranks = numbers(t, run('convolve'), /^rank (\d): .* -> \[1(?:,8)+,4\]; mean -?0\.\d+, dw/);
    t.deepEqual(ranks, [1, 2, 3, 4], 'four ranks');
  },
  'learn-filter'(t) {
    const errors = numbers(t, run('learn-filter'), /weights found to (\S+) in \d+ steps/);
    t.ok(errors.length === 3 && errors.every(e => e < 1e-3), 'the filters are found');
  },
  texture(t) {
    const times = numbers(t, run('texture'), /the noise is (\d+) times nearer/);
    t.ok(times.length === 3 && times.every(n => n > 20), 'more than 20 times nearer');
  },
  async spectrogram(t) {
    const folder = mkdtempSync(join(tmpdir(), 'ndconv-example-'));
    try {
      const wav = join(folder, 'rebuilt.wav');
      const sound = fileURLToPath(new URL('../node_modules/audio-lena/lena.wav', import.meta.url));
      const [decibels] = numbers(t, run('spectrogram', sound, wav).slice(1), /differ by (\S+) dB/);
      t.ok(decibels < -15, `${decibels} dB`);
      t.ok(existsSync(wav), 'written');
      t.deepEqual((await readField(wav)).shape, [88200, 1], 'two seconds of it');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

tape('every example has a test', t => {
  const names = readdirSync(examples).map(name => name.replace(/\.ts$/, ''));
  t.deepEqual(Object.keys(tests).sort(), names.sort());
  t.end();
});

for (const [name, check] of Object.entries(tests)) tape(`example: ${name}`, async t => check(t));
