// Pieces of gpu.js source shared by the families. The rules they keep, which hold in every mode of gpu.js 2.24: locals
// are floats (an integer initialiser decays to one), so a local holds a coordinate below 2^24 and flat indices are
// written out inline in 32-bit integers through `| 0`; `/` is a float division, so quotients are corrected by integer
// comparison; loops have literal bounds of at most 1000; there are no ternaries around reads, for both sides are read.

import { NdconvError } from '../src/errors.ts';
import {
  channelsOf,
  elementCount,
  extentsOf,
  type Layout,
  originOf,
  pitchesOf,
} from '../src/tensor/layout.ts';

/** The longest loop gpu.js runs in every mode. */
const LONGEST_LOOP = 1000;
/** Loops of sums are cut into blocks of this many terms. */
const SUM_BLOCK = 256;
/** Range in which outputs are `[channels, cells]`; beyond it they are flat. */
const NARROWEST = 8;
const WIDEST = 1 << 18;
/** Coordinates are exact floats up to here. */
const LARGEST_COORDINATE = 1 << 24;

/** An integer literal in source, in parentheses where negative. */
export const literal = (n: number): string => (n < 0 ? `(${n})` : String(n));

const isLiteral = (text: string): boolean => /^\(?-?\d+\)?$/.test(text);
const valueOf = (text: string): number => Number(text.replace(/[()]/g, ''));

/** An integer expression of a float local. */
const integer = (text: string): string => (isLiteral(text) ? text : `(${text} | 0)`);

/** Σ coordinate·factor + constant in 32-bit integers; coordinates that are literals fold into the constant. */
export function affine(terms: readonly (readonly [string, number])[], constant: number): string {
  let rest = constant;
  const parts: string[] = [];
  for (const [text, factor] of terms) {
    if (isLiteral(text)) rest += valueOf(text) * factor;
    else if (factor !== 0) parts.push(factor === 1 ? integer(text) : `${integer(text)} * ${literal(factor)}`);
  }
  if (rest !== 0 || parts.length === 0) parts.push(literal(rest));
  return parts.join(' + ');
}

/** Flat index of an element of a laid-out tensor: one coordinate per dimension, the channel last. */
export function elementIndex(layout: Layout, at: readonly string[]): string {
  const channels = channelsOf(layout);
  const pitches = pitchesOf(layout);
  return affine(
    at.map((text, a) => [text, a < pitches.length ? pitches[a] * channels : 1] as const),
    originOf(layout) * channels,
  );
}

/** The same with the coordinates of a broadcast: 0 where the tensor has size 1. */
export const broadcastIndex = (layout: Layout, at: readonly string[]): string =>
  elementIndex(
    layout,
    at.map((text, a) => (layout.shape[a] === 1 ? '0' : text)),
  );

/** Size of the gpu.js output that holds a layout. */
export function outputOf(layout: Layout): number[] {
  const channels = channelsOf(layout);
  const cells = elementCount(layout) / channels;
  return channels >= NARROWEST && channels <= WIDEST && cells <= WIDEST
    ? [channels, cells]
    : [elementCount(layout)];
}

/**
 * Locals `<name>0 … <name>n` that hold the coordinates of a row-major index in a box of sizes `sizes`. `index` is an
 * integer expression; the remainders are taken in integers, so it may pass 2^24 while no coordinate does.
 */
export function decompose(
  index: string,
  sizes: readonly number[],
  name: string,
): { text: string; at: string[] } {
  const lines: string[] = [];
  const at: string[] = [];
  const largest = Math.max(...sizes);
  if (largest > LARGEST_COORDINATE)
    throw new NdconvError(
      'BackendError',
      `gpujs: a dimension of ${largest} cells is above the ${LARGEST_COORDINATE} that gpu.js counts exactly; use backend: wasm or cut the data`,
      { largest, limit: LARGEST_COORDINATE },
    );
  let pitch = sizes.reduce((a, b) => a * b, 1);
  let rest = index;
  sizes.forEach((size, a) => {
    pitch /= size;
    if (size === 1) {
      at.push('0');
      return;
    }
    const q = `${name}${a}`;
    at.push(q);
    if (pitch === 1) {
      lines.push(`let ${q} = ${rest};`);
      return;
    }
    lines.push(`let ${q} = Math.floor((${rest}) / ${pitch});`);
    // One step mends the rounding of the quotient; very long dimensions may need more.
    const left = `${rest} - (${q} | 0) * ${pitch}`;
    for (let round = size > 1 << 20 ? 4 : 1; round > 0; round--)
      lines.push(`if (${left} < 0) { ${q} = ${q} - 1; }`, `if (${left} >= ${pitch}) { ${q} = ${q} + 1; }`);
    rest = left;
  });
  return { text: lines.join('\n'), at };
}

