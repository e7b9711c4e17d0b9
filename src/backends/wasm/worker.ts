// A thread of the wasm backend: sleeps until a run starts, takes in the programs it was sent meanwhile, does its share.

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { control, execute, fail, instantiate, type Run, type Step, type TeamMessage } from './steps.ts';

const { words, thread, threads, port } = workerData as {
  words: Int32Array<SharedArrayBuffer>;
  thread: number;
  threads: number;
  port: MessagePort;
};
const programs = new Map<number, { steps: readonly Step[]; runs: Run[] }>();

function takeMessages(): void {
  for (let m = receiveMessageOnPort(port); m; m = receiveMessageOnPort(port)) {
    const message = m.message as TeamMessage;
    if ('unload' in message) programs.delete(message.unload);
    else programs.set(message.load, { steps: message.steps.steps, runs: instantiate(message.steps) });
  }
}

let woken = Atomics.load(words, control.wake);
let run = Atomics.load(words, control.runs);
parentPort!.postMessage('ready');
for (;;) {
  Atomics.wait(words, control.wake, woken);
  woken = Atomics.load(words, control.wake);
  try {
    takeMessages();
    const started = Atomics.load(words, control.runs);
    if (started === run) continue;
    run = started;
    // The main thread starts no other run before this one has passed its barriers.
    const { steps, runs } = programs.get(Atomics.load(words, control.program))!;
    execute(steps, runs, thread, threads, words);
  } catch {
    fail(words);
  }
}
