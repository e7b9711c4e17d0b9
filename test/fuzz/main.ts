// `npm run fuzz -- [FILES] [SEED] [KIND …]`: mutates files of every kind that is read (10,000 in all where not said) and
// reads each in a process of its own kind. Prints what came of them; ends with 1 where one crashed a process, hung over
// 5 s, took over 1 GB or failed without a tag.

import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzzKinds } from './kinds.ts';
import type { FuzzResult } from './run.ts';

const longest = 5000;
const mostMegabytes = 1024;

const root = mkdtempSync(join(tmpdir(), 'ndconv-fuzz-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const [files = '10000', seed = '1', ...wanted] = process.argv.slice(2);
const names = (await fuzzKinds(join(root, 'list')))
  .map(({ name }) => name)
  .filter(name => wanted.length === 0 || wanted.some(word => name.includes(word)));
const each = Math.ceil(Number(files) / names.length);

type Outcome = FuzzResult & { megabytes: number; faults: string[] };

/** Fuzzes a kind; a process that dies or hangs is begun again behind the file that did it. */
async function fuzzKind(name: string): Promise<Outcome> {
  const all: Outcome = { files: 0, read: 0, refused: 0, odd: [], slowest: 0, megabytes: 0, faults: [] };
  for (let from = 0; from < each; ) {
    const folder = mkdtempSync(join(root, 'kind-'));
    let at = from;
    let result: (FuzzResult & { megabytes: number }) | undefined;
    const died = await new Promise<string>(done => {
      const child = fork(
        join(import.meta.dirname, 'child.ts'),
        [folder, name, seed, String(from), String(each)],
        { execArgv: ['--disable-warning=ExperimentalWarning'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] },
      );
      let said = '';
      let timer: NodeJS.Timeout | undefined;
      child.stderr?.on('data', text => (said = `${said}${text}`.slice(-400)));
      child.on('message', (message: { at?: number; result?: typeof result }) => {
        clearTimeout(timer);
        if (message.at !== undefined) at = message.at;
        result = message.result ?? result;
        // Every attempt to read has its own limit; one file is read in several ways.
        timer = setTimeout(() => child.kill('SIGKILL'), 4 * longest);
      });
      child.on('close', (code, killed) => {
        clearTimeout(timer);
        done(
          killed === 'SIGKILL'
            ? `hangs for over ${(4 * longest) / 1000} s`
            : `process ended with ${code ?? killed}: ${said}`,
        );
      });
    });
    rmSync(folder, { recursive: true, force: true });
    if (result) {
      for (const key of ['files', 'read', 'refused'] as const) all[key] += result[key];
      all.odd.push(...result.odd);
      all.slowest = Math.max(all.slowest, result.slowest);
      all.megabytes = Math.max(all.megabytes, result.megabytes);
      break;
    }
    all.faults.push(`${name}, mutation ${at}: ${died}`);
    all.files += at + 1 - from;
    from = at + 1;
    if (all.faults.length >= 5) break;
  }
  if (all.slowest > longest) all.faults.push(`${name}: one took ${(all.slowest / 1000).toFixed(1)} s`);
  if (all.megabytes > mostMegabytes) all.faults.push(`${name}: ${all.megabytes.toFixed(0)} MB`);
  return all;
}

const cells = (...texts: (string | number)[]): string =>
  texts.map((text, i) => (i === 0 ? String(text).padEnd(26) : String(text).padStart(9))).join('');
console.log(cells('kind', 'files', 'read', 'refused', 'odd', 'slowest', 'MB'));
const faults: string[] = [];
let [total, read, refused] = [0, 0, 0];
for (const name of names) {
  const r = await fuzzKind(name);
  console.log(
    cells(
      name,
      r.files,
      r.read,
      r.refused,
      r.odd.length,
      `${r.slowest.toFixed(0)} ms`,
      r.megabytes.toFixed(0),
    ),
  );
  total += r.files;
  read += r.read;
  refused += r.refused;
  faults.push(...r.faults, ...r.odd.slice(0, 3));
}
console.log(
  `${total} files of ${names.length} kinds: ${read} attempts gave a result, ${refused} a tagged error, ${faults.length} faults`,
);
for (const fault of faults) console.log(`fault: ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;
