// One DICOM file: its elements, parsed and decompressed by daikon, as planes that each know where they lie. Stored
// numbers are unpacked here (bits stored, sign, rescale per plane), without daikon's inversion of MONOCHROME1, which
// is for display and would falsify quantities. Source: DICOM PS3.3, sections C.7.6 and C.11.

import type { Image, Tag } from 'daikon';
import type { Vector } from './affine.ts';
import { expectBytes, expectSizes, readWhole } from './bytes.ts';
import { decoding, formatError } from './format.ts';
import { decodeSamples, type StoredType } from './samples.ts';

/** One image of a file. */
export interface Plane {
  file: DicomFile;
  frame: number;
  /** Position of the first pixel and directions of its rows and columns, LPS+ mm, where stated. */
  position?: Vector;
  orientation?: [Vector, Vector];
  slope: number;
  intercept: number;
}

/** What a file says of all its planes. */
export interface DicomFile {
  path: string;
  image: Image;
  rows: number;
  columns: number;
  /** 1, or 3 for colour. */
  channels: number;
  bitsAllocated: number;
  bitsStored: number;
  signed: boolean;
  /** Distance between rows and between columns, in mm. */
  spacing: [number, number];
  /** Distance between slices as stated, else their thickness. */
  step: number | undefined;
  /** Seconds between the frames of a film. */
  frameTime: number | undefined;
  modality: string;
  valueUnit: string;
  seriesUid: string;
  seriesNumber: string;
  seriesName: string;
  sliceLocation: number | undefined;
  instance: number | undefined;
  planes: Plane[];
}

/** Whether a file starts as DICOM: the magic after a preamble. */
export const isDicom = (head: Uint8Array): boolean =>
  head.length >= 132 && head[128] === 68 && head[129] === 73 && head[130] === 67 && head[131] === 77;

/** First element of this id in an item of a sequence, at any depth. */
function findIn(tag: Tag | undefined, id: string): Tag | undefined {
  if (!tag?.sublist) return undefined;
  const children = tag.value as Tag[];
  return (
    children.find(child => child.id === id && child.value !== null) ??
    children.map(child => findIn(child, id)).find(Boolean)
  );
}

const listOf = (tag: Tag | undefined): unknown[] =>
  Array.isArray(tag?.value) && !tag.sublist ? tag.value : [];
const numbersOf = (tag: Tag | undefined): number[] => listOf(tag).map(Number).filter(Number.isFinite);
const textOf = (tag: Tag | undefined): string =>
  String(listOf(tag)[0] ?? '')
    .replace(/\0/g, '')
    .trim();

const vectorAt = (numbers: number[], at: number): Vector => [numbers[at], numbers[at + 1], numbers[at + 2]];

/** Reads the elements of a file; undefined where it holds no picture (a directory, a report). */
export async function readDicomFile(path: string): Promise<DicomFile | undefined> {
  const { default: daikon } = await import('daikon');
  const bytes = await readWhole(path);
  const image = await decoding(path, 'dicom', () => {
    const parsed = daikon.Series.parseImage(new DataView(bytes.buffer));
    if (!parsed) throw daikon.Series.parserError;
    return parsed;
  });
  const top = (group: number, element: number) => image.tags[daikon.Tag.createId(group, element)];
  const number = (group: number, element: number): number | undefined =>
    numbersOf(image.getTag(group, element))[0];
  const text = (group: number, element: number): string => textOf(image.getTag(group, element));
  const [rows, columns] = [number(0x0028, 0x0010), number(0x0028, 0x0011)];
  if (rows === undefined || columns === undefined) return undefined;
  if (!image.getPixelData())
    throw formatError(
      path,
      'holds no pixel data: it is truncated, or keeps it in a form that is not read',
      'copy or export it again',
    );
  const frames = number(0x0028, 0x0008) ?? 1;
  const file: DicomFile = {
    path,
    image,
    rows,
    columns,
    channels: image.isPalette() ? 3 : (number(0x0028, 0x0002) ?? 1),
    bitsAllocated: image.isPalette() ? 8 : (number(0x0028, 0x0100) ?? 0),
    bitsStored: image.isPalette() ? 8 : (number(0x0028, 0x0101) ?? number(0x0028, 0x0100) ?? 0),
    signed: number(0x0028, 0x0103) === 1,
    spacing: [1, 1],
    step: number(0x0018, 0x0088) || number(0x0018, 0x0050) || undefined,
    frameTime: (number(0x0018, 0x1063) ?? 0) / 1000 || undefined,
    modality: text(0x0008, 0x0060),
    valueUnit: '',
    seriesUid: text(0x0020, 0x000e),
    seriesNumber: text(0x0020, 0x0011),
    seriesName: text(0x0008, 0x103e),
    sliceLocation: numbersOf(top(0x0020, 0x1041))[0],
    instance: numbersOf(top(0x0020, 0x0013))[0],
    planes: [],
  };
  const [between, across] = numbersOf(image.getTag(0x0028, 0x0030) ?? image.getTag(0x0018, 0x1164));
  if (between > 0 && across > 0) file.spacing = [between, across];
  file.valueUnit = file.modality === 'CT' ? 'HU' : file.modality === 'PT' ? text(0x0054, 0x1001) : '';
  expectSizes(path, [columns, rows, frames, file.channels], 'columns × rows × frames × channels');
  refuseUnreadable(file, text(0x0028, 0x0004));
  expectPixels(file, frames);

  const perFrame = top(0x5200, 0x9230);
  const items = perFrame?.sublist ? (perFrame.value as Tag[]).filter(item => item.sublist) : [];
  const shared = top(0x5200, 0x9229);
  for (let frame = 0; frame < frames; frame++) {
    // Per frame, then for all frames, then plainly at the top, where older files have it.
    const find = (group: number, element: number): number[] => {
      const id = daikon.Tag.createId(group, element);
      return numbersOf(findIn(items[frame], id) ?? findIn(shared, id) ?? top(group, element));
    };
    const [position, orientation] = [find(0x0020, 0x0032), find(0x0020, 0x0037)];
    const plane: Plane = {
      file,
      frame,
      slope: find(0x0028, 0x1053)[0] || 1,
      intercept: find(0x0028, 0x1052)[0] ?? 0,
    };
    const ownPosition =
      frames === 1 || findIn(items[frame], daikon.Tag.createId(0x0020, 0x0032)) !== undefined;
    if (ownPosition && position.length === 3) plane.position = vectorAt(position, 0);
    if (orientation.length === 6) plane.orientation = [vectorAt(orientation, 0), vectorAt(orientation, 3)];
    file.planes.push(plane);
  }
  return file;
}

