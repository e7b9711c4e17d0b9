// Headers of EDF, EDF+ and BDF files: fixed fields of text. Everything that later code multiplies or allocates with is
// checked here. Source: Kemp et al. 1992 and 2003 (edfplus.info/specs); BDF as BioSemi describes it.

import { latin } from './bytes.ts';
import { formatError } from './format.ts';

export interface EdfSignal {
  name: string;
  unit: string;
  /** Samples in every data record. */
  perFrame: number;
  /** `scale · stored + offset` is the physical value. */
  scale: number;
  offset: number;
  /** Bytes from the start of a data record. */
  start: number;
  /** It holds annotations, no samples. */
  annotations: boolean;
}

export interface EdfHeader {
  /** Bytes before the first data record, and of one record. */
  size: number;
  recordSize: number;
  /** Data records; undefined where the writer did not get to say. */
  records?: number;
  /** Seconds of one record. */
  duration: number;
  /** Bytes of one stored sample: 2, or 3 in BDF. */
  width: 2 | 3;
  signals: EdfSignal[];
}

/** Whether bytes start as one of these files does: the version, and numbers where numbers have to be. */
export const isEdf = (head: Uint8Array): boolean =>
  head.length >= 256 &&
  /^(0 {7}|\xffBIOSEMI)$/.test(latin(head, 0, 8)) &&
  [latin(head, 184, 192), latin(head, 236, 244), latin(head, 244, 252), latin(head, 252, 256)].every(text =>
    /^ *-?[\d.,]+ *$/.test(text),
  );

/** Reads the header from the first bytes of a file. Errors: FormatError naming `path` and the field. */
export function parseEdfHeader(path: string, head: Uint8Array): EdfHeader {
  const refuse = (problem: string): never => {
    throw formatError(path, problem, 'the header is damaged: copy or export it again');
  };
  if (!isEdf(head)) return refuse('its EDF header is incomplete');
  const number = (from: number, length: number, what: string): number => {
    const text = latin(head, from, from + length).trim();
    const value = Number(text.replace(',', '.'));
    return text !== '' && Number.isFinite(value) ? value : refuse(`its ${what} is "${text}"`);
  };
  const size = number(184, 8, 'header size');
  const records = number(236, 8, 'number of data records');
  const duration = number(244, 8, 'duration of a record');
  const count = number(252, 4, 'number of signals');
  if (!(Number.isInteger(count) && count >= 1 && count <= 4096)) return refuse(`it has ${count} signals`);
  if (size !== 256 * (1 + count))
    return refuse(
      `its header is said to be ${size} bytes long, and that of ${count} signals is ${256 * (1 + count)}`,
    );
  if (!(Number.isInteger(records) && records >= -1 && records !== 0))
    return refuse(`it has ${records} data records`);
  if (head.length < size)
    throw formatError(path, 'ends within its header: it is truncated', 'copy or export it again');
  const width = head[0] === 0xff ? 3 : 2;
  // The fields of all signals lie one kind after the other; `before` bytes a signal come before each kind.
  const place = (at: number, before: number, length: number): number => 256 + count * before + at * length;
  let start = 0;
  const signals = Array.from({ length: count }, (_, at): EdfSignal => {
    const text = (before: number, length: number): string =>
      latin(head, place(at, before, length), place(at, before, length) + length).trim();
    const field = (before: number, what: string): number =>
      number(place(at, before, 8), 8, `${what} of signal ${at + 1}`);
    const name = text(0, 16) || `signal ${at + 1}`;
    const perFrame = field(216, 'number of samples');
    if (!(Number.isInteger(perFrame) && perFrame >= 1 && perFrame <= 2 ** 26))
      return refuse(`signal ${at + 1} (${name}) has ${perFrame} samples in a record`);
    const annotations = /^(EDF|BDF) Annotations$/.test(name);
    const [low, high] = annotations ? [0, 1] : [field(104, 'minimum'), field(112, 'maximum')];
    const [least, most] = annotations ? [0, 1] : [field(120, 'stored minimum'), field(128, 'stored maximum')];
    if (least === most) return refuse(`signal ${at + 1} (${name}) has the stored range ${least} to ${most}`);
    // A range of one value says nothing: the numbers stay as they are stored.
    const scale = low === high ? 1 : (high - low) / (most - least);
    const signal: EdfSignal = {
      name,
      unit: text(96, 8).replace(/^uV$/, 'µV'),
      perFrame,
      scale,
      offset: low === high ? 0 : low - scale * least,
      start,
      annotations,
    };
    start += perFrame * width;
    return signal;
  });
  return {
    size,
    recordSize: start,
    ...(records > 0 ? { records } : {}),
    duration,
    width,
    signals,
  };
}