/** The whole kernel: coordinates of the output element (margins taken off) and `body`, which assigns `y`. */
export function kernelSource(
  parameters: readonly string[],
  layout: Layout,
  body: (at: string[]) => string,
): string {
  const flat = outputOf(layout).length === 1;
  const extents = extentsOf(layout);
  const { text, at } = flat
    ? decompose('this.thread.x', [...extents, channelsOf(layout)], 'e')
    : decompose('this.thread.y', extents, 'e');
  if (!flat) at.push('this.thread.x');
  const lines = [text];
  const inside: string[] = [];
  const position = at.map((e, a) => {
    const [low, high] = layout.margin[a] ?? [0, 0];
    if (low + high === 0) return e;
    if (low > 0) inside.push(`${e} >= ${low}`);
    if (high > 0) inside.push(`${e} < ${low + layout.shape[a]}`);
    return layout.shape[a] === 1 ? '0' : low === 0 ? e : `(${e} - ${low})`;
  });
  const inner = body(position);
  lines.push(
    'let y = 0;',
    inside.length > 0 ? `if (${inside.join(' && ')}) {\n${inner}\n}` : inner,
    'return y;',
  );
  return `function (${parameters.join(', ')}) {\n${lines.join('\n')}\n}`;
}

/** A loop over 0 … n − 1 of any length; the counter is passed to `body` (a literal where there is one step). */
export function loop(name: string, n: number, body: (counter: string) => string): string {
  if (n === 1) return body('0');
  if (n <= LONGEST_LOOP) return `for (let ${name} = 0; ${name} < ${n}; ${name}++) {\n${body(name)}\n}`;
  const block = 512;
  return loop(`${name}h`, Math.ceil(n / block), high =>
    loop(`${name}l`, block, low => {
      const inner = `let ${name} = ${high} * ${block} + ${low};\n`;
      return n % block === 0 ? `${inner}${body(name)}` : `${inner}if (${name} < ${n}) {\n${body(name)}\n}`;
    }),
  );
}

/**
 * Nested sums over a box: every loop has a sum of its own, and long loops are cut into blocks, so that errors grow with
 * the depth and the length of a block, not with the number of terms. `body` gets the name of the innermost sum, to be
 * added to, and the counters.
 */
export function sumOver(
  target: string,
  sizes: readonly number[],
  name: string,
  body: (sum: string, counters: string[]) => string,
): string {
  const level = (a: number, sum: string, counters: string[]): string => {
    if (a === sizes.length) return body(sum, counters);
    const n = sizes[a];
    const counter = `${name}${a}`;
    const own = `${name}s${a}`;
    const last = sizes.slice(a).every(m => m === 1) || a === sizes.length - 1;
    if (n === 1) return level(a + 1, sum, [...counters, '0']);
    if (n <= SUM_BLOCK) {
      const inner = loop(counter, n, i => level(a + 1, own, [...counters, i]));
      return `let ${own} = 0;\n${inner}\n${sum} = ${sum} + ${own};`;
    }
    const blocks = Math.ceil(n / SUM_BLOCK);
    const block = Math.ceil(n / blocks);
    const part = `${own}p`;
    const inner = (high: string) =>
      `let ${part} = 0;\n` +
      loop(`${counter}l`, block, low => {
        const at = `let ${counter} = ${high} * ${block} + ${low};\n`;
        const next = level(a + 1, part, [...counters, counter]);
        return at + (blocks * block === n ? next : `if (${counter} < ${n}) {\n${next}\n}`);
      });
    // A dimension of very many blocks has a third level.
    const outer = (sum: string) =>
      blocks <= SUM_BLOCK || !last
        ? loop(`${counter}h`, blocks, high => `${inner(high)}\n${sum} = ${sum} + ${part};`)
        : sumOver(
            sum,
            [Math.ceil(blocks / SUM_BLOCK), SUM_BLOCK],
            `${counter}g`,
            (s, [g, h]) =>
              `let ${counter}h = ${g} * ${SUM_BLOCK} + ${h};\nif (${counter}h < ${blocks}) {\n${inner(`${counter}h`)}\n${s} = ${s} + ${part};\n}`,
          );
    return `let ${own} = 0;\n${outer(own)}\n${sum} = ${sum} + ${own};`;
  };
  return level(0, target, []);
}

/** `if (all of the conditions) { body }`. */
export const guard = (conditions: readonly string[], body: string): string =>
  conditions.length === 0 ? body : `if (${conditions.join(' && ')}) {\n${body}\n}`;
