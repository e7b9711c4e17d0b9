// Runs a checked pipeline: the steps in order, their values passed along and dropped after their last use, files
// written aside and renamed, and at the end report.html and run.json beside them. Stopping lets the step in hand return
// what it has, and still runs the steps that write what there is.

import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend, BackendOptions } from '../backends/backend.ts';
import { NdconvError } from '../errors.ts';
import type { Section } from '../report/section.ts';
import { readVersion } from '../version.ts';
import { type ArtefactFolder, openArtefacts } from './artefacts.ts';
import type { RunEvent } from './events.ts';
import { isOutOfMemory, lastUses, type PipelinePlan } from './plan.ts';
import { type RunOutcome, renderRecord, type StepRecord } from './record.ts';
import { splitReference } from './references.ts';
import type { ResolvedPipeline, ResolvedStep } from './resolve.ts';
import type { Progress, RunContext } from './step.ts';

/** A pipeline in which nothing wrong was found. */
export interface CheckedPipeline extends ResolvedPipeline {
  plan: PipelinePlan;
}

/** How to run. */
export interface RunOptions extends BackendOptions {
  /** Output folder; `out/<name>` below the current folder where absent. */
  out?: string;
  /** Aborting it stops the run after the iteration in hand. */
  signal?: AbortSignal;
  onEvent?: (event: RunEvent) => void;
  /** Makes the backend of the run; `chooseBackend` where absent. */
  createBackend?: (name: string, options: BackendOptions) => Promise<Backend>;
}

/** What came of a run. */
export interface RunResult {
  status: 'done' | 'stopped';
  /** Absolute path of the output folder. */
  folder: string;
  /** Paths of the files written, relative to the folder. */
  artefacts: string[];
  seconds: number;
  /** Inputs that were left out because they cannot be used. */
  leftOut: number;
}

/** The output folder of a pipeline; a PipelineError where a file is in its place. */
export function outputFolder(pipeline: Pick<ResolvedPipeline, 'name'>, out?: string): string {
  const folder = out ?? join('out', pipeline.name);
  if (existsSync(folder) && !statSync(folder).isDirectory()) {
    throw new NdconvError('PipelineError', `--out ${folder}: there is a file of that name; name a folder`, {
      folder,
    });
  }
  return folder;
}

/** Lines of inputs that were left out in a report; run.json has them all. */
const mostLeftOut = 1000;

/** State of one run. */
interface Run {
  pipeline: CheckedPipeline;
  signal: AbortSignal;
  emit: (event: RunEvent) => void;
  files: ArtefactFolder;
  backend: () => Promise<Backend>;
  values: Map<string, Record<string, unknown>>;
  /** Of each step what it reported. */
  sections: { id: string; section: Section }[];
  records: StepRecord[];
}

/**
 * Runs a checked pipeline. Errors: whatever a step throws, NdconvErrors with the step named in front; a PipelineError
 * before anything runs where the output folder cannot be one.
 */
export async function executePipeline(
  pipeline: CheckedPipeline,
  options: RunOptions = {},
): Promise<RunResult> {
  const started = performance.now();
  const files = openArtefacts(outputFolder(pipeline, options.out));
  const emit = options.onEvent ?? (() => {});
  let opened: Promise<Backend> | undefined;
  const openBackend = async (): Promise<Backend> => {
    const { out: _, signal: __, onEvent: ___, createBackend, ...settings } = options;
    const create = createBackend ?? (await import('../backends/choose.ts')).chooseBackend;
    const threads = settings.threads ?? pipeline.threads;
    const backend = await create(pipeline.backend, {
      ...settings,
      ...(threads === undefined ? {} : { threads }),
    });
    emit({ event: 'backend', name: backend.name, description: backend.description });
    return backend;
  };
  const run: Run = {
    pipeline,
    signal: options.signal ?? new AbortController().signal,
    emit,
    files,
    backend: () => (opened ??= openBackend()),
    values: new Map(),
    sections: [],
    records: [],
  };
  const { name, seed, backend, steps } = pipeline;
  emit({ event: 'start', name, seed, backend, folder: files.root, steps: steps.map(({ id }) => id) });

  let failure: { error: unknown } | undefined;
  try {
    await runSteps(run);
  } catch (error) {
    failure = { error };
  }
  const used = await opened?.catch(() => undefined);
  await used?.close().catch(error => {
    failure ??= { error };
  });
  const outcome: RunOutcome = {
    status: failure ? 'failed' : isCutShort(run) ? 'stopped' : 'done',
    seconds: (performance.now() - started) / 1000,
    backend: used && { name: used.name, description: used.description },
    steps: run.records,
    artefacts: files.written,
  };
  if (failure) {
    // A run that wrote something leaves a record of what it was; one that did not leaves nothing.
    if (files.written.length > 0) {
      const error = failure.error instanceof Error ? failure.error.message : String(failure.error);
      await writeRecord(run, { ...outcome, error }).catch(() => {});
    }
    throw failure.error;
  }
  if (outcome.status === 'done' || files.written.length > 0 || run.sections.length > 0) {
    await writeReport(run, outcome);
    await writeRecord(run, { ...outcome, artefacts: files.written });
  }
  const result: RunResult = {
    status: isCutShort(run) ? 'stopped' : 'done',
    folder: files.root,
    artefacts: files.written.map(({ path }) => path),
    seconds: (performance.now() - started) / 1000,
    leftOut: run.records.reduce((sum, { leftOut }) => sum + leftOut.length, 0),
  };
  emit({ event: 'done', ...result });
  return result;
}

