// Changes to a file's bytes that a damaged disk, a cut download or somebody hostile would make: bits, runs, cuts and
// repeats, numbers of 2 to 8 bytes at their extremes, and in texts other numbers in place of those that stand there.

import type { Random } from '../../src/random.ts';

/** Numbers that break assumptions where a text has another. */
const oddNumbers = [
  '-1',
  '0',
  '3',
  '65536',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '1e308',
  '1e999',
  'NaN',
  '',
];

/** Integers that break assumptions where bytes hold another, as many bytes of them as fit. */
const extremes = [0n, 1n, 0x7fffn, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x7fffffffffffffffn];

const mostBytes = 1 << 20;

/** Changes up to six places; `hold` leaves the first bytes alone now and then, so that what is behind them is reached. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const below = (n: number) => Math.floor(random.uniform() * n);
  let out: Uint8Array = Uint8Array.from(bytes);
  const from = below(3) === 0 ? Math.min(64, bytes.length >> 1) : 0;
  for (let changes = 1 + below(6); changes > 0; changes--) {
    // Half of all changes hit the first kilobyte, where headers are.
    const reach = below(2) === 0 ? out.length : Math.min(out.length, 1024);
    const at = Math.min(from + below(Math.max(1, reach - from)), Math.max(0, out.length - 1));
    const kind = below(9);
    if (out.length === 0) return out;
    if (kind === 0) out[at] = below(256);
    else if (kind === 1) out[at] ^= 1 << below(8);
    else if (kind === 2 && below(3) === 0) out = out.slice(0, at + 1);
    else if (kind === 3) out.set(out.slice(below(out.length)).subarray(0, Math.min(8, out.length - at)), at);
    else if (kind === 4) out.fill(below(2) * 255, at, at + 1 + below(9));
    else if (kind === 5)
      writeInteger(out, at, extremes[below(extremes.length)], 2 << below(3), below(2) === 0);
    else if (kind >= 6 && kind < 8) out = otherNumber(out, at, oddNumbers[below(oddNumbers.length)]);
    else {
      const again = below(out.length);
      const parts = [out.subarray(0, at), out.subarray(again, again + 4096), out.subarray(at)];
      out = new Uint8Array(Buffer.concat(parts)).subarray(0, Math.max(mostBytes, bytes.length));
    }
  }
  return out;
}

function writeInteger(out: Uint8Array, at: number, value: bigint, width: number, little: boolean): void {
  for (let i = 0; i < width && at + i < out.length; i++)
    out[at + i] = Number((value >> BigInt(8 * (little ? i : width - 1 - i))) & 255n);
}

const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57;

/** Puts another number in place of the next one that is written in digits; bytes without any stay as they are. */
function otherNumber(bytes: Uint8Array, at: number, text: string): Uint8Array {
  let start = at;
  while (start < bytes.length && start < at + 256 && !isDigit(bytes[start])) start++;
  if (start >= bytes.length || !isDigit(bytes[start])) return bytes;
  let end = start;
  while (end < bytes.length && isDigit(bytes[end])) end++;
  return new Uint8Array(Buffer.concat([bytes.subarray(0, start), Buffer.from(text), bytes.subarray(end)]));
}
