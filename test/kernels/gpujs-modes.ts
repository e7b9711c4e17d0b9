// The gpu.js modes a test runs in: the processor modes always, WebGPU where an adapter answers. On machines without a
// GPU a software adapter is taken from a Chromium installation where there is one.

import { existsSync } from 'node:fs';
import type { Backend } from '../../src/backends/backend.ts';
import { createGpujsBackend, type GpujsMode, probeWebGpu } from '../../src/backends/gpujs.ts';

const SOFTWARE_ADAPTERS = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/** Backends by mode; prints why WebGPU is left out. */
export async function availableBackends(): Promise<Backend[]> {
  const modes: GpujsMode[] = ['cpu', 'webasm'];
  let probe = await probeWebGpu();
  const driver = SOFTWARE_ADAPTERS.find(existsSync);
  if (probe.adapter === undefined && driver) {
    // The Vulkan loader reads this for every new instance, so WebGPU is set up again.
    process.env.VK_DRIVER_FILES = driver;
    Reflect.deleteProperty(navigator, 'gpu');
    probe = await probeWebGpu();
  }
  if (probe.adapter === undefined) console.log(`# skip webgpu: ${probe.reason}`);
  else modes.push('webgpu');
  const backends: Backend[] = [];
  for (const mode of modes) backends.push(await createGpujsBackend({ mode }));
  for (const b of backends) console.log(`# ${b.name}: ${b.description}`);
  return backends;
}
