// DICOM in: a folder that holds one series, or a single file (one image, or several frames), as a volume. Slices are
// sorted along the normal of their planes; a gap, two slices in one place or two series in one folder are refused.
// Rescaled values: a CT comes in Hounsfield units. Directions are LPS+ and become RAS+. Compressed pixels as far as
// daikon unpacks them: RLE, JPEG (baseline, lossless), JPEG-LS, JPEG 2000, deflate. daikon's own series ordering is
// not used, since it neither notices gaps nor knows multi-frame positions. Source: DICOM PS3.3, C.7.6.2.

import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  affineOf,
  cross,
  dot,
  isUsable,
  lengthOf,
  minus,
  scaled,
  swapLps,
  type Vector,
  volumeAxes,
} from './affine.ts';
import { readHead } from './bytes.ts';
import { type DicomFile, isDicom, type Plane, readDicomFile } from './dicom-file.ts';
import { unpackPlanes } from './dicom-pixels.ts';
import type { Field } from './field.ts';
import { type FieldHeader, type Format, formatError, type ReadOptions } from './format.ts';
import { type StoredType, scaledSampleType } from './samples.ts';

/** Paths of the DICOM files in a folder, in name order; subfolders are not searched. */
export async function dicomFilesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter(entry => !entry.isDirectory()).map(entry => entry.name);
  const found: string[] = [];
  for (const name of names.sort()) {
    const path = join(folder, name);
    if (name !== 'DICOMDIR' && (await stat(path)).isFile() && isDicom(await readHead(path, 132)))
      found.push(path);
  }
  return found;
}

/** The files of the one series to read. */
async function readSeries(path: string, { series, note }: ReadOptions): Promise<DicomFile[]> {
  const paths = (await stat(path)).isDirectory() ? await dicomFilesIn(path) : [path];
  if (paths.length === 0)
    throw formatError(
      path,
      'is a folder without DICOM files',
      'name a file, or a folder that holds a DICOM series',
    );
  const files: DicomFile[] = [];
  const others: string[] = [];
  // A few at a time, in order: waiting for the disk is most of it.
  for (let at = 0; at < paths.length; at += 16) {
    const some = paths.slice(at, at + 16);
    const read = await Promise.all(some.map(readDicomFile));
    for (const [i, file] of read.entries()) {
      if (file) files.push(file);
      else others.push(basename(some[i]));
    }
  }
  if (files.length === 0)
    throw formatError(path, 'holds no picture', 'name a DICOM file with pixel data', { files: others });
  if (others.length > 0)
    note?.(`${path}: ${others.length} DICOM files hold no picture and are left out (${others[0]} …)`);
  const chosen =
    series === undefined
      ? files
      : files.filter(file => file.seriesUid === series || file.seriesNumber === series);
  const all = new Map(files.map(file => [file.seriesUid, file]));
  const list = () => [...all.values()].map(nameSeries).join('; ');
  if (chosen.length === 0)
    throw formatError(
      path,
      `holds no series "${series}"`,
      `set series to the number or UID of one of: ${list()}`,
      {
        series: [...all.keys()],
      },
    );
  const other = chosen.find(file => file.seriesUid !== chosen[0].seriesUid);
  if (other)
    throw formatError(
      path,
      `holds ${all.size} series: ${list()}`,
      'put each into a folder of its own, or set series to the number or UID of one',
      { series: [...all.keys()] },
    );
  return chosen;
}

const nameSeries = (file: DicomFile): string =>
  `number ${file.seriesNumber || '?'} "${file.seriesName}" (UID ${file.seriesUid}, for instance ${basename(file.path)})`;