/** Refuses what the numbers of could be misread. */
function refuseUnreadable(
  { path, image, channels, bitsAllocated, bitsStored }: DicomFile,
  photometric: string,
): void {
  const refuse = (what: string): never => {
    throw formatError(
      path,
      `${what}, which is not read`,
      'convert it, for instance with dcmconv or gdcmconv --raw',
    );
  };
  if (![8, 16, 32].includes(bitsAllocated) || bitsStored < 1 || bitsStored > bitsAllocated)
    refuse(`its samples have ${bitsStored} bits in ${bitsAllocated}`);
  if (channels !== 1 && channels !== 3) refuse(`it has ${channels} samples a pixel`);
  if (channels === 3 && bitsAllocated !== 8) refuse(`its colour samples have ${bitsAllocated} bits`);
  if (photometric.startsWith('YBR') && !image.isCompressed())
    refuse(`its colours are ${photometric}, uncompressed`);
}

/** Refuses pixel data that is cut short, or compressed data that cannot hold what the header announces. */
function expectPixels(file: DicomFile, frames: number): void {
  const { path, image, rows, columns, channels, bitsAllocated } = file;
  const value = image.getPixelData()?.value as DataView | undefined;
  const have = value?.byteLength ?? 0;
  const need = rows * columns * frames * channels * (bitsAllocated / 8);
  const what = `${columns}×${rows} pixels in ${frames} frames`;
  if (image.isPalette())
    expectBytes(path, rows * columns * frames, have * (image.isCompressed() ? 1032 : 1), what);
  else expectBytes(path, need, image.isCompressed() ? have * 1032 : have, what);
  if (!image.isCompressedJPEG2000()) return;
  // The decoder gives the first tile only.
  for (const stream of image.getJpegs()) {
    const view = new DataView(stream);
    if (
      stream.byteLength > 40 &&
      (view.getUint32(24) < view.getUint32(8) || view.getUint32(28) < view.getUint32(12))
    )
      throw formatError(
        path,
        'its JPEG 2000 picture is cut into tiles, which is not read',
        'convert it with gdcmconv --raw',
      );
  }
}

/** Writes the samples of every plane of a file, rescaled, into `out`; `at` gives where each plane begins. */
export async function unpackPlanes(
  file: DicomFile,
  out: Float32Array,
  at: (plane: Plane) => number,
): Promise<void> {
  const { path, image, rows, columns, channels, bitsAllocated, bitsStored, signed, planes } = file;
  const buffer = await decoding(path, 'dicom', () => image.getPixelDataBytes());
  if (!buffer)
    throw formatError(path, 'its pixel data could not be decompressed', 'convert it with gdcmconv --raw');
  const cells = rows * columns;
  const size = cells * channels;
  const bytes = new Uint8Array(buffer);
  expectBytes(
    path,
    size * planes.length * (bitsAllocated / 8),
    bytes.length,
    `${columns}×${rows} pixels in ${planes.length} frames`,
  );
  const whole = bitsAllocated === 32 || bitsStored === bitsAllocated;
  const type = `${signed && whole ? '' : 'u'}int${bitsAllocated}` as StoredType;
  const separate =
    channels === 3 && !image.isCompressed() && numbersOf(image.getTag(0x0028, 0x0006))[0] === 1;
  const [modulus, half] = [2 ** bitsStored, signed ? 2 ** (bitsStored - 1) : Number.POSITIVE_INFINITY];
  for (const plane of planes) {
    const { frame, slope, intercept } = plane;
    const part = bytes.subarray((frame * size * bitsAllocated) / 8);
    const numbers = decodeSamples(part, type, size, { littleEndian: image.littleEndian });
    const start = at(plane);
    for (let i = 0; i < size; i++) {
      let value = numbers[i];
      // Bits above those stored may hold overlays; a sign is in the highest bit stored.
      if (!whole) {
        value %= modulus;
        if (value >= half) value -= modulus;
      }
      const to = separate ? (i % cells) * channels + Math.floor(i / cells) : i;
      out[start + to] = value * slope + intercept;
    }
  }
}
