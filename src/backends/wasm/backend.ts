// The wasm backend: every kernel as WebAssembly generated for its exact shapes, over one shared memory, on several
// threads.

import { availableParallelism } from 'node:os';
import { NdconvError } from '../../errors.ts';
import type { Backend, BackendOptions } from '../backend.ts';
import { compile } from './executable.ts';
import { hasRelaxed } from './features.ts';
import { Team } from './team.ts';
import { enableWide } from './wide.ts';

/**
 * WebAssembly SIMD on the processor's cores. Results do not depend on the number of threads. `wide` asks for V8's
 * widening of vectors, which is used only where the engine has it and its kernels pass a check against the reference.
 */
export async function createWasmBackend(options: BackendOptions = {}): Promise<Backend> {
  const { threads = availableParallelism(), measure = false, winograd = true } = options;
  if (!Number.isInteger(threads) || threads < 1)
    throw new NdconvError('BackendError', `wasm: threads must be an integer of at least 1, got ${threads}`, {
      threads,
    });
  const wide = options.wide ? await enableWide() : false;
  const target = { relaxed: hasRelaxed(), wide, threads, winograd };
  const team = await Team.start(threads);
  return {
    name: 'wasm',
    description: [
      'WebAssembly SIMD',
      target.wide ? '256-bit vectors' : '128-bit vectors',
      target.relaxed ? 'fused multiply-add' : 'separate multiply and add',
      `${threads} thread${threads === 1 ? '' : 's'}`,
    ].join(', '),
    compile: plan => compile(plan, target, team, measure),
    close: () => team.close(),
  };
}
