// Small pictures, hundreds to a page: as PNG with sharp pixels where they are tiny, as WebP reduced to a side where not.

import type { Picture } from './picture.ts';
import { escapeHtml } from './text.ts';

/** Up to this many pixels along the longer side every pixel is kept and shown as a square. */
const tiny = 40;
const quality = 78;

/** The picture as `<img>` that fills its place; the longer side is embedded with at most `side` pixels. */
export async function thumbnail(picture: Picture, alt: string, side: number): Promise<string> {
  const { default: sharp } = await import('sharp');
  const { width, height, channels, pixels } = picture;
  const longest = Math.max(width, height);
  let image = sharp(pixels, { raw: { width, height, channels } });
  if (channels <= 2) image = image.toColourspace('b-w');
  const [type, bytes] =
    longest <= tiny
      ? ['png', await image.png({ compressionLevel: 9 }).toBuffer()]
      : [
          'webp',
          await image
            .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
            .webp({ quality })
            .toBuffer(),
        ];
  const sharpness = longest <= tiny ? ' class="sharp"' : '';
  return `<img${sharpness} src="data:image/${type};base64,${(bytes as Buffer).toString('base64')}" alt="${escapeHtml(alt)}">`;
}

/** Values around 0 as bytes around the middle grey: the largest but one in 200 are black or white. */
export function signedBytes(values: Float32Array): Uint8Array {
  const sizes = Float32Array.from(values, value => (Number.isFinite(value) ? Math.abs(value) : 0)).sort();
  const largest = sizes[Math.floor(0.995 * (sizes.length - 1))] || sizes[sizes.length - 1] || 1;
  return Uint8Array.from(values, value => {
    const byte = 127.5 + (127.5 * (Number.isFinite(value) ? value : 0)) / largest;
    return byte <= 0 ? 0 : byte >= 255 ? 255 : Math.round(byte);
  });
}
