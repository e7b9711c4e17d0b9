// The suite on the wasm backend, with one thread and, in part, with two.

import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { conformance } from './conformance.ts';

conformance('wasm', () => createWasmBackend({ threads: 1 }), { runs: 24 });
conformance('wasm, 2 threads', () => createWasmBackend({ threads: 2 }), { every: 4, runs: 6 });
