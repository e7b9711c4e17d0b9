// The command line as a user meets it, many calls in one process: a child that runs one command line after another and
// sends back what each printed and its exit code. Started as a program, this file is the child.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../src/cli/program.ts';

/** What came of a command line. */
export interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs command lines in a folder. */
export interface Session {
  run(...args: string[]): Promise<Outcome>;
  close(): void;
}

/** Starts the child in a folder. */
export function openSession(cwd: string): Session {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), {
    cwd,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NO_COLOR: '1', NDCONV_DEBUG: '' },
  });
  return {
    run: (...args) =>
      new Promise((resolve, reject) => {
        const onExit = (code: number | null): void => reject(new Error(`the child ended with ${code}`));
        child.once('exit', onExit);
        child.once('message', outcome => {
          child.off('exit', onExit);
          resolve(outcome as Outcome);
        });
        child.send(args);
      }),
    close: () => child.disconnect(),
  };
}

async function serve(args: string[]): Promise<void> {
  const outcome: Outcome = { code: 0, out: '', err: '' };
  const { stdout, stderr } = process;
  const [writeOut, writeErr] = [stdout.write, stderr.write];
  stdout.write = (text: unknown) => (outcome.out += text) !== '';
  stderr.write = (text: unknown) => (outcome.err += text) !== '';
  try {
    outcome.code = await runCommandLine(args);
  } finally {
    stdout.write = writeOut;
    stderr.write = writeErr;
  }
  process.send!(outcome);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.on('message', args => void serve(args as string[]));
