// The suite on one mode of gpu.js; where a machine lacks it, a skip with the reason.

import tape from 'tape';
import type { GpujsMode } from '../../src/backends/gpujs.ts';
import { createGpujsBackend } from '../../src/backends/gpujs.ts';
import { NdconvError } from '../../src/errors.ts';
import { conformance, type Extent } from './conformance.ts';

/** Declares the suite for a mode; only a BackendError that says why there is no such device is a skip. */
export async function gpujsConformance(mode: GpujsMode, extent: Extent): Promise<void> {
  try {
    await (await createGpujsBackend({ mode })).close();
  } catch (error) {
    if (!(error instanceof NdconvError && error.tag === 'BackendError')) throw error;
    const reason = error.message;
    tape(`gpujs:${mode}`, t => {
      t.skip(reason);
      t.end();
    });
    return;
  }
  conformance(`gpujs:${mode}`, () => createGpujsBackend({ mode }), extent);
}
