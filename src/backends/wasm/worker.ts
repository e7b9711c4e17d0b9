// A thread of the wasm backend: sleeps until a run starts, takes in the programs it was sent meanwhile, does its share.

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import {
  control,
  execute,
  fail,
  instantiate,
  type Run,
  runInHand,
  type Step,
  type TeamMessage,
  type Words,
} from './steps.ts';

const { words, thread, port } = workerData as { words: Words; thread: number; port: MessagePort };
const programs = new Map<number, { steps: readonly Step[]; runs: Run[] }>();

function takeMessages(): void {
  for (let m = receiveMessageOnPort(port); m; m = receiveMessageOnPort(port)) {
    const message = m.message as TeamMessage;
    if ('unload' in message) programs.delete(message.unload);
    else programs.set(message.load, { steps: message.steps.steps, runs: instantiate(message.steps) });
  }
}

let woken = Atomics.load(words, control.wake);
let last = Atomics.load(words, control.runs);
parentPort!.postMessage('ready');
for (;;) {
  Atomics.wait(words, control.wake, woken);
  woken = Atomics.load(words, control.wake);
  try {
    takeMessages();
    const { run, program, first } = runInHand(words);
    const found = programs.get(program);
    // A program that is not there came after the messages (it woke this thread again) or has run and gone.
    if (run === last || !found) continue;
    last = run;
    execute(found.steps, found.runs, thread, first, words);
  } catch {
    fail(words);
  }
}
