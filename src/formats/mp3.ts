// MP3 (MPEG 1, 2 and 2.5, layer III), in only, decoded by audio-decode. Frame headers are read here for channels,
// rate and length, so that a truncated file is noticed and `check` need not decode. Source: ISO/IEC 11172-3 section
// 2.4.2.3, and the Xing/LAME tag in the first frame as the LAME project describes it.

import { expectSizes, readWhole, startsWith, viewOf } from './bytes.ts';
import type { Format } from './format.ts';
import { formatError } from './format.ts';
import { decodeSound, soundHeader } from './sound.ts';

const rates = [44100, 48000, 32000];
const kilobits = {
  full: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  half: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};

interface Frame {
  bytes: number;
  samples: number;
  sampleRate: number;
  channels: number;
  /** Where the Xing tag would be, from the start of the frame. */
  tag: number;
}

/** A frame header, or undefined where there is none. */
function parseFrame(bytes: Uint8Array, at: number): Frame | undefined {
  if (bytes[at] !== 0xff || (bytes[at + 1] & 0xe6) !== 0xe2 || at + 4 > bytes.length) return undefined;
  const version = (bytes[at + 1] >> 3) & 3;
  const [bitrate, rate] = [bytes[at + 2] >> 4, (bytes[at + 2] >> 2) & 3];
  if (version === 1 || bitrate === 0 || bitrate === 15 || rate === 3) return undefined;
  const full = version === 3;
  const sampleRate = rates[rate] / (full ? 1 : version === 2 ? 2 : 4);
  const samples = full ? 1152 : 576;
  const channels = bytes[at + 3] >> 6 === 3 ? 1 : 2;
  const rateInBytes = (full ? kilobits.full : kilobits.half)[bitrate] * 125;
  return {
    bytes: Math.floor((samples * rateInBytes) / sampleRate) + ((bytes[at + 2] >> 1) & 1),
    samples,
    sampleRate,
    channels,
    tag: 4 + (full ? (channels === 1 ? 17 : 32) : channels === 1 ? 9 : 17),
  };
}

/** Length of an ID3v2 tag at the start. */
function tagLength(bytes: Uint8Array): number {
  if (!startsWith(bytes, 'ID3') || bytes.length < 10) return 0;
  const footer = bytes[5] & 0x10 ? 10 : 0;
  return (
    10 +
    footer +
    ((bytes[6] & 127) << 21) +
    ((bytes[7] & 127) << 14) +
    ((bytes[8] & 127) << 7) +
    (bytes[9] & 127)
  );
}

interface Scan {
  first: Frame;
  /** Where the first frame begins, after tags and junk. */
  start: number;
  /** Samples that a gapless decoder gives back, where the encoder's tag says so. */
  samples: number | undefined;
  /** Bytes by which the last frame is cut short, or frames that the tag promises and the file lacks. */
  missing: string | undefined;
}

/** Walks over all frames. Errors: FormatError where there is none. */
function scan(path: string, bytes: Uint8Array): Scan {
  let at = tagLength(bytes);
  let first = parseFrame(bytes, at);
  // Padding after the tag, or junk before the first frame: two frames in a row are no accident.
  for (const limit = at + 65536; at < limit && at < bytes.length; at++) {
    first = parseFrame(bytes, at);
    if (first && (at + first.bytes >= bytes.length || parseFrame(bytes, at + first.bytes))) break;
    first = undefined;
  }
  if (!first)
    throw formatError(path, 'holds no MP3 frame: it is truncated or damaged', 'copy or export it again');
  const start = at;
  const tagAt = at + first.tag;
  const tagged = startsWith(bytes, 'Xing', tagAt) || startsWith(bytes, 'Info', tagAt);
  let [frames, promised, gap] = [0, 0, -1];
  if (tagged && tagAt + 144 <= bytes.length) {
    const flags = bytes[tagAt + 7];
    if (flags & 1) promised = viewOf(bytes).getUint32(tagAt + 8);
    const lame =
      tagAt + 8 + (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
    const [a, b, c] = bytes.subarray(lame + 21, lame + 24);
    if (bytes[lame] >= 65) gap = ((a << 4) | (b >> 4)) + (((b & 15) << 8) | c);
  }
  if (tagged) at += first.bytes;
  let missing: string | undefined;
  for (let frame = parseFrame(bytes, at); frame; frame = parseFrame(bytes, at)) {
    at += frame.bytes;
    if (at > bytes.length) missing = `its last frame lacks ${at - bytes.length} bytes`;
    else frames++;
  }
  if (promised > frames) missing = `its header announces ${promised} frames but it holds ${frames}`;
  return {
    first,
    start,
    samples: promised > 0 && gap >= 0 ? promised * first.samples - gap : undefined,
    missing,
  };
}

export const mp3: Format = {
  name: 'mp3',
  kinds: ['sound'],
  extensions: ['.mp3'],
  summary: 'sound, in only',
  detect: head => startsWith(head, 'ID3') || parseFrame(head, 0) !== undefined,

  async peek(path) {
    const { first, samples, missing } = scan(path, await readWhole(path));
    if (samples === undefined || missing) return undefined;
    expectSizes(path, [samples, first.channels], 'samples × channels');
    return soundHeader(path, samples, first.channels, first.sampleRate, 'float32');
  },

  async read(path) {
    const bytes = await readWhole(path);
    const { first, start, missing } = scan(path, bytes);
    if (missing) throw formatError(path, `${missing}: it is truncated`, 'copy or export it again');
    return decodeSound(path, bytes.subarray(start), 'mp3', 'float32', first.channels);
  },
};
