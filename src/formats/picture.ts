// What the image formats share: decoding and encoding through sharp (loaded on first use). Pictures come upright
// (EXIF orientation applied), with the colour numbers of the file and its ICC profile beside them; grey stays one
// channel; CMYK and Lab become sRGB, for which the profile has then served. Samples lie in [0, 1].

import { deflateSync } from 'node:zlib';
import type { Metadata, Sharp } from 'sharp';
import { latin, readWhole, viewOf } from './bytes.ts';
import type { Field } from './field.ts';
import type { Encoded, FieldHeader, ReadOptions, WriteOptions } from './format.ts';
import { decoding, formatError } from './format.ts';
import { chooseSampleType, decodeSamples, encodeSamples, type SampleType } from './samples.ts';

/** Axes of a picture: pixels. */
export const pixelAxes = () => [
  { name: 'y', spacing: 1, unit: 'px' },
  { name: 'x', spacing: 1, unit: 'px' },
];

const depths: Record<string, SampleType> = { uchar: 'uint8', ushort: 'uint16', float: 'float32' };

interface Layout {
  header: FieldHeader;
  /** Colour space to decode in, which leaves the numbers as they are unless the picture is CMYK or Lab. */
  space: 'b-w' | 'grey16' | 'srgb' | 'rgb16';
  native: boolean;
  /** Which decoded channels make up the field. */
  picked: number[];
}

/** Works out what a picture will become. */
function layOut(path: string, format: string, meta: Metadata, { alpha = 'drop', note }: ReadOptions): Layout {
  const sampleType = depths[meta.depth];
  const grey = meta.space === 'b-w' || meta.space === 'grey16';
  const colours = meta.channels - (meta.hasAlpha ? 1 : 0);
  if (!sampleType || (sampleType === 'float32' && !(grey && meta.channels === 1)))
    throw formatError(
      path,
      `holds ${meta.channels}-channel samples of type ${meta.depth}, which ${format} images are not read with`,
      'convert it to 8 or 16 bit, or save the array as .npy or .nii',
      { depth: meta.depth },
    );
  const native = grey || meta.space === 'srgb' || meta.space === 'rgb' || meta.space === 'rgb16';
  if ((meta.pages ?? 1) > 1) note?.(`${path}: only the first of its ${meta.pages} pages is read`);
  if (meta.hasAlpha && alpha === 'drop')
    note?.(`${path}: its transparency is dropped (alpha: keep keeps it as last channel)`);
  if (!native) note?.(`${path}: its ${meta.space} colours are converted to sRGB`);
  const wide = sampleType === 'uint16';
  const kept = meta.hasAlpha && alpha === 'keep';
  // At 8 bits the decoder gives grey without its alpha, so that grey with alpha is decoded as colour.
  const space = grey && !(kept && !wide) ? (wide ? 'grey16' : 'b-w') : wide ? 'rgb16' : 'srgb';
  const picked = grey ? [0] : [0, 1, 2];
  if (kept) picked.push(grey && wide ? 1 : 3);
  if (native && !grey && colours !== 3)
    throw formatError(path, `holds ${colours} colour channels`, 'convert it to grey or RGB', {
      channels: meta.channels,
    });
  const { width, height } = meta.autoOrient;
  const header: FieldHeader = {
    kind: 'image',
    shape: [height, width, picked.length],
    axes: pixelAxes(),
    source: path,
    valueUnit: '',
    sampleType,
  };
  if (native && meta.icc) header.iccProfile = new Uint8Array(meta.icc);
  return { header, space, native, picked };
}

/** Header of a picture, without decoding it. */
export async function peekPicture(path: string, format: string, options: ReadOptions): Promise<FieldHeader> {
  const { default: sharp } = await import('sharp');
  const meta = await decoding(path, format, () => sharp(path).metadata());
  return layOut(path, format, meta, options).header;
}

