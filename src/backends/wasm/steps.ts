// What every thread of the wasm backend executes: a program's kernel calls in order over one shared memory, phase by
// phase with a barrier after each. No messages are exchanged while a program runs.

/** Words of the control buffer that the threads of a team share: `wake` is slept on, `runs` counts runs started. */
export const control = {
  wake: 0,
  runs: 1,
  program: 2,
  arrived: 3,
  generation: 4,
  failed: 5,
  words: 16,
} as const;

/** One kernel call: the module that runs it, its addresses and its phases. */
export interface Step {
  readonly module: number;
  readonly addresses: readonly number[];
  /** 1 where phase 0 was done once for constants. */
  readonly firstPhase: number;
  readonly phases: number;
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

/** Executes every step as thread `thread` of `threads`; `done` is called after each with its index. */
export function execute(
  steps: readonly Step[],
  runs: readonly Run[],
  thread: number,
  threads: number,
  words: Int32Array<SharedArrayBuffer>,
  done?: (step: number) => void,
): void {
  for (let s = 0; s < steps.length; s++) {
    const { module, addresses, firstPhase, phases } = steps[s];
    for (let phase = firstPhase; phase < phases; phase++) {
      runs[module](phase, thread, threads, ...addresses);
      if (threads > 1) barrier(words, threads);
    }
    done?.(s);
  }
}

/** Tries before a thread goes to sleep: a few microseconds, about what waking takes. */
const SPINS = 2000;

// Returns when all threads have arrived; throws when one of them failed.
function barrier(words: Int32Array<SharedArrayBuffer>, threads: number): void {
  const generation = Atomics.load(words, control.generation);
  if (Atomics.add(words, control.arrived, 1) === threads - 1) {
    Atomics.store(words, control.arrived, 0);
    Atomics.add(words, control.generation, 1);
    Atomics.notify(words, control.generation);
  } else {
    for (let i = 0; i < SPINS; i++) if (Atomics.load(words, control.generation) !== generation) break;
    while (Atomics.load(words, control.generation) === generation)
      Atomics.wait(words, control.generation, generation);
  }
  if (Atomics.load(words, control.failed)) throw new Error('another thread stopped');
}

/** Marks the team as failed and releases whoever waits. */
export function fail(words: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(words, control.failed, 1);
  Atomics.add(words, control.generation, 1);
  Atomics.notify(words, control.generation);
}
