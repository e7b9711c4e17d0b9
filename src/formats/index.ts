// Reading and writing fields whatever the format: the table of formats, detection by content, the checks that hold
// for all of them, and replacing a file only when its successor is complete. Libraries are loaded by the formats on
// first use, so that importing this costs nothing.

import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { NdconvError } from '../errors.ts';
import { expectSizes, readHead } from './bytes.ts';
import { csv } from './csv.ts';
import { dicom, dicomFilesIn } from './dicom.ts';
import { edf } from './edf.ts';
import type { Field, FieldKind } from './field.ts';
import { flac } from './flac.ts';
import {
  type FieldHeader,
  type Format,
  formatError,
  type ReadOptions,
  reasonOf,
  type WriteOptions,
} from './format.ts';
import { jpeg } from './jpeg.ts';
import { metaimage } from './metaimage.ts';
import { mp3 } from './mp3.ts';
import { netpbm } from './netpbm.ts';
import { nifti } from './nifti.ts';
import { npy } from './npy.ts';
import { npz } from './npz.ts';
import { nrrd } from './nrrd.ts';
import { ogg } from './ogg.ts';
import { png } from './png.ts';
import { safetensors } from './safetensors.ts';
import { extremesOf, findNonFinite } from './samples.ts';
import { tiff } from './tiff.ts';
import { wav } from './wav.ts';
import { webp } from './webp.ts';
import { wfdb } from './wfdb.ts';

export type { FieldHeader, Format, ReadOptions, WriteOptions } from './format.ts';

/** Every format; those with weak magic bytes come last. A new one is one line here and one file. */
export const formats = {
  wav,
  flac,
  ogg,
  png,
  jpeg,
  webp,
  tiff,
  netpbm,
  nifti,
  nrrd,
  metaimage,
  dicom,
  npy,
  npz,
  safetensors,
  edf,
  wfdb,
  mp3,
  csv,
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof formats;

const all: readonly Format[] = Object.values(formats);

/** What `ndconv formats` shows. */
export interface FormatInfo {
  name: string;
  kinds: readonly FieldKind[];
  extensions: readonly string[];
  summary: string;
  reads: boolean;
  writes: boolean;
  readOptions: readonly string[];
  writeOptions: readonly string[];
}

/** Every format with what it can do. */
export function listFormats(): FormatInfo[] {
  return all.map(
    ({ name, kinds, extensions, summary, read, encode, readOptions = [], writeOptions = [] }) => ({
      name,
      kinds,
      extensions,
      summary,
      reads: read !== undefined,
      writes: encode !== undefined,
      readOptions,
      writeOptions,
    }),
  );
}

/** The format that a path's extension stands for. */
export function formatOfPath(path: string): Format | undefined {
  const name = basename(path).toLowerCase();
  return all.find(format =>
    format.extensions.some(extension => name.endsWith(extension) && name.length > extension.length),
  );
}

/** Extensions that can be written, for fields of a kind where one is given. */
export function writableExtensions(kind?: FieldKind): string[] {
  return all
    .filter(({ encode, kinds }) => encode && (!kind || kinds.includes(kind)))
    .flatMap(({ extensions }) => extensions);
}

/** The format of an existing file or folder, by content. Errors: FormatError. */
export async function detectFormat(path: string): Promise<Format> {
  const found = await stat(path).catch(cause => cause as NodeJS.ErrnoException);
  if (found instanceof Error) throw await missingFile(path, found);
  if (found.isDirectory()) {
    if ((await dicomFilesIn(path)).length > 0) return dicom;
    throw formatError(
      path,
      'is a folder without DICOM files',
      'name a file, or a folder that holds a DICOM series',
    );
  }
  if (found.size === 0) throw formatError(path, 'is empty (0 bytes)', 'copy or export it again');
  const head = await readHead(path).catch(cause => {
    throw formatError(path, `cannot be read (${reasonOf(cause)})`, 'check its rights', {}, cause);
  });
  const named = formatOfPath(path);
  if (named?.detect(head, path)) return named;
  const actual = all.find(format => format.detect(head, path));
  if (actual && !named) return actual;
  if (actual)
    throw formatError(
      path,
      `is named as ${named?.name} but holds ${actual.name} data`,
      `rename it to ${basename(path).replace(/(\.nii\.gz|\.[^.]*)$/i, '')}${actual.extensions[0]}, or use the file that was meant`,
      { named: named?.name, actual: actual.name },
    );
  const known = all.flatMap(({ extensions }) => extensions).join(' ');
  if (named)
    throw formatError(
      path,
      `does not begin as a ${named.name} file does`,
      'it is truncated, damaged or of another format: copy or export it again',
      { named: named.name },
    );
  throw formatError(path, 'is in no format that is known here', `convert it to one of ${known}`);
}

async function missingFile(path: string, cause: NodeJS.ErrnoException): Promise<NdconvError> {
  if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR')
    return formatError(path, `cannot be read (${reasonOf(cause)})`, 'check its rights', {}, cause);
  const folder = dirname(path);
  const plain = (name: string) => name.toLowerCase().replace(/\.[^.]*$/, '');
  const names = await readdir(folder).catch(() => undefined);
  if (!names)
    return formatError(path, `does not exist, nor does the folder ${folder}`, 'check the path', {}, cause);
  const like = names.find(name => plain(name) === plain(basename(path)));
  return formatError(
    path,
    'does not exist',
    like ? `did you mean ${join(folder, like)}` : 'check the path',
    {},
    cause,
  );
}

/** Refuses options that the format does not know, so that none silently does nothing. */
function expectOptions(
  path: string,
  format: Format,
  options: object,
  general: string[],
  own: readonly string[] = [],
): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || general.includes(name) || own.includes(name)) continue;
    throw formatError(
      path,
      `option ${name} has no effect on ${format.name}`,
      own.length > 0 ? `leave it out; ${format.name} knows ${own.join(', ')}` : 'leave it out',
      { option: name, format: format.name },
    );
  }
}

