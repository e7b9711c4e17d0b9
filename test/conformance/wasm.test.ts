// The suite on the wasm backend.

import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { conformance } from './conformance.ts';

conformance('wasm', () => createWasmBackend({ threads: 1 }), { runs: 24 });