const isCutShort = (run: Run): boolean =>
  run.records.some(({ status }) => status === 'stopped' || status === 'skipped');

async function runSteps(run: Run): Promise<void> {
  const { steps } = run.pipeline;
  const lastUse = lastUses(steps);
  for (const [i, step] of steps.entries()) {
    const record: StepRecord = {
      id: step.id,
      uses: step.step.name,
      status: 'done',
      seconds: 0,
      notes: [],
      leftOut: [],
      figures: {},
    };
    run.records.push(record);
    const hasInputs = step.needs.every(id => run.values.has(id));
    // Once stopped, only what writes down results that are there already is worth running.
    if (!hasInputs || (run.signal.aborted && Object.keys(step.step.outputs).length > 0)) {
      record.status = 'skipped';
      run.emit({ event: 'skipped', id: step.id });
      continue;
    }
    run.emit({ event: 'step', id: step.id, uses: step.step.name, index: i + 1, count: steps.length });
    const started = performance.now();
    const stopped = run.signal.aborted;
    try {
      run.values.set(step.id, await step.step.run(contextOf(run, step, record)));
      // A step without results has done its work; one that was cut short gave what it had.
      if (run.signal.aborted && !stopped && Object.keys(step.step.outputs).length > 0)
        record.status = 'stopped';
    } catch (error) {
      // A step that had no result yet when it was stopped says so by throwing.
      if (run.signal.aborted && !stopped && isAbort(error, run.signal)) record.status = 'stopped';
      else {
        record.status = 'failed';
        throw nameStep(error, step);
      }
    } finally {
      record.seconds = (performance.now() - started) / 1000;
    }
    for (const id of [...run.values.keys()]) if ((lastUse.get(id) ?? -1) <= i) run.values.delete(id);
    // Lets a signal that came during a long computation be seen before the next step.
    await new Promise(setImmediate);
  }
}

const isAbort = (error: unknown, signal: AbortSignal): boolean =>
  error === signal.reason || (error as { name?: unknown } | null)?.name === 'AbortError';

/** Puts the step's name in front of what went wrong; a defect stays as it is. */
function nameStep(error: unknown, { id, step, paths }: ResolvedStep): unknown {
  const name = id === step.name ? id : `${id} (${step.name})`;
  if (isOutOfMemory(error)) {
    const message = `step ${name}: needs more memory than there is; make its inputs smaller`;
    return new NdconvError('MemoryError', message, { step: id }, error);
  }
  if (!(error instanceof NdconvError)) return error;
  // Files as the pipeline names them.
  const message = paths
    .filter(({ mode }) => mode === 'read')
    .reduce((text, { resolved, written }) => text.replaceAll(resolved, written), error.message);
  return new NdconvError(error.tag, `step ${name}: ${message}`, { ...error.fields, step: id }, error);
}

