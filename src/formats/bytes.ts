// Bytes of files: whole, from the start or from the end, gunzipped within the size that a header justifies, and the
// checks that keep a lying header from making us allocate. It knows nothing of any format.

import { open, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, gunzip, gunzipSync } from 'node:zlib';
import { formatError, reasonOf } from './format.ts';

/** Deflate cannot shrink data by more than this, so more output than this times the input is a lie. */
const deflateLimit = 1032;

/** Up to `length` bytes from `offset`; fewer where the file ends. */
export async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const buffer = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  } finally {
    await file.close();
  }
}

/** The first bytes of a file, as `Format.detect` wants them. */
export const readHead = (path: string, length = 4096): Promise<Uint8Array> => readRange(path, 0, length);

/** Size of a file in bytes. */
export const sizeOf = async (path: string): Promise<number> => (await stat(path)).size;

/** A whole file, in an ArrayBuffer of its own from offset 0. Errors: FormatError where it cannot be read. */
export async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const buffer = await readFile(path);
    if (buffer.byteOffset === 0 && buffer.byteLength === buffer.buffer.byteLength)
      return new Uint8Array(buffer.buffer);
    return new Uint8Array(buffer);
  } catch (cause) {
    throw formatError(
      path,
      `cannot be read (${reasonOf(cause)})`,
      'check that it exists, its rights and its size',
      {},
      cause,
    );
  }
}

/** Whether bytes start with the gzip magic. */
export const isGzip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;

/** The start of what a gzipped file holds, from its first 4096 bytes (at most 4 MB); empty where it does not inflate. */
export function inflateHead(head: Uint8Array): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(gunzipSync(head.subarray(0, 4096), { finishFlush: constants.Z_SYNC_FLUSH }));
  } catch {
    return new Uint8Array(0);
  }
}

/** Refuses a compressed body of `have` bytes that is said to hold `need` bytes, if none could. */
export function expectInflatable(path: string, need: number, have: number, what: string): void {
  if (need <= have * deflateLimit + 64) return;
  throw formatError(
    path,
    `the header announces ${what} (${need} bytes) but the file holds only ${have} compressed bytes, too few for that`,
    'the file is truncated or damaged: copy or export it again',
    { need, have },
  );
}

/**
 * Gunzips (or inflates zlib data) to exactly `need` bytes or a little more; never allocates much beyond `need`.
 * Errors: FormatError where the stream is damaged, ends early or holds far more.
 */
export async function gunzipTo(
  path: string,
  bytes: Uint8Array,
  need: number,
  what: string,
  inflater: (data: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array> = promisify(
    gunzip,
  ) as never,
): Promise<Uint8Array> {
  expectInflatable(path, need, bytes.length, what);
  let out: Uint8Array;
  try {
    out = await inflater(bytes, { maxOutputLength: need + (1 << 20) });
  } catch (cause) {
    const more = (cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    throw formatError(
      path,
      more
        ? `its compressed data holds more than the ${what} (${need} bytes) that the header announces`
        : `its compressed data does not inflate (${reasonOf(cause)}), so it is truncated or damaged`,
      'copy or export it again',
      { need },
      cause,
    );
  }
  expectBytes(path, need, out.length, what);
  return out;
}

/** Refuses a file that holds fewer bytes of samples than its header announces. */
export function expectBytes(path: string, need: number, have: number, what: string): void {
  if (have >= need) return;
  throw formatError(
    path,
    `the header announces ${what} (${need} bytes) but only ${Math.max(0, have)} bytes follow: it is truncated, or its header is wrong`,
    'copy or export it again',
    { need, have },
  );
}

/** Refuses sizes that are not positive integers, or whose product no array can hold; returns the product. */
export function expectSizes(path: string, sizes: readonly number[], names?: string): number {
  const shown = sizes.join('×') || 'none';
  const label = names ? `${shown} (${names})` : shown;
  if (sizes.length === 0 || sizes.some(size => !Number.isInteger(size) || size < 1))
    throw formatError(
      path,
      `its size is ${label}, and every size must be at least 1`,
      'use a file that holds samples',
      {
        sizes,
      },
    );
  const count = sizes.reduce((a, b) => a * b, 1);
  if (count > 2 ** 31)
    throw formatError(
      path,
      `its size is ${label}, ${count} samples, and at most ${2 ** 31} can be read`,
      'crop or downsample it first',
      {
        sizes,
      },
    );
  return count;
}

/** Text of bytes, one character a byte. */
export const latin = (bytes: Uint8Array, from = 0, to = bytes.length): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', from, to);

/** Whether bytes hold this text at `at`. */
export const startsWith = (bytes: Uint8Array, text: string, at = 0): boolean =>
  bytes.length >= at + text.length && latin(bytes, at, at + text.length) === text;

/** A view on bytes, wherever they lie in their buffer. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
