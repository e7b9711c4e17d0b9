// What a file format is: one plain object in one file of this folder, listed in index.ts. From it follow detection
// by content, `ndconv formats`, the error that names known extensions, and the conformance test. A format reads
// a whole field or its header alone and turns a field into bytes; opening, checking and replacing files on disk is
// done once for all of them in index.ts.

import { NdconvError } from '../errors.ts';
import type { Field, FieldKind } from './field.ts';

/** A field without its samples: what `ndconv check` needs to know of a file. */
export type FieldHeader = Omit<Field, 'data'>;

/** How to read. `allowNaN` and `note` hold for every format; the others only where the format lists them. */
export interface ReadOptions {
  /** Accept samples that are NaN or infinite; they are refused otherwise. */
  allowNaN?: boolean;
  /** Told what a reader chose or left out (transparency dropped, only the first page read …). */
  note?: (message: string) => void;
  /** Images: what becomes of transparency: dropped (the default, the colours as stored) or kept as last channel. */
  alpha?: 'drop' | 'keep';
  /** Files of several arrays: the name of the one to read. Files of several sample rates: a signal of the rate to read. */
  entry?: string;
  /** Bare arrays: whether the last dimension holds channels; by default every dimension is spatial. */
  channels?: 'none' | 'last';
  /** Bare arrays: what the numbers are; 'array' by default. */
  kind?: FieldKind;
  /** Bare arrays: distance between samples along each spatial dimension, in s for sounds and signals, mm for volumes. */
  spacing?: number[];
  /** DICOM: the series to take from a folder that holds several, by its UID or number. */
  series?: string;
}

/** How to write. `note`, `allowNaN` and `target` hold for every format; the others only where the format lists them. */
export interface WriteOptions {
  /** Told what could not be kept (spacing in an npy file, transparency in a jpeg …). */
  note?: (message: string) => void;
  /** Write NaN and infinite samples into a floating-point file; they are refused otherwise. */
  allowNaN?: boolean;
  /** The final path, where `path` is a temporary one that the caller renames; its extension decides the format. */
  target?: string;
  /** Precision to write with; by default the one the field came with, or the nearest that loses nothing. */
  sampleType?: Field['sampleType'];
  /** Lossy images: 1 to 100. */
  quality?: number;
}

export type ReadOption = Exclude<keyof ReadOptions, 'allowNaN' | 'note'>;
export type WriteOption = Exclude<keyof WriteOptions, 'allowNaN' | 'note' | 'target'>;

/** A field turned into the bytes of a file. */
export interface Encoded {
  /** Contents of the file, in order. */
  parts: Uint8Array[];
  /** Further files that belong to it, in the same folder (the samples of an .nhdr, .mhd or .hea header). */
  beside?: { name: string; parts: Uint8Array[] }[];
  sampleType: Field['sampleType'];
  /** Samples outside the range of the sample type, which were set to its nearest value. */
  clipped: number;
}

/** A file format. */
export interface Format {
  name: string;
  /** Kinds of field it holds; the first is what it usually holds. */
  kinds: readonly FieldKind[];
  /** With the dot, lower case; the first is the usual one. */
  extensions: readonly string[];
  /** One line: what can be read and written. */
  summary: string;
  readOptions?: readonly ReadOption[];
  writeOptions?: readonly WriteOption[];
  /** Whether it writes annotations; where it does not, it is said that they are lost. */
  keepsAnnotations?: true;
  /** Whether a file that starts with `head` (up to 4096 bytes) is of this format, judged by its magic bytes. */
  detect(head: Uint8Array, path: string): boolean;
  /** Reads a file. Errors: FormatError naming the path. */
  read?(path: string, options: ReadOptions): Promise<Field>;
  /**
   * Reads the header alone; absent where that is no cheaper than reading. Undefined: not known from the header.
   * Annotations that lie among the samples are left out.
   */
  peek?(path: string, options: ReadOptions): Promise<FieldHeader | undefined>;
  /** Turns a field into bytes; `target` is the path the file will have. */
  encode?(field: Field, target: string, options: WriteOptions): Promise<Encoded>;
}

/** A failure of a file: `path: problem; remedy`. */
export function formatError(
  path: string,
  problem: string,
  remedy: string,
  fields: Record<string, unknown> = {},
  cause?: unknown,
): NdconvError {
  return new NdconvError('FormatError', `${path}: ${problem}; ${remedy}`, { path, ...fields }, cause);
}

/** Text of whatever was thrown, on one line. */
export const reasonOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0].trim() || 'unknown reason';

/** Runs a decoder; whatever it throws becomes a FormatError that says the file is damaged. */
export async function decoding<T>(path: string, format: string, decode: () => T | Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (cause) {
    if (cause instanceof NdconvError) throw cause;
    throw formatError(
      path,
      `cannot be decoded as ${format} (${reasonOf(cause)}), so it is truncated or damaged`,
      'copy or export it again',
      { format },
      cause,
    );
  }
}
