// NIfTI-1 and -2, .nii and .nii.gz, in and out, any byte order and numeric type. The header's fields are parsed and
// written by nifti-reader-js; sizes, orientation, units and scaling are judged here. (Chosen over @itk-wasm/image-io,
// which reads the same values but brings 30 MB, cannot read a header alone, and hides units and orientation codes.)
// Four dimensions become `[t, z, y, x, channels]`; the fifth, or RGB samples, become channels. The affine places the
// last three axes; it comes from the sform, else the qform, and is absent where the file states neither.
// Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { NIFTI1, NIFTI2 } from 'nifti-reader-js';
import {
  affineOf,
  type Frame,
  frameOf,
  isUsable,
  lengthOf,
  quaternionOf,
  quaternionSteps,
  scaled,
  type Vector,
  volumeAxes,
} from './affine.ts';
import {
  expectBytes,
  expectInflatable,
  expectSizes,
  gunzipTo,
  inflateHead,
  isGzip,
  readHead,
  readWhole,
  sizeOf,
  startsWith,
  viewOf,
} from './bytes.ts';
import type { Axis, Field } from './field.ts';
import type { Encoded, FieldHeader, Format, ReadOptions, WriteOptions } from './format.ts';
import { decoding, formatError } from './format.ts';
import {
  bytesOf,
  channelsFirst,
  channelsLast,
  chooseSampleType,
  decodeSamples,
  encodeSamples,
  type SampleType,
  type StoredType,
  scaledSampleType,
} from './samples.ts';

const storedTypes: Record<number, { type: StoredType; channels?: number }> = {
  2: { type: 'uint8' },
  4: { type: 'int16' },
  8: { type: 'int32' },
  16: { type: 'float32' },
  64: { type: 'float64' },
  128: { type: 'uint8', channels: 3 },
  256: { type: 'int8' },
  512: { type: 'uint16' },
  768: { type: 'uint32' },
  1024: { type: 'int64' },
  1280: { type: 'uint64' },
  2304: { type: 'uint8', channels: 4 },
};

const writtenTypes = {
  uint8: 2,
  int16: 4,
  int32: 8,
  float32: 16,
  float64: 64,
  int8: 256,
  uint16: 512,
  uint32: 768,
};

/** Factor to millimetres (1, 2, 3) and to seconds (8, 16, 24) of the unit codes. */
const toMillimetres: Record<number, number> = { 1: 1000, 3: 0.001 };
const toSeconds: Record<number, { by: number; unit: string }> = {
  8: { by: 1, unit: 's' },
  16: { by: 1e-3, unit: 's' },
  24: { by: 1e-6, unit: 's' },
  32: { by: 1, unit: 'Hz' },
  40: { by: 1, unit: 'ppm' },
  48: { by: 1, unit: 'rad/s' },
};

const headerSizes = [348, 540] as const;

/** Size of the header that bytes start with (348 or 540), or 0. */
function headerSize(head: Uint8Array): number {
  if (head.length < 348) return 0;
  const view = viewOf(head);
  const size =
    headerSizes.find(size => view.getInt32(0, true) === size || view.getInt32(0, false) === size) ?? 0;
  const magic = size === 348 ? startsWith(head, 'n+1', 344) : startsWith(head, 'n+2', 4);
  return size > 0 && magic && head.length >= size ? size : 0;
}

interface Parsed {
  header: FieldHeader;
  littleEndian: boolean;
  stored: StoredType;
  /** Numbers of one voxel that lie side by side (RGB), and those a whole volume apart (the fifth dimension). */
  interleaved: number;
  planes: number;
  cells: number;
  start: number;
  slope: number;
  intercept: number;
}

