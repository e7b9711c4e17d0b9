// `prepare`: brings a field to what a network expects: window, resample, crop, pad, flip, normalise, in any rank and order.
// Its second output, `undo`, lets `save` put a result back onto the input's grid.

import type { Field } from '../../formats/field.ts';
import { changesValues, type Operation } from '../../prepare/operations.ts';
import type { Step } from '../step.ts';
import {
  checkOperations,
  describeOperations,
  headerOf,
  operationsSchema,
  planOfHeader,
} from './operations.ts';

interface Parameters {
  input: string;
  operations: Operation[];
}

const times = (shape: readonly number[]): string => shape.join('×');

export const prepare: Step<Parameters> = {
  name: 'prepare',
  summary: 'brings a field to what a network expects: window, resample, crop, pad, flip, normalise',
  schema: {
    required: ['input', 'operations'],
    properties: {
      input: { reference: ['field'], description: 'what to prepare' },
      operations: operationsSchema,
    },
  },
  outputs: { value: 'field', undo: 'preparation' },
  check({ params: { input, operations }, planOf, problem }) {
    const plan = planOf(input);
    const header = headerOf(plan);
    const unknown = { value: { kind: 'field' as const }, undo: { kind: 'preparation' as const } };
    const { valueUnit: _, ...unitless } = header ?? ({} as NonNullable<typeof header>);
    if (!header) return { outputs: unknown };
    // Steps that do not say the unit of their values may still have one.
    const known = plan.valueUnit === undefined ? ({ ...unitless, valueUnit: undefined } as never) : header;
    const prepared = checkOperations(known, operations, 'operations', problem);
    if (!prepared) return { outputs: unknown };
    const bytes = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 4);
    return {
      outputs: {
        value: planOfHeader(prepared),
        undo: {
          kind: 'preparation',
          input: header,
          prepared,
          changesValues: operations.some(changesValues),
        },
      },
      memory: 2 * Math.max(bytes(header.shape), bytes(prepared.shape)),
      lines: [`${times(header.shape)} → ${times(prepared.shape)} (${describeOperations(operations)})`],
    };
  },
  async run({ params: { input, operations }, valueOf }) {
    const { applyOperations } = await import('../../prepare/run.ts');
    const { field, preparation } = applyOperations(valueOf<Field>(input), operations);
    return { value: field, undo: preparation };
  },
};
