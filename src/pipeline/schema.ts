// The JSON schema of the pipeline language, put together from the parts that the steps own. Two readings of it:
// one with which ndconv itself checks a file (after parameters are filled in), and one for editors, which sees the
// file as it is written and therefore accepts `${params.x}` wherever a number or a name may stand.

import { BACKENDS } from '../backends/choose.ts';
import type { Schema, Step } from './step.ts';

/** Steps by the name that stands under `uses:`. */
export type StepTable = Readonly<Record<string, Step>>;

/** What may stand under `backend:`. */
export const backendNames: readonly string[] = BACKENDS;

/** The language version that this program speaks. */
export const languageVersion = 1;

const idPattern = '^[A-Za-z][A-Za-z0-9_-]*$';

/** Names of results and folders: a letter or digit, then letters, digits, `.`, `_`, `-`. */
export const namePattern = '^[A-Za-z0-9][A-Za-z0-9._-]*$';

/** Schema of a file without what stands under `with:`, which is the steps' own. */
export function documentSchema(stepNames: readonly string[]): Schema {
  return {
    type: 'object',
    required: ['ndconv', 'steps'],
    properties: {
      ndconv: { const: languageVersion, description: 'version of the pipeline language' },
      name: {
        type: 'string',
        pattern: namePattern,
        description: 'names the output folder; the name of the file where absent',
      },
      params: {
        type: 'object',
        additionalProperties: true,
        description: 'values to use as ${params.name}; `--set name=value` changes them',
      },
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
        description: 'everything random comes from it',
      },
      threads: {
        type: 'integer',
        minimum: 1,
        description: 'threads of the wasm backend; one for each core where absent',
      },
      backend: { enum: backendNames, default: 'auto', description: 'what computes' },
      steps: {
        type: 'array',
        minItems: 1,
        description: 'the steps, in any order: their references say what runs before what',
        items: {
          type: 'object',
          required: ['uses'],
          properties: {
            id: {
              type: 'string',
              pattern: idPattern,
              description: 'the name by which other steps refer to the result, as "@id"',
            },
            uses: { enum: stepNames, description: 'what the step does' },
            with: { type: 'object', additionalProperties: true, description: 'parameters of the step' },
          },
        },
      },
    },
  };
}

/** A JSON schema as ajv and editors read it. */
export type JsonSchema = Record<string, unknown>;

/**
 * The schema with mappings closed to unknown keys and alternatives as `anyOf`. `editor` drops our own keywords and
 * lets a parameter stand for any value.
 */
export function toJsonSchema(schema: Schema, editor = false): JsonSchema {
  const { reference, path, costly, oneOf, properties, items, additionalProperties, ...rest } = schema;
  const out: JsonSchema = { ...rest };
  if (properties) {
    const entries = Object.entries(properties).map(([key, part]) => [key, toJsonSchema(part, editor)]);
    out.properties = Object.fromEntries(entries);
    out.type ??= 'object';
    out.additionalProperties = false;
  }
  if (additionalProperties !== undefined) {
    out.additionalProperties =
      typeof additionalProperties === 'object'
        ? toJsonSchema(additionalProperties, editor)
        : additionalProperties;
  }
  if (items) out.items = toJsonSchema(items, editor);
  if (oneOf) out.anyOf = oneOf.map(part => toJsonSchema(part, editor));
  if (reference || path) out.type ??= 'string';
  if (!editor) {
    if (reference) out.reference = reference;
    if (path) out.path = path;
    return out;
  }
  if (reference) out.pattern = '^(@|\\$\\{params\\.)';
  const free =
    out.anyOf || out.type === 'string' ? out.enum === undefined && out.pattern === undefined : false;
  if (free || out.const !== undefined) return out;
  const { description, default: standard, ...value } = out;
  const parameter = { type: 'string', pattern: '^\\$\\{params\\.[A-Za-z_][A-Za-z0-9_.-]*\\}$' };
  return {
    ...(description === undefined ? {} : { description }),
    ...(standard === undefined ? {} : { default: standard }),
    anyOf: [value, parameter],
  };
}

/** The schema of whole files, for editors (draft 2020-12). */
export function publishedSchema(steps: StepTable): JsonSchema {
  const document = documentSchema(Object.keys(steps));
  const { steps: list, ...top } = document.properties!;
  const item = list.items!;
  const schema = toJsonSchema({ ...document, properties: top }, true) as { anyOf?: JsonSchema[] };
  const whole = schema.anyOf ? schema.anyOf[0] : (schema as JsonSchema);
  const alternatives = Object.values(steps).map(step => ({
    description: step.summary,
    properties: {
      id: toJsonSchema(item.properties!.id),
      uses: { const: step.name, description: step.summary },
      with: withSchema(step),
    },
    required: (step.schema.required?.length ?? 0) > 0 ? ['uses', 'with'] : ['uses'],
    additionalProperties: false,
  }));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'ndconv pipeline',
    ...whole,
    properties: {
      ...(whole.properties as object),
      steps: {
        type: 'array',
        minItems: 1,
        description: list.description,
        items: {
          type: 'object',
          properties: { uses: { enum: Object.keys(steps), description: item.properties!.uses.description } },
          required: ['uses'],
          allOf: alternatives.map(then => ({
            if: { properties: { uses: then.properties.uses }, required: ['uses'] },
            then,
          })),
        },
      },
    },
  };
}

/** The schema of a step's `with` for editors: always a mapping, never a parameter. */
function withSchema(step: Step): JsonSchema {
  const schema = toJsonSchema({ type: 'object', ...step.schema }, true);
  const inner = (schema.anyOf as JsonSchema[] | undefined)?.[0];
  return inner?.type === 'object' ? inner : schema;
}

/** What a value must be, in words: "an integer from 1", "one of a, b". */
export function describeSchema(schema: Schema & { anyOf?: Schema[] }): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum)
    return schema.enum.length === 1 ? String(schema.enum[0]) : `one of ${schema.enum.join(', ')}`;
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives) return [...new Set(alternatives.map(describeSchema))].join(', or ');
  if (schema.reference) return `a reference to a ${schema.reference.join(' or ')}, such as "@id"`;
  if (schema.path) return schema.path === 'read' ? 'the path of a file' : 'the path of a file to write';
  const types = schema.type === undefined ? [] : [schema.type].flat();
  return types.map(type => describeType(type, schema)).join(' or ') || 'a value';
}

function describeType(type: string, schema: Schema): string {
  const bounds = [
    schema.minimum !== undefined ? `from ${schema.minimum}` : '',
    schema.exclusiveMinimum !== undefined ? `above ${schema.exclusiveMinimum}` : '',
    schema.maximum !== undefined ? `to ${schema.maximum}` : '',
    schema.exclusiveMaximum !== undefined ? `below ${schema.exclusiveMaximum}` : '',
  ].filter(text => text !== '');
  const range = bounds.length > 0 ? ` ${bounds.join(' ')}` : '';
  switch (type) {
    case 'integer':
      return `an integer${range}`;
    case 'number':
      return `a number${range}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'a text';
    case 'null':
      return 'nothing';
    case 'array':
      return schema.items ? `a list of which each is ${describeSchema(schema.items)}` : 'a list';
    default:
      if (schema.properties) return `a mapping with ${Object.keys(schema.properties).join(', ')}`;
      if (typeof schema.additionalProperties === 'object') {
        return `a mapping of names to ${describeSchema(schema.additionalProperties)}`;
      }
      return 'a mapping (key: value)';
  }
}
