// What is known of faces in photos. Coordinates are in pixels of the photo, as it stands upright: x to the right, y down,
// the corner of the first pixel at 0, 0.

import type { Dataset } from '../datasets/dataset.ts';
import type { Item } from '../datasets/list.ts';

/** `[x, y, width, height]`. */
export type FaceBox = readonly [number, number, number, number];

export type Point = readonly [x: number, y: number];

/** One face. */
export interface Face {
  readonly box: FaceBox;
  /** How sure the detector is, 0 to 1; 0 where the whole photo was taken for a face. */
  readonly score: number;
  /** 68 points, numbered as in iBUG 300-W. */
  readonly landmarks: readonly Point[];
}

/** The faces of one photo, the largest first. */
export interface PhotoFaces {
  readonly item: Item;
  /** SHA-256 of the file, where there is one. */
  readonly sha256?: string;
  readonly width: number;
  readonly height: number;
  readonly faces: readonly Face[];
}

/** The faces of many photos: those in which some were found. */
export interface Faces {
  /** Reads the photos. */
  readonly photos: Dataset;
  readonly found: readonly PhotoFaces[];
  /** What found them, as plain data. */
  readonly how: unknown;
}

/** Area of the overlap of two boxes over that of both together. */
export function overlapOf(a: FaceBox, b: FaceBox): number {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (a[2] * a[3] + b[2] * b[3] - both);
}

/** Of boxes that overlap by more than `limit`, the one with the highest score; the order is by score. */
export function suppressOverlaps<T extends { box: FaceBox; score: number }>(
  candidates: readonly T[],
  limit: number,
): T[] {
  const kept: T[] = [];
  for (const candidate of [...candidates].sort((a, b) => b.score - a.score))
    if (kept.every(({ box }) => overlapOf(box, candidate.box) <= limit)) kept.push(candidate);
  return kept;
}
