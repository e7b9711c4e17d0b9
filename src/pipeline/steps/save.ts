// `save`: writes a field in the format of the path's extension.

import type { Field } from '../../formats/field.ts';
import { expectWritable, writeField } from '../../formats/index.ts';
import type { Step } from '../step.ts';

interface Parameters {
  input: string;
  path: string;
  sampleType?: Field['sampleType'];
  quality?: number;
}

export const save: Step<Parameters> = {
  name: 'save',
  summary: 'writes a result to a file',
  schema: {
    required: ['input', 'path'],
    properties: {
      input: { reference: ['field'], description: 'what to write' },
      path: { path: 'write', description: 'where, below the output folder; the extension says which format' },
      sampleType: {
        enum: ['uint8', 'int16', 'uint16', 'int24', 'float32'],
        description: 'precision; by default that of the input',
      },
      quality: { type: 'integer', minimum: 1, maximum: 100, description: 'lossy images: 1 to 100' },
    },
  },
  outputs: {},
  check({ params, planOf }) {
    const plan = planOf(params.input);
    if (plan.shape)
      expectWritable({ kind: (plan.fieldKind as Field['kind']) ?? 'array', shape: plan.shape }, params.path);
    return { outputs: {}, lines: [`writes ${params.path}`] };
  },
  async run({ params, valueOf, write, note }) {
    const { input, path, ...options } = params;
    await write(path, async temporary => {
      const { clipped } = await writeField(valueOf<Field>(input), temporary, {
        ...options,
        target: path,
        note,
      });
      if (clipped > 0) note(`${path}: ${clipped} samples outside the range of the file were set to its ends`);
    });
    return {};
  },
};
