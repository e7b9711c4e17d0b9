// From a parsed file to steps that are ready to be checked and run: overrides, parameters, schema, references, paths,
// order. Problems are collected, so that one look shows them all; a step that has some is left out of later checks.

import { normalize } from 'node:path';
import { derive } from '../random.ts';
import { type Diagnostic, PipelineError } from './diagnostic.ts';
import type { Path, Source } from './load.ts';
import { nearestName } from './nearest.ts';
import { applyOverrides } from './overrides.ts';
import { substitute } from './parameters.ts';
import { findInput, findOutput } from './paths.ts';
import { createProblems, type Problems } from './problems.ts';
import { assignIds, checkReference, mentionedIds, orderSteps, splitReference } from './references.ts';
import { backendNames, documentSchema, languageVersion, type StepTable } from './schema.ts';
import type { Schema, Step } from './step.ts';
import { findFaults, fitsSchema } from './validate.ts';
import { walkSchema } from './walk.ts';

/** A step with everything replaced that can be before running. */
export interface ResolvedStep {
  id: string;
  step: Step;
  /** For `check` and `run`: paths to read are absolute. */
  params: Record<string, unknown>;
  /** As written, with parameters and defaults filled in: for records and messages. */
  written: Record<string, unknown>;
  /** Ids of the steps it refers to, each once. */
  needs: string[];
  /** Where its paths stand in `with`, and what they are as written and as resolved. */
  paths: { at: Path; mode: 'read' | 'write'; written: string; resolved: string }[];
  /** Keys of `with` that decide memory and time. */
  costly: Path[];
  seed: number;
  /** Where it stands in the document. */
  place: Path;
}

