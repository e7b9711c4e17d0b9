// `save`: writes a field in the format of the path's extension, with what it knows of its grid and its numbers.

import type { Axis, Field, FieldKind } from '../../formats/field.ts';
import type { FieldHeader } from '../../formats/format.ts';
import { expectWritable, type Format, writeField } from '../../formats/index.ts';
import type { Preparation } from '../../prepare/run.ts';
import { undo, undoneShape } from '../../prepare/undo.ts';
import type { CheckContext, Step, ValuePlan } from '../step.ts';

interface Parameters {
  input: string;
  path: string;
  sampleType?: Field['sampleType'];
  quality?: number;
  allowNaN?: boolean;
  undo?: string;
  undoValues?: boolean;
  outside?: number | string;
  nearest?: boolean;
}

/** The plan of what is written: the input, or what it is once the preparation is undone. */
function planUndone(
  { undo: reference, undoValues, outside, nearest }: Parameters,
  plan: ValuePlan,
  { planOf, problem }: Pick<CheckContext<Parameters>, 'planOf' | 'problem'>,
): ValuePlan {
  if (reference === undefined) {
    for (const [key, value] of Object.entries({ undoValues, outside, nearest }))
      if (value !== undefined) problem({ at: [key], message: `'${key}' has no effect without undo` });
    return plan;
  }
  const { input, prepared, changesValues } = planOf(reference) as ValuePlan & {
    input?: FieldHeader;
    prepared?: FieldHeader;
    changesValues?: boolean;
  };
  if (!input || !prepared || !plan.shape) return { kind: 'field' };
  if (changesValues && undoValues === undefined)
    problem({
      at: ['undo'],
      message:
        'the preparation changed the values: write undoValues: true to bring them back (a restyled scan), or undoValues: false to leave those of the result (a mask, features)',
    });
  else if (!changesValues && undoValues !== undefined)
    problem({ at: ['undoValues'], message: 'has no effect: the preparation left the values as they were' });
  try {
    const shape = undoneShape(plan.shape, { input, prepared });
    const other = typeof outside === 'string' ? planOf(outside).shape : undefined;
    if (other && other.join() !== shape.join())
      problem({
        at: ['outside'],
        message: `it has shape ${other.join('×')} and the result ${shape.join('×')}; give the field that was prepared, or a number`,
      });
    return { kind: 'field', shape, fieldKind: input.kind, axes: input.axes };
  } catch (error) {
    problem({ at: ['undo'], message: (error as Error).message });
    return { kind: 'field' };
  }
}

/** A field of one sample per channel, to try whether a format takes its like. */
function sampleOf(plan: ValuePlan): Field {
  const shape = plan.shape!.map((size, axis) => (axis === plan.shape!.length - 1 ? size : 1));
  const axes =
    (plan.axes as Axis[] | undefined) ?? shape.slice(0, -1).map(() => ({ name: '', spacing: 1, unit: '' }));
  return {
    kind: (plan.fieldKind as FieldKind | undefined) ?? 'array',
    shape,
    data: new Float32Array(shape[shape.length - 1]),
    axes,
    source: 'check',
    valueUnit: '',
    sampleType: 'float32',
  };
}

/** Keys of `with` that are options of formats. */
const optionKeys = ['sampleType', 'quality'] as const;

export const save: Step<Parameters> = {
  name: 'save',
  summary: 'writes a result to a file',
  schema: {
    required: ['input', 'path'],
    properties: {
      input: { reference: ['field'], description: 'what to write' },
      path: { path: 'write', description: 'where, below the output folder; the extension says which format' },
      sampleType: {
        enum: ['int8', 'uint8', 'int16', 'uint16', 'int24', 'int32', 'uint32', 'float32', 'float64'],
        description: 'precision; that of the input where the format has it and this is absent',
      },
      quality: { type: 'integer', minimum: 1, maximum: 100, description: 'lossy images: 1 to 100' },
      allowNaN: { type: 'boolean', description: 'write samples that are NaN or infinite' },
      undo: {
        reference: ['preparation'],
        description: 'put it back onto the grid that a step prepare started from: @prepared.undo',
      },
      undoValues: {
        type: 'boolean',
        description: 'with undo: bring values back that a window or normalisation changed; not for masks',
      },
      outside: {
        oneOf: [{ type: 'number' }, { reference: ['field'] }],
        description: 'with undo: what cropping took away: a number (0 where absent) or the field prepared',
      },
      nearest: { type: 'boolean', description: 'with undo: take the nearest sample, for labels' },
    },
  },
  outputs: {},
  async check({ params: p, planOf, problem }: CheckContext<Parameters>) {
    const plan = planUndone(p, planOf(p.input), { planOf, problem });
    if (!plan.shape) return { outputs: {}, lines: [`writes ${p.path}`] };
    const sample = sampleOf(plan);
    const format: Format = expectWritable({ kind: sample.kind, shape: plan.shape }, p.path);
    const options: Pick<Parameters, 'sampleType' | 'quality'> = {};
    for (const key of optionKeys) {
      if (p[key] === undefined) continue;
      if (format.writeOptions?.includes(key)) Object.assign(options, { [key]: p[key] });
      else problem({ at: [key], message: `${key} has no effect on ${format.name}; remove it` });
    }
    try {
      await format.encode!(sample, p.path, options);
    } catch (error) {
      const { message, fields } = error as { message: string; fields?: { sampleType?: unknown } };
      problem({ at: fields?.sampleType === undefined ? ['path'] : ['sampleType'], message });
    }
    const size = p.undo === undefined ? '' : `, ${plan.shape.join('×')} again`;
    const bytes = plan.shape.reduce((a, b) => a * b, 4);
    return {
      outputs: {},
      // Undone axis by axis: the result so far and the next.
      ...(p.undo === undefined ? {} : { memory: 2 * bytes }),
      lines: [`writes ${p.path} (${format.name}${size})`],
    };
  },
  async run({ params, valueOf, write, note }) {
    const { input, path, undo: reference, undoValues: values, outside: beyond, nearest, ...options } = params;
    const outside = typeof beyond === 'string' ? valueOf<Field>(beyond) : beyond;
    const result = valueOf<Field>(input);
    const field =
      reference === undefined
        ? result
        : undo(result, valueOf<Preparation>(reference), { values, outside, nearest });
    await write(path, async temporary => {
      const { clipped, files } = await writeField(field, temporary, {
        ...options,
        target: path,
        note,
      });
      if (clipped > 0)
        note(`${path}: ${clipped} samples lay outside the range of the file and were set to its ends`);
      return files.slice(1);
    });
    return {};
  },
};
