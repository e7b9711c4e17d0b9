// WFDB records (PhysioNet), in and out: the header .hea, the signal files that it names, and the annotations .atr beside
// it. In: formats 16, 24, 32, 61, 80, 160 and 212, values in physical units, checksums compared, samples without a value
// NaN. Out: format 16, with the gain that keeps the values exactly where there is one. The samples or the annotations of
// a record may be named instead of its header. Source: header(5), signal(5), annot(5) of the WFDB Applications Guide.

import { existsSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expectBytes, expectSizes, latin, readRange, readWhole } from './bytes.ts';
import { annotatedSample, type Field, sampleRateOf } from './field.ts';
import { type Encoded, type FieldHeader, type Format, formatError, type ReadOptions } from './format.ts';
import { namesAndUnit, signalsOfOneRate } from './signal-rates.ts';
import { encodeAnnotations, readAnnotations } from './wfdb-annotations.ts';
import { looksLikeHeader, parseWfdbHeader, type WfdbHeader, type WfdbSignal } from './wfdb-header.ts';
import { packings } from './wfdb-samples.ts';

/** Signals that lie in one file, sample by sample of every frame. */
interface Group {
  path: string;
  format: number;
  offset: number;
  /** Indices of its signals, and samples of all of them in a frame. */
  signals: number[];
  perFrame: number;
}

interface Opened {
  record: WfdbHeader;
  groups: Group[];
  frames: number;
  /** Signals that are read. */
  kept: number[];
  header: FieldHeader;
}

const headerPath = (path: string): string => path.replace(/\.(dat|atr)$/i, '.hea');

async function open(named: string, { entry, note }: ReadOptions): Promise<Opened> {
  const path = headerPath(named);
  const record = parseWfdbHeader(path, latin(await readWhole(path)));
  const groups = await groupsOf(path, record.signals);
  const frames = await framesOf(path, record, groups);
  const described = record.signals.map(({ name, unit, perFrame }) => ({ name, unit, perFrame }));
  const kept = signalsOfOneRate(path, described, entry, note);
  const { perFrame } = record.signals[kept[0]];
  if (kept.some(at => record.signals[at].skew > 0))
    note?.(`${path}: its signals are shifted against each other by some samples (skew) and stay so`);
  const rate = record.rate * perFrame;
  const shape = [frames * perFrame, kept.length];
  expectSizes(path, shape, 'samples × signals');
  const header: FieldHeader = {
    kind: 'signal',
    shape,
    axes: [{ name: 'time', spacing: 1 / rate, unit: 's' }],
    source: named,
    sampleType: 'float32',
    ...namesAndUnit(kept.map(at => described[at])),
  };
  const marks = path.replace(/\.hea$/i, '.atr');
  if (marks !== path && existsSync(marks)) {
    const annotations = readAnnotations(await readWhole(marks), marks);
    header.annotations = annotations.map(({ sample, symbol, text }) => ({
      at: sample / record.rate,
      label: symbol,
      ...(text === '' ? {} : { text }),
    }));
  }
  return { record, groups, frames, kept, header };
}

/** Consecutive signals of one file share its frames. */
async function groupsOf(path: string, signals: readonly WfdbSignal[]): Promise<Group[]> {
  const groups: Group[] = [];
  for (const [at, { file, format, offset, perFrame }] of signals.entries()) {
    const inFile = join(dirname(path), file);
    const last = groups[groups.length - 1];
    if (last?.path === inFile) {
      if (last.format !== format)
        throw formatError(
          path,
          `signals ${at} and ${at + 1} lie in ${file} in the formats ${last.format} and ${format}`,
          'repair the header',
        );
      last.signals.push(at);
      last.perFrame += perFrame;
    } else if (groups.some(group => group.path === inFile))
      throw formatError(
        path,
        `the signals that lie in ${file} do not follow each other`,
        'repair the header',
      );
    else groups.push({ path: inFile, format, offset, signals: [at], perFrame });
  }
  for (const { path: file } of groups) {
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile())
      throw formatError(
        path,
        `its samples are in ${basename(file)}, which is not there`,
        'put both files into the same folder',
        { missing: file },
      );
  }
  return groups;
}

/** Frames of the record: what the header says, checked against every file, or what the files hold. */
async function framesOf(path: string, { frames }: WfdbHeader, groups: Group[]): Promise<number> {
  let held = Number.POSITIVE_INFINITY;
  for (const { path: file, format, offset, perFrame } of groups) {
    const { size } = packings[format];
    const have = Math.max(0, (await stat(file)).size - offset);
    if (frames !== undefined) {
      expectSizes(path, [frames, perFrame], 'frames × samples');
      expectBytes(
        file,
        size(frames * perFrame),
        have,
        `${frames} frames of ${perFrame} samples in format ${format}`,
      );
    }
    held = Math.min(held, Math.floor((have / size(2)) * 2) / perFrame);
  }
  return frames ?? Math.floor(held);
}

