// `load`: reads a sound, signal, image, volume or array from a file and prepares it for a run: a part of it, some of
// its channels, a smaller size, another sample rate. What the file says of its numbers and its grid stays with it.

import { stat } from 'node:fs/promises';
import { channelsOf, type Field, type FieldKind, sampleRateOf, spatialOf } from '../../formats/field.ts';
import {
  detectFormat,
  type FieldHeader,
  peekField,
  type ReadOptions,
  readField,
} from '../../formats/index.ts';
import { shrink, shrunkShape } from '../../formats/shrink.ts';
import { excerpt, excerptHeader, pickChannels, pickHeader, type Range } from '../../prepare/excerpt.ts';
import { listNames } from '../nearest.ts';
import { sourceName } from '../short-path.ts';
import type { CheckContext, Problem, Step } from '../step.ts';

interface Parameters {
  path: string;
  kind?: FieldKind;
  sampleRate?: number;
  channelsLast?: boolean;
  entry?: string;
  series?: string;
  alpha?: 'drop' | 'keep';
  allowNaN?: boolean;
  start?: number;
  duration?: number;
  crop?: number[][];
  channels?: 'mono' | (number | string)[];
  size?: number;
  resample?: number;
}

const article = (kind: FieldKind): string => (/^[ai]/.test(kind) ? `an ${kind}` : `a ${kind}`);

const isTimed = (field: FieldHeader): boolean => field.axes.length === 1 && field.axes[0].unit === 's';

/**
 * How to read the file. Bare arrays do not say what they are: their number of dimensions and the kind that was asked
 * for tell whether the last one holds channels.
 */
async function readOptions(p: Parameters): Promise<ReadOptions> {
  const own: ReadOptions = {};
  if (p.allowNaN !== undefined) own.allowNaN = p.allowNaN;
  if (p.alpha !== undefined) own.alpha = p.alpha;
  if (p.entry !== undefined) own.entry = p.entry;
  if (p.series !== undefined) own.series = p.series;
  const format = await detectFormat(p.path);
  if (!format.readOptions?.includes('kind')) return own;
  if (p.sampleRate !== undefined) own.spacing = [1 / p.sampleRate];
  if (p.channelsLast !== undefined) own.channels = p.channelsLast ? 'last' : 'none';
  if (p.kind === undefined || p.kind === 'array') return own;
  own.kind = p.kind;
  const dimensions = { sound: 1, signal: 1, image: 2, volume: 3 }[p.kind];
  if (p.channelsLast === undefined) {
    const bare = await peekField(p.path, { ...own, kind: 'array', spacing: undefined, channels: 'none' });
    own.channels = bare.shape.length - 1 > dimensions ? 'last' : 'none';
  }
  return own;
}

type Complain = (at: Problem['at'], message: string, candidates?: string[]) => void;

/** Keys that say how to read a bare array have no effect on a file that says it itself. */
async function checkReading(p: Parameters, header: FieldHeader, complain: Complain): Promise<void> {
  const format = await detectFormat(p.path);
  if (format.readOptions?.includes('kind')) {
    if (p.sampleRate !== undefined && header.axes[0]?.unit !== 's') {
      complain(
        ['sampleRate'],
        'has no effect on an array that is no sound or signal; set kind: sound or kind: signal',
      );
    }
    return;
  }
  if (p.kind !== undefined && p.kind !== header.kind) {
    complain(
      ['kind'],
      `the file is ${format.name} and holds ${article(header.kind)}, not ${article(p.kind)}; remove kind`,
    );
  }
  if (p.sampleRate !== undefined) {
    const advice = isTimed(header) ? '; to convert it, write resample' : '; remove it';
    complain(['sampleRate'], `the file says its own rate${advice}`);
  }
  if (p.channelsLast !== undefined)
    complain(['channelsLast'], 'only bare arrays (npy, npz) need it; remove it');
}

