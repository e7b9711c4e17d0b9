// EDF, EDF+ and BDF recordings (EEG, sleep, ECG), in only: signals in physical units and, of an EDF+, the annotations.
// One field holds one sample rate; which is chosen in signal-rates.ts. Recordings with interruptions are refused at the
// place of the first, since a field has none. Source: as in edf-header.ts.

import { expectBytes, expectSizes, readHead, readWhole, sizeOf } from './bytes.ts';
import { type EdfHeader, isEdf, parseEdfHeader } from './edf-header.ts';
import type { Annotation, Field } from './field.ts';
import { type FieldHeader, type Format, formatError, type ReadOptions } from './format.ts';
import { decodeSamples } from './samples.ts';
import { namesAndUnit, signalsOfOneRate } from './signal-rates.ts';

/** Most signals whose header is read at once: 256 bytes each. */
const longestHeader = 256 * 4097;

interface Described {
  edf: EdfHeader;
  records: number;
  /** Indices of the signals that are read. */
  kept: number[];
  header: FieldHeader;
}

function describe(path: string, head: Uint8Array, size: number, { entry, note }: ReadOptions): Described {
  const edf = parseEdfHeader(path, head);
  const held = Math.floor((size - edf.size) / edf.recordSize);
  const records = edf.records ?? held;
  expectBytes(
    path,
    records * edf.recordSize,
    size - edf.size,
    `${records} data records of ${edf.recordSize} bytes`,
  );
  const sampled = edf.signals.flatMap(({ annotations }, at) => (annotations ? [] : [at]));
  if (sampled.length === 0 || !(edf.duration > 0))
    throw formatError(
      path,
      `holds ${sampled.length} signals in records of ${edf.duration} s, so no samples over time`,
      'use the recording that these annotations belong to',
    );
  const signals = sampled.map(at => edf.signals[at]);
  const kept = signalsOfOneRate(path, signals, entry, note).map(at => sampled[at]);
  const { perFrame } = edf.signals[kept[0]];
  const shape = [records * perFrame, kept.length];
  expectSizes(path, shape, 'samples × signals');
  const header: FieldHeader = {
    kind: 'signal',
    shape,
    axes: [{ name: 'time', spacing: edf.duration / perFrame, unit: 's' }],
    source: path,
    sampleType: 'float32',
    ...namesAndUnit(kept.map(at => edf.signals[at])),
  };
  return { edf, records, kept, header };
}

/** One time-stamped list: `+onset␕duration␔text␔text␔␀`. */
interface TimedList {
  onset: number;
  duration?: number;
  texts: string[];
}

/** The lists of one annotation signal in one record. Errors: FormatError. */
function timedLists(path: string, record: number, bytes: Uint8Array): TimedList[] {
  const lists: TimedList[] = [];
  // Lists end with a zero byte, and zeros fill the rest.
  for (const part of Buffer.from(bytes).toString('utf8').split('\0')) {
    if (part === '') continue;
    const [times, ...texts] = part.split('\x14');
    const [onset, duration] = times.split('\x15');
    if (texts.length === 0 || !/^[+-]\d+(\.\d*)?$/.test(onset) || !/^(\d+(\.\d*)?)?$/.test(duration ?? ''))
      throw formatError(
        path,
        `its annotations in data record ${record + 1} are not as EDF+ has them ("${part.slice(0, 40)}")`,
        'the file is damaged: copy or export it again',
        { record },
      );
    lists.push({
      onset: Number(onset),
      ...(duration ? { duration: Number(duration) } : {}),
      texts: texts.filter(text => text !== ''),
    });
  }
  return lists;
}

/** The annotations of the whole file. Errors: FormatError where records do not follow each other. */
function readTimedLists(path: string, bytes: Uint8Array, { edf, records }: Described): Annotation[] {
  const signals = edf.signals.filter(({ annotations }) => annotations);
  const found: Annotation[] = [];
  let begin = 0;
  for (let record = 0; record < records; record++) {
    for (const [which, { start, perFrame }] of signals.entries()) {
      const from = edf.size + record * edf.recordSize + start;
      const lists = timedLists(path, record, bytes.subarray(from, from + perFrame * edf.width));
      if (which === 0) {
        // The first list of the first annotation signal says when the record begins.
        const time = lists[0]?.onset ?? begin + record * edf.duration;
        if (record === 0) begin = time;
        const late = time - begin - record * edf.duration;
        if (Math.abs(late) > 1e-3 * Math.max(1, edf.duration))
          throw formatError(
            path,
            `it was interrupted: data record ${record + 1} begins at ${time} s instead of ${Number((time - late).toFixed(6))} s`,
            'split it where it was interrupted, or fill the gap, with an EDF editor',
            { record, time },
          );
      }
      for (const { onset, duration, texts } of lists)
        for (const label of texts)
          found.push({ at: onset - begin, label, ...(duration === undefined ? {} : { duration }) });
    }
  }
  return found.sort((a, b) => a.at - b.at);
}

async function read(path: string, options: ReadOptions): Promise<Field> {
  const bytes = await readWhole(path);
  const described = describe(path, bytes, bytes.length, options);
  const { edf, records, kept, header } = described;
  const channels = kept.length;
  const data = new Float32Array(header.shape[0] * channels);
  for (const [channel, at] of kept.entries()) {
    const { start, perFrame, scale, offset } = edf.signals[at];
    for (let record = 0, to = channel; record < records; record++) {
      const from = edf.size + record * edf.recordSize + start;
      const part = bytes.subarray(from, from + perFrame * edf.width);
      const values = decodeSamples(part, edf.width === 3 ? 'int24' : 'int16', perFrame, { scale, offset });
      for (let i = 0; i < perFrame; i++, to += channels) data[to] = values[i];
    }
  }
  const marked = edf.signals.some(({ annotations }) => annotations);
  return { ...header, data, ...(marked ? { annotations: readTimedLists(path, bytes, described) } : {}) };
}

export const edf: Format = {
  name: 'edf',
  kinds: ['signal'],
  extensions: ['.edf', '.bdf'],
  summary: 'EDF, EDF+ (with its annotations) and BDF recordings; in only',
  readOptions: ['entry'],
  detect: isEdf,
  peek: async (path, options) =>
    describe(path, await readHead(path, longestHeader), await sizeOf(path), options).header,
  read,
};
