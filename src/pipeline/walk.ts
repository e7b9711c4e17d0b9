// Walks a value side by side with its schema: fills in defaults and finds the references and paths in it. Where the
// schema offers alternatives, the first that the value fits is taken.

import type { Path } from './load.ts';
import type { Schema } from './step.ts';

/** Whether a value has the outer form of a schema: enough to tell alternatives apart, not a validation. */
export type Fits = (schema: Schema, value: unknown) => boolean;

/** Called for every value that has a schema, outermost first; what it returns takes the value's place. */
export type Visitor = (schema: Schema, value: unknown, path: Path) => unknown;

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A copy of `value` as the visitor leaves it, with defaults filled in. */
export function walkSchema(schema: Schema, value: unknown, path: Path, fits: Fits, visit: Visitor): unknown {
  if (schema.oneOf) {
    const branch = schema.oneOf.find(part => fits(part, value));
    return branch ? walkSchema(branch, value, path, fits, visit) : value;
  }
  const seen = visit(schema, value, path);
  if (Array.isArray(seen)) {
    const { items } = schema;
    return items ? seen.map((item, i) => walkSchema(items, item, [...path, i], fits, visit)) : seen;
  }
  if (!isMapping(seen)) return seen;
  const out: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(seen)) {
    const rest = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
    const part = schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : rest;
    out[key] = part ? walkSchema(part, item, [...path, key], fits, visit) : item;
  }
  for (const [key, part] of Object.entries(schema.properties ?? {})) {
    if (out[key] !== undefined || part.default === undefined) continue;
    out[key] = walkSchema(part, structuredClone(part.default), [...path, key], fits, visit);
  }
  return out;
}
