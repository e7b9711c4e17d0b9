// WAV (RIFF and RF64): integer PCM of 8 to 32 bits, 32- and 64-bit float, any number of channels; A-law, µ-law and
// ADPCM through audio-decode. PCM is decoded here because samples are to come back as they were: by 2^(bits-1) on
// both sides of zero, with truncation noticed and odd chunks padded, which the libraries at hand do not do.
// Source: Microsoft, Multimedia Programming Interface and Data Specifications 1.0; EBU Tech 3306 (RF64).

import { expectSizes, readHead, readWhole, sizeOf, startsWith, viewOf } from './bytes.ts';
import { sampleRateOf } from './field.ts';
import type { Encoded, FieldHeader, Format } from './format.ts';
import { decoding, formatError } from './format.ts';
import { bytesOf, chooseSampleType, decodeSamples, encodeSamples, type SampleType } from './samples.ts';
import { decodeSound, soundHeader } from './sound.ts';

const otherCodecs: Record<number, string> = { 2: 'MS ADPCM', 6: 'A-law', 7: 'µ-law', 17: 'IMA ADPCM' };

interface WavHeader {
  /** 1 integer, 3 float, else a compressed codec. */
  codec: number;
  channels: number;
  sampleRate: number;
  bits: number;
  /** Bytes of one sample of every channel. */
  block: number;
  /** Offset and announced length of the samples; NaN where written by a stream that did not know it. */
  start: number;
  length: number;
}

/** Finds the chunks; undefined where `bytes` end before the samples begin. */
function parseHeader(path: string, bytes: Uint8Array): WavHeader | undefined {
  const view = viewOf(bytes);
  let format: Omit<WavHeader, 'start' | 'length'> | undefined;
  let longLength = Number.NaN;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    if (startsWith(bytes, 'data', at)) {
      if (!format)
        throw formatError(path, 'its samples come before their format', 'export it again as plain WAV');
      const unknown = size === 0xffffffff;
      return { ...format, start: at + 8, length: unknown ? longLength : size };
    }
    if (startsWith(bytes, 'ds64', at) && at + 24 <= bytes.length)
      longLength = Number(view.getBigUint64(at + 16, true));
    if (startsWith(bytes, 'fmt ', at)) {
      if (at + 24 > bytes.length) return undefined;
      let codec = view.getUint16(at + 8, true);
      // WAVE_FORMAT_EXTENSIBLE: the codec is the start of a GUID.
      if (codec === 0xfffe && size >= 40 && at + 34 <= bytes.length) codec = view.getUint16(at + 32, true);
      format = {
        codec,
        channels: view.getUint16(at + 10, true),
        sampleRate: view.getUint32(at + 12, true),
        block: view.getUint16(at + 20, true),
        bits: view.getUint16(at + 22, true),
      };
    }
    at += 8 + size + (size & 1);
  }
  return undefined;
}

/** How the samples are stored, or undefined where audio-decode has to unpack them. */
function storedType(
  path: string,
  { codec, bits, channels, sampleRate, block }: WavHeader,
): SampleType | undefined {
  if (channels < 1 || sampleRate < 1)
    throw formatError(path, `its header says ${channels} channels at ${sampleRate} Hz`, 'export it again');
  if (codec in otherCodecs) return undefined;
  const integers: Record<number, SampleType> = { 8: 'uint8', 16: 'int16', 24: 'int24', 32: 'int32' };
  const floats: Record<number, SampleType> = { 32: 'float32', 64: 'float64' };
  const type = codec === 1 ? integers[8 * Math.ceil(bits / 8)] : codec === 3 ? floats[bits] : undefined;
  if (!type || block !== channels * bytesOf[type])
    throw formatError(
      path,
      `holds ${bits}-bit samples of codec ${codec} in blocks of ${block} bytes, which is not understood`,
      'convert it to 16-, 24- or 32-bit PCM or to float',
      { codec, bits },
    );
  return type;
}

/** Samples of a file of `size` bytes; `size` must reach the announced end. */
function framesOf(path: string, header: WavHeader, size: number): number {
  const available = size - header.start;
  const length = Number.isNaN(header.length) ? available : header.length;
  if (length > available)
    throw formatError(
      path,
      `the header announces ${length} bytes of samples but only ${available} follow: it is truncated`,
      'copy or export it again',
      { need: length, have: available },
    );
  const frames = Math.floor(length / header.block);
  expectSizes(path, [frames, header.channels], 'samples × channels');
  return frames;
}

function noSamples(path: string): Error {
  return formatError(path, 'holds no samples (it ends before its data chunk)', 'copy or export it again');
}

