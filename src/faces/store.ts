// Faces found, kept in a JSON, so that a photo is looked at once: by the hash of its file and what looked at it.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Face, FaceBox, Point } from './face.ts';

/** What was found in one photo. */
export interface FoundRecord {
  readonly name: string;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  /** Faces below the least size. */
  readonly tiny: number;
  readonly faces: readonly Face[];
}

interface Stored {
  ndconv: 'faces';
  version: number;
  finder: string;
  photos: FoundRecord[];
}

const version = 1;
const round = (value: number): number => Math.round(value * 1000) / 1000;

/** Rounded as it is stored, so that what is read back is what was found. */
export const roundFace = ({ box, score, landmarks }: Face): Face => ({
  box: box.map(round) as unknown as FaceBox,
  score: Math.round(score * 1e5) / 1e5,
  landmarks: landmarks.map(([x, y]): Point => [round(x), round(y)]),
});

/** The text of a store; `finder` says what found them. */
export function renderFound(finder: string, photos: readonly FoundRecord[]): string {
  const head = JSON.stringify({ ndconv: 'faces', version, finder }, null, 2).slice(0, -2);
  return `${head},\n  "photos": [\n    ${photos.map(photo => JSON.stringify(photo)).join(',\n    ')}\n  ]\n}\n`;
}

/** What the same finder found before, by file hash; empty where the file is of another finder, damaged or absent. */
export async function readFound(path: string, finder: string): Promise<Map<string, FoundRecord>> {
  if (!existsSync(path)) return new Map();
  let stored: Partial<Stored>;
  try {
    stored = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return new Map();
  }
  if (stored?.ndconv !== 'faces' || stored.version !== version || stored.finder !== finder) return new Map();
  return new Map((stored.photos ?? []).filter(isRecord).map(photo => [photo.sha256, photo]));
}

const isRecord = (photo: Partial<FoundRecord> | null): photo is FoundRecord =>
  typeof photo?.sha256 === 'string' &&
  Array.isArray(photo.faces) &&
  photo.faces.every(({ box, landmarks }) => box?.length === 4 && landmarks?.length === 68);
