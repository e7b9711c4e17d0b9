// Headers of WFDB records (.hea): lines of text that say where the samples lie and what they mean. Everything that later
// code multiplies or allocates with is checked here. Source: header(5) of the WFDB Applications Guide.

import { formatError } from './format.ts';
import { packings } from './wfdb-samples.ts';

export interface WfdbSignal {
  /** Name of the file with the samples, in the header's folder. */
  file: string;
  format: number;
  perFrame: number;
  skew: number;
  /** Bytes before the first sample. */
  offset: number;
  /** Stored units in one physical unit, and the stored value of physical zero. */
  gain: number;
  baseline: number;
  unit: string;
  checksum?: number;
  name: string;
}

export interface WfdbHeader {
  name: string;
  /** Frames a second. */
  rate: number;
  /** Frames, where the header says so. */
  frames?: number;
  signals: WfdbSignal[];
}

const recordLine = /^(\S+)\s+(\d+)(?:\s+(\S+))?(?:\s+(\d+))?(?:\s.*)?$/;
const signalLine = /^(\S+)\s+(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?(?:\s+(.*))?$/;
const gainField = /^([-+.\deE]+)(?:\(([-+]?\d+)\))?(?:\/(\S+))?$/;

/** Lines that say something. */
const linesOf = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'));

/** Whether a text starts as a header does: a record line and, unless it has no signals, a signal or segment line. */
export function looksLikeHeader(text: string): boolean {
  if (/[^\t\r\n -~\x80-\xff]/.test(text)) return false;
  const [first, second] = linesOf(text);
  const record = first === undefined ? null : recordLine.exec(first);
  if (!record || !/^[\w./-]+$/.test(record[1]) || !/[\d.]/.test(record[3] ?? '1')) return false;
  if (Number(record[2]) === 0) return record[3] !== undefined;
  return second !== undefined && (signalLine.test(second) || record[1].includes('/'));
}

/** Reads a header. Errors: FormatError naming `path` and the line. */
export function parseWfdbHeader(path: string, text: string): WfdbHeader {
  const lines = linesOf(text);
  const refuse = (problem: string, remedy = 'repair the header or copy it again'): never => {
    throw formatError(path, problem, remedy);
  };
  const record = recordLine.exec(lines[0] ?? '');
  if (!record) return refuse(`its first line "${(lines[0] ?? '').slice(0, 60)}" does not describe a record`);
  const [, name, signalCount, rateField = '250', frames] = record;
  const count = Number(signalCount);
  if (name.includes('/'))
    return refuse('is a record of several segments', 'name the header of one of its segments');
  if (count === 0) return refuse('describes no signals', 'use a record that holds signals');
  if (count > 4096) return refuse(`announces ${count} signals, and at most 4096 are read`);
  if (lines.length < 1 + count)
    return refuse(`announces ${count} signals but describes ${lines.length - 1}: it is truncated`);
  const rate = Number.parseFloat(rateField);
  if (!(rate > 0 && Number.isFinite(rate))) return refuse(`its sample rate is ${rateField}`);
  return {
    name,
    rate,
    frames: Number(frames) > 0 ? Number(frames) : undefined,
    signals: lines.slice(1, 1 + count).map((line, at) => parseSignal(line, at, refuse)),
  };
}

function parseSignal(
  line: string,
  at: number,
  refuse: (problem: string, remedy?: string) => never,
): WfdbSignal {
  const parts = signalLine.exec(line);
  if (!parts) return refuse(`the line "${line.slice(0, 60)}" does not describe signal ${at + 1}`);
  const [, file, format, perFrame = '1', skew = '0', offset = '0', rest = ''] = parts;
  if (file === '-' || /[/\\\0]/.test(file) || file === '..')
    return refuse(
      `its samples are in "${file}", which is no file name`,
      'put them into the folder of the header',
    );
  if (!packings[Number(format)])
    return refuse(
      `its samples are in format ${format}, and ${Object.keys(packings).join(', ')} are read`,
      'convert the record with xform -f 16',
    );
  const [gainText, , zero, , checksum, , ...words] = rest.split(/\s+/).filter(word => word !== '');
  const field = gainText === undefined ? null : gainField.exec(gainText);
  if (gainText !== undefined && !field) return refuse(`the gain of signal ${at + 1} is "${gainText}"`);
  const adcZero = Number.parseInt(zero ?? '0', 10);
  // A gain of 0 or none means that the signal was not calibrated: 200 units a millivolt are usual.
  const gain = Number(field?.[1] ?? 0) || 200;
  const baseline = field?.[2] === undefined ? adcZero : Number(field[2]);
  const frameSamples = Number(perFrame);
  if (!Number.isFinite(gain) || !Number.isFinite(baseline))
    return refuse(`the gain of signal ${at + 1} is "${rest.slice(0, 40)}"`);
  if (!(frameSamples >= 1 && frameSamples <= 1e6 && Number(offset) < 2 ** 40))
    return refuse(`the line "${line.slice(0, 60)}" describes impossible sizes`);
  const sum = Number.parseInt(checksum ?? '', 10);
  return {
    file,
    format: Number(format),
    perFrame: frameSamples,
    skew: Number(skew),
    offset: Number(offset),
    gain,
    baseline,
    unit: field?.[3] ?? 'mV',
    ...(Number.isNaN(sum) ? {} : { checksum: sum }),
    name: words.join(' ') || `signal ${at + 1}`,
  };
}