/** What a step sees of the run. */
function contextOf(run: Run, step: ResolvedStep, record: StepRecord): RunContext<Record<string, unknown>> {
  const { id } = step;
  const started = performance.now();
  return {
    params: structuredClone(step.params),
    seed: step.seed,
    backend: run.backend,
    signal: run.signal,
    outputPath: run.files.pathOf,
    valueOf: <T>(reference: string): T => {
      const { id: other, output } = splitReference(reference);
      const values = run.values.get(other);
      if (!values || !(output in values)) throw new Error(`step ${other} gave no output ${output}`);
      return values[output] as T;
    },
    progress: progress => {
      for (const [name, value] of Object.entries(progress.figures ?? {}))
        (record.figures[name] ??= []).push(value);
      run.emit({
        event: 'progress',
        id,
        ...progress,
        ...timeLeft(progress, (performance.now() - started) / 1000),
      });
    },
    note: message => {
      record.notes.push(message);
      run.emit({ event: 'note', id, message });
    },
    leaveOut: (name, reason) => {
      record.leftOut.push({ name, reason });
      run.emit({ event: 'left-out', id, name, reason });
    },
    write: async (path, produce) => {
      for (const artefact of await run.files.write(path, produce))
        run.emit({ event: 'artefact', id, ...artefact });
    },
    report: section => void run.sections.push({ id, section }),
  };
}

/** Iterations a second and seconds left of a step that has run for `seconds`. */
function timeLeft({ fraction, iteration }: Progress, seconds: number): { rate?: number; left?: number } {
  if (seconds <= 0) return {};
  return {
    ...(iteration ? { rate: iteration / seconds } : {}),
    ...(fraction > 0 ? { left: (seconds * (1 - Math.min(1, fraction))) / fraction } : {}),
  };
}

async function writeReport(run: Run, outcome: RunOutcome): Promise<void> {
  const notes = run.records.filter(record => record.notes.length > 0);
  const titles = run.sections.map(({ section }) => section.title);
  // Sections of several steps are told apart by the step.
  const sections: Section[] = run.sections.map(({ id, section }) =>
    titles.filter(title => title === section.title).length > 1
      ? { ...section, title: `${section.title}: ${id}` }
      : section,
  );
  const leftOut = run.records.flatMap(record =>
    record.leftOut.map(({ name, reason }) => [record.id, name, reason]),
  );
  if (leftOut.length > 0)
    sections.push({
      title: 'Left out',
      blocks: [
        {
          type: 'text',
          text: `${leftOut.length} of the inputs could not be used; the run went on without them.`,
        },
        { type: 'table', columns: ['step', 'input', 'reason'], rows: leftOut.slice(0, mostLeftOut) },
      ],
    });
  if (notes.length > 0) {
    const rows = notes.flatMap(record => record.notes.map(note => [record.id, note]));
    sections.push({ title: 'Notes', blocks: [{ type: 'table', columns: ['step', 'note'], rows }] });
  }
  sections.push({
    title: 'Steps',
    blocks: [
      {
        type: 'table',
        columns: ['step', 'uses', 'seconds', 'status'],
        rows: run.records.map(({ id, uses, seconds, status }) => [
          id,
          uses,
          Number(seconds.toFixed(2)),
          status,
        ]),
      },
    ],
  });
  const { renderReport } = await import('../report/html.ts');
  const page = await renderReport(run.pipeline.name, sections, {
    ...(leftOut.length > 0 ? { 'left out': `${leftOut.length} inputs` } : {}),
    status: outcome.status === 'stopped' ? 'stopped before its end; this is the result so far' : 'done',
    backend: outcome.backend ? `${outcome.backend.name}: ${outcome.backend.description}` : 'none was needed',
    seed: String(run.pipeline.seed),
    parameters: Object.entries(run.pipeline.params)
      .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
      .join(', '),
    time: `${outcome.seconds.toFixed(1)} s`,
    version: `ndconv ${readVersion()}`,
  });
  const [report] = await run.files.write('report.html', temporary => writeFile(temporary, page));
  run.emit({ event: 'artefact', id: 'report', ...report });
}

async function writeRecord(run: Run, outcome: RunOutcome): Promise<void> {
  const text = renderRecord(run.pipeline, outcome);
  const [record] = await run.files.write('run.json', temporary => writeFile(temporary, text));
  run.emit({ event: 'artefact', id: 'record', ...record });
}
