// Checks and runs resolved pipelines: each step's own check first, then the steps in order; files written aside and
// renamed; at the end report.html and run.json in the output folder.

import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Backend, BackendOptions } from '../backends/backend.ts';
import { chooseBackend } from '../backends/choose.ts';
import { NdconvError } from '../errors.ts';
import { renderReport } from '../report/html.ts';
import type { Section } from '../report/section.ts';
import { type Diagnostic, PipelineError } from './diagnostic.ts';
import { loadSource } from './load.ts';
import { nearestName } from './nearest.ts';
import { type Overrides, type ResolvedPipeline, resolvePipeline } from './resolve.ts';
import type { StepTable } from './schema.ts';
import type { Progress, StepPlan, ValuePlan } from './step.ts';
import { steps as builtin } from './steps/index.ts';

/** What happens during a run, in order; `ndconv run --json` prints one a line. */
export type RunEvent =
  | { event: 'start'; name: string; steps: string[] }
  | { event: 'step'; id: string; uses: string }
  | ({ event: 'progress'; id: string } & Progress)
  | { event: 'note'; id: string; message: string }
  | { event: 'artefact'; path: string }
  | { event: 'done'; seconds: number; stopped: boolean };

export interface CheckedPipeline extends ResolvedPipeline {
  plans: Map<string, StepPlan>;
}

/** Loads, resolves and checks a file without running it. */
export async function checkPipeline(
  path: string,
  overrides: Overrides = {},
  extra: StepTable = {},
): Promise<CheckedPipeline> {
  const source = await loadSource(path);
  const pipeline = await resolvePipeline(
    source,
    { ...builtin, ...extra },
    overrides,
    basename(path, extname(path)),
  );
  const plans = new Map<string, StepPlan>();
  const problems: Diagnostic[] = [];
  for (const s of pipeline.steps) {
    if (!s.needs.every(id => plans.has(id))) continue;
    const planOf = (reference: string): ValuePlan => {
      const [id, output = 'value'] = reference.slice(1).split('.');
      return plans.get(id)!.outputs[output];
    };
    const before = problems.length;
    const at = [...s.path, 'with'];
    try {
      const plan = await s.step.check({
        params: s.params,
        planOf,
        seed: s.seed,
        backend: pipeline.backend,
        problem: p => {
          const near = p.candidates && nearestName(String(p.at.at(-1)), p.candidates);
          problems.push({
            place: source.place([...at, ...p.at], p.candidates ? 'key' : 'value'),
            message: p.message,
            remedy: near ? `did you mean ${near}?` : undefined,
          });
        },
      });
      if (problems.length > before) continue;
      if ((plan.memory ?? 0) > totalmem())
        problems.push({
          place: source.place([...s.path, 'uses']),
          message: `${s.step.name} needs ${gib(plan.memory!)}, this machine has ${gib(totalmem())}`,
          remedy: 'lower the size of its input or the number of filters',
        });
      else plans.set(s.id, plan);
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      problems.push({ place: source.place([...s.path, 'uses']), message: error.message });
    }
  }
  if (problems.length > 0) throw new PipelineError(problems);
  return { ...pipeline, plans };
}

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export interface RunOptions extends BackendOptions {
  /** Output folder; default `out/<name>`. */
  out?: string;
  signal?: AbortSignal;
  onEvent?: (event: RunEvent) => void;
}

/** Runs a checked pipeline; returns the output folder, the files written and whether it was stopped early. */
export async function runPipeline(
  pipeline: CheckedPipeline,
  options: RunOptions = {},
): Promise<{ folder: string; artefacts: string[]; stopped: boolean }> {
  const started = performance.now();
  const folder = resolve(options.out ?? join('out', pipeline.name));
  const signal = options.signal ?? new AbortController().signal;
  const emit = options.onEvent ?? (() => {});
  const sections: Section[] = [];
  const artefacts: string[] = [];
  const seconds: Record<string, number> = {};
  const results = new Map<string, Record<string, unknown>>();
  let backend: Promise<Backend> | undefined;
  const open = () => (backend ??= chooseBackend(pipeline.backend, options));
  const outputPath = (path: string) => (isAbsolute(path) ? path : join(folder, path));
  const write = async (path: string, produce: (temporary: string) => Promise<void>) => {
    const target = outputPath(path);
    await mkdir(dirname(target), { recursive: true });
    const temporary = join(dirname(target), `.${process.pid}-${basename(target)}`);
    try {
      await produce(temporary);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    artefacts.push(target);
    emit({ event: 'artefact', path: target });
  };
  emit({ event: 'start', name: pipeline.name, steps: pipeline.steps.map(s => s.id) });
  try {
    for (const s of pipeline.steps) {
      const stepStarted = performance.now();
      emit({ event: 'step', id: s.id, uses: s.step.name });
      const notes: string[] = [];
      const result = await s.step.run({
        params: s.params,
        seed: s.seed,
        backend: open,
        signal,
        outputPath,
        write,
        valueOf: <T>(reference: string) => {
          const [id, output = 'value'] = reference.slice(1).split('.');
          return results.get(id)![output] as T;
        },
        progress: p => emit({ event: 'progress', id: s.id, ...p }),
        note: message => {
          notes.push(message);
          emit({ event: 'note', id: s.id, message });
        },
        report: section => sections.push(section),
      });
      if (notes.length > 0)
        sections.push({
          title: `Notes of ${s.id}`,
          blocks: notes.map(text => ({ type: 'text' as const, text })),
        });
      results.set(s.id, result);
      seconds[s.id] = (performance.now() - stepStarted) / 1000;
    }
  } finally {
    if (backend)
      await backend.then(
        b => b.close(),
        () => {},
      );
  }
  const description = backend ? (await backend).name : 'none used';
  if (sections.length > 0) {
    const page = await renderReport(pipeline.name, sections, {
      backend: description,
      seed: String(pipeline.seed),
    });
    await write('report.html', temporary => writeFile(temporary, page));
  }
  const summary = {
    name: pipeline.name,
    seed: pipeline.seed,
    backend: description,
    seconds,
    stopped: signal.aborted,
    steps: pipeline.steps.map(s => ({ id: s.id, uses: s.step.name })),
    artefacts: artefacts.map(a => relative(folder, a)),
  };
  await write('run.json', temporary => writeFile(temporary, `${JSON.stringify(summary, null, 2)}\n`));
  emit({ event: 'done', seconds: (performance.now() - started) / 1000, stopped: signal.aborted });
  return { folder, artefacts, stopped: signal.aborted };
}