async function parse(path: string, head: Uint8Array, { note }: ReadOptions): Promise<Parsed> {
  const size = headerSize(head);
  if (size === 0)
    throw formatError(path, 'its NIfTI header is incomplete: it is truncated', 'copy or export it again');
  const { NIFTI1, NIFTI2 } = await import('nifti-reader-js');
  const nifti = size === 348 ? new NIFTI1() : new NIFTI2();
  await decoding(path, 'nifti', () => nifti.readHeader(head.slice(0, size).buffer as ArrayBuffer));
  const stored = storedTypes[nifti.datatypeCode];
  if (!stored)
    throw formatError(
      path,
      `its data type has code ${nifti.datatypeCode}, which is not read`,
      'convert it to a real numeric type',
      {
        datatype: nifti.datatypeCode,
      },
    );
  const rank = nifti.dims[0];
  if (!(rank >= 1 && rank <= 7))
    throw formatError(path, `it has ${rank} dimensions, and 1 to 7 are possible`, 'export it again');
  const sizes = nifti.dims.slice(1, rank + 1);
  while (sizes.length < 3) sizes.push(1);
  expectSizes(path, sizes);
  if (sizes.slice(5).some(size => size > 1))
    throw formatError(
      path,
      `it has ${rank} dimensions (${sizes.join('×')}), and at most 5 are read`,
      'split it',
    );
  const planes = sizes[4] ?? 1;
  const interleaved = stored.channels ?? 1;
  const spatial = sizes.slice(0, (sizes[3] ?? 1) > 1 ? 4 : 3);
  const shape = [...spatial].reverse().concat(planes * interleaved);
  expectSizes(path, shape);
  const millimetres = toMillimetres[nifti.xyzt_units & 7] ?? 1;
  const time = toSeconds[nifti.xyzt_units & 0x38];
  const leading: Axis[] = spatial[3] ? [timeAxis(nifti.pixDims[4], time)] : [];
  const spacing = [1, 2, 3].map(i => Math.abs(nifti.pixDims[i] || 1) * millimetres) as Vector;
  const frame = frameFromHeader(nifti, head, spacing, millimetres);
  const usable = frame !== undefined && isUsable(frame);
  if (frame && !usable) note?.(`${path}: its orientation is not a usable matrix and is left out`);
  // A slope of 0 means "not scaled"; so does one that is no number.
  const scaledValues =
    Number.isFinite(nifti.scl_slope) && nifti.scl_slope !== 0 && Number.isFinite(nifti.scl_inter);
  const [slope, intercept] = scaledValues && interleaved === 1 ? [nifti.scl_slope, nifti.scl_inter] : [1, 0];
  const header: FieldHeader = {
    kind: 'volume',
    shape,
    axes: volumeAxes(usable ? frame.steps.map(lengthOf) : spacing, 'mm', leading),
    source: path,
    valueUnit: /^ndconv; values in (.+)$/.exec(nifti.description.replace(/\0.*$/, ''))?.[1] ?? '',
    sampleType: scaledSampleType(stored.type, slope, intercept, new Float32Array(0)),
  };
  if (usable) header.affine = affineOf(frame);
  const start = Math.max(nifti.vox_offset, size + 4);
  if (!Number.isInteger(start) || start > 2 ** 31)
    throw formatError(
      path,
      `its samples are said to start at byte ${nifti.vox_offset}`,
      'the header is damaged: export it again',
    );
  const cells = spatial.reduce((a, b) => a * b, 1);
  return {
    header,
    littleEndian: nifti.littleEndian,
    stored: stored.type,
    interleaved,
    planes,
    cells,
    start,
    slope,
    intercept,
  };
}

const timeAxis = (step: number, unit: { by: number; unit: string } | undefined): Axis => ({
  name: 't',
  spacing: step > 0 ? step * (unit?.by ?? 1) : 1,
  unit: unit?.unit ?? '',
});

/** The frame that the header states: sform before qform, none where both are unknown. */
function frameFromHeader(
  nifti: NIFTI1 | NIFTI2,
  head: Uint8Array,
  spacing: Vector,
  millimetres: number,
): Frame | undefined {
  if (nifti.sform_code > 0) {
    // Read here: the library hides the sform where the qform has the larger code.
    const view = viewOf(head);
    const row = (r: number, c: number) =>
      millimetres *
      (headerSize(head) === 348
        ? view.getFloat32(280 + 4 * (4 * r + c), nifti.littleEndian)
        : view.getFloat64(400 + 8 * (4 * r + c), nifti.littleEndian));
    const column = (c: number): Vector => [row(0, c), row(1, c), row(2, c)];
    return { origin: column(3), steps: [column(0), column(1), column(2)] };
  }
  if (nifti.qform_code <= 0) return undefined;
  const offset: Vector = [nifti.qoffset_x, nifti.qoffset_y, nifti.qoffset_z];
  const handed = nifti.pixDims[0] < 0 ? -1 : 1;
  const steps = quaternionSteps(nifti.quatern_b, nifti.quatern_c, nifti.quatern_d, spacing, handed);
  return { origin: scaled(offset, millimetres), steps };
}

/** The start of the file as it is when unpacked. */
const plainHead = (head: Uint8Array): Uint8Array => (isGzip(head) ? inflateHead(head) : head);

/** Bytes the file must have when unpacked, and what they are. */
function bodyOf({ header, stored, planes, interleaved, cells, start }: Parsed): {
  need: number;
  what: string;
} {
  const sizes = [...header.shape].reverse().slice(1).join('×');
  return {
    need: start + cells * planes * interleaved * bytesOf[stored],
    what: `${sizes} voxels of type ${stored}`,
  };
}

async function peek(path: string, options: ReadOptions): Promise<FieldHeader> {
  const head = await readHead(path, 1 << 16);
  const parsed = await parse(path, plainHead(head), options);
  const { need, what } = bodyOf(parsed);
  const size = await sizeOf(path);
  if (isGzip(head)) expectInflatable(path, need, size, what);
  else expectBytes(path, need - parsed.start, size - parsed.start, what);
  return parsed.header;
}