/** The box that start, duration and crop take, in samples; undefined where they ask for what is not there. */
function boxOf(header: FieldHeader, p: Parameters, complain: Complain): Range[] | undefined {
  const sizes = header.shape.slice(0, -1);
  const box: [number, number][] = sizes.map(size => [0, size]);
  let fine = true;
  const wrong: Complain = (at, message) => {
    fine = false;
    complain(at, message);
  };
  const timed = isTimed(header);
  if (!timed) {
    for (const key of ['start', 'duration'] as const) {
      if (p[key] !== undefined)
        wrong([key], `${article(header.kind)} has no seconds; take a part of it with crop`);
    }
  } else if (p.start !== undefined || p.duration !== undefined) {
    const rate = sampleRateOf(header as Field);
    const length = sizes[0] / rate;
    const from = Math.round((p.start ?? 0) * rate);
    if (from >= sizes[0]) wrong(['start'], `starts at ${p.start} s, but it ends at ${length.toFixed(2)} s`);
    const to = p.duration === undefined ? sizes[0] : from + Math.max(1, Math.round(p.duration * rate));
    box[0] = [from, Math.min(to, sizes[0])];
  }
  if (p.crop) {
    if (timed) wrong(['crop'], 'a part of a sound or signal is taken with start and duration');
    else if (p.crop.length !== sizes.length) {
      const names = header.axes.map(({ name }) => name).join(', ');
      wrong(
        ['crop'],
        `${p.crop.length} ranges for ${sizes.length} dimensions; give one [from, to] for each of ${names}`,
      );
    } else {
      for (const [axis, [from, to]] of p.crop.entries()) {
        box[axis] = [from, to];
        if (from < to && to <= sizes[axis]) continue;
        wrong(
          ['crop', axis],
          `[${from}, ${to}] is no part of the ${sizes[axis]} samples along ${header.axes[axis].name}: needed is 0 ≤ from < to ≤ ${sizes[axis]}`,
        );
      }
    }
  }
  return fine ? box : undefined;
}

/** Indices of the channels asked for. */
function channelsFrom(header: FieldHeader, p: Parameters, complain: Complain): number[] | 'mono' | undefined {
  if (p.channels === undefined || p.channels === 'mono') return p.channels;
  const names = header.channelNames ?? [];
  const count = channelsOf(header as Field);
  return p.channels.map((wanted, i) => {
    const index = typeof wanted === 'number' ? wanted : names.indexOf(wanted);
    if (index >= 0 && index < count) return index;
    if (typeof wanted === 'number')
      complain(['channels', i], `there is no channel ${wanted}; they are 0 to ${count - 1}`);
    else if (names.length === 0)
      complain(['channels', i], `the channels have no names; they are numbered 0 to ${count - 1}`);
    else complain(['channels', i], `there is no channel ${wanted}; there are ${listNames(names)}`, names);
    return 0;
  });
}

function checkSize(header: FieldHeader, p: Parameters, complain: Complain): void {
  const timed = isTimed(header);
  if (p.size !== undefined && timed) {
    complain(['size'], 'is for images and volumes; shorten a sound or signal with duration or resample');
  }
  if (p.resample !== undefined && !timed)
    complain(['resample'], `${article(header.kind)} has no sample rate; lower size instead`);
}

/** Bytes of a file and samples of a field that a check reads whole: what takes it some hundredths of a second. */
const readAtOnce = { bytes: 8 << 20, samples: 1 << 22 };

/** Reads a small file to its end, so that one that is cut short or holds NaN is found before anything runs. */
async function tryReading(path: string, header: FieldHeader, options: ReadOptions): Promise<void> {
  const samples = header.shape.reduce((a, b) => a * b, 1);
  const found = await stat(path);
  const bytes = found.isDirectory() ? 4 * samples : found.size;
  if (bytes <= readAtOnce.bytes && samples <= readAtOnce.samples) await readField(path, options);
}

/** The header of what `run` will give; shared by check and run so that the two cannot differ. */
async function prepare(p: Parameters, complain: Complain) {
  const options = await readOptions(p);
  const header = await peekField(p.path, options);
  await checkReading(p, header, complain);
  const box = boxOf(header, p, complain);
  const picked = channelsFrom(header, p, complain);
  checkSize(header, p, complain);
  return { options, header, box, picked };
}

