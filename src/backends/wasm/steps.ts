// What every thread of the wasm backend executes: a program's kernel calls in order over one shared memory, phase by
// phase. No messages are exchanged while a program runs. A phase is cut into more shares than there are threads; each
// thread takes one after the other until none are left, and the phase is over when all are done. So a thread that the
// system holds up does less, and one that comes late is not waited for: it finds the phase over and moves on.

/** Words of the control buffer that the threads of a team share. */
export const control = {
  /** Slept on between runs. */
  wake: 0,
  /** Odd while the two words that follow are being written. */
  runs: 1,
  /** The program in hand and the number of its first phase; phases are counted over all runs. */
  program: 2,
  first: 3,
  /** Number of the phase in hand; slept on within a run. */
  phase: 4,
  /** Number of the phase in hand with that of the next share to take: one word, so that a late thread takes nothing. */
  next: 5,
  /** Shares of the phase in hand that are done. */
  done: 6,
  failed: 7,
  words: 16,
} as const;

export type Words = Int32Array<SharedArrayBuffer>;

/** Bits of `next` for the share; the others hold the phase, which is counted within so many bits. */
const SHARE_BITS = 8;
const SHARES = 2 ** SHARE_BITS - 1;
const PHASES = 2 ** (32 - SHARE_BITS) - 1;

/** Most shares of a phase, and so most threads. */
export const MOST_SHARES = SHARES - 1;

/** One kernel call: the module that runs it, its addresses and its phases. */
export interface Step {
  readonly module: number;
  /** All that the contract of the kernels lists but the workspace. */
  readonly addresses: readonly number[];
  /** Where the workspace of the threads begins, and bytes of one. */
  readonly workspace: { readonly at: number; readonly bytes: number };
  /** 1 where phase 0 was done once for constants. */
  readonly firstPhase: number;
  readonly phases: number;
  /** Shares that a phase is cut into. */
  readonly shares: number;
}

/** A program as it is handed to a thread. */
export interface Steps {
  readonly memory: WebAssembly.Memory;
  readonly modules: readonly WebAssembly.Module[];
  readonly steps: readonly Step[];
}

/** What the main thread sends to the others. */
export type TeamMessage = { load: number; steps: Steps } | { unload: number };

export type Run = (phase: number, thread: number, threads: number, ...addresses: number[]) => void;

/** A thread's own instances of a program's modules. */
export const instantiate = ({ memory, modules }: Steps): Run[] =>
  modules.map(m => new WebAssembly.Instance(m, { env: { memory } }).exports.run as Run);

/** Runs a phase of a step as a whole. */
export function runPhase({ module, addresses, workspace }: Step, runs: readonly Run[], phase: number): void {
  runs[module](phase, 0, 1, ...addresses, workspace.at);
}

/** Executes every step alone; `done` is called after each with its index. */
export function executeAlone(
  steps: readonly Step[],
  runs: readonly Run[],
  done?: (step: number) => void,
): void {
  steps.forEach((step, s) => {
    for (let phase = step.firstPhase; phase < step.phases; phase++) runPhase(step, runs, phase);
    done?.(s);
  });
}

/**
 * Takes part in every step as thread `thread`, the first phase having the number `first`; returns when all are over.
 * `done` is called after each step with its index.
 */
export function execute(
  steps: readonly Step[],
  runs: readonly Run[],
  thread: number,
  first: number,
  words: Words,
  done?: (step: number) => void,
): void {
  let number = first;
  for (let s = 0; s < steps.length; s++) {
    const { module, addresses, workspace, firstPhase, phases, shares } = steps[s];
    for (let phase = firstPhase; phase < phases; phase++) {
      for (let share = take(words, number, shares); share < shares; share = take(words, number, shares)) {
        // A kernel looks for its workspace by the number of the share: shifted, so that it finds the thread's.
        const shifted = workspace.at + (thread - share) * workspace.bytes;
        runs[module](phase, share, shares, ...addresses, shifted);
        if (Atomics.add(words, control.done, 1) === shares - 1) startNext(words, number);
      }
      waitFor(words, number);
      number = following(number);
    }
    done?.(s);
  }
}

const following = (number: number): number => (number + 1) & PHASES;

// The next share of a phase; `shares` or more where none is left, or the phase is over.
function take(words: Words, number: number, shares: number): number {
  for (;;) {
    const next = Atomics.load(words, control.next);
    const share = next & SHARES;
    if (next >>> SHARE_BITS !== number || share >= shares) return shares;
    if (Atomics.compareExchange(words, control.next, next, next + 1) === next) return share;
  }
}

function startNext(words: Words, number: number): void {
  Atomics.store(words, control.done, 0);
  Atomics.store(words, control.next, following(number) << SHARE_BITS);
  Atomics.store(words, control.phase, following(number));
  Atomics.notify(words, control.phase);
}

/** Tries before a thread goes to sleep: tens of microseconds, about what waking takes. */
const SPINS = 20_000;

// Returns when the phase is over; throws when a thread failed.
function waitFor(words: Words, number: number): void {
  for (let i = 0; i < SPINS; i++) if (Atomics.load(words, control.phase) !== number) break;
  while (Atomics.load(words, control.phase) === number) Atomics.wait(words, control.phase, number);
  if (Atomics.load(words, control.failed)) throw new Error('another thread stopped');
}

/** Says which program runs from now on, and returns the number of its first phase. */
export function announce(words: Words, program: number): number {
  const first = Atomics.load(words, control.phase);
  Atomics.add(words, control.runs, 1);
  Atomics.store(words, control.program, program);
  Atomics.store(words, control.first, first);
  Atomics.add(words, control.runs, 1);
  return first;
}

/** The run in hand: its count, its program and the number of its first phase, all of the same run. */
export function runInHand(words: Words): { run: number; program: number; first: number } {
  for (;;) {
    const run = Atomics.load(words, control.runs);
    const [program, first] = [Atomics.load(words, control.program), Atomics.load(words, control.first)];
    if (run % 2 === 0 && Atomics.load(words, control.runs) === run) return { run, program, first };
  }
}

/** Marks the team as failed and releases whoever waits. */
export function fail(words: Words): void {
  Atomics.store(words, control.failed, 1);
  Atomics.add(words, control.phase, 1);
  Atomics.notify(words, control.phase);
}
