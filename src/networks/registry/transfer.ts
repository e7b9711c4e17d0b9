// Bytes over HTTP into a file that is not yet complete: what came is kept, and the next request goes on where the last one
// ended, as long as the server says that the file is still the same. Ranges and validators are those of RFC 9110.

import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { NdconvError } from '../../errors.ts';

/** Something that ends a transfer. `again` is set where trying once more may help. */
export class TransferError extends NdconvError {
  readonly again: boolean;
  constructor(
    url: string,
    problem: string,
    { again = false, cause }: { again?: boolean; cause?: unknown } = {},
  ) {
    super('NetworkError', `${url}: ${problem}`, { url }, cause);
    this.again = again;
  }
}

/** Which version of the file the incomplete one is part of. */
export interface PartState {
  readonly url: string;
  /** Strong ETag or date of the last change; without one the transfer starts anew. */
  readonly validator: string;
  /** Bytes of the whole file at the origin. */
  readonly total: number;
  /** What is taken of it; all where absent. */
  readonly selection?: string;
}

/** Told now and then: bytes so far, and in all where known. */
export type OnProgress = (done: number, total?: number) => void;

/** The file beside `path` that holds what came so far. */
export const partOf = (path: string): string => `${path}.part`;
const stateOf = (path: string): string => `${path}.part.json`;

export const sizeOfPart = async (path: string): Promise<number> =>
  (await stat(partOf(path)).catch(() => undefined))?.size ?? 0;

export async function readState(path: string): Promise<PartState | undefined> {
  try {
    return JSON.parse(await readFile(stateOf(path), 'utf8')) as PartState;
  } catch {
    return undefined;
  }
}

/** Begins the incomplete file with `bytes`; without a state it cannot be continued by a later call. */
export async function beginPart(
  path: string,
  state: PartState | undefined,
  bytes: Uint8Array = new Uint8Array(),
) {
  await dropPart(path);
  await writeFile(partOf(path), bytes);
  if (state) await writeFile(stateOf(path), JSON.stringify(state));
}

/** Removes what is incomplete; `keep` leaves the bytes, which have become whole. */
export async function dropPart(path: string, { keep = false } = {}): Promise<void> {
  if (!keep) await rm(partOf(path), { force: true });
  await rm(stateOf(path), { force: true });
}

/** Total size and first byte of `bytes 0-99/1234`. */
export function contentRange(response: Response): { from: number; to: number; total: number } | undefined {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  return found ? { from: Number(found[1]), to: Number(found[2]) + 1, total: Number(found[3]) } : undefined;
}

/** What tells this version of a file from another; undefined where the server says nothing that is sure. */
export function validatorOf({ headers }: Response): string | undefined {
  const tag = headers.get('etag');
  return tag && !tag.startsWith('W/') ? tag : (headers.get('last-modified') ?? undefined);
}

/** Asks for a file or a range of it; `to` is exclusive. Errors: TransferError for all answers but 200, 206 and 416. */
export async function request(
  url: string,
  {
    from,
    to,
    validator,
    signal,
  }: { from?: number; to?: number; validator?: string; signal?: AbortSignal } = {},
): Promise<Response> {
  // Compressed, a range would be one of other bytes.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (from !== undefined) headers.range = `bytes=${from}-${to === undefined ? '' : to - 1}`;
  if (from !== undefined && validator) headers['if-range'] = validator;
  let response: Response;
  try {
    response = await fetch(url, { headers, signal });
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    const { cause: inner } = cause as { cause?: NodeJS.ErrnoException };
    const reason = inner?.code ?? inner?.message ?? (cause as Error).message;
    throw new TransferError(url, `cannot be reached (${reason}); check the connection and the proxy`, {
      again: true,
      cause,
    });
  }
  const { status, statusText } = response;
  if ([200, 206, 416].includes(status)) return response;
  await response.body?.cancel();
  const again = status === 429 || status >= 500;
  throw new TransferError(
    url,
    `the server answers ${`${status} ${statusText}`.trim()}${again ? '; try again later' : ''}`,
    { again },
  );
}

/** Appends a body to the incomplete file; bytes that came before it broke off stay. Errors: TransferError. */
export async function appendBody(
  url: string,
  path: string,
  response: Response,
  onBytes: (count: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const file = await open(partOf(path), 'a');
  try {
    if (!response.body) return;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      await file.writeFile(chunk);
      onBytes(chunk.length);
    }
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new NdconvError(
        'NetworkError',
        `${path}: the disk is full; make room and run it again`,
        { path },
        cause,
      );
    throw new TransferError(url, 'the connection broke off', { again: true, cause });
  } finally {
    await file.close();
  }
}
