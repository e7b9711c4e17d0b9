// Photos for the tests of faces, made from those that come with @vladmandic/face-api.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import test from 'tape';
import { createDataset, type Dataset } from '../../src/datasets/dataset.ts';
import { faceApiFolder } from '../tfjs.ts';

export const sample = (n: number): string => join(faceApiFolder, `demo/sample${n}.jpg`);

/** A folder that is gone when the tests of the file have ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ndconv-faces-'));
  test.onFinish(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** One woman of sample1.jpg, 400 × 400 pixels, her face about 140 pixels wide. */
export const portrait = () =>
  sharp(sample(1)).extract({ left: 1290, top: 40, width: 570, height: 570 }).resize(400);

/** A dataset of photos, each its own identity; what is left out is told. */
export const photosOf = (paths: readonly string[], leftOut: string[] = []): Dataset =>
  createDataset(
    paths.map(path => {
      const name = path.split('/').at(-1)!;
      return { path, name, label: name, identity: name };
    }),
    { leaveOut: (name, reason) => leftOut.push(`${name}: ${reason}`) },
  );
