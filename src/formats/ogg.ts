// Ogg with Vorbis or Opus inside, in only, decoded by audio-decode. Pages are read here for channels, rate and
// length, so that a truncated file is noticed. Source: RFC 3533 (pages), RFC 7845 (Opus), Vorbis I specification.

import { expectSizes, readHead, readRange, readWhole, sizeOf, startsWith, viewOf } from './bytes.ts';
import type { FieldHeader, Format } from './format.ts';
import { formatError } from './format.ts';
import { decodeSound, soundHeader } from './sound.ts';

/** A page is at most 27 + 255 + 255·255 bytes. */
const longestPage = 65307;

interface Stream {
  codec: 'vorbis' | 'opus';
  channels: number;
  sampleRate: number;
  /** Samples before the first one that is to be heard. */
  skip: number;
}

function parseStream(path: string, head: Uint8Array): Stream {
  const packet = 27 + (head[26] ?? 0);
  if (head.length < packet + 19)
    throw formatError(path, 'ends within its header: it is truncated', 'copy or export it again');
  const view = viewOf(head);
  if (startsWith(head, '\x01vorbis', packet))
    return {
      codec: 'vorbis',
      channels: head[packet + 11],
      sampleRate: view.getUint32(packet + 12, true),
      skip: 0,
    };
  if (startsWith(head, 'OpusHead', packet))
    return {
      codec: 'opus',
      channels: head[packet + 9],
      sampleRate: 48000,
      skip: view.getUint16(packet + 10, true),
    };
  throw formatError(
    path,
    'holds neither Vorbis nor Opus sound',
    'convert it to one of these, to flac or to wav',
  );
}

/** The position that the last page states, and how many bytes of that page are missing. */
function parseEnd(tail: Uint8Array): { position: number; missing: number } | undefined {
  const view = viewOf(tail);
  for (let at = tail.length - 27; at >= 0; at--) {
    if (!startsWith(tail, 'OggS', at) || tail[at + 4] !== 0) continue;
    const segments = tail[at + 26];
    let end = at + 27 + segments;
    for (let i = 0; i < segments && at + 27 + i < tail.length; i++) end += tail[at + 27 + i];
    return { position: Number(view.getBigInt64(at + 6, true)), missing: Math.max(0, end - tail.length) };
  }
  return undefined;
}

function headerOf(path: string, head: Uint8Array, tail: Uint8Array): FieldHeader & { codec: string } {
  const { codec, channels, sampleRate, skip } = parseStream(path, head);
  const end = parseEnd(tail);
  if (!end || end.missing > 0)
    throw formatError(
      path,
      end
        ? `its last page lacks ${end.missing} bytes: it is truncated`
        : 'it ends without a complete page: it is truncated',
      'copy or export it again',
    );
  const samples = end.position - skip;
  expectSizes(path, [samples, channels], 'samples × channels');
  return { ...soundHeader(path, samples, channels, sampleRate, 'float32'), codec };
}

export const ogg: Format = {
  name: 'ogg',
  kinds: ['sound'],
  extensions: ['.ogg', '.oga', '.opus'],
  summary: 'sound, Vorbis and Opus, in only',
  detect: head => startsWith(head, 'OggS'),

  async peek(path) {
    const size = await sizeOf(path);
    const from = Math.max(0, size - longestPage);
    const { codec: _, ...header } = headerOf(
      path,
      await readHead(path),
      await readRange(path, from, longestPage),
    );
    return header;
  },

  async read(path) {
    const bytes = await readWhole(path);
    const { codec, shape } = headerOf(path, bytes.subarray(0, 4096), bytes.subarray(-longestPage));
    return decodeSound(path, bytes, `ogg (${codec})`, 'float32', shape[1]);
  },
};
