// From WebAssembly text to modules.

import wabt from 'wabt';

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
