// One engine in a process of its own: reads a task a line, prepares it and says what it computes, then times it as often
// as asked. Run by main.ts: node peer.ts NAME THREADS.

import { createInterface } from 'node:readline';
import type { Engine, Prepared } from './engines/prepared.ts';
import { engines } from './engines.ts';
import type { Task } from './tasks.ts';

/** What is asked: prepare a task, or run it for at least so many milliseconds. */
export type Request = { prepare: Task } | { time: number };
/** What is answered: samples of the result and how long they took, or milliseconds a run and the most bytes that the
 *  process held so far; `unable` where the engine has no such operation. */
export type Answer =
  | { samples: number[]; milliseconds: number }
  | { milliseconds: number; peak: number }
  | { unable: string };

const [name, threads] = process.argv.slice(2);
const engine: Engine = await engines[name as keyof typeof engines](Number(threads));
let prepared: Prepared | undefined;

async function answer(request: Request): Promise<Answer> {
  try {
    if ('prepare' in request) {
      await prepared?.dispose();
      prepared = undefined;
      prepared = await engine(request.prepare);
      const started = performance.now();
      const samples = await prepared.samples();
      return { samples, milliseconds: performance.now() - started };
    }
    const started = performance.now();
    let runs = 0;
    do {
      await prepared!.run();
      runs++;
    } while (performance.now() - started < request.time);
    return {
      milliseconds: (performance.now() - started) / runs,
      peak: process.resourceUsage().maxRSS * 1024,
    };
  } catch (error) {
    return { unable: (error as Error).message };
  }
}

console.log(JSON.stringify({ ready: name }));
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await answer(JSON.parse(line))));
process.exit(0);
