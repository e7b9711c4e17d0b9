// Checks values against the schemas with ajv and says in words what is wrong. It yields findings, which are tied to
// paths inside the checked value; turning a path into a line of the file is the caller's.

import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Path } from './load.ts';
import { listNames, nearestName } from './nearest.ts';
import { describeSchema, toJsonSchema } from './schema.ts';
import type { Schema } from './step.ts';

/** Something wrong with the value at a path. */
export interface Finding {
  path: Path;
  /** Whether the key itself is wrong or its value. */
  part: 'key' | 'value';
  message: string;
  expected?: string;
  /** What the key is for. */
  note?: string;
  remedy?: string;
}

const referencePattern = /^@[A-Za-z][\w-]*(\.[A-Za-z][\w-]*)?$/;

const ajv = new Ajv2020({
  allErrors: true,
  verbose: true,
  strict: true,
  allowUnionTypes: true,
  strictTypes: false,
  // The schemas are this program's own, tested against the meta-schema; compiling that one takes longer than all else.
  meta: false,
  validateSchema: false,
  code: { optimize: false },
});
ajv.addKeyword({
  keyword: 'reference',
  errors: false,
  validate: (_kinds: unknown, value: unknown) => typeof value === 'string' && referencePattern.test(value),
});
ajv.addKeyword({
  keyword: 'path',
  errors: false,
  validate: (_mode: unknown, value: unknown) =>
    typeof value === 'string' && value.trim() !== '' && !value.startsWith('@') && !value.includes('\0'),
});
ajv.addKeyword({ keyword: 'costly' });

const compiled = new WeakMap<Schema, ValidateFunction>();

function validator(schema: Schema): ValidateFunction {
  let validate = compiled.get(schema);
  if (!validate) {
    validate = ajv.compile(toJsonSchema(schema));
    compiled.set(schema, validate);
  }
  return validate;
}

/** Whether a value satisfies a schema. */
export const fitsSchema = (schema: Schema, value: unknown): boolean => validator(schema)(value) === true;

/** Everything that is wrong with a value; `whole` names it in messages ("the pipeline", "load"). */
export function findFaults(schema: Schema, value: unknown, whole: string): Finding[] {
  const validate = validator(schema);
  if (validate(value)) return [];
  return explainErrors(validate.errors ?? [], value, whole);
}

/** Handles alternatives first: of each `anyOf` the branch that the value was probably meant to follow. */
function explainErrors(errors: ErrorObject[], root: unknown, whole: string): Finding[] {
  const choices = errors.filter(error => error.keyword === 'anyOf');
  const outer = choices.filter(
    a => !choices.some(b => a !== b && a.schemaPath.startsWith(`${b.schemaPath}/`)),
  );
  const findings: Finding[] = [];
  const inside = new Set<ErrorObject>();
  for (const choice of outer) {
    const branches = (choice.schema as Schema[]).map((_, i) =>
      errors.filter(
        error =>
          error.schemaPath.startsWith(`${choice.schemaPath}/${i}/`) &&
          (error.instancePath === choice.instancePath ||
            error.instancePath.startsWith(`${choice.instancePath}/`)),
      ),
    );
    for (const error of [choice, ...branches.flat()]) inside.add(error);
    // A branch whose outermost form already differs was not meant.
    const form = ['type', 'enum', 'const', 'reference', 'path', 'pattern'];
    const meant = branches.filter(
      branch =>
        !branch.some(error => error.instancePath === choice.instancePath && form.includes(error.keyword)),
    );
    if (meant.length === 0) findings.push(explainValue(choice, root, whole));
    else {
      const best = meant.reduce((a, b) => (b.length < a.length ? b : a));
      findings.push(...explainErrors(best, root, whole));
    }
  }
  for (const error of errors) {
    if (!inside.has(error)) findings.push(explainError(error, root, whole));
  }
  return findings;
}

/** The path of a JSON pointer, with indices of lists as numbers. */
function pathOf(pointer: string, root: unknown): (string | number)[] {
  const path: (string | number)[] = [];
  let value = root as Record<string, unknown>;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replace(/~1/g, '/').replace(/~0/g, '~');
    path.push(Array.isArray(value) ? Number(key) : key);
    value = value?.[key] as Record<string, unknown>;
  }
  return path;
}

