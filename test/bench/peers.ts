// The processes of the engines: how each is started, and questions to it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { engines } from './engines.ts';
import type { Answer, Request } from './peer.ts';

export const names = [
  'ndconv',
  'ndconv direct',
  'ndconv 128-bit',
  'ndconv Node 20',
  'PyTorch',
  'onnxruntime-node',
  'onnxruntime-web',
  'tfjs',
] as const;
export type Name = keyof typeof engines | 'PyTorch';

export interface Peer {
  readonly name: Name;
  /** What it says it is. */
  readonly version: string;
  ask(request: Request): Promise<Answer>;
  readonly process: ChildProcess;
}

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
// PyTorch takes the memory of every result from the system anew, and where pages are dear (virtual machines) that is most
// of its time: glibc is told to keep what was freed. OpenBLAS chooses its own kernels, whatever this machine was told.
const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...environment } = process.env;
const env = {
  ...environment,
  MALLOC_MMAP_THRESHOLD_: '4000000000',
  MALLOC_TRIM_THRESHOLD_: '4000000000',
  MALLOC_TOP_PAD_: '200000000',
};

const worksWith = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

/** Python with PyTorch: of the environment, of the path, or Debian's. */
const python = [process.env.NDCONV_PYTHON ?? 'python3', '/usr/bin/python3'].find(command =>
  worksWith(command, '-c', 'import torch'),
);

/** A Node of version 20, and the peer compiled for it: it does not read TypeScript. */
function node20(): [string, string[]] | undefined {
  const isOne = "process.exit(process.versions.node.startsWith('20.') ? 0 : 1)";
  const path = (process.env.PATH ?? '').split(':').map(folder => `${folder}/node`);
  const command = [process.env.NDCONV_NODE20 ?? 'node', ...path].find(found => worksWith(found, '-e', isOne));
  const compiler = here('../../node_modules/typescript/bin/tsc');
  if (!command || !worksWith(process.execPath, compiler, '-p', here('tsconfig.json'))) return undefined;
  return [command, [here('../../out/bench/test/bench/peer.js')]];
}
let compiled: ReturnType<typeof node20> | null = null;

function commandOf(name: Name): [string, string[]] | undefined {
  if (name === 'PyTorch') return python ? [python, [here('peer.py')]] : undefined;
  if (name !== 'ndconv Node 20')
    return [process.execPath, ['--disable-warning=ExperimentalWarning', here('peer.ts'), name]];
  if (compiled === null) compiled = node20();
  return compiled && [compiled[0], [...compiled[1], name]];
}

/** Starts an engine; undefined, with a line that says why, where it is not there. */
export async function start(name: Name, threads: number): Promise<Peer | undefined> {
  const found = commandOf(name);
  if (!found) {
    console.log(`${name} is left out: it is not installed`);
    return undefined;
  }
  const [command, args] = found;
  const child = spawn(command, [...args, String(threads)], { stdio: ['pipe', 'pipe', 'pipe'], env });
  let complaint = '';
  child.stderr.on('data', data => {
    complaint = String(data).trim().split('\n').at(-1) ?? '';
  });
  child.on('error', error => {
    complaint = error.message;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done) {
    console.log(`${name} is left out: ${complaint}`);
    return undefined;
  }
  const ask = async (request: Request): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await lines.next();
    return done ? { unable: complaint || 'it ended' } : JSON.parse(value);
  };
  return { name, version: JSON.parse(first.value).ready, ask, process: child };
}
