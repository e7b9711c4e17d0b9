// Replaces `${params.x}` in a document. A text that is one parameter and nothing else takes the parameter's value with
// its type; elsewhere the value is put into the text. There are no expressions.

import type { Path } from './load.ts';
import { listNames, nearestName } from './nearest.ts';
import type { Problems } from './problems.ts';

const anywhere = /\$\{([^{}]*)\}/g;
const whole = /^\$\{([^{}]*)\}$/;

/** A copy of `value` with parameters filled in; their names are added to `used`. */
export function substitute(
  value: unknown,
  path: Path,
  params: Readonly<Record<string, unknown>>,
  used: Set<string>,
  problems: Problems,
): unknown {
  if (Array.isArray(value)) {
    return value.map((item, i) => substitute(item, [...path, i], params, used, problems));
  }
  if (typeof value === 'object' && value !== null) {
    const out: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) {
      out[key] = substitute(item, [...path, key], params, used, problems);
    }
    return out;
  }
  if (typeof value !== 'string') return value;
  const only = whole.exec(value);
  if (only) {
    const found = lookUp(only[1], path, params, used, problems);
    if (!found) return value;
    problems.substituted(path, found.name);
    return structuredClone(found.value);
  }
  return value.replace(anywhere, (text, inner: string) => {
    const found = lookUp(inner, path, params, used, problems);
    if (!found) return text;
    if (typeof found.value === 'object' && found.value !== null) {
      problems.add(path, {
        message: `the parameter ${found.name} is a ${Array.isArray(found.value) ? 'list' : 'mapping'}, which cannot stand inside a text`,
        remedy: `let "${text}" be the whole value`,
      });
    }
    return String(found.value ?? '');
  });
}

/** The parameter that `params.a.b` names; undefined, with a problem, where there is none. */
function lookUp(
  inner: string,
  path: Path,
  params: Readonly<Record<string, unknown>>,
  used: Set<string>,
  problems: Problems,
): { name: string; value: unknown } | undefined {
  const keys = inner.trim().split('.');
  const names = Object.keys(params);
  if (keys[0] !== 'params' || keys.length < 2 || !/^[\w.-]+$/.test(inner.trim())) {
    const word = keys.find(key => names.includes(key)) ?? names.find(name => inner.includes(name));
    const near = word ?? nearestName(keys[0], names);
    problems.add(path, {
      message: `\${${inner}} is no parameter`,
      expected: '${params.name}; expressions are not part of the language',
      remedy: near ? `did you mean \${params.${near}}?` : undefined,
    });
    for (const name of names) if (inner.includes(name)) used.add(name);
    return undefined;
  }
  keys.shift();
  let value: unknown = params;
  for (const [i, key] of keys.entries()) {
    const known = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    if (!known.includes(key)) {
      const near = nearestName(key, known);
      if (i === 0 && near) used.add(near);
      const owner =
        i === 0 ? 'there is no parameter' : `the parameter ${keys.slice(0, i).join('.')} has no key`;
      problems.add(path, {
        message: `${owner} ${key || '""'}`,
        expected: known.length > 0 ? `one of ${listNames(known)}` : 'parameters are listed under "params:"',
        remedy: near ? `did you mean \${params.${[...keys.slice(0, i), near].join('.')}}?` : undefined,
      });
      return undefined;
    }
    if (i === 0) used.add(key);
    value = (value as Record<string, unknown>)[key];
  }
  return { name: keys.join('.'), value };
}
