// `save`: writes a field in the format of the path's extension, with what it knows of its grid and its numbers.

import type { Axis, Field, FieldKind } from '../../formats/field.ts';
import { expectWritable, type Format, writeField } from '../../formats/index.ts';
import type { CheckContext, Step, ValuePlan } from '../step.ts';

interface Parameters {
  input: string;
  path: string;
  sampleType?: Field['sampleType'];
  quality?: number;
  allowNaN?: boolean;
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
    },
  },
  outputs: {},
  async check({ params: p, planOf, problem }: CheckContext<Parameters>) {
    const plan = planOf(p.input);
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
    return { outputs: {}, lines: [`writes ${p.path} (${format.name})`] };
  },
  async run({ params, valueOf, write, note }) {
    const { input, path, ...options } = params;
    await write(path, async temporary => {
      const { clipped, files } = await writeField(valueOf<Field>(input), temporary, {
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
