// The suite on gpu.js, mode webgpu; a part of it, since every kernel is compiled anew. A machine without a graphics
// device takes the software one that comes with Chromium, where it is installed.

import { existsSync } from 'node:fs';
import { gpujsConformance } from './gpujs.ts';

const software = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (!existsSync('/dev/dri') && !existsSync('/dev/nvidia0') && existsSync(software))
  process.env.VK_DRIVER_FILES ??= software;

await gpujsConformance('webgpu', { every: 5, runs: 4 });
