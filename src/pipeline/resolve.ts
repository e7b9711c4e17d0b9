// From a parsed file to steps ready to run: overrides, parameters, schema, paths, references, order. All problems are
// collected and thrown together.

import { derive } from '../random.ts';
import { type Diagnostic, PipelineError } from './diagnostic.ts';
import type { Path, Source } from './load.ts';
import { listNames, nearestName } from './nearest.ts';
import { resolveInput } from './paths.ts';
import { documentSchema, type StepTable } from './schema.ts';
import type { Schema, Step, ValueKind } from './step.ts';
import { findFaults, fitsSchema } from './validate.ts';
import { walkSchema } from './walk.ts';

/** A step with everything replaced that can be before running. */
export interface ResolvedStep {
  id: string;
  step: Step;
  params: any;
  /** Ids of the steps it refers to. */
  needs: string[];
  seed: number;
  /** Where it stands in the file. */
  path: Path;
}

export interface ResolvedPipeline {
  name: string;
  seed: number;
  backend: string;
  /** In an order that respects the references. */
  steps: ResolvedStep[];
  source: Source;
}

/** What the command line changes. */
export interface Overrides {
  /** `name=value` for a parameter, `step.key=value` for a key of a step's `with`. */
  set?: readonly string[];
  seed?: number;
  backend?: string;
}

type Mapping = Record<string, any>;

/** Resolves a file; throws a PipelineError with every problem found. */
export async function resolvePipeline(
  source: Source,
  table: StepTable,
  overrides: Overrides,
  fallbackName: string,
): Promise<ResolvedPipeline> {
  const problems: Diagnostic[] = [];
  const report = (path: Path, message: string, remedy?: string, part: 'key' | 'value' = 'value') =>
    problems.push({ place: source.place(path, part), message, remedy });
  const stop = () => {
    if (problems.length > 0) throw new PipelineError(problems);
  };

  for (const f of findFaults(documentSchema(Object.keys(table)), source.value, 'the pipeline'))
    problems.push({
      place: source.place(f.path, f.part),
      message: f.message,
      expected: f.expected,
      remedy: f.remedy,
    });
  stop();
  const document = structuredClone(source.value) as Mapping;
  const ids = document.steps.map((s: Mapping, i: number) => s.id ?? `${s.uses}-${i + 1}`);
  applyOverrides(document, ids, overrides.set ?? [], problems);
  stop();

  const used = new Set<string>();
  const params: Mapping = document.params ?? {};
  const steps: ResolvedStep[] = [];
  const seed = overrides.seed ?? document.seed ?? 0;
  for (const [i, entry] of document.steps.entries() as Iterable<[number, Mapping]>) {
    const step = table[entry.uses];
    const path = ['steps', i];
    const id: string = ids[i];
    if (ids.indexOf(id) !== i)
      report([...path, 'id'], `two steps have the id '${id}'`, 'give one of them another id');
    const given = substitute(entry.with ?? {}, [...path, 'with'], params, used, report);
    for (const f of findFaults({ type: 'object', ...step.schema }, given, entry.uses))
      problems.push({
        place: source.place([...path, 'with', ...f.path], f.part),
        message: f.message,
        expected: f.expected,
        remedy: f.remedy,
      });
    steps.push({ id, step, params: given, needs: [], seed: derive(seed, id), path });
  }
  stop();
  for (const s of steps) {
    const reading: Promise<void>[] = [];
    const found: { schema: Schema; value: string; path: Path }[] = [];
    s.params = walkSchema(
      { type: 'object', ...s.step.schema },
      s.params,
      [],
      fitsSchema,
      (schema, value, path) => {
        if (typeof value === 'string' && (schema.reference || schema.path))
          found.push({ schema, value, path });
        return value;
      },
    );
    for (const { schema, value, path } of found) {
      const at = [...s.path, 'with', ...path];
      if (schema.reference) {
        const target = referenceTarget(value, steps, schema.reference, message => report(at, message));
        if (target) s.needs.push(target);
      } else if (schema.path === 'read')
        reading.push(
          resolveInput(value, source.directory).then(r => {
            if ('problem' in r) report(at, r.problem);
            else put(s.params, path, r.path);
          }),
        );
    }
    await Promise.all(reading);
  }
  for (const name of Object.keys(params))
    if (!used.has(name))
      report(
        ['params', name],
        `nothing uses the parameter '${name}'`,
        `write \${params.${name}} where it belongs, or take it out`,
        'key',
      );
  const needed = new Set(steps.flatMap(s => s.needs));
  for (const s of steps)
    if (Object.keys(s.step.outputs).length > 0 && !s.step.effect && !needed.has(s.id))
      report(
        [...s.path, 'uses'],
        `nothing uses the result of the step '${s.id}'`,
        'refer to it from another step (save it, say), or take it out',
      );
  const order = problems.length > 0 ? [] : inOrder(steps, message => report(['steps'], message));
  stop();
  return {
    name: document.name ?? fallbackName,
    seed,
    backend: overrides.backend ?? document.backend ?? 'auto',
    steps: order,
    source,
  };
}