/** `styles[0].weight`. */
export function pathName(path: Path): string {
  return path.reduce<string>(
    (name, part) => (typeof part === 'number' ? `${name}[${part}]` : name === '' ? part : `${name}.${part}`),
    '',
  );
}

/** A value as a user would recognise it. */
export function showValue(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (typeof value === 'string') {
    return `the text ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)}`;
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') {
    const keys = Object.keys(value);
    return keys.length === 0 ? 'an empty mapping' : `a mapping with ${listNames(keys, 6)}`;
  }
  return String(value);
}

function explainError(error: ErrorObject, root: unknown, whole: string): Finding {
  const path = pathOf(error.instancePath, root);
  const name = pathName(path) || whole;
  const parent = error.parentSchema as Schema;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(error.params.additionalProperty);
      const known = Object.keys(parent.properties ?? {});
      const near = nearestName(key, known);
      const glued = /^([^\s:]+):(\S.*)$/.exec(key);
      return {
        path: [...path, key],
        part: 'key',
        message: `unknown key "${key}" in ${path.length === 0 ? whole : `${name} of ${whole}`}`,
        expected: known.length > 0 ? `one of ${known.join(', ')}` : 'no keys',
        remedy: glued
          ? `write a space after the colon: ${glued[1]}: ${glued[2]}`
          : near
            ? `did you mean "${near}"?`
            : undefined,
      };
    }
    case 'required': {
      const key = String(error.params.missingProperty);
      const part = parent.properties?.[key];
      return {
        path,
        part: 'key',
        message: `the key "${key}" is missing in ${path.length === 0 ? whole : `${name} of ${whole}`}`,
        expected: part
          ? `${key}: ${describeSchema(part)}${part.description ? ` (${part.description})` : ''}`
          : undefined,
      };
    }
    case 'minItems':
    case 'maxItems':
    case 'minProperties': {
      const bound = Number(error.params.limit);
      const count =
        error.keyword === 'minProperties'
          ? Object.keys(error.data as object).length
          : (error.data as []).length;
      return {
        path,
        part: 'value',
        message: `${name} needs at ${error.keyword.startsWith('min') ? 'least' : 'most'} ${bound} ${bound === 1 ? 'entry' : 'entries'}, but has ${count}`,
        ...(parent.description ? { note: `${path.at(-1) ?? whole}: ${parent.description}` } : {}),
      };
    }
    default:
      return explainValue(error, root, whole);
  }
}

/** A value of the wrong type, outside its bounds or not among the allowed ones. */
function explainValue(error: ErrorObject, root: unknown, whole: string): Finding {
  const path = pathOf(error.instancePath, root);
  const schema = error.parentSchema as Schema & { anyOf?: Schema[] };
  return {
    path,
    part: 'value',
    message: `${pathName(path) || whole} must be ${describeSchema(schema)}, but is ${showValue(error.data)}`,
    ...(schema.description ? { note: `${path.at(-1) ?? whole}: ${schema.description}` } : {}),
    remedy: suggestValue(schema, error.data),
  };
}

/** What was probably meant. */
function suggestValue(schema: Schema & { anyOf?: Schema[] }, value: unknown): string | undefined {
  if (value === null) return 'give it a value, or remove the key';
  const forms = [schema, ...(schema.anyOf ?? [])];
  const types = forms.flatMap(form => form.type ?? []);
  if (typeof value === 'string') {
    const names = forms.flatMap(form => [...(form.enum ?? []), form.const ?? []].flat().map(String));
    const near = names.includes(value) ? undefined : nearestName(value, names);
    if (near) return `did you mean "${near}"?`;
    if (types.includes('boolean') && /^(yes|no|on|off)$/i.test(value)) {
      return `write ${/^(yes|on)$/i.test(value) ? 'true' : 'false'}`;
    }
    if (types.includes('integer') || types.includes('number')) {
      const digits = value.replace(/[_\s]/g, '');
      if (digits !== '' && Number.isFinite(Number(digits))) return `write ${Number(digits)}, without quotes`;
    }
  }
  const isScalar = typeof value !== 'object';
  const list = forms.find(form => form.type === 'array');
  if (isScalar && list?.items && fitsSchema(list.items, value)) return `write [${JSON.stringify(value)}]`;
  return undefined;
}
