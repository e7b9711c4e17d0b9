// From WebAssembly text to modules, and what the engine at hand supports.

import wabt from 'wabt';
import type { WasmTarget } from '../../../kernels/wasm.ts';

type Wabt = Awaited<ReturnType<typeof wabt>>;
let assembler: Promise<Wabt> | undefined;
const FEATURES = { simd: true, relaxed_simd: true, threads: true, bulk_memory: true } as const;

/** Assembles the text of one kernel with the shared memory it imports. */
export async function assemble(text: string): Promise<Uint8Array<ArrayBuffer>> {
  assembler ??= wabt();
  const module = (await assembler).parseWat(
    'kernel.wat',
    `(module (import "env" "memory" (memory 1 65536 shared))\n${text})`,
    FEATURES,
  );
  try {
    return Uint8Array.from(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

/** What this engine can execute. */
export async function detectTarget(wide: boolean): Promise<WasmTarget> {
  const probe = await assemble(
    '(func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))',
  );
  return { relaxed: WebAssembly.validate(probe), wide };
}
