// Pixels of DICOM files: decompressed by daikon, then stored numbers become rescaled samples here (bits stored, sign,
// rescale per plane), without daikon's inversion of MONOCHROME1, which is for display and would falsify quantities.
// Source: DICOM PS3.3, section C.7.6.3; PS3.5, sections 8 and A.4.

import type { Image, Tag } from 'daikon';
import { expectBytes, readWhole, startsWith } from './bytes.ts';
import { type DicomFile, type Plane, parseImage } from './dicom-file.ts';
import { decoding, formatError } from './format.ts';
import { decodeSamples, type StoredType } from './samples.ts';

/** Whether colours lie side by side (0) or in planes (1). */
const planarOf = (image: Image): number =>
  Number((image.getTag(0x0028, 0x0006)?.value as number[] | undefined)?.[0]);

/** Refuses compressed pixel data that is cut short, or that the decoder would read only a part of. */
async function expectStreams(path: string, image: Image, frames: number): Promise<void> {
  const { buffer, byteOffset, byteLength } = (image.getPixelData() as Tag).value as DataView;
  const ended =
    Buffer.from(buffer, byteOffset, byteLength).lastIndexOf(Buffer.from([0xfe, 0xff, 0xdd, 0xe0])) >= 0;
  const streams = await decoding(path, 'dicom', () =>
    image.isCompressedRLE() ? image.getRLE() : image.getJpegs(),
  );
  if (!ended || streams.length < frames)
    throw formatError(
      path,
      `its compressed pixel data holds ${streams.length} of ${frames} frames${ended ? '' : ' and has no end'}: it is truncated`,
      'copy or export it again',
      { need: frames, have: streams.length },
    );
  for (const stream of streams) {
    const view = new DataView(stream);
    // Size of the picture and of its tiles, in the SIZ segment that opens a JPEG 2000 codestream.
    const siz = startsWith(new Uint8Array(stream), '\xff\x4f\xff\x51') && stream.byteLength > 40;
    if (siz && (view.getUint32(24) < view.getUint32(8) || view.getUint32(28) < view.getUint32(12)))
      throw formatError(
        path,
        'its JPEG 2000 picture is cut into tiles, of which the decoder gives one',
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
  const { path, rows, columns, channels, bitsAllocated, bitsStored, signed, planes } = file;
  const image = await parseImage(path, await readWhole(path));
  if (image.isCompressed()) await expectStreams(path, image, planes.length);
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
  const separate = channels === 3 && !image.isCompressed() && planarOf(image) === 1;
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
