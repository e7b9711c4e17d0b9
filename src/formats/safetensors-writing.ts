// Safetensors, out: named float32 tensors and texts about them. Source: "Format" in the README of huggingface/safetensors.

import type { NamedTensor } from './safetensors.ts';

/** The file as parts to be written one after the other; names and data in the order given. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let at = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  // The data begin at a multiple of 8.
  const padded = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ');
  text.copy(padded);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true);
  const bytes = ({ data }: Pick<NamedTensor, 'data'>) =>
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [length, padded, ...[...tensors.values()].map(bytes)];
}
