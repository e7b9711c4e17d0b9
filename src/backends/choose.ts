// Backends by name. A backend asked for by name never falls back: it works or the run stops with the reason.

import { NdconvError } from '../errors.ts';
import type { Backend, BackendOptions } from './backend.ts';
import { createReferenceBackend } from './reference.ts';

/** Creates the backend called `name`: 'auto', 'wasm' or 'reference'. */
export async function chooseBackend(name: string, options: BackendOptions): Promise<Backend> {
  if (name === 'reference') return createReferenceBackend();
  if (name === 'auto' || name === 'wasm')
    return (await import('./wasm/backend.ts')).createWasmBackend(options);
  throw new NdconvError('BackendError', `backend ${name}: not available; use auto, wasm or reference`);
}
