// FLAC, in only, decoded by audio-decode. The stream header is read here for the precision and length of the file,
// so that a truncated one is noticed. Source: RFC 9639, section 8.2 (STREAMINFO).

import { expectSizes, readHead, readWhole, startsWith, viewOf } from './bytes.ts';
import type { Format } from './format.ts';
import { formatError } from './format.ts';
import type { SampleType } from './samples.ts';
import { decodeSound, soundHeader } from './sound.ts';

interface StreamInfo {
  sampleRate: number;
  channels: number;
  /** 0 where the encoder did not know. */
  samples: number;
  bits: number;
  sampleType: SampleType;
}

function parseStreamInfo(path: string, head: Uint8Array): StreamInfo {
  if (head.length < 42 || (head[4] & 0x7f) !== 0)
    throw formatError(path, 'ends within its header: it is truncated', 'copy or export it again');
  const view = viewOf(head);
  const packed = view.getUint32(18);
  const bits = ((packed >> 4) & 31) + 1;
  return {
    sampleRate: packed >>> 12,
    channels: ((packed >> 9) & 7) + 1,
    bits,
    samples: (packed & 15) * 2 ** 32 + view.getUint32(22),
    sampleType: bits <= 8 ? 'int8' : bits <= 16 ? 'int16' : bits <= 24 ? 'int24' : 'int32',
  };
}

export const flac: Format = {
  name: 'flac',
  kinds: ['sound'],
  extensions: ['.flac'],
  summary: 'sound, in only',
  detect: head => startsWith(head, 'fLaC'),

  async peek(path) {
    const info = parseStreamInfo(path, await readHead(path, 64));
    if (info.samples === 0) return undefined;
    expectSizes(path, [info.samples, info.channels], 'samples × channels');
    return soundHeader(path, info.samples, info.channels, info.sampleRate, info.sampleType);
  },

  async read(path) {
    const bytes = await readWhole(path);
    const info = parseStreamInfo(path, bytes);
    const field = await decodeSound(path, bytes, 'flac', info.sampleType, info.channels);
    if (field.shape[0] < info.samples)
      throw formatError(
        path,
        `the header announces ${info.samples} samples but ${field.shape[0]} could be decoded: it is truncated or damaged`,
        'copy or export it again',
        { need: info.samples, have: field.shape[0] },
      );
    // The decoder divides by 2^(bits-1) - 1: go back to the integers, which are exact, and divide as wav does.
    const whole = 2 ** (info.bits - 1);
    const { data } = field;
    for (let i = 0; i < data.length; i++) data[i] = Math.round(data[i] * (whole - 1)) / whole;
    return field;
  },
};