/** Reads a picture as `[y, x, channels]`. */
export async function readPicture(path: string, format: string, options: ReadOptions): Promise<Field> {
  const { default: sharp } = await import('sharp');
  const bytes = await readWhole(path);
  const meta = await decoding(path, format, () => sharp(bytes).metadata());
  const { header, space, native, picked } = layOut(path, format, meta, options);
  const { sampleType } = header;
  const depth = sampleType === 'uint8' ? 'uchar' : sampleType === 'uint16' ? 'ushort' : 'float';
  const { data, info } = await decoding(path, format, () =>
    sharp(bytes, { ignoreIcc: native, failOn: 'error' })
      .autoOrient()
      .toColourspace(space)
      .raw({ depth })
      .toBuffer({ resolveWithObject: true }),
  );
  const pixels = info.width * info.height;
  const scale = sampleType === 'uint8' ? 1 / 255 : sampleType === 'uint16' ? 1 / 65535 : 1;
  const all = decodeSamples(data, sampleType, pixels * info.channels, { scale });
  return { ...header, data: pickChannels(all, pixels, info.channels, picked) };
}

function pickChannels(data: Float32Array, pixels: number, channels: number, picked: number[]): Float32Array {
  if (picked.length === channels) return data;
  const out = new Float32Array(pixels * picked.length);
  for (let p = 0, at = 0; p < pixels; p++) for (const c of picked) out[at++] = data[p * channels + c];
  return out;
}

/** What a file format can hold of a picture, and how sharp writes it. */
export interface PictureWriter {
  format: string;
  sampleTypes: readonly SampleType[];
  alpha: boolean;
  write(pipeline: Sharp): Sharp;
}

/** Turns a picture `[y, x, 1 to 4 channels]` into a file; its ICC profile goes with it, the numbers unchanged. */
export async function encodePicture(
  field: Field,
  target: string,
  options: WriteOptions,
  { format, sampleTypes, alpha, write }: PictureWriter,
): Promise<Encoded> {
  const [height, width, stored] = field.shape;
  if (field.shape.length !== 3 || stored > 4)
    throw formatError(
      target,
      `${format} holds pictures of 1 to 4 channels, and this ${field.kind} has shape ${field.shape.join('×')}`,
      'save it in a format for volumes or arrays, for instance .nii.gz or .npz',
    );
  const keepsAlpha = alpha || stored % 2 === 1;
  if (!keepsAlpha)
    options.note?.(`${target}: ${format} holds no transparency, so the last channel is dropped`);
  const channels = keepsAlpha ? stored : stored - 1;
  const samples = keepsAlpha
    ? field.data
    : pickChannels(field.data, width * height, stored, channels === 1 ? [0] : [0, 1, 2]);
  const sampleType = chooseSampleType(format, field.sampleType, options, sampleTypes, { int8: 'uint8' });
  const wide = sampleType === 'uint16';
  const { bytes, clipped } = encodeSamples(samples, sampleType, {
    scale: wide ? 65535 : 255,
    low: 0,
    high: 1,
  });
  const pixels = wide ? new Uint16Array(bytes.buffer) : bytes;
  const space = channels < 3 ? (wide ? 'grey16' : 'b-w') : wide ? 'rgb16' : 'srgb';
  const { default: sharp } = await import('sharp');
  const raw = sharp(pixels, { raw: { width, height, channels: channels as 1 | 2 | 3 | 4 } }).toColourspace(
    space,
  );
  let pipeline = raw;
  // A profile for grey cannot describe colour, nor the other way round.
  const fits = field.iccProfile && latin(field.iccProfile, 16, 20) === (channels < 3 ? 'GRAY' : 'RGB ');
  if (field.iccProfile && !fits)
    options.note?.(`${target}: its ICC profile does not fit ${channels} channels and is left out`);
  if (field.iccProfile && fits) {
    // sharp attaches a profile unchanged only if its input carries one: hand it an uncompressed PNG that does.
    const png = await raw.png({ compressionLevel: 0 }).toBuffer();
    pipeline = sharp(withProfile(png, field.iccProfile)).toColourspace(space).keepIccProfile();
  }
  return { parts: [await write(pipeline).toBuffer()], sampleType, clipped };
}

/** A PNG with an ICC profile put in after its header chunk. */
export function withProfile(png: Uint8Array, profile: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from('iCCPicc\0\0', 'latin1'), deflateSync(profile)]);
  const chunk = new Uint8Array(body.length + 8);
  chunk.set(body, 4);
  viewOf(chunk).setUint32(0, body.length - 4);
  viewOf(chunk).setUint32(body.length + 4, checksum(body));
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
}

/** CRC-32 as PNG wants it (Node has it built in from 20.15 on only). */
function checksum(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