async function read(named: string, options: ReadOptions): Promise<Field> {
  const { record, groups, frames, kept, header } = await open(named, options);
  const [length, channels] = header.shape;
  const data = new Float32Array(length * channels);
  const lanes = new Map(kept.map((signal, channel) => [signal, channel]));
  for (const { path, format, offset, signals, perFrame } of groups) {
    const packing = packings[format];
    const count = frames * perFrame;
    const stored = packing.decode(await readRange(path, offset, packing.size(count)), count);
    let lane = 0;
    for (const at of signals) {
      const signal = record.signals[at];
      const { gain, baseline, checksum } = signal;
      const channel = lanes.get(at);
      let sum = 0;
      for (let frame = 0, to = channel ?? 0; frame < frames; frame++) {
        for (let i = 0, from = frame * perFrame + lane; i < signal.perFrame; i++, to += channels) {
          const value = stored[from + i];
          sum = (sum + value) | 0;
          if (channel !== undefined)
            data[to] = value === packing.missing ? Number.NaN : (value - baseline) / gain;
        }
      }
      lane += signal.perFrame;
      if (checksum !== undefined && ((sum - checksum) & 0xffff) !== 0)
        throw formatError(
          path,
          `the samples of ${signal.name} add up to ${(sum << 16) >> 16} and its header says ${checksum}: it is damaged`,
          'copy it again, or take the checksum out of the header to read it as it is',
          { sum: (sum << 16) >> 16, checksum },
        );
    }
  }
  return { ...header, data };
}

/** Gains that are usual, so that values which came with one go back as they were. */
const usualGains = [200, 1000, 2000, 10000, 100, 10, 1];

/** The gain that brings a channel into 16 bits: one that keeps every value if there is, else the largest. */
function gainOf(data: Float32Array, channel: number, channels: number): { gain: number; exact: boolean } {
  let most = 0;
  for (let at = channel; at < data.length; at += channels) most = Math.max(most, Math.abs(data[at]));
  const keeps = (gain: number): boolean => {
    for (let at = channel; at < data.length; at += channels)
      if (Math.abs(data[at] * gain - Math.round(data[at] * gain)) > 1e-2) return false;
    return true;
  };
  const gain = usualGains.find(candidate => most * candidate <= 32767 && keeps(candidate));
  if (gain) return { gain, exact: true };
  return { gain: Number((32760 / most).toPrecision(6)), exact: false };
}

async function encode(
  field: Field,
  target: string,
  { note }: Parameters<NonNullable<Format['encode']>>[2],
): Promise<Encoded> {
  const name = basename(target).replace(/\.hea$/i, '');
  if (!/^[\w-]+$/.test(name))
    throw formatError(
      target,
      'a WFDB record is named with letters, digits, _ and - only',
      'choose another file name',
    );
  const rate = sampleRateOf(field);
  const [length, channels] = field.shape;
  if (field.shape.length !== 2 || !(rate > 0))
    throw formatError(
      target,
      `wfdb holds samples over time, and this ${field.kind} has shape ${field.shape.join('×')} and no sample rate`,
      'save it in another format, for instance .npz',
    );
  const unit = field.valueUnit.replaceAll(/\s/g, '_');
  const stored = new Int16Array(field.data.length);
  const lines = [`${name} ${channels} ${Number(rate.toPrecision(12))} ${length}`];
  let rounded = 0;
  for (let channel = 0; channel < channels; channel++) {
    const { gain, exact } = gainOf(field.data, channel, channels);
    if (!exact) rounded = Math.max(rounded, 1 / gain);
    let sum = 0;
    for (let at = channel; at < stored.length; at += channels) {
      stored[at] = Math.round(field.data[at] * gain);
      sum = (sum + stored[at]) | 0;
    }
    const label = field.channelNames?.[channel]?.replaceAll(/\s+/g, ' ') ?? `signal ${channel + 1}`;
    lines.push(
      `${name}.dat 16 ${gain}(0)/${unit || 'NU'} 16 0 ${stored[channel]} ${(sum << 16) >> 16} 0 ${label}`,
    );
  }
  if (rounded > 0)
    note?.(`${target}: values are rounded to 16 bits, steps of ${Number(rounded.toPrecision(2))} ${unit}`);
  const bytes = new Uint8Array(stored.buffer);
  const beside = [{ name: `${name}.dat`, parts: [bytes] }];
  if (field.annotations) {
    const table = field.annotations.map(annotation => ({
      sample: Math.max(0, annotatedSample(field, annotation)),
      symbol: annotation.label,
      text: annotation.text ?? '',
    }));
    beside.push({ name: `${name}.atr`, parts: [encodeAnnotations(table) as Uint8Array<ArrayBuffer>] });
  }
  return {
    parts: [Buffer.from(`${lines.join('\n')}\n`, 'latin1')],
    beside,
    sampleType: 'int16',
    clipped: 0,
  };
}

/** Whether a signal or annotation file has a header beside it. */
function hasHeader(path: string): boolean {
  const header = headerPath(path);
  try {
    return (
      header !== path && existsSync(header) && looksLikeHeader(latin(readFileSync(header)).slice(0, 4096))
    );
  } catch {
    return false;
  }
}

export const wfdb: Format = {
  name: 'wfdb',
  kinds: ['signal'],
  extensions: ['.hea'],
  summary: 'signals with annotations (PhysioNet): formats 16, 24, 32, 61, 80, 160, 212 in; 16 out',
  readOptions: ['entry'],
  keepsAnnotations: true,
  detect: (head, path) => looksLikeHeader(latin(head)) || hasHeader(path),
  peek: async (path, options) => (await open(path, options)).header,
  read,
  encode,
};
