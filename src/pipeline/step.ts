// What a pipeline step is: one object in one file under steps/, listed in steps/index.ts. From it follow the YAML
// schema, the did-you-mean, the reference page and the checks before a run.

import type { Backend } from '../backends/backend.ts';
import type { Forecast } from '../backends/forecast.ts';

/** The kinds of value that flow between steps. */
export type ValueKind =
  | 'field'
  | 'network'
  | 'report'
  | 'table'
  | 'dataset'
  | 'preparation'
  /** Faces found in files (src/faces). */
  | 'faces'
  /** `Embeddings` (src/embeddings). */
  | 'embeddings'
  /** `Verifier` (src/verification): a distance or learned unit with its threshold and probability. */
  | 'verifier'
  /** Enrolled identities (src/verification). */
  | 'gallery';

/**
 * JSON schema (draft 2020-12 subset) plus three keywords of ours. Mappings take no keys but those in `properties`
 * unless `additionalProperties` says otherwise. `oneOf` lists alternatives, the first that fits is taken: put names
 * (`enum`) before free strings (`path`). Values of `default` are filled in, so that `params` is complete.
 */
export interface Schema {
  type?: 'object' | 'string' | 'number' | 'integer' | 'boolean' | 'array' | string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  enum?: readonly (string | number)[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  oneOf?: Schema[];
  pattern?: string;
  examples?: unknown[];
  /** The value is `@step` or `@step.output` and must be of one of these kinds. */
  reference?: readonly ValueKind[];
  /** The value is a path: resolved against the YAML file (or `npm:package/path`); 'read' must exist. */
  path?: 'read' | 'write';
  /** A smaller value needs less memory and time: named when a pipeline is too large for the machine. */
  costly?: true;
}

/** What is known of a step's output before it runs. */
export interface ValuePlan {
  kind: ValueKind;
  /** `[...spatial, channels]` of a field, where known. */
  shape?: number[];
  /** Anything else a later step's check wants to know (field kind, sample rate, layer names …). */
  [detail: string]: unknown;
}

/** What a step says before it runs; `ndconv plan` prints it. */
export interface StepPlan {
  /** By output name; `value` is the default output. */
  outputs: Record<string, ValuePlan>;
  /** Peak bytes while it runs, beside its inputs; of a step that evaluates a network, those of its largest program. */
  memory?: number;
  /** Expected seconds, a rough estimate. */
  seconds?: number;
  /** One line each: shapes, layers, kernels chosen. */
  lines?: string[];
}

/** A problem found by a step's check, pointing at the key of `with` that causes it. */
export interface Problem {
  /** Path inside `with`, e.g. ['content', 'layers', 'relu9']. */
  at: (string | number)[];
  message: string;
  /** Valid names, for "did you mean". */
  candidates?: string[];
}

/** Given to `check`. */
export interface CheckContext<P> {
  /**
   * `with`, checked against the schema, defaults filled in, `${params.x}` replaced. References stay strings
   * (`'@id'`, for `planOf`); paths to read are absolute and exist; paths to write stay as written and lie below the
   * output folder.
   */
  params: P;
  /** Plan of the value behind a reference in `params`, given the reference string. */
  planOf(reference: string): ValuePlan;
  /** The step's own seed, a 32-bit integer made from the pipeline's `seed` and the step's id. */
  seed: number;
  /** As asked for: 'auto', 'reference', 'wasm', 'gpujs' or 'gpujs:mode'. */
  backend: string;
  /** What programs will take on it. */
  forecast: Forecast;
  /** Reports a problem at a place in the YAML file; checking goes on, and all problems are shown. */
  problem(problem: Problem): void;
}

/** Progress of a long step: fraction in [0, 1], and figures to show and keep (losses). */
export interface Progress {
  fraction: number;
  /** Iterations done and to be done, where the step counts them: from it the rate is shown. */
  iteration?: number;
  iterations?: number;
  figures?: Record<string, number>;
  message?: string;
}

/** Writes a file at a path that is not yet its own; may return files that it completed beside it. */
// biome-ignore lint/suspicious/noConfusingVoidType: most writers have nothing to return.
export type WriteFile = (temporary: string) => Promise<void | readonly string[]>;

/** Given to `run`. */
export interface RunContext<P> {
  /** As in `CheckContext`. */
  params: P;
  /** The value behind a reference in `params`. Values are shared between steps: do not change them. */
  valueOf<T>(reference: string): T;
  /** As in `CheckContext`. */
  seed: number;
  /** The backend of the run, created on first use. */
  backend(): Promise<Backend>;
  progress(progress: Progress): void;
  /** Says something worth knowing (a warning, a choice made); shown and put in the report. */
  note(message: string): void;
  /**
   * Says that one input of many (a damaged file) is left out, and why. The run goes on; the report lists what was left
   * out, and the exit code is 3.
   */
  leaveOut(name: string, reason: string): void;
  /**
   * Aborted by Ctrl-C: finish the iteration in hand and return the result so far (or throw `signal.reason` if there
   * is none). It can only be seen by code that awaits now and then: `await` something that yields to the event loop
   * (`setImmediate`) a few times a second.
   */
  signal: AbortSignal;
  /** Turns a path to write into an absolute one below the output folder. */
  outputPath(path: string): string;
  /**
   * Writes a file aside (`temporary` has the same extension) and renames it when complete; records it as an artefact
   * of the run. `path` is one of the YAML file or what `outputPath` made of it; missing folders are made. `write` may
   * return absolute paths of files that it completed beside it (an image's data file), to be recorded too.
   */
  write(path: string, write: WriteFile): Promise<void>;
  /** Adds a section to the HTML report of the run. */
  report(section: import('../report/section.ts').Section): void;
}

/** A pipeline step: what can be written under `uses:`. Import what is heavy inside `run`, so that checking is quick. */
export interface Step<P = any> {
  name: string;
  summary: string;
  /** Schema of `with`. */
  schema: Schema;
  /**
   * Kinds by output name; `value` is what `@id` alone refers to. A step without outputs runs for what it writes; its
   * inputs are saved by it even after Ctrl-C.
   */
  outputs: Record<string, ValueKind>;
  /** True where running it is worth something although nothing refers to its outputs (it writes or reports). */
  effect?: boolean;
  check(context: CheckContext<P>): Promise<StepPlan> | StepPlan;
  run(context: RunContext<P>): Promise<Record<string, unknown>>;
}
