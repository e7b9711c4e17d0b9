// The suite on gpu.js, mode cpu.

import { gpujsConformance } from './gpujs.ts';

await gpujsConformance('cpu', { runs: 6 });
