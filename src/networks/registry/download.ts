// Downloads of weights: a whole file, or of a safetensors file only the tensors that are needed, by ranges. Both go on
// where they were cut off, check what came, and put the file in its place only then.

import { rename } from 'node:fs/promises';
import { NdconvError } from '../../errors.ts';
import { hashOf } from './cache.ts';
import {
  appendBody,
  beginPart,
  contentRange,
  dropPart,
  type OnProgress,
  type PartState,
  partOf,
  readState,
  request,
  sizeOfPart,
  TransferError,
  validatorOf,
} from './transfer.ts';

/** What to download, and to where. */
export interface Download {
  readonly url: string;
  /** The complete file; its folder exists. */
  readonly path: string;
  /** SHA-256 of the file in its place, or its first digits. */
  readonly sha256?: string;
  /** Looks into what came before it is put in its place; throws where it is something else. */
  readonly check?: (path: string) => Promise<unknown>;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
  /** Further attempts after the connection broke off. */
  readonly retries?: number;
}

/** What was put in place. */
export interface Downloaded {
  readonly sha256: string;
  readonly bytes: number;
}

const megabytes = (bytes: number): string =>
  bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** Tries again after a transfer broke off, a little later each time; what came in between is kept. */
async function persistently(job: Download, attempt: () => Promise<void>): Promise<void> {
  const { retries = 5, url, path, signal } = job;
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TransferError) || !error.again) throw error;
      if (tries >= retries) {
        const have = await sizeOfPart(path);
        const kept = have > 0 && (await readState(path));
        const message = error.message.slice(url.length + 2);
        throw new TransferError(
          url,
          kept
            ? `${message} after ${megabytes(have)} of ${megabytes(kept.total)}; what came is kept: run it again to go on`
            : message,
          { cause: error },
        );
      }
      await new Promise(resolve => setTimeout(resolve, 100 * 4 ** tries));
      signal?.throwIfAborted();
    }
  }
}

/** Checks the complete bytes, and puts them in their place. */
async function finish({ url, path, sha256: expected, check }: Download): Promise<Downloaded> {
  const part = partOf(path);
  const sha256 = await hashOf(part);
  if (expected !== undefined && !sha256.startsWith(expected.toLowerCase())) {
    await dropPart(path);
    throw new NdconvError(
      'NetworkError',
      `${url}: what came has the SHA-256 ${sha256}, and ${expected.length < 64 ? `one that begins with ${expected}` : expected} is expected; the file there is another one or was damaged on the way: try again, and do not use it if this stays so`,
      { url, sha256, expected },
    );
  }
  try {
    await check?.(part);
  } catch (cause) {
    await dropPart(path);
    throw new NdconvError(
      'NetworkError',
      `${url}: what came is not the file that is expected (${(cause as Error).message.replaceAll(`${part}: `, '')}); a proxy or a login page may have answered in its place`,
      { url },
      cause,
    );
  }
  const bytes = await sizeOfPart(path);
  await rename(part, path);
  await dropPart(path, { keep: true });
  return { sha256, bytes };
}

/** Downloads a whole file. Errors: NetworkError; bytes that came are kept for the next call where they can be used. */
export async function download(job: Download): Promise<Downloaded> {
  await persistently(job, () => fetchWhole(job));
  return finish(job);
}

async function fetchWhole(job: Download): Promise<void> {
  const { url, path, signal, onProgress } = job;
  const state = await readState(path);
  const usable = state?.url === url && state.selection === undefined;
  let have = usable ? await sizeOfPart(path) : 0;
  if (usable && have === state.total) return;
  if (usable && have > state.total) have = 0;
  const response = await request(
    url,
    have > 0 ? { from: have, validator: state!.validator, signal } : { signal },
  );
  const range = contentRange(response);
  const goesOn = response.status === 206 && have > 0 && range?.from === have && range.total === state!.total;
  let total = state?.total;
  if (!goesOn) {
    if (response.status !== 200) {
      // The range does not fit the file any more.
      await response.body?.cancel();
      await dropPart(path);
      throw new TransferError(url, 'the file changed while it was downloaded', { again: true });
    }
    have = 0;
    const length = response.headers.get('content-length');
    total = length === null ? undefined : Number(length);
    const validator = validatorOf(response);
    await beginPart(path, validator && total !== undefined ? { url, validator, total } : undefined);
  }
  await appendBody(
    url,
    path,
    response,
    count => {
      have += count;
      onProgress?.(have, total);
    },
    signal,
  );
  if (total !== undefined && have !== total)
    throw new TransferError(url, 'the connection broke off', { again: true });
}

/** Bytes at the start that are asked for first: the header of most files lies within. */
const firstBytes = 2 ** 16;
const longestHeader = 100_000_000;

/** A tensor of the header: its type, shape and place after the header. */
interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** How the part of a safetensors file is made. */
interface Selection {
  readonly state: PartState;
  /** Length and text of the new header. */
  readonly head: Uint8Array;
  /** Byte ranges of the whole file, in the order in which they follow the header. */
  readonly ranges: readonly (readonly [number, number])[];
}

