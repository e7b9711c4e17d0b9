// What the sound formats share: the header of a sound field, and decoding through audio-decode (loaded on first use).

import type { Field } from './field.ts';
import type { FieldHeader } from './format.ts';
import { decoding, formatError } from './format.ts';
import type { SampleType } from './samples.ts';

/** Header of a sound of shape `[samples, channels]` at `sampleRate` Hz. */
export function soundHeader(
  path: string,
  samples: number,
  channels: number,
  sampleRate: number,
  sampleType: SampleType,
): FieldHeader {
  return {
    kind: 'sound',
    shape: [samples, channels],
    axes: [{ name: 'time', spacing: 1 / sampleRate, unit: 's' }],
    source: path,
    valueUnit: '',
    sampleType,
  };
}

/**
 * Decodes a compressed sound into samples in [-1, 1]. `channels` is what the file's header says: the decoder folds a
 * stereo file of two equal channels into one, and stereo is to stay stereo.
 */
export async function decodeSound(
  path: string,
  bytes: Uint8Array,
  format: string,
  sampleType: SampleType,
  channels: number,
): Promise<Field> {
  const { default: decode } = await import('audio-decode');
  const { channelData, sampleRate } = await decoding(path, format, () => decode(bytes));
  const samples = channelData[0]?.length ?? 0;
  if (samples === 0)
    throw formatError(
      path,
      `no samples could be decoded from this ${format} file`,
      'copy or export it again',
      { format },
    );
  const count = channelData.length === 1 ? Math.max(1, channels) : channelData.length;
  const data = new Float32Array(samples * count);
  for (let c = 0; c < count; c++) {
    const channel = channelData[Math.min(c, channelData.length - 1)];
    for (let i = 0, at = c; i < samples; i++, at += count) data[at] = channel[i];
  }
  return { ...soundHeader(path, samples, count, sampleRate, sampleType), data };
}
