// The one source of randomness in ndconv: a seeded generator with independent named streams. Whatever is random
// (initial weights, noise images, synthetic sounds, shuffled pairs) draws from here and never from Math.random,
// so that the same file and seed give the same bytes. The generator is xoshiro128** (Blackman and Vigna 2018),
// its state filled by splitmix64 (Steele, Lea and Flood 2014). Not for cryptography.

import { NdconvError } from './errors.ts';

/** A stream of random numbers; it advances with every draw. */
export interface Random {
  /** A number in [0, 1), uniform, with 53 random bits. */
  uniform(): number;
  /** A number from the normal distribution of mean 0 and variance 1. */
  normal(): number;
  /** An integer in [0, n), every one equally likely; `n` is an integer from 1 to 2^53. */
  integer(n: number): number;
  /** Reorders an array in place, every order equally likely, and returns it. */
  shuffle<A extends { length: number; [index: number]: unknown }>(array: A): A;
}

const mask64 = 0xffffffffffffffffn;

/** One step of splitmix64: advances `state.value` and returns 64 mixed bits. */
const splitmix = (state: { value: bigint }): bigint => {
  state.value = (state.value + 0x9e3779b97f4a7c15n) & mask64;
  let z = state.value;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask64;
  return z ^ (z >> 31n);
};

const checkSeed = (seed: number): void => {
  if (!Number.isSafeInteger(seed)) {
    throw new NdconvError(
      'PipelineError',
      `seed: ${seed} is not an integer between -2^53 and 2^53; give a whole number`,
      {
        seed,
      },
    );
  }
};

/**
 * A seed for an independent stream named `label`, a whole number in [0, 2^53). Equal seeds and labels give equal
 * results; any difference in either gives an unrelated one, so adding a stream never disturbs the others.
 *
 * @throws NdconvError PipelineError when `seed` is not a safe integer.
 */
export const derive = (seed: number, label: string): number => {
  checkSeed(seed);
  const state = { value: BigInt(seed) & mask64 };
  let mixed = splitmix(state);
  for (let i = 0; i < label.length; i++) {
    state.value = mixed ^ BigInt(label.charCodeAt(i));
    mixed = splitmix(state);
  }
  return Number(mixed >> 11n);
};

/**
 * A random stream. With a `label` it is the stream of that name, independent of the other names' streams and of
 * the unnamed one.
 *
 * @throws NdconvError PipelineError when `seed` is not a safe integer.
 */
export const createRandom = (seed: number, label?: string): Random => {
  checkSeed(seed);
  const state = { value: BigInt(label === undefined ? seed : derive(seed, label)) & mask64 };
  const first = splitmix(state);
  const second = splitmix(state);
  let a = Number(first & 0xffffffffn) | 0;
  let b = Number(first >> 32n) | 0;
  let c = Number(second & 0xffffffffn) | 0;
  let d = Number(second >> 32n) | 0;
  if ((a | b | c | d) === 0) a = 1; // the one state that xoshiro never leaves

  /** 32 random bits, unsigned. */
  const next = (): number => {
    let result = Math.imul(b, 5);
    result = Math.imul((result << 7) | (result >>> 25), 9);
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result >>> 0;
  };
  /** 53 random bits, as a whole number. */
  const wide = (): number => (next() >>> 5) * 0x4000000 + (next() >>> 6);

  const uniform = (): number => wide() / 0x20000000000000;

  // Marsaglia's polar form of Box-Muller yields two values at a time.
  let spare = Number.NaN;
  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = Number.NaN;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const r = x * x + y * y;
      if (r > 0 && r < 1) {
        const scale = Math.sqrt((-2 * Math.log(r)) / r);
        spare = y * scale;
        return x * scale;
      }
    }
  };

  const integer = (n: number): number => {
    if (!(Number.isInteger(n) && n >= 1 && n <= 0x20000000000000)) {
      throw new RangeError(`integer: n = ${n} is not an integer from 1 to 2^53`);
    }
    // Draws from the incomplete last run of n values are rejected, so that no value is favoured.
    if (n <= 0x100000000) {
      const limit = 0x100000000 - (0x100000000 % n);
      for (;;) {
        const value = next();
        if (value < limit) return value % n;
      }
    }
    const limit = 0x20000000000000 - (0x20000000000000 % n);
    for (;;) {
      const value = wide();
      if (value < limit) return value % n;
    }
  };

  const shuffle = <A extends { length: number; [index: number]: unknown }>(array: A): A => {
    const items = array as { length: number; [index: number]: unknown };
    for (let i = items.length - 1; i > 0; i--) {
      const j = integer(i + 1);
      const value = items[i];
      items[i] = items[j];
      items[j] = value;
    }
    return array;
  };

  return { uniform, normal, integer, shuffle };
};
