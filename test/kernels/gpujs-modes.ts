// The gpu.js modes a test runs in: the processor modes always, WebGPU where an adapter answers.

import type { Backend } from '../../src/backends/backend.ts';
import { createGpujsBackend, type GpujsMode, probeWebGpu } from '../../src/backends/gpujs.ts';
import { selectSoftwareWebGpu } from '../software-webgpu.ts';

/** Backends by mode; prints why WebGPU is left out. */
export async function availableBackends(): Promise<Backend[]> {
  const modes: GpujsMode[] = ['cpu', 'webasm'];
  selectSoftwareWebGpu();
  const probe = await probeWebGpu();
  if (probe.adapter === undefined) console.log(`# skip webgpu: ${probe.reason}`);
  else modes.push('webgpu');
  const backends: Backend[] = [];
  for (const mode of modes) backends.push(await createGpujsBackend({ mode }));
  for (const b of backends) console.log(`# ${b.name}: ${b.description}`);
  return backends;
}
