// The suite on gpu.js, mode webgpu.

import { gpujsConformance } from './gpujs.ts';

await gpujsConformance('webgpu', { every: 5, runs: 4 });
