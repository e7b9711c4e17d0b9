// What NRRD and MetaImage share: a header of text lines followed by samples, in the same file or in one beside it,
// plain or compressed. Finding, bounding and unpacking the samples is done here for both.

import { dirname, isAbsolute, join, sep } from 'node:path';
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { expectBytes, expectInflatable, gunzipTo, readWhole, sizeOf } from './bytes.ts';
import { formatError } from './format.ts';

/** How the samples are packed. */
export type Packing = 'raw' | 'gzip' | 'zlib';

/** Where the samples of a text header lie. */
export interface Body {
  /** File beside the header, or undefined where the samples follow the header. */
  file?: string;
  /** Offset in the header's own file where nothing else is said. */
  start: number;
  /** Bytes to skip in the file beside; -1 takes the samples from its end. */
  skip: number;
  /** Lines to skip before that. */
  lines: number;
  packing: Packing;
  /** Bytes of samples needed, once unpacked. */
  need: number;
  /** `256×256×20 samples of type int16`, for messages. */
  what: string;
}

/** Path of a data file named in a header: relative to the header's folder, unless absolute. */
const besidePath = (path: string, name: string): string =>
  isAbsolute(name) ? name : join(dirname(path), name);

/** Refuses a header whose samples are not there: in a missing file, or fewer than it announces. */
export async function expectBody(path: string, body: Body): Promise<void> {
  const { file, packing, need, what } = body;
  const data = file === undefined ? path : besidePath(path, file);
  const size = await sizeOf(data).catch(() => undefined);
  if (size === undefined)
    throw formatError(
      path,
      `its samples are in ${file}, which is not there`,
      'put both files into the same folder',
      {
        missing: data,
      },
    );
  const have = file === undefined ? size - body.start : size;
  if (packing === 'raw') expectBytes(data, need, have, what);
  else expectInflatable(data, need, have, what);
}

/** The samples of a text header, unpacked: at least `need` bytes. `own` is the header's file. */
export async function readBody(path: string, own: Uint8Array, body: Body): Promise<Uint8Array> {
  const { file, packing, need, what } = body;
  await expectBody(path, body);
  let bytes = file === undefined ? own.subarray(body.start) : await readWhole(besidePath(path, file));
  for (let line = 0; line < body.lines; line++) {
    const end = bytes.indexOf(10);
    bytes = bytes.subarray(end < 0 ? bytes.length : end + 1);
  }
  if (body.skip > 0) bytes = bytes.subarray(body.skip);
  if (packing === 'raw') {
    expectBytes(path, need, bytes.length, what);
    return body.skip === -1 ? bytes.subarray(bytes.length - need) : bytes;
  }
  if (packing === 'gzip') return gunzipTo(path, bytes, need, what);
  return gunzipTo(path, bytes, need, what, promisify(inflate) as never);
}

/** Name of the data file that goes with a header written to `path`. */
export const dataFileName = (path: string, ending: string): string =>
  path
    .slice(path.lastIndexOf(sep) + 1)
    .replace(/\.[^.]*$/, '')
    .concat(ending);
