// `load`: reads a sound, image, volume or array from a file, and makes it smaller where asked.

import { type Field, type FieldKind, sampleRateOf } from '../../formats/field.ts';
import { peekField, readField } from '../../formats/index.ts';
import { shrink, shrunkShape } from '../../formats/shrink.ts';
import type { Step } from '../step.ts';

interface Parameters {
  path: string;
  size?: number;
  start?: number;
  duration?: number;
  kind?: FieldKind;
}

function range(field: Pick<Field, 'axes' | 'shape'>, p: Parameters): [number, number] {
  const rate = sampleRateOf(field as Field);
  const from = Math.round((p.start ?? 0) * rate);
  return [
    from,
    p.duration === undefined
      ? field.shape[0]
      : Math.min(field.shape[0], from + Math.round(p.duration * rate)),
  ];
}

export const load: Step<Parameters> = {
  name: 'load',
  summary: 'reads a sound, image, volume or array',
  schema: {
    required: ['path'],
    properties: {
      path: { path: 'read', description: 'the file, or the folder of a DICOM series' },
      size: {
        type: 'integer',
        minimum: 2,
        description: 'longest side of an image or volume; larger ones are averaged down',
      },
      start: { type: 'number', minimum: 0, description: 'sounds: seconds to skip' },
      duration: { type: 'number', exclusiveMinimum: 0, description: 'sounds: seconds to take' },
      kind: {
        enum: ['sound', 'signal', 'image', 'volume', 'array'],
        description: 'bare arrays: what the numbers are',
      },
    },
  },
  outputs: { value: 'field' },
  async check({ params, problem }) {
    const header = await peekField(params.path, params.kind ? { kind: params.kind, channels: 'last' } : {});
    const time = header.axes[0]?.unit === 's';
    let shape = header.shape;
    if ((params.start !== undefined || params.duration !== undefined) && !time)
      problem({
        at: [params.start !== undefined ? 'start' : 'duration'],
        message: `a ${header.kind} has no time to cut: start and duration are for sounds and signals`,
      });
    else if (time) {
      const [from, to] = range(header, params);
      if (from >= to)
        problem({
          at: ['start'],
          message: `start lies behind the end of the sound (${(header.shape[0] * header.axes[0].spacing).toFixed(2)} s)`,
        });
      shape = [Math.max(1, to - from), ...shape.slice(1)];
    }
    if (params.size !== undefined) {
      if (time)
        problem({ at: ['size'], message: 'size is for images and volumes; cut a sound with duration' });
      shape = shrunkShape(shape, params.size);
    }
    return {
      outputs: { value: { kind: 'field', shape, fieldKind: header.kind } },
      lines: [`${header.kind} [${shape}]`],
    };
  },
  async run({ params, note }) {
    let field = await readField(
      params.path,
      params.kind ? { kind: params.kind, channels: 'last', note } : { note },
    );
    if (params.start !== undefined || params.duration !== undefined) {
      const [from, to] = range(field, params);
      const channels = field.shape[field.shape.length - 1];
      field = {
        ...field,
        shape: [to - from, channels],
        data: field.data.slice(from * channels, to * channels),
      };
    }
    return { value: params.size === undefined ? field : shrink(field, params.size) };
  },
};
