// Annotations of WFDB records in the MIT format (.atr, .qrs …): beats, rhythms and remarks, each at a sample. Read into a
// table and written from one. Source: annot(5) of the WFDB Applications Guide, "MIT format"; ecgcodes.h for the codes.

import { latin, viewOf } from './bytes.ts';
import { formatError } from './format.ts';

/** One annotation as the file has it. */
export interface WfdbAnnotation {
  /** Index of the sample (of the frame, where signals differ in rate). */
  sample: number;
  /** 'N' normal beat, 'V' premature ventricular contraction, '+' change of rhythm … */
  symbol: string;
  subtype: number;
  /** The signal it belongs to. */
  channel: number;
  /** A number free for the annotator's use. */
  number: number;
  /** Text beside it, '(AFIB'. */
  text: string;
}

/** Symbols by code; codes without one are kept as their number. */
const symbols: readonly (string | undefined)[] = [
  ...[undefined, 'N', 'L', 'R', 'a', 'V', 'F', 'J', 'A', 'S', 'E', 'j', '/', 'Q', '~', undefined],
  ...['|', undefined, 's', 'T', '*', 'D', '"', '=', 'p', 'B', '^', 't', '+', 'u', '?', '!'],
  ...['[', ']', 'e', 'n', '@', 'x', 'f', '(', ')', 'r'],
];

const code = { remark: 22, last: 49, skip: 59, number: 60, subtype: 61, channel: 62, text: 63 } as const;

/** Every annotation of a file. Errors: FormatError naming `path` where it ends within one or goes back in time. */
export function readAnnotations(bytes: Uint8Array, path: string): WfdbAnnotation[] {
  const refuse = (at: number, problem: string): never => {
    throw formatError(path, `at byte ${at} ${problem}: it is truncated or damaged`, 'copy it again', {
      offset: at,
    });
  };
  const view = viewOf(bytes);
  const found: WfdbAnnotation[] = [];
  const signed = (value: number): number => (value << 24) >> 24;
  let sample = 0;
  let [channel, number] = [0, 0];
  for (let at = 0; ; ) {
    if (at + 2 > bytes.length) return refuse(at, 'it ends without its end mark');
    const word = view.getUint16(at, true);
    const [kind, value] = [word >> 10, word & 1023];
    at += 2;
    if (word === 0) return found;
    if (kind === code.skip) {
      if (at + 4 > bytes.length) return refuse(at, 'it ends within an interval');
      sample += (view.getInt16(at, true) << 16) | view.getUint16(at + 2, true);
      at += 4;
      continue;
    }
    if (kind >= code.number) {
      const last = found[found.length - 1];
      if (!last) return refuse(at - 2, 'something is said of an annotation before the first');
      if (kind === code.number) last.number = number = signed(value);
      else if (kind === code.subtype) last.subtype = signed(value);
      else if (kind === code.channel) last.channel = channel = signed(value);
      else {
        if (at + value > bytes.length) return refuse(at, 'it ends within a text');
        last.text = latin(bytes, at, at + value).replace(/\0+$/, '');
        at += value + (value & 1);
      }
      continue;
    }
    sample += value;
    if (kind > code.last) return refuse(at - 2, `it has the code ${kind}, which none has`);
    if (sample < 0) return refuse(at - 2, `an annotation lies before the first sample (${sample})`);
    found.push({ sample, symbol: symbols[kind] ?? `[${kind}]`, subtype: 0, channel, number, text: '' });
  }
}

/** The bytes of an annotation file. A label that is no symbol becomes a remark with the label as its text. */
export function encodeAnnotations(
  annotations: readonly Pick<WfdbAnnotation, 'sample' | 'symbol' | 'text'>[],
): Uint8Array {
  const bytes: number[] = [];
  const word = (value: number): void => void bytes.push(value & 255, (value >> 8) & 255);
  let before = 0;
  for (const { sample, symbol, text } of [...annotations].sort((a, b) => a.sample - b.sample)) {
    const numbered = /^\[(\d+)\]$/.exec(symbol);
    const known = numbered ? Number(numbered[1]) : symbols.indexOf(symbol);
    const [kind, said] =
      known > 0 && known <= code.last ? [known, text] : [code.remark, text ? `${symbol}: ${text}` : symbol];
    let step = sample - before;
    if (step > 1023) {
      word(code.skip << 10);
      word(step >> 16);
      word(step);
      step = 0;
    }
    word((kind << 10) | step);
    before = sample;
    if (said === '') continue;
    const letters = Buffer.from(said, 'latin1').subarray(0, 1022);
    word((code.text << 10) | letters.length);
    bytes.push(...letters);
    if (letters.length & 1) bytes.push(0);
  }
  word(0);
  return Uint8Array.from(bytes);
}
