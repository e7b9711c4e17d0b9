// What a layer type says of a parameter: plain data, the part of JSON Schema that layers need, so that the pipeline
// language takes the same words. Checks a value against it and says in words what it should have been.

/** What values a parameter takes. */
export interface Parameter {
  readonly description?: string;
  readonly type?: 'integer' | 'number' | 'string' | 'boolean' | 'array';
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly items?: Parameter;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** Any of these. */
  readonly oneOf?: Parameter[];
}

/** Whether a value is as the parameter says. */
export function fits(parameter: Parameter, value: unknown): boolean {
  if (parameter.oneOf) return parameter.oneOf.some(part => fits(part, value));
  if (parameter.enum) return parameter.enum.some(name => name === value);
  switch (parameter.type) {
    case 'array': {
      const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = parameter;
      if (!Array.isArray(value) || value.length < minItems || value.length > maxItems) return false;
      return !items || value.every(item => fits(items, item));
    }
    case 'integer':
    case 'number': {
      if (typeof value !== 'number' || !Number.isFinite(value)) return false;
      if (parameter.type === 'integer' && !Number.isInteger(value)) return false;
      const { minimum = Number.NEGATIVE_INFINITY, exclusiveMinimum = Number.NEGATIVE_INFINITY } = parameter;
      return value >= minimum && value > exclusiveMinimum;
    }
    default:
      return typeof value === parameter.type;
  }
}

/** What a value should have been: `an integer from 1, or a list of integers from 1`. */
export function describe(parameter: Parameter): string {
  if (parameter.oneOf) return parameter.oneOf.map(describe).join(', or ');
  if (parameter.enum) return parameter.enum.join(' or ');
  const from = parameter.minimum === undefined ? '' : ` from ${parameter.minimum}`;
  const above = parameter.exclusiveMinimum === undefined ? '' : ` above ${parameter.exclusiveMinimum}`;
  switch (parameter.type) {
    case 'array':
      return parameter.items ? `a list of which each is ${describe(parameter.items)}` : 'a list';
    case 'integer':
      return `an integer${from}${above}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'a text';
    default:
      return `a ${parameter.type}${from}${above}`;
  }
}

const positive: Parameter = { type: 'integer', minimum: 1 };

/** One integer of at least `minimum`, or one per dimension. */
export const perDimensionOf = (minimum: number, description: string): Parameter => {
  const one: Parameter = { type: 'integer', minimum };
  return { oneOf: [one, { type: 'array', items: one, minItems: 1 }], description };
};

/** An integer of at least 1. */
export const countOf = (description: string): Parameter => ({ ...positive, description });

const pair: Parameter = { type: 'array', items: { type: 'integer', minimum: 0 }, minItems: 2, maxItems: 2 };

/** Cells of padding: one number, a word, or `[low, high]` per dimension. */
export const paddingOf = (...words: string[]): Parameter => ({
  oneOf: [{ type: 'integer', minimum: 0 }, { enum: words }, { type: 'array', items: pair, minItems: 1 }],
  description: `cells beyond every edge: one number, ${words.join(' or ')}, or [low, high] per dimension`,
});

/** One number, or one per channel. */
export const perChannelOf = (description: string): Parameter => ({
  oneOf: [{ type: 'number' }, { type: 'array', items: { type: 'number' }, minItems: 1 }],
  description,
});