async function peek(path: string): Promise<FieldHeader | undefined> {
  const header = parseHeader(path, await readHead(path, 1 << 18));
  const type = header && storedType(path, header);
  if (!header || !type) return undefined;
  return soundHeader(
    path,
    framesOf(path, header, await sizeOf(path)),
    header.channels,
    header.sampleRate,
    type,
  );
}

export const wav: Format = {
  name: 'wav',
  kinds: ['sound', 'signal'],
  extensions: ['.wav', '.wave'],
  summary: 'sound, 8- to 32-bit integer and float in; 16, 24 bit and 32-bit float out',
  writeOptions: ['sampleType'],
  detect: head => (startsWith(head, 'RIFF') || startsWith(head, 'RF64')) && startsWith(head, 'WAVE', 8),
  peek,

  async read(path) {
    const bytes = await readWhole(path);
    const header = parseHeader(path, bytes);
    if (!header) throw noSamples(path);
    const type = storedType(path, header);
    const frames = framesOf(path, header, bytes.length);
    if (!type)
      return decodeSound(path, bytes, `WAV (${otherCodecs[header.codec]})`, 'int16', header.channels);
    const [scale, offset] = type.startsWith('float')
      ? [1, 0]
      : type === 'uint8'
        ? [1 / 128, -1]
        : [2 ** (1 - 8 * bytesOf[type]), 0];
    const data = await decoding(path, 'wav', () =>
      decodeSamples(bytes.subarray(header.start), type, frames * header.channels, { scale, offset }),
    );
    return { ...soundHeader(path, frames, header.channels, header.sampleRate, type), data };
  },

  async encode(field, target, options): Promise<Encoded> {
    const rate = sampleRateOf(field);
    const sampleRate = Math.round(rate);
    if (field.shape.length !== 2 || !(sampleRate >= 1))
      throw formatError(
        target,
        `wav holds samples over time, and this ${field.kind} has shape ${field.shape.join('×')} and no sample rate`,
        'save it in another format, for instance .npz',
      );
    if (Math.abs(rate - sampleRate) > 1e-6 * rate)
      options.note?.(
        `${target}: wav keeps whole sample rates only, so ${rate} Hz is written as ${sampleRate} Hz`,
      );
    const type = chooseSampleType('wav', field.sampleType, options, ['int16', 'int24', 'float32'], {
      int8: 'int16',
      uint8: 'int16',
    });
    // A signal's own unit (mV) does not fit into [-1, 1]: only floating point keeps it.
    const stored = field.kind === 'sound' || options.sampleType ? type : 'float32';
    const { bytes, clipped } = encodeSamples(field.data, stored, {
      scale: 2 ** (8 * bytesOf[stored] - 1),
      low: -1,
      high: 1,
    });
    const header = riffHeader(target, field.shape[1], sampleRate, stored, bytes.length);
    const padding = new Uint8Array(bytes.length & 1);
    return { parts: [header, bytes, padding], sampleType: stored, clipped };
  },
};

/** Header of a file that ends with `length` bytes of samples: 44 bytes, or 80 for more than two channels or 24 bit. */
function riffHeader(
  path: string,
  channels: number,
  sampleRate: number,
  type: SampleType,
  length: number,
): Uint8Array {
  const width = bytesOf[type];
  const extensible = channels > 2 || width === 3;
  const formatSize = extensible ? 40 : 16;
  const fact = type === 'float32' ? 12 : 0;
  const start = 28 + formatSize + fact;
  if (channels > 65535 || length + start > 0xffffffff)
    throw formatError(
      path,
      `${length} bytes of samples in ${channels} channels do not fit into a WAV file`,
      'save a shorter piece',
    );
  const bytes = new Uint8Array(start);
  const view = viewOf(bytes);
  const text = (at: number, word: string) => bytes.set(Buffer.from(word, 'latin1'), at);
  const codec = type === 'float32' ? 3 : 1;
  text(0, 'RIFF');
  view.setUint32(4, start - 8 + length + (length & 1), true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, formatSize, true);
  view.setUint16(20, extensible ? 0xfffe : codec, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * width, true);
  view.setUint16(32, channels * width, true);
  view.setUint16(34, 8 * width, true);
  if (extensible) {
    view.setUint16(36, 22, true);
    view.setUint16(38, 8 * width, true);
    view.setUint16(44, codec, true);
    // The rest of KSDATAFORMAT_SUBTYPE_PCM and _IEEE_FLOAT.
    bytes.set([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71], 46);
  }
  if (fact) {
    text(20 + formatSize, 'fact');
    view.setUint32(24 + formatSize, 4, true);
    view.setUint32(28 + formatSize, length / (channels * width), true);
  }
  text(start - 8, 'data');
  view.setUint32(start - 4, length, true);
  return bytes;
}
