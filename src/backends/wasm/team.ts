// The threads of the wasm backend. The main thread is thread 0 and computes too; the others are workers that sleep
// between runs, keep no process alive and end with it.

import { extname } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { NdconvError } from '../../errors.ts';
import {
  announce,
  control,
  execute,
  executeAlone,
  fail,
  type Run,
  type Steps,
  type TeamMessage,
  type Words,
} from './steps.ts';

/** Threads that run programs together. */
export class Team {
  readonly threads: number;
  private readonly words: Words;
  private readonly workers: Worker[];
  private readonly ports: MessagePort[];
  private loaded = 0;

  private constructor(words: Words, workers: Worker[], ports: MessagePort[]) {
    this.words = words;
    this.workers = workers;
    this.ports = ports;
    this.threads = workers.length + 1;
  }

  /** Starts `threads` − 1 workers and waits until they are up. */
  static async start(threads: number): Promise<Team> {
    const words = new Int32Array(new SharedArrayBuffer(control.words * 4));
    const file = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
    const ports: MessagePort[] = [];
    const workers = Array.from({ length: threads - 1 }, (_, i) => {
      const { port1, port2 } = new MessageChannel();
      ports.push(port1);
      port1.unref();
      const workerData = { words, thread: i + 1, port: port2 };
      // Options of the main script (such as --input-type) do not fit the worker's file.
      return new Worker(file, { workerData, transferList: [port2], execArgv: [] });
    });
    try {
      await Promise.all(
        workers.map(
          worker =>
            new Promise((ready, failed) => {
              worker.once('message', ready);
              worker.once('error', failed);
            }),
        ),
      );
    } catch (cause) {
      await Promise.all(workers.map(w => w.terminate()));
      throw new NdconvError(
        'BackendError',
        `wasm: ${threads - 1} worker threads could not be started; ask for 1 thread`,
        { threads },
        cause,
      );
    }
    for (const worker of workers) worker.unref();
    return new Team(words, workers, ports);
  }

  /** Hands a program to every thread; the number names it in `run`. */
  load(steps: Steps): number {
    const program = this.loaded++;
    this.post({ load: program, steps });
    return program;
  }

  /** Forgets a program. */
  unload(program: number): void {
    this.post({ unload: program });
    this.wake();
  }

  /** Runs a program on all threads; returns when the last is done. */
  run(program: number, { steps }: Steps, runs: readonly Run[], done?: (step: number) => void): void {
    if (Atomics.load(this.words, control.failed)) throw this.failure();
    if (steps.length === 0) return;
    try {
      if (this.threads === 1) executeAlone(steps, runs, done);
      else {
        const first = announce(this.words, program);
        this.wake();
        execute(steps, runs, 0, first, this.words, done);
      }
    } catch (cause) {
      fail(this.words);
      throw this.failure(cause);
    }
  }

  async close(): Promise<void> {
    for (const port of this.ports) port.close();
    await Promise.all(this.workers.map(w => w.terminate()));
  }

  private post(message: TeamMessage): void {
    for (const port of this.ports) port.postMessage(message);
  }

  private wake(): void {
    Atomics.add(this.words, control.wake, 1);
    Atomics.notify(this.words, control.wake);
  }

  private failure(cause?: unknown): NdconvError {
    return new NdconvError(
      'BackendError',
      'wasm: a kernel stopped; this backend cannot be used any more, create another',
      { threads: this.threads },
      cause,
    );
  }
}