function applyOverrides(
  document: Mapping,
  ids: string[],
  set: readonly string[],
  problems: Diagnostic[],
): void {
  const params: Mapping = (document.params ??= {});
  for (const text of set) {
    const wrong = (message: string) =>
      problems.push({ place: { file: '--set', line: 0, column: 1, length: text.length, text }, message });
    const equals = text.indexOf('=');
    if (equals < 1) {
      wrong('write --set name=value');
      continue;
    }
    const keys = text.slice(0, equals).split('.');
    const value = scalar(text.slice(equals + 1));
    if (keys.length === 1 || Object.hasOwn(params, keys[0])) {
      if (Object.hasOwn(params, keys[0])) put(params, keys, value);
      else {
        const near = nearestName(keys[0], Object.keys(params));
        wrong(
          `there is no parameter '${keys[0]}'; ${near ? `did you mean ${near}?` : `there are ${listNames(Object.keys(params)) || 'none'}`}`,
        );
      }
      continue;
    }
    const index = ids.indexOf(keys[0]);
    if (index < 0) {
      const near = nearestName(keys[0], [...ids, ...Object.keys(params)]);
      wrong(`there is no step or parameter '${keys[0]}'${near ? `; did you mean ${near}?` : ''}`);
    } else put((document.steps[index].with ??= {}), keys.slice(1), value);
  }
}

// A value on the command line: a number, true, false, or text.
function scalar(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

function put(root: any, path: Path, value: unknown): void {
  let at = root;
  for (const key of path.slice(0, -1)) at = at[key] ??= {};
  at[path.at(-1)!] = value;
}

const PARAMETER = /\$\{params\.([\w-]+)\}/g;

function substitute(
  value: unknown,
  path: Path,
  params: Mapping,
  used: Set<string>,
  report: (path: Path, message: string) => void,
): any {
  if (Array.isArray(value)) return value.map((v, i) => substitute(v, [...path, i], params, used, report));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([k, v]) => [k, substitute(v, [...path, k], params, used, report)]),
    );
  if (typeof value !== 'string') return value;
  const look = (name: string): unknown => {
    used.add(name);
    if (Object.hasOwn(params, name)) return params[name];
    const near = nearestName(name, Object.keys(params));
    report(
      path,
      `there is no parameter '${name}'; ${near ? `did you mean ${near}?` : `there are ${listNames(Object.keys(params)) || 'none'}`}`,
    );
    return '';
  };
  const whole = value.match(/^\$\{params\.([\w-]+)\}$/);
  return whole ? look(whole[1]) : value.replace(PARAMETER, (_, name) => String(look(name)));
}

function referenceTarget(
  reference: string,
  steps: readonly ResolvedStep[],
  kinds: readonly ValueKind[],
  wrong: (message: string) => void,
): string | undefined {
  const [id, output = 'value'] = reference.slice(1).split('.');
  const target = steps.find(s => s.id === id);
  if (!target) {
    const near = nearestName(
      id,
      steps.map(s => s.id),
    );
    wrong(
      `there is no step '${id}'; ${near ? `did you mean @${near}?` : `there are ${listNames(steps.map(s => `@${s.id}`))}`}`,
    );
    return undefined;
  }
  const kind = target.step.outputs[output];
  if (!kind)
    wrong(
      `the step '${id}' has no output '${output}'; it has ${listNames(Object.keys(target.step.outputs)) || 'none'}`,
    );
  else if (!kinds.includes(kind)) wrong(`@${id} is a ${kind}; a ${kinds.join(' or ')} is wanted here`);
  return id;
}

/** Depth-first topological order; a cycle is named. */
function inOrder(steps: readonly ResolvedStep[], wrong: (message: string) => void): ResolvedStep[] {
  const done: ResolvedStep[] = [];
  const open: string[] = [];
  const visit = (s: ResolvedStep): boolean => {
    if (done.includes(s)) return true;
    if (open.includes(s.id)) {
      wrong(
        `the steps refer to each other in a circle: ${[...open.slice(open.indexOf(s.id)), s.id].join(' → ')}`,
      );
      return false;
    }
    open.push(s.id);
    const fine = s.needs.every(id => visit(steps.find(t => t.id === id)!));
    open.pop();
    done.push(s);
    return fine;
  };
  steps.every(visit);
  return done;
}
