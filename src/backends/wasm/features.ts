// What this engine can execute, found out without assembling anything.

// A module whose only function multiplies and adds with f32x4.relaxed_madd.
const RELAXED_MADD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0], // magic, version
  ...[1, 6, 1, 96, 1, 123, 1, 123], // type: v128 to v128
  ...[3, 2, 1, 0, 10, 13, 1, 11, 0], // one function of 11 bytes
  ...[32, 0, 32, 0, 32, 0, 253, 133, 2, 11],
);

/** Whether relaxed SIMD is there. */
export const hasRelaxed = (): boolean => WebAssembly.validate(RELAXED_MADD);

/** Whether the engine has a widening of vectors to try; its results are checked before it is used. */
export const mayWiden = (): boolean =>
  Number(process.versions.node.split('.')[0]) >= 24 && process.arch === 'x64' && hasRelaxed();