async function read(path: string, options: ReadOptions): Promise<Field> {
  const bytes = await readWhole(path);
  const parsed = await parse(path, plainHead(bytes.subarray(0, 1 << 16)), options);
  const { header, stored, planes, interleaved, cells, start, littleEndian, slope, intercept } = parsed;
  const { need, what } = bodyOf(parsed);
  const all = isGzip(bytes) ? await gunzipTo(path, bytes, need, what) : bytes;
  expectBytes(path, need - start, all.length - start, what);
  const count = cells * planes * interleaved;
  const values = decodeSamples(all.subarray(start), stored, count, {
    littleEndian,
    scale: slope,
    offset: intercept,
  });
  const data = planes > 1 ? planesLast(values, cells, planes, interleaved) : values;
  return { ...header, data, sampleType: scaledSampleType(stored, slope, intercept, data) };
}

/** `[planes, cells, interleaved]` to `[cells, planes · interleaved]`. */
function planesLast(values: Float32Array, cells: number, planes: number, interleaved: number): Float32Array {
  if (interleaved === 1) return channelsLast(values, cells, planes);
  const out = new Float32Array(values.length);
  for (let p = 0, from = 0; p < planes; p++)
    for (let cell = 0; cell < cells; cell++)
      for (let c = 0; c < interleaved; c++) out[(cell * planes + p) * interleaved + c] = values[from++];
  return out;
}

async function encode(field: Field, target: string, options: WriteOptions): Promise<Encoded> {
  const { NIFTI1, NIFTI2 } = await import('nifti-reader-js');
  const sizes = field.shape.slice(0, -1).reverse();
  const channels = field.shape[field.shape.length - 1];
  if (sizes.length > 4)
    throw formatError(
      target,
      `nifti holds up to 4 dimensions and channels, and this ${field.kind} has shape ${field.shape.join('×')}`,
      'save it as .npz or .nrrd',
    );
  const spacing = field.axes.map(axis => axis.spacing).reverse();
  while (sizes.length < (channels > 1 ? 4 : 3)) sizes.push(1);
  if (channels > 1) sizes.push(channels);
  const sampleType = chooseSampleType(
    'nifti',
    field.sampleType,
    options,
    Object.keys(writtenTypes) as SampleType[],
    { int24: 'int32' },
  );
  const long = Math.max(...sizes) > 32767;
  const nifti = long ? new NIFTI2() : new NIFTI1();
  const pad = <T>(values: T[], value: T): T[] => [...values, ...Array<T>(8 - values.length).fill(value)];
  nifti.littleEndian = true;
  nifti.magic = long ? 'n+2\0\r\n\x1a\n' : 'n+1';
  nifti.vox_offset = long ? 544 : 352;
  nifti.dims = pad([sizes.length, ...sizes], 1);
  nifti.datatypeCode = writtenTypes[sampleType as keyof typeof writtenTypes];
  nifti.numBitsPerVoxel = 8 * bytesOf[sampleType];
  nifti.scl_slope = 1;
  nifti.scl_inter = 0;
  // NIfTI has no field for the unit of values; the description is free text of at most 79 characters.
  nifti.description = field.valueUnit ? `ndconv; values in ${field.valueUnit}`.slice(0, 79) : 'ndconv';
  // 1007: the fifth dimension is a vector.
  nifti.intent_code = channels > 1 ? 1007 : 0;
  nifti.xyzt_units =
    (field.axes.at(-1)?.unit === 'mm' ? 2 : 0) | (sizes[3] > 1 ? unitCode(field.axes[0].unit) : 0);
  let handed = 1;
  if (field.affine) {
    const frame = frameOf(field.affine);
    const quaternion = quaternionOf(frame.steps);
    nifti.sform_code = 1;
    nifti.affine = [0, 1, 2].map(row => [...frame.steps.map(step => step[row]), frame.origin[row]]);
    for (const [at, step] of frame.steps.entries()) spacing[at] = lengthOf(step);
    if (quaternion) {
      nifti.qform_code = 1;
      ({ b: nifti.quatern_b, c: nifti.quatern_c, d: nifti.quatern_d, handed } = quaternion);
      [nifti.qoffset_x, nifti.qoffset_y, nifti.qoffset_z] = frame.origin;
    }
  }
  nifti.pixDims = pad([handed, ...spacing.slice(0, 4)], 1);
  const header = new Uint8Array(nifti.toArrayBuffer());
  const cells = field.data.length / channels;
  const { bytes, clipped } = encodeSamples(channelsFirst(field.data, cells, channels), sampleType);
  const parts = [header, bytes];
  const packed = target.toLowerCase().endsWith('.gz');
  return {
    parts: packed ? [await promisify(gzip)(Buffer.concat(parts), { level: 4 })] : parts,
    sampleType,
    clipped,
  };
}

const unitCode = (unit: string): number =>
  Number(Object.entries(toSeconds).find(([, known]) => known.unit === unit)?.[0] ?? 0);

export const nifti: Format = {
  name: 'nifti',
  kinds: ['volume', 'array'],
  extensions: ['.nii.gz', '.nii'],
  summary: 'volumes (NIfTI-1 and -2), all real numeric types and RGB in, orientation and units kept',
  writeOptions: ['sampleType'],
  detect: head => headerSize(plainHead(head)) > 0,
  peek,
  read,
  encode,
};
