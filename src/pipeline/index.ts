// The pipeline language for programs: load, check and run pipeline files, as the command line does.

import { basename } from 'node:path';
import type { TargetOptions } from '../backends/forecast.ts';
import { PipelineError } from './diagnostic.ts';
import { loadSource } from './load.ts';
import { planPipeline } from './plan.ts';
import { type Overrides, type Resolution, type ResolvedPipeline, resolvePipeline } from './resolve.ts';
import {
  type CheckedPipeline,
  executePipeline,
  outputFolder,
  type RunOptions,
  type RunResult,
} from './run.ts';
import type { StepTable } from './schema.ts';
import { steps as builtin } from './steps/index.ts';

export { type Diagnostic, PipelineError, type Place } from './diagnostic.ts';
export type { RunEvent } from './events.ts';
export type { PipelinePlan } from './plan.ts';
export type { Overrides, ResolvedPipeline, ResolvedStep } from './resolve.ts';
export type { CheckedPipeline, RunOptions, RunResult } from './run.ts';
export { publishedSchema, type StepTable } from './schema.ts';
export type * from './step.ts';

/** What may be changed of a pipeline file, and steps that it may use beside those of ndconv. */
export interface CheckOptions extends Overrides {
  /** More steps, by the name under `uses:`. */
  steps?: StepTable;
  /** Bytes that a run may take; what the machine has left where absent. */
  availableMemory?: number;
  /** How the wasm backend will run, for what is said of memory and time. */
  target?: TargetOptions;
}

async function resolveFile(file: string, options: CheckOptions): Promise<Resolution> {
  const source = await loadSource(file);
  const name = basename(file)
    .replace(/\.(ya?ml|json)$/i, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '');
  return resolvePipeline(source, { ...builtin, ...options.steps }, options, name || 'pipeline');
}

/** Reads a pipeline file and resolves it: schema, parameters, references, files. Errors: PipelineError. */
export async function loadPipeline(file: string, options: CheckOptions = {}): Promise<ResolvedPipeline> {
  const { pipeline, problems } = await resolveFile(file, options);
  if (problems.found.length > 0) throw new PipelineError(problems.found);
  return pipeline;
}

/** Reads a pipeline file and checks everything that can be before running. Errors: PipelineError, all problems in it. */
export async function checkPipeline(file: string, options: CheckOptions = {}): Promise<CheckedPipeline> {
  const resolution = await resolveFile(file, options);
  const plan = await planPipeline(resolution, options.availableMemory, options.target);
  if (resolution.problems.found.length > 0) throw new PipelineError(resolution.problems.found);
  return { ...resolution.pipeline, plan };
}

/** Checks and runs a pipeline file, or runs a checked pipeline. Errors: PipelineError before anything ran. */
export async function runPipeline(
  pipeline: string | CheckedPipeline,
  options: CheckOptions & RunOptions = {},
): Promise<RunResult> {
  const { set, seed, backend, steps, availableMemory, target, ...running } = options;
  if (typeof pipeline !== 'string') return executePipeline(pipeline, running);
  const { threads, wide, winograd } = running;
  const how = target ?? { threads, wide, winograd };
  const checked = await checkPipeline(pipeline, {
    set,
    seed,
    backend,
    steps,
    availableMemory,
    target: how,
  });
  outputFolder(checked, running.out);
  return executePipeline(checked, running);
}
