// Finds the faces of a dataset of photos: each photo is looked at once, those without a usable face are left out or taken
// whole, and of several faces those wished for are kept.

import type { Backend } from '../backends/backend.ts';
import { type Dataset, leaveOutOf } from '../datasets/dataset.ts';
import type { Item } from '../datasets/list.ts';
import { hashItem } from '../embeddings/hash.ts';
import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { reasonOf } from '../formats/format.ts';
import { type DetectOptions, describeFinder, type FaceFinder, openFaceFinder } from './detect.ts';
import type { Face, Faces, PhotoFaces } from './face.ts';
import { type FoundRecord, roundFace } from './store.ts';

/** Which faces of a photo are kept. */
export const choices = ['largest', 'all', 'leave-out', 'error'] as const;
/** What becomes of a photo without a face. */
export const absences = ['leave-out', 'whole', 'error'] as const;

export interface FindOptions extends DetectOptions {
  /** Of several faces: the largest, all, none (the photo is left out), or an error. */
  which: (typeof choices)[number];
  /** A photo without a face: left out, taken whole as one, or an error. */
  absent: (typeof absences)[number];
}

export interface FindSettings {
  /** What was found before by the same finder, by file hash. */
  known?: ReadonlyMap<string, FoundRecord>;
  /** Told after every photo; `sofar` gives what was found and what is known of others. */
  onProgress?: (done: number, total: number, sofar: () => FoundRecord[]) => void | Promise<void>;
  signal?: AbortSignal;
}

export interface Found {
  faces: Faces;
  /** All that was found, before anything was chosen; where it was aborted also what is known of photos not reached. */
  records: FoundRecord[];
  /** Photos taken over, looked at now, with several faces, and taken whole. */
  reused: number;
  looked: number;
  several: number;
  whole: number;
}

/** What decides what is found in a photo, as text. */
export async function finderKey({ detector, score, smallest, border }: DetectOptions): Promise<string> {
  return JSON.stringify({ ...((await describeFinder(detector)) as object), score, smallest, border });
}

/**
 * The faces of every photo that can be read. Errors: RunError for a photo without a face or with several where they are to
 * be errors.
 */
export async function findFaces(
  photos: Dataset,
  options: FindOptions,
  backend: () => Promise<Backend>,
  { known = new Map(), onProgress, signal }: FindSettings = {},
): Promise<Found> {
  const leaveOut = leaveOutOf(photos.options);
  const found: PhotoFaces[] = [];
  const records: FoundRecord[] = [];
  const counts = { reused: 0, looked: 0, several: 0, whole: 0 };
  let finder: FaceFinder | undefined;
  const open = async (): Promise<FaceFinder> => (finder ??= await openFaceFinder(options, await backend()));
  try {
    for (const [at, item] of photos.items.entries()) {
      if (signal?.aborted) break;
      const sha256 = await hashItem(item.path);
      const before = sha256 === undefined ? undefined : known.get(sha256);
      const record = before
        ? { ...before, name: item.name }
        : await look(photos, item, sha256, open, leaveOut);
      if (record) {
        counts[before ? 'reused' : 'looked']++;
        if (record.sha256) records.push(record);
        const chosen = await choose(record, item, options, photos, open, leaveOut);
        counts.several += record.faces.length > 1 ? 1 : 0;
        counts.whole += record.faces.length === 0 && chosen.length > 0 ? 1 : 0;
        const { width, height } = record;
        if (chosen.length > 0)
          found.push({ item, ...(sha256 === undefined ? {} : { sha256 }), width, height, faces: chosen });
      }
      await onProgress?.(at + 1, photos.items.length, () => withOthers(records, known));
    }
  } finally {
    await finder?.close();
  }
  const how = await describeFinder(options.detector);
  return {
    faces: { photos, found, how },
    records: signal?.aborted ? withOthers(records, known) : records,
    ...counts,
  };
}

function withOthers(records: readonly FoundRecord[], known: ReadonlyMap<string, FoundRecord>): FoundRecord[] {
  const have = new Set(records.map(({ sha256 }) => sha256));
  return [...records, ...[...known.values()].filter(({ sha256 }) => !have.has(sha256))];
}

type LeaveOut = (name: string, reason: string) => void;

async function look(
  photos: Dataset,
  item: Item,
  sha256: string | undefined,
  open: () => Promise<FaceFinder>,
  leaveOut: LeaveOut,
): Promise<FoundRecord | undefined> {
  const photo = await photos.read(item);
  if (!photo) return undefined;
  try {
    const { faces, tiny } = await (await open()).find(photo);
    const [height, width] = photo.shape;
    return { name: item.name, sha256: sha256 ?? '', width, height, tiny, faces: faces.map(roundFace) };
  } catch (error) {
    if (!(error instanceof NdconvError) || error.tag !== 'ShapeError') throw error;
    leaveOut(item.name, reasonOf(error).replace(`${photo.source}: `, ''));
    return undefined;
  }
}

async function choose(
  { faces, tiny, width, height }: FoundRecord,
  item: Item,
  { which, absent, score, smallest }: FindOptions,
  photos: Dataset,
  open: () => Promise<FaceFinder>,
  leaveOut: LeaveOut,
): Promise<readonly Face[]> {
  const refuse = (how: 'leave-out' | 'error', reason: string): readonly Face[] => {
    if (how === 'error') throw new NdconvError('RunError', `${item.name}: ${reason}`, { path: item.path });
    leaveOut(item.name, reason);
    return [];
  };
  if (faces.length === 0) {
    if (absent === 'whole') {
      const photo = (await photos.read(item)) as Field;
      return [roundFace(await (await open()).whole(photo))];
    }
    const reason =
      tiny > 0
        ? `its ${tiny === 1 ? 'face is' : `${tiny} faces are`} smaller than ${smallest} pixels; lower smallest, or give a larger photo`
        : `no face was found in its ${width}×${height} pixels; lower score (${score}), or take the whole photo with absent: whole`;
    return refuse(absent, reason);
  }
  if (faces.length === 1 || which === 'all') return faces;
  if (which === 'largest') return faces.slice(0, 1);
  return refuse(
    which,
    `it shows ${faces.length} faces and one is wanted; crop it, or write which: largest or all`,
  );
}