export const load: Step<Parameters> = {
  name: 'load',
  summary: 'reads a sound, signal, image, volume or array, or a part of it',
  schema: {
    required: ['path'],
    properties: {
      path: { path: 'read', description: 'the file, or the folder of a DICOM series' },
      start: { type: 'number', minimum: 0, description: 'sounds and signals: seconds to skip' },
      duration: {
        type: 'number',
        exclusiveMinimum: 0,
        costly: true,
        description: 'sounds and signals: seconds to take',
      },
      resample: {
        type: 'number',
        exclusiveMinimum: 0,
        costly: true,
        description: 'sounds and signals: samples a second to convert to',
      },
      size: {
        type: 'integer',
        minimum: 1,
        costly: true,
        description: 'images and volumes: longest side; larger ones are averaged down, smaller ones stay',
      },
      crop: {
        type: 'array',
        minItems: 1,
        items: { type: 'array', items: { type: 'integer', minimum: 0 }, minItems: 2, maxItems: 2 },
        description: 'images, volumes and arrays: [from, to] in samples for each dimension, before size',
      },
      channels: {
        oneOf: [
          { enum: ['mono'] },
          {
            type: 'array',
            minItems: 1,
            items: { oneOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }] },
          },
        ],
        description: 'the channels to keep, by number from 0 or by name; mono is their mean',
      },
      kind: {
        enum: ['sound', 'signal', 'image', 'volume', 'array'],
        description: 'bare arrays (npy, npz, safetensors): what the numbers are',
      },
      sampleRate: {
        type: 'number',
        exclusiveMinimum: 0,
        description: 'bare arrays of kind sound or signal: samples a second',
      },
      channelsLast: {
        type: 'boolean',
        description: 'bare arrays: whether the last dimension holds channels; told from kind where absent',
      },
      entry: { type: 'string', description: 'files of several arrays: the name of the one to read' },
      series: {
        type: 'string',
        description: 'DICOM folders of several series: the one to read, by UID or number',
      },
      alpha: { enum: ['drop', 'keep'], description: 'images: what becomes of transparency' },
      allowNaN: { type: 'boolean', description: 'accept samples that are NaN or infinite' },
    },
  },
  outputs: { value: 'field' },
  async check({ params: p, problem }: CheckContext<Parameters>) {
    let faults = 0;
    const { options, header, box, picked } = await prepare(p, (at, message, candidates) => {
      faults++;
      problem({ at, message: `${at[0]}: ${message}`, candidates });
    });
    if (faults > 0 || !box) return { outputs: { value: { kind: 'field' } } };
    await tryReading(p.path, header, options);
    let result = picked ? pickHeader(excerptHeader(header, box), picked) : excerptHeader(header, box);
    let [{ shape }, rate] = [result, sampleRateOf(header as Field)];
    if (p.size !== undefined) shape = shrunkShape({ ...result, shape }, p.size);
    if (p.resample !== undefined) {
      shape = [Math.ceil((shape[0] * p.resample) / rate), shape[1]];
      rate = p.resample;
      result = { ...result, axes: [{ ...result.axes[0], spacing: 1 / rate }] };
    }
    if (header.kind !== 'array' && shape.slice(0, -1).every(size => size === 1)) {
      const whole = header.shape.slice(0, -1).join('×');
      problem({
        at: ['path'],
        message: `${article(header.kind)} of ${shape.slice(0, -1).join('×')} is one sample, in which there is nothing to see; the file has ${whole}: take more of it, or give a larger one`,
      });
    }
    const bytes = (sizes: number[]) => sizes.reduce((a, b) => a * b, 4);
    const timed = isTimed(header);
    const length = timed ? `, ${(shape[0] / rate).toFixed(2)} s at ${Number(rate.toFixed(3))} Hz` : '';
    return {
      outputs: {
        value: {
          kind: 'field',
          shape,
          fieldKind: header.kind,
          axes: result.axes,
          valueUnit: header.valueUnit,
          ...(timed ? { sampleRate: rate } : {}),
          ...(result.channelNames ? { channelNames: result.channelNames } : {}),
          ...(result.annotations ? { annotations: result.annotations } : {}),
        },
      },
      // The whole file is read before a part of it is taken.
      memory: bytes(header.shape) + bytes(shape),
      lines: [`${header.kind} ${shape.join('×')} ([…space, channels])${length}`],
    };
  },
  async run({ params: p, note }) {
    const refuse: Complain = (at, message) => {
      throw new Error(`load: ${at.join('.')}: ${message}`);
    };
    const { options, box, picked } = await prepare(p, refuse);
    let field = excerpt(await readField(p.path, { ...options, note }), box!);
    if (picked) field = pickChannels(field, picked);
    if (p.size !== undefined) field = shrink(field, p.size);
    if (p.resample !== undefined && p.resample !== sampleRateOf(field)) {
      const { resampleField } = await import('../../signal/resample.ts');
      field = resampleField(field, p.resample);
    }
    if (spatialOf(field).some(size => size < 1)) throw new Error('load: nothing is left of the field');
    return { value: { ...field, source: sourceName(p.path) } };
  },
};