async function openFormat(
  path: string,
  options: ReadOptions,
): Promise<Format & Required<Pick<Format, 'read'>>> {
  const format = await detectFormat(path);
  if (!format.read) throw formatError(path, `${format.name} files can be written but not read`, 'convert it');
  expectOptions(path, format, options, ['allowNaN', 'note'], format.readOptions);
  return format as Format & Required<Pick<Format, 'read'>>;
}

/**
 * Reads a file, or a folder that holds a DICOM series. The format is judged by content and must agree with the
 * extension. Errors: FormatError for a file that is missing, empty, truncated or of another format than named, that
 * holds no samples, or NaN and infinite ones unless `allowNaN`.
 */
export async function readField(path: string, options: ReadOptions = {}): Promise<Field> {
  const format = await openFormat(path, options);
  const field = await format.read(path, options);
  const count = expectSizes(path, field.shape);
  if (count !== field.data.length)
    throw new Error(
      `${format.name}: shape ${field.shape.join('×')} does not fit ${field.data.length} samples`,
    );
  const { count: bad, first } = options.allowNaN ? { count: 0, first: 0 } : findNonFinite(field.data);
  if (bad > 0)
    throw formatError(
      path,
      `${bad} of its ${count} samples are NaN or infinite, the first at index ${indexOf(first, field.shape)} of shape ${field.shape.join('×')}`,
      'repair it, or set allowNaN to read it as it is',
      { count: bad, first },
    );
  return field;
}