/** Refuses files of one series that do not fit together. */
function expectAlike(path: string, files: DicomFile[]): void {
  const [first] = files;
  const differs = (what: string, a: unknown, b: unknown, other: DicomFile): never => {
    throw formatError(
      path,
      `${basename(first.path)} and ${basename(other.path)} differ in ${what}: ${a} and ${b}`,
      'keep only the files that make up one volume in the folder',
      { files: [first.path, other.path] },
    );
  };
  for (const file of files) {
    const sizes = [first, file].map(({ columns, rows, channels }) => `${columns}×${rows}×${channels}`);
    if (sizes[0] !== sizes[1]) differs('size', sizes[0], sizes[1], file);
    if (file.spacing.some((step, at) => Math.abs(step - first.spacing[at]) > 1e-3 * step))
      differs('pixel spacing', first.spacing.join('×'), file.spacing.join('×'), file);
    for (const { orientation } of file.planes) {
      const [a, b] = [first.planes[0].orientation?.flat() ?? [], orientation?.flat() ?? []];
      if (a.length !== b.length || a.some((value, at) => Math.abs(value - b[at]) > 1e-3))
        differs('orientation', a.join(' ') || 'none', b.join(' ') || 'none', file);
    }
  }
}

/** A plane and where it lies along the stack, in mm. */
interface Placed {
  plane: Plane;
  place: number;
}

const nameOf = ({ file, frame }: Plane): string =>
  file.planes.length > 1 ? `${basename(file.path)} frame ${frame + 1}` : basename(file.path);

/** Sorts planes and refuses stacks with a gap or with two slices in one place. */
function sortStack(path: string, placed: Placed[], unit: string): Placed[] {
  const stack = [...placed].sort((a, b) => a.place - b.place);
  const gaps = stack.slice(1).map((next, at) => next.place - stack[at].place);
  if (gaps.length === 0) return stack;
  const usual = [...gaps].sort((a, b) => a - b)[Math.floor((gaps.length - 1) / 2)];
  for (const [at, gap] of gaps.entries()) {
    const [before, after] = [stack[at], stack[at + 1]];
    const between = `between ${nameOf(before.plane)} and ${nameOf(after.plane)}`;
    if (gap < 1e-3)
      throw formatError(
        path,
        `${nameOf(before.plane)} and ${nameOf(after.plane)} lie in the same place (${show(before.place)}${unit})`,
        'keep one copy, one time point or one echo in the folder',
        { place: before.place },
      );
    if (Math.abs(gap - usual) <= 0.05 * usual + 1e-3) continue;
    const missing = Math.round(gap / usual) - 1;
    throw formatError(
      path,
      missing > 0
        ? `${missing === 1 ? 'a slice is' : `${missing} slices are`} missing ${between}: the gap from ${show(before.place)} to ${show(after.place)}${unit} is ${show(gap)}, and elsewhere ${show(usual)}`
        : `its slices are unevenly spaced: the gap ${between}, from ${show(before.place)} to ${show(after.place)}${unit}, is ${show(gap)}, and elsewhere ${show(usual)}`,
      missing > 0
        ? 'add the missing files, or take the slices on one side only'
        : 'resample it to even spacing first',
      { from: before.place, to: after.place, gap, usual },
    );
  }
  return stack;
}

const show = (value: number): string => String(Number(value.toFixed(3)));

interface Stack {
  header: FieldHeader;
  files: DicomFile[];
  planes: Plane[];
}