/** A pipeline in the order in which it runs. */
export interface ResolvedPipeline {
  name: string;
  seed: number;
  backend: string;
  /** Threads of the wasm backend; one for each core where absent. */
  threads?: number;
  params: Record<string, unknown>;
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

/** What could be resolved, and everything that is wrong; `pipeline` holds the steps without fault. */
export interface Resolution {
  pipeline: ResolvedPipeline;
  problems: Problems;
}

type Mapping = Record<string, unknown>;
const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Resolves a file; `fallbackName` names the pipeline where the file does not. */
export async function resolvePipeline(
  source: Source,
  table: StepTable,
  overrides: Overrides,
  fallbackName: string,
): Promise<Resolution> {
  const problems = createProblems(source);
  if (!isMapping(source.value)) throw new PipelineError([explainRoot(source)]);
  const document = structuredClone(source.value);
  const entries = Array.isArray(document.steps) ? (document.steps as unknown[]) : [];
  const ids = assignIds(entries);
  for (const entry of entries) if (isMapping(entry) && entry.with === null) delete entry.with;
  applyOverrides(document, ids, overrides.set ?? [], problems);

  const params = isMapping(document.params) ? document.params : {};
  checkParameterNames(params, problems);
  const used = new Set<string>();
  for (const key of ['name', 'seed', 'backend', 'threads', 'steps']) {
    if (key in document) document[key] = substitute(document[key], [key], params, used, problems);
  }
  checkDocument(document, table, problems);
  for (const name of Object.keys(params)) {
    if (used.has(name) || problems.found.length > 0) continue;
    problems.add(['params', name], {
      part: 'key',
      message: `nothing uses the parameter ${name}`,
      remedy: `write \${params.${name}} where it belongs, or remove it`,
    });
  }

  const seed = overrides.seed ?? (Number.isSafeInteger(document.seed) ? (document.seed as number) : 0);
  const steps = await resolveSteps(document, ids, table, seed, source, problems);
  const { threads } = document;
  const written = backendNames.some(name => name === document.backend) ? String(document.backend) : 'auto';
  const backend = overrides.backend ?? written;
  if (threads !== undefined && backend !== 'auto' && backend !== 'wasm')
    problems.add(['threads'], {
      part: 'key',
      message: `threads has no effect on the backend ${backend}`,
      remedy: 'remove it, or take backend: wasm',
    });
  return {
    pipeline: {
      name: typeof document.name === 'string' ? document.name : fallbackName,
      seed,
      backend,
      ...(Number.isSafeInteger(threads) ? { threads: threads as number } : {}),
      params,
      steps,
      source,
    },
    problems,
  };
}

function explainRoot(source: Source): Diagnostic {
  const empty = source.value === null;
  return {
    place: source.place([]),
    message: empty ? 'the file is empty' : 'the file is no pipeline: it holds no "key: value" lines',
    expected: `a mapping with ndconv: ${languageVersion} and steps`,
    remedy: '`ndconv init` writes a file to start from',
  };
}

function checkParameterNames(params: Mapping, problems: Problems): void {
  for (const name of Object.keys(params)) {
    if (/^[A-Za-z_][\w-]*$/.test(name)) continue;
    problems.add(['params', name], {
      part: 'key',
      message: `"${name}" cannot name a parameter`,
      expected: 'letters, digits, _ and -, a letter first',
    });
  }
}

/** The document without what stands under `with`. */
function checkDocument(document: Mapping, table: StepTable, problems: Problems): void {
  for (const fault of findFaults(documentSchema(Object.keys(table)), document, 'the pipeline')) {
    const { path, ...complaint } = fault;
    const [top, index, key] = path;
    const value = path.reduce<unknown>((at, part) => (at as Mapping)?.[part], document);
    if (typeof value === 'string' && problems.touches(path)) continue;
    const { note, message } = complaint;
    if (path.length === 0 && fault.message.startsWith('the key "ndconv"')) {
      complaint.message = `"ndconv: ${languageVersion}" is missing`;
      complaint.expected = 'the version of the language that the file is written in';
      complaint.remedy = `write ndconv: ${languageVersion} in the first line`;
    } else if (top === 'ndconv' && typeof value === 'number') {
      complaint.message = `written for version ${value} of the language; this program knows version ${languageVersion}`;
      complaint.remedy =
        value > languageVersion ? 'install a newer ndconv' : `write ndconv: ${languageVersion}`;
      complaint.expected = undefined;
    } else if (top === 'steps' && typeof index === 'number') {
      const entry = (document.steps as unknown[])[index];
      const uses = isMapping(entry) ? entry.uses : undefined;
      const step = typeof uses === 'string' && Object.hasOwn(table, uses) ? table[uses] : undefined;
      complaint.message = complaint.message.replace(/steps\[\d+\] of the pipeline/, 'a step');
      if (path.length === 3 && key === 'uses' && typeof value === 'string') {
        const near = nearestName(value, Object.keys(table));
        complaint.message = `there is no step called "${value}"`;
        complaint.expected = `one of ${Object.keys(table).join(', ')}`;
        complaint.remedy = near ? `did you mean "${near}"?` : undefined;
      } else if (fault.part === 'key' && path.length === 3) {
        if (step?.schema.properties && Object.hasOwn(step.schema.properties, String(key))) {
          complaint.remedy = `write it under "with:", where the parameters of ${step.name} stand`;
        }
      } else if (path.length === 3 && key === 'id' && typeof value === 'string') {
        complaint.message = `"${value}" cannot be an id`;
        complaint.expected = 'letters, digits, _ and -, a letter first';
      }
    } else if (top === 'name' && typeof value === 'string') {
      complaint.message = `"${value}" cannot name a pipeline: it becomes the name of a folder`;
      complaint.expected = 'letters, digits, ., _ and -';
    }
    // What the key is for stands with the general message alone.
    problems.add(path, { ...complaint, note: complaint.message === message ? note : undefined });
  }
}

/** The steps without fault, in the order in which they run. */
async function resolveSteps(
  document: Mapping,
  ids: readonly string[],
  table: StepTable,
  seed: number,
  source: Source,
  problems: Problems,
): Promise<ResolvedStep[]> {
  const entries = Array.isArray(document.steps) ? (document.steps as unknown[]) : [];
  const known = new Map<string, Step | undefined>();
  for (const [i, entry] of entries.entries()) {
    const id = ids[i];
    if (known.has(id)) {
      const first = source.place(['steps', ids.indexOf(id), 'id']).line;
      problems.add(['steps', i, 'id'], {
        message: `two steps have the id ${id} (first in line ${first})`,
        remedy: 'give one of them another id',
      });
      continue;
    }
    const uses = isMapping(entry) ? entry.uses : undefined;
    known.set(id, typeof uses === 'string' && Object.hasOwn(table, uses) ? table[uses] : undefined);
  }

  const resolved = new Map<string, ResolvedStep>();
  const writes = new Map<string, string>();
  for (const [i, entry] of entries.entries()) {
    const step = known.get(ids[i]);
    if (!isMapping(entry) || !step || ids.indexOf(ids[i]) !== i) continue;
    const given = entry.with ?? {};
    if (!isMapping(given)) continue;
    const one = await resolveStep(ids[i], step, given, ['steps', i], seed, known, source, problems);
    resolved.set(one.id, one);
    for (const path of one.paths) {
      if (path.mode !== 'write') continue;
      const other = writes.get(path.resolved);
      if (other !== undefined) {
        problems.add([...one.place, 'with', ...path.at], {
          message: `the step ${other} writes ${path.written} too`,
          remedy: 'give one of them another path',
        });
      } else writes.set(path.resolved, one.id);
    }
  }
  const { order, cycles } = orderSteps(new Map([...resolved].map(([id, { needs }]) => [id, needs])));
  for (const cycle of cycles) {
    // The reference that closes it, in the step where it was found.
    const from = resolved.get(cycle[cycle.length - 2])!;
    problems.add(referencePath(from, cycle[cycle.length - 1]), {
      message: `the steps refer to each other in a circle: ${cycle.join(' → ')}`,
      remedy: 'a step can only use results of steps that do not need its own',
    });
  }
  // A misspelt reference leaves a result unused, which is no second fault.
  if (problems.found.length === 0) checkUse(entries, ids, known, problems);
  return order.map(id => resolved.get(id)!).filter(({ place }) => !problems.touches(place));
}

/** Where in a step the reference to another one stands. */
function referencePath(from: ResolvedStep, id: string): Path {
  const find = (value: unknown, path: Path): Path | undefined => {
    if (typeof value === 'string') {
      return value.startsWith('@') && splitReference(value).id === id ? path : undefined;
    }
    if (typeof value !== 'object' || value === null) return undefined;
    for (const [key, item] of Object.entries(value)) {
      const found = find(item, [...path, Array.isArray(value) ? Number(key) : key]);
      if (found) return found;
    }
    return undefined;
  };
  return find(from.written, [...from.place, 'with']) ?? from.place;
}

/** One step: its part of the schema, its references and its paths. */
async function resolveStep(
  id: string,
  step: Step,
  given: Mapping,
  place: Path,
  seed: number,
  known: ReadonlyMap<string, Step | undefined>,
  source: Source,
  problems: Problems,
): Promise<ResolvedStep> {
  const at = [...place, 'with'];
  const schema: Schema = wholeSchema(step);
  for (const { path, ...complaint } of findFaults(schema, given, step.name)) {
    const value = path.reduce<unknown>((inner, part) => (inner as Mapping)?.[part], given);
    // What was said of a parameter that is not there is enough.
    if (typeof value === 'string' && problems.touches([...at, ...path])) continue;
    if (typeof value === 'string' && known.has(value) && /a reference to/.test(complaint.message)) {
      complaint.remedy = `write "@${value}"`;
    }
    // Where `with` is absent, the step itself is the nearest place.
    problems.add([...at, ...path], complaint);
  }
  const found: { part: Schema; value: string; path: Path }[] = [];
  const costly: Path[] = [];
  const written = walkSchema(schema, given, [], fitsSchema, (part, value, path) => {
    if (typeof value === 'string' && (part.reference || part.path) && fitsSchema(part, value)) {
      found.push({ part, value, path });
    }
    if (part.costly) costly.push(path);
    return value;
  }) as Mapping;
  const params = structuredClone(written);
  const needs = new Set<string>();
  const paths: ResolvedStep['paths'] = [];
  for (const { part, value, path } of found) {
    if (part.reference) {
      const complaint = checkReference(value, part.reference, known);
      if (complaint) problems.add([...at, ...path], complaint);
      else needs.add(splitReference(value).id);
      continue;
    }
    const result = part.path === 'read' ? await findInput(value, source.directory) : findOutput(value);
    if ('message' in result) {
      const near = nearestName(value, namesBeside(schema, path));
      const remedy = near && !/[./\\]/.test(value) ? `did you mean "${near}"?` : result.remedy;
      problems.add([...at, ...path], { ...result, ...(remedy ? { remedy } : {}) });
    } else {
      paths.push({ at: path, mode: part.path!, written: value, resolved: result.path });
      replaceAt(params, path, part.path === 'read' ? result.path : normalize(value));
    }
  }
  return { id, step, params, written, needs: [...needs], paths, costly, seed: derive(seed, id), place };
}

const schemas = new WeakMap<Step, Schema>();

/** The schema of a step's `with`, one object per step so that it is compiled once. */
function wholeSchema(step: Step): Schema {
  const schema = schemas.get(step) ?? { type: 'object', properties: {}, ...step.schema };
  schemas.set(step, schema);
  return schema;
}

/** Names that could stand where a path stands, for a misspelt one that is taken for a path. */
function namesBeside(schema: Schema, path: Path): string[] {
  if (schema.oneOf && path.length === 0) return schema.oneOf.flatMap(part => part.enum ?? []).map(String);
  const parts = schema.oneOf ?? [schema];
  const [first, ...rest] = path;
  if (first === undefined) return [];
  return parts.flatMap(({ items, properties }) => {
    const inner = typeof first === 'number' ? items : properties?.[first];
    return inner ? namesBeside(inner, rest) : [];
  });
}

function replaceAt(root: Mapping, path: Path, value: unknown): void {
  const parent = path.slice(0, -1).reduce<Mapping>((at, key) => at[key] as Mapping, root);
  parent[path[path.length - 1]] = value;
}

/** Every result must be used by a step, or the step that makes it be worth running for what it writes. */
function checkUse(
  entries: readonly unknown[],
  ids: readonly string[],
  known: ReadonlyMap<string, Step | undefined>,
  problems: Problems,
): void {
  const mentioned = new Set(entries.flatMap(entry => (isMapping(entry) ? mentionedIds(entry.with) : [])));
  for (const [i, id] of ids.entries()) {
    const step = known.get(id);
    if (!step || ids.indexOf(id) !== i || mentioned.has(id)) continue;
    const kinds = Object.values(step.outputs);
    if (kinds.length === 0 || step.effect || kinds.includes('report')) continue;
    problems.add(['steps', i, 'uses'], {
      message: `nothing uses the result of the step ${id}`,
      expected: `another step that refers to "@${id}"${kinds.includes('field') ? ', such as save' : ''}`,
      remedy: 'or remove the step',
    });
  }
}