/** `[z, y, x, c]` of a flat position. */
function indexOf(flat: number, shape: readonly number[]): string {
  const index: number[] = [];
  for (let axis = shape.length - 1, rest = flat; axis >= 0; axis--) {
    index.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return `[${index.join(', ')}]`;
}

/**
 * What a file holds, without its samples: read from the header where the format has one. The sample type of rescaled
 * data is the stored one, since the rescaled one depends on the samples. Errors: as `readField`, as far as headers tell.
 */
export async function peekField(path: string, options: ReadOptions = {}): Promise<FieldHeader> {
  const format = await openFormat(path, options);
  const header = await format.peek?.(path, options);
  if (header) {
    expectSizes(path, header.shape);
    return header;
  }
  const { data: _, ...rest } = await readField(path, options);
  return rest;
}

/** What `writeField` did. */
export interface WriteResult {
  format: string;
  /** Precision written. */
  sampleType: Field['sampleType'];
  /** Samples outside its range, set to the nearest value in it. */
  clipped: number;
  /** Every file written: `path`, and a data file beside it for .nhdr and .mhd. */
  files: string[];
  bytes: number;
}

/**
 * Writes a field in the format of the extension of `path` (of `options.target` where that is given). The file appears
 * only when complete; a failure leaves what was there. Errors: FormatError for an unknown extension (naming those
 * known), a field that the format cannot hold, and NaN samples.
 */
export async function writeField(
  field: Field,
  path: string,
  options: WriteOptions = {},
): Promise<WriteResult> {
  const target = options.target ?? path;
  const format = expectWritable(field, target);
  expectOptions(target, format, options, ['allowNaN', 'note', 'target'], format.writeOptions);
  if (
    options.quality !== undefined &&
    !(Number.isInteger(options.quality) && options.quality >= 1 && options.quality <= 100)
  )
    throw formatError(target, `quality is ${options.quality}`, 'give a whole number from 1 to 100');
  const { count, first } = findNonFinite(field.data);
  const encoded = await encode(format, field, target, options);
  if (count > 0 && !(options.allowNaN && encoded.sampleType.startsWith('float')))
    throw formatError(
      target,
      `${count} of ${field.data.length} samples to be written are NaN or infinite, the first at index ${indexOf(first, field.shape)}`,
      encoded.sampleType.startsWith('float')
        ? 'set allowNaN to write them'
        : `${encoded.sampleType} cannot hold them: write float32 with allowNaN`,
      { count, first },
    );
  noteRounding(field, target, encoded.sampleType, options);
  if (field.annotations?.length && !format.keepsAnnotations)
    options.note?.(
      `${target}: ${format.name} keeps no annotations, and the ${field.annotations.length} of this ${field.kind} are left out; save as .hea or .npz to keep them`,
    );
  const files: string[] = [];
  let bytes = 0;
  for (const { name, parts } of encoded.beside ?? []) {
    const besidePath = join(dirname(path), name);
    bytes += await replaceFile(besidePath, parts);
    files.push(besidePath);
  }
  bytes += await replaceFile(path, encoded.parts);
  files.unshift(path);
  return { format: format.name, sampleType: encoded.sampleType, clipped: encoded.clipped, files, bytes };
}

/** The format that will write this field to this path. Errors: FormatError, as `writeField`. Can be asked beforehand. */
export function expectWritable(field: Pick<Field, 'kind' | 'shape'>, target: string): Format {
  const format = formatOfPath(target);
  const advice = `for ${field.kind} data use ${writableExtensions(field.kind).join(' ')}`;
  if (!format) throw formatError(target, 'its extension names no format that is known here', advice);
  if (!format.encode) throw formatError(target, `${format.name} files can be read but not written`, advice);
  if (!format.kinds.includes(field.kind)) {
    const size = field.shape.join('×');
    throw formatError(
      target,
      `${format.name} holds ${format.kinds.join(', ')} data, and this is ${field.kind} of shape ${size}`,
      advice,
    );
  }
  return format;
}

/** Warns where values of a volume or array fall between the few integers that its range holds. */
function noteRounding(
  field: Field,
  target: string,
  type: Field['sampleType'],
  { note, sampleType }: WriteOptions,
): void {
  if (!note || sampleType || type.includes('float') || (field.kind !== 'volume' && field.kind !== 'array'))
    return;
  const [low, high] = extremesOf(field.data);
  if (high - low > 50 || field.data.every(value => Math.abs(value - Math.round(value)) < 1e-3)) return;
  note(`${target}: values between ${low} and ${high} are rounded to ${type}; sampleType: float32 keeps them`);
}

async function encode(format: Format, field: Field, target: string, options: WriteOptions) {
  const count = field.shape.reduce((a, b) => a * b, 1);
  if (count !== field.data.length || field.axes.length !== field.shape.length - 1 || count === 0)
    throw formatError(
      target,
      `the field to be written has shape ${field.shape.join('×')}, ${field.axes.length} axes and ${field.data.length} samples, which do not fit together`,
      'give as many samples as the shape says and one axis per spatial dimension',
    );
  try {
    return await format.encode!(field, target, options);
  } catch (cause) {
    if (cause instanceof NdconvError) throw cause;
    throw formatError(
      target,
      `cannot be written as ${format.name} (${reasonOf(cause)})`,
      'use another format',
      {},
      cause,
    );
  }
}

/** Writes a file aside and renames it over `path`; returns its size. On failure nothing is left behind. */
async function replaceFile(path: string, parts: readonly Uint8Array[]): Promise<number> {
  const aside = `${path}.${randomBytes(4).toString('hex')}.partial`;
  let bytes = 0;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(aside, 'wx');
    try {
      for (const part of parts) {
        await file.writeFile(part);
        bytes += part.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
    return bytes;
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => {});
    throw formatError(
      path,
      `cannot be written (${reasonOf(cause)})`,
      'check the folder, its rights and the free space',
      {},
      cause,
    );
  }
}
