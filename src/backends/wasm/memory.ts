// Where everything of a program lies in its one WebAssembly memory: the planned tensors first, then the tables of each
// kernel once, then what kernels prepared from constants, then working memory that all calls share in turn. Constants
// that are only prepared from are not kept: each lies among the temporaries for a moment before the first run.

import type { WasmRendering } from '../../../kernels/wasm.ts';
import { NdconvError } from '../../errors.ts';
import { elementCount } from '../../tensor/layout.ts';
import type { ProgramPlan } from '../backend.ts';
import type { Pass } from './passes.ts';

const PAGE = 65536;
const LIMIT = 65536 * PAGE;
/** Bytes after each buffer that kernels may read. */
const SLACK = 256;

/** What placing needs to know of a rendering. */
export type Needs = Pick<WasmRendering, 'tables' | 'scratch' | 'workspace' | 'prepare' | 'form'>;

/** Byte addresses. */
export interface MemoryMap {
  /** By tensor; −1 for a constant that is not kept. */
  readonly tensors: readonly number[];
  /** By kernel key. */
  readonly tables: ReadonlyMap<string, number[]>;
  /** By pass: working memory, and that of the threads. */
  readonly scratch: readonly number[];
  readonly workspace: readonly number[];
  /** By pass: whether its first phase is run once, before the first run. */
  readonly prepared: readonly boolean[];
  /** Where constants that are not kept lie while they are prepared from. */
  readonly staging: number;
  readonly bytes: number;
}

/** Places everything; `keys` names the rendering of each pass. What is too large is refused on allocation. */
export function mapMemory(
  plan: ProgramPlan,
  passes: readonly Pass[],
  keys: readonly string[],
  renderings: ReadonlyMap<string, Needs>,
  threads: number,
): MemoryMap {
  const needs = keys.map(key => renderings.get(key)!);
  const prepared = passes.map(
    ({ inputs }, c) => needs[c].prepare?.every(i => plan.tensors[inputs[i]].role === 'constant') ?? false,
  );
  const dropped = onlyPrepared(plan, passes, needs, prepared);
  const tensors = closeGaps(plan, dropped);

  // Room for the constants of one call behind all that lasts from the start; temporaries are written there later.
  const staging = plan.tensors.reduce((end, { role, layout, aliasOf }, i) => {
    const temporary = role === 'temporary' || role === 'output' || aliasOf !== undefined || dropped.has(i);
    return temporary ? end : Math.max(end, aligned(tensors[i] + elementCount(layout) * 4 + SLACK));
  }, 0);
  const staged = passes.map(({ inputs }, c) =>
    prepared[c] ? stagedOf(needs[c], inputs, dropped).reduce((sum, i) => sum + sizeOf(plan, i), 0) : 0,
  );
  const removed = [...dropped].reduce((sum, i) => sum + extentOf(plan, i), 0);
  let bytes = Math.max(plan.bytes - removed, staging + most(staged)) + SLACK;
  const reserve = (size: number) => {
    const at = aligned(bytes);
    bytes = at + size + SLACK;
    return at;
  };
  const tables = new Map(
    [...renderings].map(([key, r]) => [key, (r.tables ?? []).map(t => reserve(t.byteLength))]),
  );
  const forms = new Map<string, number>();
  const kept = passes.map(({ inputs }, c) => {
    const { prepare = [], form = keys[c], scratch = 0 } = needs[c];
    if (!prepared[c]) return -1;
    const name = `${form} of ${prepare.map(i => inputs[i])}`;
    const at = forms.get(name) ?? reserve(scratch);
    forms.set(name, at);
    return at;
  });
  // What lasts for a call alone: its scratch where nothing is kept there, and the workspace behind it.
  const passing = needs.map(({ scratch = 0 }, c) => (prepared[c] || !scratch ? 0 : aligned(scratch + SLACK)));
  const shared = reserve(most(needs.map(({ workspace = 0 }, c) => passing[c] + threads * workspace)));
  return {
    tensors,
    tables,
    scratch: kept.map(at => (at < 0 ? shared : at)),
    workspace: passing.map(size => shared + size),
    prepared,
    staging,
    bytes,
  };
}

/** Of a prepared call: the inputs that are written to the staging place, one behind the other. */
const stagedOf = (
  { prepare = [] }: Needs,
  inputs: readonly number[],
  dropped: { has(i: number): boolean },
): number[] => [...new Set(prepare.map(i => inputs[i]))].filter(i => dropped.has(i));

/** Bytes that a tensor takes, what may be read past its end included. */
export const sizeOf = (plan: ProgramPlan, i: number): number =>
  aligned(elementCount(plan.tensors[i].layout) * 4 + SLACK);

// Constants that no call reads but to prepare from, and that no other tensor shares bytes with.
function onlyPrepared(
  plan: ProgramPlan,
  passes: readonly Pass[],
  needs: readonly Needs[],
  prepared: readonly boolean[],
): ReadonlySet<number> {
  const found = new Set(
    plan.tensors.flatMap(({ role, data }, i) => (role === 'constant' && data ? [i] : [])),
  );
  for (const { aliasOf } of plan.tensors) if (aliasOf !== undefined) found.delete(aliasOf);
  for (const [i, { aliasOf }] of plan.tensors.entries()) if (aliasOf !== undefined) found.delete(i);
  for (const { value } of plan.updates) found.delete(value);
  for (const [c, { inputs }] of passes.entries())
    for (const [position, i] of inputs.entries())
      if (!prepared[c] || !needs[c].prepare!.includes(position)) found.delete(i);
  return found;
}

/** Bytes from a tensor to the next. */
function extentOf(plan: ProgramPlan, i: number): number {
  const { offset } = plan.tensors[i];
  return (
    plan.tensors.reduce((end, t) => (t.offset > offset ? Math.min(end, t.offset) : end), plan.bytes) - offset
  );
}

// Addresses of the tensors where those dropped take no room.
function closeGaps(plan: ProgramPlan, dropped: ReadonlySet<number>): number[] {
  const gaps = [...dropped].map(i => ({ at: plan.tensors[i].offset, size: extentOf(plan, i) }));
  return plan.tensors.map(({ offset }, i) =>
    dropped.has(i) ? -1 : gaps.reduce((to, { at, size }) => (at < offset ? to - size : to), offset),
  );
}

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

/** Bytes that are allocated for a program that needs so many. */
export const allocatedBytes = (bytes: number): number => {
  const pages = Math.ceil(bytes / PAGE);
  return Math.max(pages, Math.min(LIMIT / PAGE, pages + 1)) * PAGE;
};

/** Allocates a shared memory of at least so many bytes. Throws MemoryError. */
export function allocate(bytes: number): WebAssembly.Memory {
  if (bytes > LIMIT) throw tooLarge(bytes, 'WebAssembly addresses 4 GiB');
  const pages = allocatedBytes(bytes) / PAGE;
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
