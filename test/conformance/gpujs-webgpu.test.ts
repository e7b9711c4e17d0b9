// The suite on gpu.js, mode webgpu.

import { selectSoftwareWebGpu } from '../software-webgpu.ts';
import { gpujsConformance } from './gpujs.ts';

selectSoftwareWebGpu();
await gpujsConformance('webgpu', { runs: 4 });
