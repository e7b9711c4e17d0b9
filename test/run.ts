// Runs every test file in a process of its own, two at a time, shows what fails and what is skipped, and ends with the
// line 'N passed, N failed'. `npm test -- formats style` runs the files whose path contains one of the words. What ndconv
// keeps in the user's cache folder neither helps nor harms: a run has a folder of its own.

import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

const words = process.argv.slice(2);
const files = globSync('test/**/*.test.ts', { exclude: p => String(p).includes('node_modules') })
  .filter(f => words.length === 0 || words.some(w => f.includes(w)))
  .sort();

const cache = mkdtempSync(join(tmpdir(), 'ndconv-test-'));

let passed = 0;
let failed = 0;

async function runFile(file: string): Promise<void> {
  const started = performance.now();
  const { code, output } = await new Promise<{ code: number | null; output: string }>(done => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NDCONV_CACHE: cache },
    });
    let output = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), 600_000);
    child.stdout.on('data', d => (output += d));
    child.stderr.on('data', d => (output += d));
    child.on('close', code => {
      clearTimeout(timer);
      done({ code, output });
    });
  });
  const count = (word: string) => Number(output.match(new RegExp(`^# ${word} +(\\d+)`, 'm'))?.[1] ?? 0);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  passed += count('pass');
  const bad = count('fail') + (code !== 0 && count('fail') === 0 ? 1 : 0);
  failed += bad;
  console.log(
    `${bad ? 'FAIL' : 'ok  '} ${file}  ${count('pass')} passed${bad ? `, ${bad} failed` : ''}  ${seconds} s`,
  );
  for (const line of output.split('\n'))
    if (/^(ok .*# SKIP|# SKIP|# skip)/.test(line)) console.log(`     ${line}`);
  if (bad) console.log(failures(output));
}

// The failing assertions with their details, or the end of the output where the process died.
function failures(output: string): string {
  const blocks = output.match(/^not ok [\s\S]*?(?:^ {2}\.\.\.$|(?=^ok |^# ))/gm);
  return (blocks?.slice(0, 5).join('\n') ?? output.slice(-3000)).replace(/^/gm, '     ');
}

const queue = [...files];
const worker = async () => {
  for (let file = queue.shift(); file; file = queue.shift()) await runFile(file);
};
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
rmSync(cache, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || files.length === 0 ? 1 : 0;
