// The suite on gpu.js, mode webgpu; a part of it, since every kernel is compiled anew.

import { selectSoftwareWebGpu } from '../software-webgpu.ts';
import { gpujsConformance } from './gpujs.ts';

selectSoftwareWebGpu();
await gpujsConformance('webgpu', { every: 5, runs: 4 });
