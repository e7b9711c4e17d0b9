// How much a report may hold, and how the room is shared: pictures, sounds and volumes are embedded, so a page with
// many of them shows each smaller rather than growing without end. What is left out is said beside the picture.

import { channelsOf, type Field, sampleRateOf } from '../formats/field.ts';
import type { Section } from './section.ts';

export const limits = {
  /** Bytes of embedded pictures and sounds on one page, about. */
  pageBytes: 24 * 2 ** 20,
  /** Bytes that one field may take even on a page with few of them. */
  fieldBytes: 6 * 2 ** 20,
  /** Pixels along the longer side of a picture. */
  pictureSide: 1024,
  /** Seconds of a sound that can be played. */
  soundSeconds: 60,
  /** Seconds of a signal that are drawn. */
  signalSeconds: 10,
  /** Channels of a signal drawn below each other. */
  signalChannels: 16,
  /** Channels of an array or a volume drawn beside each other. */
  channels: 4,
  /** Voxels of the copy of a volume that can be paged through. */
  viewerVoxels: 2_100_000,
  /** Rows of a table. */
  tableRows: 1000,
};

/** Bytes of page that a field would take without being reduced, about. */
function bytesWanted(field: Field): number {
  const values = field.shape.reduce((a, b) => a * b, 1);
  switch (field.kind) {
    case 'sound':
      // 16 bits a sample in base64, and a spectrogram.
      return (
        Math.min(values, limits.soundSeconds * sampleRateOf(field) * channelsOf(field) || values) * 2.7 +
        400_000
      );
    case 'image':
      return Math.min(values, limits.pictureSide ** 2 * channelsOf(field)) * 1.2;
    case 'signal':
      return 0;
    default:
      return Math.min(values, limits.viewerVoxels * channelsOf(field)) * 1.5 + 200_000;
  }
}

/**
 * Bytes of page (base64 text included) that each field of the report may take: those that want less leave their room
 * to those that want more.
 */
export function bytesPerField(sections: readonly Section[]): number {
  const wanted = sections
    .flatMap(({ blocks }) => blocks.flatMap(block => (block.type === 'fields' ? block.items : [])))
    .map(({ field }) => Math.min(limits.fieldBytes, bytesWanted(field)))
    .sort((a, b) => a - b);
  let left = limits.pageBytes;
  for (const [i, bytes] of wanted.entries()) {
    const share = left / (wanted.length - i);
    if (bytes > share) return Math.floor(share);
    left -= bytes;
  }
  return limits.fieldBytes;
}
