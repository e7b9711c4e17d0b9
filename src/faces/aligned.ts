// Aligned faces as a dataset: every item is a face of a photo, cut out when it is read, with the box it has in the photo.

import { type Dataset, derivedDataset } from '../datasets/dataset.ts';
import type { EmbeddedItem } from '../embeddings/embeddings.ts';
import type { Field } from '../formats/field.ts';
import { type AlignOptions, alignFace } from './align.ts';
import type { Face, Faces } from './face.ts';

/** A face as an item. */
export interface FaceItem extends EmbeddedItem {
  readonly face: Face;
}

/** The faces as a dataset of square images; labels and identities are those of the photos. */
export function alignedFaces({ photos, found, how }: Faces, options: AlignOptions): Dataset {
  const items = found.flatMap(({ item, sha256, faces }) =>
    faces.map(
      (face, i): FaceItem => ({
        ...item,
        name: faces.length === 1 ? item.name : `${item.name}, face ${i + 1}`,
        ...(sha256 === undefined ? {} : { sha256 }),
        box: face.box,
        score: face.score,
        face,
      }),
    ),
  );
  const originals = new Map(found.map(({ item }) => [item.path, item]));
  // Faces of one photo come one after the other.
  let last: { path: string; photo: Field } | undefined;
  const read = async ({ path, face, name }: FaceItem): Promise<Field | undefined> => {
    if (last?.path !== path) {
      const photo = await photos.read(originals.get(path)!);
      if (!photo) return undefined;
      last = { path, photo };
    }
    return { ...alignFace(last.photo, face, options), source: name };
  };
  return derivedDataset(photos, items, read, { faces: how, aligned: options });
}
