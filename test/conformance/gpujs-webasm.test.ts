// The suite on gpu.js, mode webasm.

import { gpujsConformance } from './gpujs.ts';

await gpujsConformance('webasm', { runs: 6 });