async function assemble(path: string, options: ReadOptions): Promise<Stack> {
  const files = await readSeries(path, options);
  expectAlike(path, files);
  const [first] = files;
  const all = files.flatMap(file => file.planes);
  const [along, down] = all[0].orientation ?? [];
  const { rows, columns, channels, spacing } = first;
  const header: FieldHeader = {
    kind: 'volume',
    shape: [all.length, rows, columns, channels],
    axes: volumeAxes([spacing[1], spacing[0], first.step ?? 1]),
    source: path,
    valueUnit: first.valueUnit,
    sampleType: sampleTypeOfFile(first, new Float32Array(0)),
  };
  if (along && down && all.every(plane => plane.position)) {
    const normal = cross(along, down);
    const placed = all.map(plane => ({
      plane,
      place: dot(plane.position as Vector, normal) / lengthOf(normal),
    }));
    const stack = sortStack(path, placed, ' mm along the stack');
    const [origin, last] = [stack[0], stack[stack.length - 1]].map(({ plane }) => plane.position as Vector);
    const across = scaled(normal, 1 / lengthOf(normal));
    const drawn = minus(last, origin);
    const height = stack.length > 1 ? dot(drawn, across) / (stack.length - 1) : (first.step ?? 1);
    // Slices that drift sideways by less than half a pixel in all stand upright but for rounding; others are sheared
    // (a tilted gantry), and their step says so.
    const upright = stack.length === 1 || lengthOf(cross(drawn, across)) < 0.5 * Math.min(...spacing);
    const step = upright ? scaled(across, height) : scaled(drawn, 1 / (stack.length - 1));
    const frame = swapLps({ origin, steps: [scaled(along, spacing[1]), scaled(down, spacing[0]), step] });
    if (isUsable(frame)) {
      header.axes = volumeAxes(frame.steps.map(lengthOf));
      header.affine = affineOf(frame);
    }
    return { header, files, planes: stack.map(({ plane }) => plane) };
  }
  if (files.length === 1) {
    // Frames without positions: a film where it has a frame time, else a stack as it comes.
    if (all.length > 1 && first.frameTime)
      header.axes[0] = { name: 't', spacing: first.frameTime, unit: 's' };
    return { header, files, planes: all };
  }
  options.note?.(
    `${path}: its files state no position, so that the slices are in order of their location or number`,
  );
  const located = files.every(file => file.sliceLocation !== undefined);
  const places = all.map(plane => ({
    plane,
    place: (located ? plane.file.sliceLocation : plane.file.instance) ?? Number.NaN,
  }));
  if (places.some(({ place }) => Number.isNaN(place)))
    throw formatError(
      path,
      'its files state neither position nor number',
      'rename nothing: export the series again',
    );
  const stack = sortStack(path, places, located ? ' mm' : ' (image number)');
  if (located && stack.length > 1)
    header.axes[0].spacing = (stack[stack.length - 1].place - stack[0].place) / (stack.length - 1);
  return { header, files, planes: stack.map(({ plane }) => plane) };
}

/** The sample type for a file's rescaled values; the bits in use decide, so that a 12-bit CT is int16. */
function sampleTypeOfFile(
  { bitsAllocated, bitsStored, signed, planes }: DicomFile,
  data: Float32Array,
): Field['sampleType'] {
  const { slope, intercept } = planes[0];
  const fits = !signed && bitsStored < bitsAllocated && intercept !== 0;
  return scaledSampleType(
    `${signed || fits ? '' : 'u'}int${bitsAllocated}` as StoredType,
    slope,
    intercept,
    data,
  );
}

export const dicom: Format = {
  name: 'dicom',
  kinds: ['volume'],
  extensions: ['.dcm', '.dicom', '.ima'],
  summary: 'a folder with one series, or one file; in only, rescaled (a CT in HU), slices checked for gaps',
  readOptions: ['series'],
  detect: isDicom,
  peek: async (path, options) => (await assemble(path, options)).header,

  async read(path, options) {
    const { header, files, planes } = await assemble(path, options);
    const size = header.shape[1] * header.shape[2] * header.shape[3];
    const data = new Float32Array(planes.length * size);
    const places = new Map(planes.map((plane, at) => [plane, at * size]));
    for (const file of files) await unpackPlanes(file, data, plane => places.get(plane) as number);
    const types = new Set(files.map(file => sampleTypeOfFile(file, data)));
    const rescaled = new Set(planes.map(({ slope, intercept }) => `${slope} ${intercept}`));
    return {
      ...header,
      data,
      sampleType: types.size === 1 && rescaled.size === 1 ? [...types][0] : 'float32',
    };
  },
};
