// Applies `--set` to a parsed document. `name=value` changes a parameter (or seed, backend, threads, name), `step.key=value` a
// key of that step's `with`; written out in full the two are `params.name` and `steps.id.with.key`. Values are YAML:
// 3, true, [1, 2], {relu1: 1}, text. What may be set is what the schema knows; it is checked afterwards.

import { parseDocument } from 'yaml';
import { listNames, nearestName } from './nearest.ts';
import type { Problems } from './problems.ts';

type Mapping = Record<string, unknown>;
const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys of the document that can be set by their name alone. */
const topLevel = ['seed', 'backend', 'threads', 'name'];

/** Changes `document` as the arguments say; `ids` are those of its steps, in order. */
export function applyOverrides(
  document: Mapping,
  ids: readonly string[],
  settings: readonly string[],
  problems: Problems,
): void {
  for (const setting of settings) {
    const equals = setting.indexOf('=');
    const name = setting.slice(0, Math.max(0, equals)).trim();
    if (name === '' || name.split('.').includes('')) {
      problems.addArgument(setting, setting, {
        message: 'not of the form name=value',
        remedy: 'write --set size=96 for a parameter, --set step.key=3 for a key of a step',
      });
      continue;
    }
    const path = findTarget(document, ids, name, setting, problems);
    if (!path) continue;
    const value = parseValue(setting.slice(equals + 1), setting, problems);
    if (value !== undefined && put(document, path, value, setting, problems))
      problems.overridden(path, setting);
  }
}

/** The path in the document that a name stands for. */
function findTarget(
  document: Mapping,
  ids: readonly string[],
  name: string,
  setting: string,
  problems: Problems,
): (string | number)[] | undefined {
  const keys = name.split('.');
  const params = isMapping(document.params) ? document.params : {};
  const hasParam = (key: string): boolean => Object.hasOwn(params, key);
  const stepPath = (id: string, rest: string[]): (string | number)[] => [
    'steps',
    ids.indexOf(id),
    'with',
    ...rest,
  ];
  const complain = (at: string, message: string, known: readonly string[]): undefined => {
    const near = nearestName(at, known);
    problems.addArgument(setting, at, {
      message,
      expected: known.length > 0 ? `one of ${listNames(known)}` : undefined,
      remedy: near ? `did you mean "${near}"?` : undefined,
    });
  };
  const [first, ...rest] = keys;
  if (first === 'params' && rest.length > 0) {
    if (hasParam(rest[0])) return keys;
    return complain(rest[0], `there is no parameter ${rest[0]}`, Object.keys(params));
  }
  if (first === 'steps' && rest.length > 1) {
    const [id, ...inner] = rest;
    if (!ids.includes(id)) return complain(id, `there is no step ${id}`, ids);
    if (inner[0] === 'with') inner.shift();
    return inner.length === 0 ? complain(setting, 'names no key of the step', []) : stepPath(id, inner);
  }
  if (rest.length === 0) {
    if (hasParam(first)) return ['params', first];
    if (topLevel.includes(first)) return [first];
    if (ids.includes(first)) {
      problems.addArgument(setting, first, {
        message: `${first} is a step, not a parameter`,
        remedy: `name one of its keys: --set ${first}.key=value`,
      });
      return undefined;
    }
    return complain(first, `there is no parameter ${first}`, [...Object.keys(params), ...topLevel]);
  }
  const inParam = hasParam(first) && typeof params[first] === 'object';
  if (inParam && ids.includes(first)) {
    problems.addArgument(setting, first, {
      message: `${first} is a step and a parameter`,
      remedy: `write --set params.${name}=… or --set steps.${first}.with.${rest.join('.')}=…`,
    });
    return undefined;
  }
  if (inParam) return ['params', ...keys];
  if (ids.includes(first)) return stepPath(first, rest);
  return complain(first, `there is no step ${first}`, ids);
}

/** The value after the `=`; undefined where it is no YAML. */
function parseValue(text: string, setting: string, problems: Problems): unknown {
  // References and parameters as they would be written in quotes.
  if (/^\s*[@`]/.test(text) || /^\$\{[^{}]*\}$/.test(text)) return text.trim();
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true, logLevel: 'error' });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length === 0) return document.toJS({ maxAliasCount: 0 });
  if (!/^\s*[[{"'&*!|>]/.test(text)) return text;
  problems.addArgument(setting, text, {
    message: 'the value cannot be read',
    expected: 'a number, true, false, a text, [a, b] or {a: 1, b: 2}',
    remedy: 'put the argument in single quotes, so that the shell leaves it as it is',
  });
  return undefined;
}

/** Writes a value at a path, making mappings on the way; false where something on the way is no mapping. */
function put(
  root: Mapping,
  path: readonly (string | number)[],
  value: unknown,
  setting: string,
  problems: Problems,
): boolean {
  let at = root as Record<string | number, unknown>;
  for (const [i, key] of path.slice(0, -1).entries()) {
    at[key] ??= {};
    const next = at[key];
    const wanted = path[i + 1];
    const isList = Array.isArray(next) && /^\d+$/.test(String(wanted)) && Number(wanted) < next.length;
    if (!isMapping(next) && !isList) {
      problems.addArgument(setting, String(wanted), {
        message: Array.isArray(next)
          ? `${key} is a list of ${next.length}; "${wanted}" is none of its places`
          : `${key} holds no keys: it is ${JSON.stringify(next)}`,
        expected: Array.isArray(next) ? `a number from 0 to ${next.length - 1}` : undefined,
      });
      return false;
    }
    at = next as Record<string | number, unknown>;
  }
  const last = path[path.length - 1];
  if (last === '__proto__') {
    problems.addArgument(setting, String(last), { message: 'unknown key "__proto__"' });
    return false;
  }
  at[last] = value;
  return true;
}
