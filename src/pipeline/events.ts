// What happens during a run, as plain data: `ndconv run --json` prints one a line, the command line draws them.

/** An event of a run, in order of time. */
export type RunEvent =
  | { event: 'start'; name: string; seed: number; backend: string; folder: string; steps: string[] }
  /** The first step that computes opened the backend: which one `auto` took, and what it runs on. */
  | { event: 'backend'; name: string; description: string }
  /** A step begins; `index` counts from 1. */
  | { event: 'step'; id: string; uses: string; index: number; count: number }
  /** `rate` in iterations a second and `left` in seconds, where they can be told. */
  | {
      event: 'progress';
      id: string;
      fraction: number;
      iteration?: number;
      iterations?: number;
      figures?: Record<string, number>;
      message?: string;
      rate?: number;
      left?: number;
    }
  | { event: 'note'; id: string; message: string }
  /** An input that cannot be used is left out; the run goes on. */
  | { event: 'left-out'; id: string; name: string; reason: string }
  /** A file is complete; `path` is relative to the output folder. */
  | { event: 'artefact'; id: string; path: string; bytes: number; sha256: string }
  /** A step is left out because the run was stopped before it. */
  | { event: 'skipped'; id: string }
  | {
      event: 'done';
      status: 'done' | 'stopped';
      seconds: number;
      folder: string;
      artefacts: string[];
      /** How many inputs were left out. */
      leftOut: number;
    }
  | { event: 'error'; tag: string; message: string; id?: string; problems?: EventProblem[] };

/** One thing that is wrong with the file or the arguments. */
export interface EventProblem {
  file: string;
  line: number;
  column: number;
  message: string;
  expected?: string;
  remedy?: string;
}
