// Where everything of a program lies in its one WebAssembly memory: the planned tensors first, then the tables of each
// kernel once, then working memory for each call and that which all calls share in turn.

import type { WasmRendering } from '../../../kernels/wasm.ts';
import { NdconvError } from '../../errors.ts';
import type { ProgramPlan } from '../backend.ts';

const PAGE = 65536;
const LIMIT = 65536 * PAGE;
/** Bytes after each buffer that kernels may read. */
const SLACK = 256;

/** Byte addresses of tables by kernel key, of scratch by call, and of the workspace of the threads. */
export interface MemoryMap {
  readonly tables: ReadonlyMap<string, number[]>;
  readonly scratch: readonly number[];
  readonly workspace: number;
  readonly bytes: number;
}

/** Places tables and scratch behind the tensors; `keys` names the rendering of each call. Throws MemoryError. */
export function mapMemory(
  plan: ProgramPlan,
  keys: readonly string[],
  renderings: ReadonlyMap<string, WasmRendering>,
  threads: number,
): MemoryMap {
  let bytes = plan.bytes + SLACK;
  const reserve = (size: number) => {
    const at = Math.ceil(bytes / 64) * 64;
    bytes = at + size + SLACK;
    return at;
  };
  const tables = new Map(
    [...renderings].map(([key, r]) => [key, (r.tables ?? []).map(t => reserve(t.byteLength))]),
  );
  const scratch = keys.map(key => reserve(renderings.get(key)!.scratch ?? 0));
  const needs = [...renderings.values()].map(r => r.workspace ?? 0);
  const workspace = reserve(threads * needs.reduce((a, b) => Math.max(a, b), 0));
  if (bytes > LIMIT) throw tooLarge(bytes, 'WebAssembly addresses 4 GiB');
  return { tables, scratch, workspace, bytes };
}

/** Allocates a shared memory of at least so many bytes. */
export function allocate(bytes: number): WebAssembly.Memory {
  const pages = Math.min(65536, Math.ceil(bytes / PAGE) + 1);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    throw tooLarge(bytes, 'the system did not give that much', cause);
  }
}

const tooLarge = (bytes: number, limit: string, cause?: unknown): NdconvError =>
  new NdconvError(
    'MemoryError',
    `wasm: the program needs ${gibibytes(bytes)} GiB, ${limit}: lower the size of the input, the batch or the number of filters`,
    { needed: bytes, limit: LIMIT },
    cause,
  );

const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(2);
