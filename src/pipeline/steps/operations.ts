// The schema of what can be done to a field before a network sees it, and its check: shared by the steps that prepare.

import { NdconvError } from '../../errors.ts';
import type { Annotation, Axis, FieldKind } from '../../formats/field.ts';
import type { FieldHeader } from '../../formats/format.ts';
import { type Operation, operationNames, planOperations, windows } from '../../prepare/operations.ts';
import type { Problem, Schema, ValuePlan } from '../step.ts';

/** One number for all dimensions, or one for each. */
const perAxis = (description: string, kind: 'integer' | 'number' = 'integer'): Schema => ({
  oneOf: [
    { type: kind, minimum: 0 },
    { type: 'array', minItems: 1, items: { type: kind, minimum: 0 } },
  ],
  description,
});

export const operationsSchema: Schema = {
  type: 'array',
  minItems: 1,
  description: 'what to do, in this order; each item is one operation',
  items: {
    type: 'object',
    minProperties: 1,
    properties: {
      window: {
        type: 'object',
        description: 'a range of values becomes 0 to 1 and those beyond are cut off, as a CT is looked at',
        properties: {
          preset: { enum: Object.keys(windows), description: 'a window of radiology, for values in HU' },
          centre: { type: 'number', description: 'middle of the range' },
          width: { type: 'number', exclusiveMinimum: 0, description: 'its width' },
          low: { type: 'number', description: 'lower end of the range' },
          high: { type: 'number', description: 'upper end of the range' },
        },
      },
      resample: {
        type: 'object',
        description: 'to other distances between samples; images and volumes linearly, averaged when lowered',
        properties: {
          spacing: perAxis('distance between samples in the unit of the axes (mm)', 'number'),
          rate: { type: 'number', exclusiveMinimum: 0, description: 'sounds and signals: samples a second' },
          size: perAxis('samples along each dimension'),
        },
      },
      crop: {
        type: 'object',
        description: 'a part of it',
        properties: {
          from: perAxis('first sample along each dimension, 0 where absent'),
          to: perAxis('sample after the last, the end where absent'),
          size: perAxis('the middle, at most this many samples along each dimension'),
        },
      },
      pad: {
        type: 'object',
        description: 'more samples around it',
        properties: {
          low: perAxis('samples before the first'),
          high: perAxis('samples after the last'),
          size: perAxis('on both sides, to at least this many samples'),
          multiple: perAxis('on both sides, to a multiple of this many samples'),
          mode: {
            enum: ['constant', 'replicate', 'reflect'],
            description: 'what they hold: value (where absent), the nearest sample, or the field mirrored',
          },
          value: { type: 'number', description: '0 where absent' },
        },
      },
      flip: {
        type: 'object',
        required: ['axes'],
        properties: {
          axes: {
            type: 'array',
            minItems: 1,
            items: { oneOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }] },
            description: 'by name or number',
          },
        },
        description: 'turned round along some axes',
      },
      normalise: {
        type: 'object',
        required: ['method'],
        description: 'values to a common scale',
        properties: {
          method: {
            enum: ['zscore', 'minmax', 'percentile'],
            description:
              'mean 0 and deviation 1; smallest 0 and largest 1; two percentiles 0 and 1 and what is beyond cut off',
          },
          per: {
            enum: ['field', 'channel'],
            description: 'all values together (where absent), or each channel by itself',
          },
          low: { type: 'number', minimum: 0, maximum: 100, description: 'lower percentile, 1 where absent' },
          high: {
            type: 'number',
            minimum: 0,
            maximum: 100,
            description: 'upper percentile, 99 where absent',
          },
        },
      },
      channels: {
        oneOf: [
          { const: 'mono' },
          {
            type: 'array',
            minItems: 1,
            items: { oneOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }] },
          },
        ],
        description:
          'some channels, by their place from 0 or their name (MLII), in this order; or mono, the mean of all',
      },
      logMel: {
        type: 'object',
        description:
          'a sound becomes the levels of bands over time, in dB: mel scale and areas of Slaney, Hann windows, 80 dB of range, as librosa has it; channels are mixed',
        properties: {
          bands: { type: 'integer', minimum: 1, description: '64 where absent' },
          window: {
            type: 'number',
            exclusiveMinimum: 0,
            description: 'length of a frame in s, 0.025 where absent',
          },
          hop: {
            type: 'number',
            exclusiveMinimum: 0,
            description: 'from one frame to the next in s, 0.01 where absent',
          },
          low: { type: 'number', minimum: 0, description: 'lowest frequency in Hz, 0 where absent' },
          high: {
            type: 'number',
            exclusiveMinimum: 0,
            description: 'highest frequency, half the sample rate where absent',
          },
        },
      },
    },
  },
};

/** The header behind a plan, as far as it is known; undefined where the shape is not. */
export function headerOf(plan: ValuePlan): FieldHeader | undefined {
  if (!plan.shape) return undefined;
  const axes =
    (plan.axes as Axis[] | undefined) ??
    plan.shape.slice(0, -1).map((_, a) => ({ name: `axis${a}`, spacing: 1, unit: '' }));
  return {
    kind: (plan.fieldKind as FieldKind | undefined) ?? 'array',
    shape: plan.shape,
    axes,
    source: '',
    valueUnit: (plan.valueUnit as string | undefined) ?? '',
    sampleType: 'float32',
    ...(plan.annotations ? { annotations: plan.annotations as Annotation[] } : {}),
  };
}

/** The plan of a field with this header. */
export function planOfHeader(header: FieldHeader): ValuePlan {
  const { shape, kind, axes, valueUnit, channelNames, annotations } = header;
  const timed = axes.length === 1 && axes[0].unit === 's';
  return {
    kind: 'field',
    shape,
    fieldKind: kind,
    axes,
    valueUnit,
    ...(timed ? { sampleRate: 1 / axes[0].spacing } : {}),
    ...(channelNames ? { channelNames } : {}),
    ...(annotations ? { annotations } : {}),
  };
}

/** The header after the operations; problems are reported at their place below `key`. */
export function checkOperations(
  header: FieldHeader,
  operations: readonly Operation[],
  key: string,
  problem: (problem: Problem) => void,
): FieldHeader | undefined {
  try {
    return planOperations(header, operations);
  } catch (error) {
    if (!(error instanceof NdconvError)) throw error;
    problem({ at: [key, ...((error.fields.at as (string | number)[]) ?? [])], message: error.message });
    return undefined;
  }
}

/** `resample 1 → crop → normalise zscore`, for a line of the plan. */
export const describeOperations = (operations: readonly Operation[]): string =>
  operations
    .map(operation => operationNames.filter(name => operation[name] !== undefined).join(' and '))
    .join(' → ');