/**
 * Downloads those tensors of a safetensors file whose names fit `wanted`, as a safetensors file of its own; the whole file
 * where the server gives no ranges (`whole` is then true). Errors: as `download`.
 */
export async function downloadTensors(
  job: Download,
  wanted: RegExp,
): Promise<Downloaded & { whole: boolean }> {
  let whole = false;
  await persistently(job, async () => {
    const selection = await select(job, wanted);
    whole = selection === undefined;
    return selection ? fetchRanges(job, selection) : fetchWhole(job);
  });
  return { ...(await finish(job)), whole };
}

async function select({ url, signal }: Download, wanted: RegExp): Promise<Selection | undefined> {
  const response = await request(url, { from: 0, to: firstBytes, signal });
  const range = contentRange(response);
  if (response.status !== 206 || range?.from !== 0) {
    await response.body?.cancel();
    return undefined;
  }
  const validator = validatorOf(response);
  const bodyOf = async (answer: Response) =>
    Buffer.from(
      await answer.arrayBuffer().catch(cause => {
        throw new TransferError(url, 'the connection broke off', { again: true, cause });
      }),
    );
  let head = await bodyOf(response);
  const { total } = range;
  const length = head.length < 8 ? 0n : head.readBigUInt64LE(0);
  const end = 8 + Number(length);
  const foreign = () => new TransferError(url, 'what is there is no safetensors file');
  if (length < 2n || length > BigInt(longestHeader) || end > total || head[8] !== 0x7b) throw foreign();
  if (end > head.length) {
    const more = await request(url, { from: head.length, to: end, validator, signal });
    if (more.status !== 206 || contentRange(more)?.total !== total)
      throw new TransferError(url, 'the file changed while it was downloaded', { again: true });
    head = Buffer.concat([head, await bodyOf(more)]);
  }
  let header: Record<string, Entry>;
  try {
    header = JSON.parse(head.subarray(8, end).toString('utf8'));
  } catch (cause) {
    throw new TransferError(url, 'what is there is no safetensors file', { cause });
  }
  const chosen = Object.entries(header).filter(([name]) => name !== '__metadata__' && wanted.test(name));
  if (chosen.length === 0)
    throw new TransferError(
      url,
      `no tensor there is named like ${wanted}; there are ${Object.keys(header).slice(0, 8).join(', ')} …`,
    );
  const sound = ({ data_offsets: at }: Entry) =>
    Array.isArray(at) &&
    at.every(n => Number.isSafeInteger(n) && n >= 0) &&
    at[0] <= at[1] &&
    end + at[1] <= total;
  if (!chosen.every(([, entry]) => sound(entry))) throw foreign();
  return arrange(url, chosen, end, { validator: validator ?? '', total, selection: String(wanted) });
}

/** The new header, and the ranges that follow it, neighbours joined. */
function arrange(
  url: string,
  chosen: [string, Entry][],
  start: number,
  version: Omit<PartState, 'url'>,
): Selection {
  chosen.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
  const ranges: [number, number][] = [];
  const header: Record<string, Entry> = {};
  let at = 0;
  for (const [name, { dtype, shape, data_offsets }] of chosen) {
    const [from, to] = data_offsets.map(n => start + n);
    header[name] = { dtype, shape, data_offsets: [at, at + to - from] };
    at += to - from;
    const last = ranges.at(-1);
    if (last?.[1] === from) last[1] = to;
    else ranges.push([from, to]);
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const head = Buffer.alloc(8 + padded.length);
  head.writeBigUInt64LE(BigInt(padded.length), 0);
  padded.copy(head, 8);
  return { state: { url, ...version }, head, ranges };
}

async function fetchRanges(job: Download, { state, head, ranges }: Selection): Promise<void> {
  const { url, path, signal, onProgress } = job;
  const total = head.length + ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  const known = await readState(path);
  const same =
    state.validator !== '' &&
    known?.url === url &&
    known.validator === state.validator &&
    known.selection === state.selection &&
    known.total === total;
  let have = same ? await sizeOfPart(path) : 0;
  if (have < head.length || have > total) {
    await beginPart(path, { ...state, total }, head);
    have = head.length;
  }
  let before = head.length;
  for (const [from, to] of ranges) {
    const done = Math.max(0, Math.min(to - from, have - before));
    before += to - from;
    if (from + done >= to) continue;
    const response = await request(url, {
      from: from + done,
      to,
      validator: state.validator || undefined,
      signal,
    });
    const range = contentRange(response);
    if (
      response.status !== 206 ||
      range?.from !== from + done ||
      range.to !== to ||
      range.total !== state.total
    ) {
      await response.body?.cancel();
      await dropPart(path);
      throw new TransferError(url, 'the file changed while it was downloaded', { again: true });
    }
    await appendBody(
      url,
      path,
      response,
      count => {
        have += count;
        onProgress?.(have, total);
      },
      signal,
    );
    if (have !== before) throw new TransferError(url, 'the connection broke off', { again: true });
  }
}
