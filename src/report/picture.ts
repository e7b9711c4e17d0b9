// Pixels to an embedded PNG, and fields of kind image as pictures. The 8-bit copy here is for looking at; the results
// themselves are written by the formats, with the precision they had.

import { channelsOf, type Field } from '../formats/field.ts';
import { withProfile } from '../formats/picture.ts';
import { limits } from './limits.ts';

/** 8-bit samples `[height, width, channels]`: grey, grey with alpha, RGB or RGBA. */
export interface Picture {
  width: number;
  height: number;
  channels: 1 | 2 | 3 | 4;
  pixels: Uint8Array;
}

/** A picture as `data:` URI with the size it was embedded in. */
export interface EmbeddedPicture {
  uri: string;
  width: number;
  height: number;
}

/** Largest profile worth embedding in a preview. */
const profileBytes = 16384;

/** Whether a profile describes the colours of a picture with this many channels. */
function profileFits(profile: Uint8Array, channels: number): boolean {
  const space = Buffer.from(profile.subarray(16, 20)).toString('latin1');
  return profile.length <= profileBytes && space === (channels <= 2 ? 'GRAY' : 'RGB ');
}

/**
 * The picture as PNG, reduced until its longer side is at most `side` pixels and its URI at most `bytes` long
 * (never under 32 pixels).
 */
export async function embedPicture(
  picture: Picture,
  bytes: number,
  iccProfile?: Uint8Array,
  side = limits.pictureSide,
): Promise<EmbeddedPicture> {
  const { default: sharp } = await import('sharp');
  const { channels, pixels } = picture;
  let scale = Math.min(1, side / Math.max(picture.width, picture.height));
  for (;;) {
    const width = Math.max(1, Math.round(picture.width * scale));
    const height = Math.max(1, Math.round(picture.height * scale));
    let image = sharp(pixels, { raw: { width: picture.width, height: picture.height, channels } });
    if (scale < 1) image = image.resize(width, height, { fit: 'fill' });
    if (channels <= 2) image = image.toColourspace('b-w');
    let png: Uint8Array = await image
      .png({ compressionLevel: 9, adaptiveFiltering: channels >= 3 })
      .toBuffer();
    if (iccProfile && profileFits(iccProfile, channels)) png = withProfile(png, iccProfile);
    const uri = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
    if (uri.length <= bytes || Math.max(width, height) <= 32) return { uri, width, height };
    scale *= Math.max(0.5, Math.min(0.9, Math.sqrt(bytes / uri.length)));
  }
}

/** Samples of an image that had to be limited to be shown. */
export interface ImagePicture extends Picture {
  /** Samples under 0 or over 1. */
  outside: number;
  /** Samples that are not finite, shown as 0. */
  notFinite: number;
}

/** An image field, `[y, x, 1 … 4]` with 0 as black and 1 as white, in 8 bits. */
export function imagePicture(field: Field): ImagePicture {
  const [height, width] = field.shape;
  const pixels = new Uint8Array(field.data.length);
  let outside = 0;
  let notFinite = 0;
  for (let i = 0; i < pixels.length; i++) {
    const value = field.data[i];
    if (!Number.isFinite(value)) notFinite++;
    else if (value < -1e-3 || value > 1 + 1e-3) outside++;
    pixels[i] = value >= 1 ? 255 : value > 0 ? Math.round(value * 255) : 0;
  }
  return { width, height, channels: channelsOf(field) as Picture['channels'], pixels, outside, notFinite };
}
