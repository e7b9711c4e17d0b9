// The record of a run, run.json: what was run with which versions, seed and backend, what it cost and what came out.
// Paths in it are those of the pipeline and of the output folder, so that records of two machines can be compared.

import { readVersion } from '../version.ts';
import type { Artefact } from './artefacts.ts';
import type { ResolvedPipeline } from './resolve.ts';
import { languageVersion } from './schema.ts';

/** What is recorded of one step. */
export interface StepRecord {
  id: string;
  uses: string;
  status: 'done' | 'stopped' | 'skipped' | 'failed';
  seconds: number;
  notes: string[];
  /** Inputs that could not be used. */
  leftOut: { name: string; reason: string }[];
  /** Values of each figure of its progress, in order of time: losses, say. */
  figures: Record<string, number[]>;
}

/** What is known when a run ends. */
export interface RunOutcome {
  status: 'done' | 'stopped' | 'failed';
  seconds: number;
  backend: { name: string; description: string } | undefined;
  steps: readonly StepRecord[];
  artefacts: readonly Artefact[];
  error?: string;
}

/** Numbers with as many digits as are worth comparing. */
const round = (value: number, digits = 7): number => Number(value.toPrecision(digits));

/** The text of run.json. */
export function renderRecord(pipeline: ResolvedPipeline, outcome: RunOutcome): string {
  const record = {
    status: outcome.status,
    ...(outcome.error === undefined ? {} : { error: outcome.error }),
    versions: { ndconv: readVersion(), node: process.versions.node, language: languageVersion },
    platform: `${process.platform} ${process.arch}`,
    backend: outcome.backend ?? null,
    seconds: round(outcome.seconds, 4),
    pipeline: {
      ndconv: languageVersion,
      name: pipeline.name,
      params: pipeline.params,
      seed: pipeline.seed,
      backend: pipeline.backend,
      ...(pipeline.threads === undefined ? {} : { threads: pipeline.threads }),
      steps: pipeline.steps.map(({ id, step, written }) => ({ id, uses: step.name, with: written })),
    },
    steps: outcome.steps.map(({ seconds, figures, ...rest }) => ({
      ...rest,
      seconds: round(seconds, 4),
      figures: Object.fromEntries(
        Object.entries(figures).map(([name, values]) => [name, values.map(value => round(value))]),
      ),
    })),
    artefacts: outcome.artefacts,
  };
  // Lists of numbers on one line each.
  const text = JSON.stringify(record, null, 2);
  return `${text.replace(/\[\s+(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*)\s+\]/g, (_, list: string) => `[${list.replace(/\s+/g, ' ')}]`)}\n`;
}
