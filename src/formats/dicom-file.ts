// One DICOM file: its elements, parsed by daikon from the start of the file, as planes that each know where they lie.
// Pixels are left to dicom-pixels.ts. Source: DICOM PS3.3, sections C.7.6 and C.11.

import type { Image, Tag } from 'daikon';
import type { Vector } from './affine.ts';
import { expectBytes, expectInflatable, expectSizes, readRange, readWhole, sizeOf } from './bytes.ts';
import { decoding, formatError } from './format.ts';

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

/** Parses a whole DICOM file, or its first bytes. */
export async function parseImage(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<Image> {
  const { default: daikon } = await import('daikon');
  return decoding(path, 'dicom', () => {
    const parsed = daikon.Series.parseImage(new DataView(bytes.buffer));
    if (!parsed) throw daikon.Series.parserError;
    // Reads elements that may not be of the type that daikon takes them for.
    parsed.isCompressed();
    parsed.isPalette();
    return parsed;
  });
}

/** Elements of a file, from as little of it as holds them. */
async function parseElements(path: string, size: number): Promise<Image> {
  if (size > enough) {
    const partial = await parseImage(path, new Uint8Array(await readRange(path, 0, enough))).catch(
      () => undefined,
    );
    if (partial?.getPixelData()) return partial;
  }
  return parseImage(path, await readWhole(path));
}

/** Bytes within which nearly every file has all its elements but the pixels. */
const enough = 1 << 16;

/** Reads the elements of a file; undefined where it holds no picture (a directory, a report). */
export async function readDicomFile(path: string): Promise<DicomFile | undefined> {
  const { default: daikon } = await import('daikon');
  const size = await sizeOf(path);
  const image = await parseElements(path, size);
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
  expectPixels(file, frames, size);

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
function expectPixels(file: DicomFile, frames: number, size: number): void {
  const { path, image, rows, columns, channels, bitsAllocated } = file;
  const pixels = image.getPixelData() as Tag;
  const packed = image.isCompressed();
  const have = Math.max(0, (packed ? size : Math.min(size, pixels.offsetEnd)) - pixels.offsetValue);
  // A palette picture stores one number where three come out.
  const stored = image.isPalette() ? 1 : channels * (bitsAllocated / 8);
  const need = rows * columns * frames * stored;
  const what = `${columns}×${rows} pixels in ${frames} frames`;
  if (packed) expectInflatable(path, need, have, what);
  // A deflated file states offsets within what it inflates to.
  else if (!image.inflated) expectBytes(path, need, have, what);
}
