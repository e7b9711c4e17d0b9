// Rank 4 against the definitions, continued: everything that is done to a field of four dimensions but convolution
// (see definition.test.ts). A definition is a plain function in double precision, from the value of the input at a cell
// and channel; gradients are compared with its differences along random directions.

import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { operations as op } from '../../src/ops/index.ts';
import { createRandom } from '../../src/random.ts';
import { type Build, normals, once, relativeError } from '../conformance/evaluate.ts';

const SIZE = [4, 3, 5, 4];
const CHANNELS = 3;
const LOW = [1, 0, 2, 1];
const HIGH = [0, 2, 1, 1];
const padding = LOW.map((low, a) => [low, HIGH[a]] as [number, number]);

type Cell = readonly number[];
/** The value of the input at a cell and channel. */
type Read = (at: Cell, c: number) => number;
/** The value of the result at a cell and channel. */
type Define = (x: Read, at: Cell, c: number, parameters: readonly ArrayLike<number>[]) => number;

interface Definition {
  build: Build;
  size: Cell;
  channels?: number;
  define: Define;
  /** Shapes of further inputs. */
  more?: number[][];
}

/** All cells of a box in row-major order. */
const cellsOf = (size: Cell): number[][] =>
  size.reduce<number[][]>(
    (all, n) => all.flatMap(at => Array.from({ length: n }, (_, i) => [...at, i])),
    [[]],
  );
const indexOf = (at: Cell, size: Cell): number => at.reduce((index, p, a) => index * size[a] + p, 0);
const everywhere = cellsOf(SIZE);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const channels = Array.from({ length: CHANNELS }, (_, c) => c);
const isInside = (at: Cell): boolean => at.every((p, a) => p >= 0 && p < SIZE[a]);
const clamp = (p: number, n: number): number => Math.min(n - 1, Math.max(0, p));
/** The mirror image inside, the edge not repeated. */
const mirror = (p: number, n: number): number => (p < 0 ? -p : p >= n ? 2 * (n - 1) - p : p);
const padded = SIZE.map((n, a) => n + LOW[a] + HIGH[a]);
const source = (at: Cell): number[] => at.map((p, a) => p - LOW[a]);

/** Windows of 3 at strides of 2 with a margin of 1 at both ends. */
const pooled = (rounding: 'floor' | 'ceil') => SIZE.map(n => Math[rounding]((n + 2 - 3) / 2) + 1);
const windowAt = (at: Cell): number[][] =>
  cellsOf(SIZE.map(() => 3)).map(tap => tap.map((t, a) => 2 * at[a] + t - 1));
const pool = { window: 3, strides: 2, padding: 1 } as const;
/** Cells of a window that lie within the margins: what a mean that counts the padding divides by. */
const counted = (cell: Cell): boolean => cell.every((p, a) => p >= -1 && p <= SIZE[a]);

const larger = SIZE.map((n, a) => n + 1 + a);
/** Σ over the 16 neighbours of a point, each weighed by how near it is. */
const interpolate = (x: Read, point: readonly number[], c: number): number =>
  cellsOf([2, 2, 2, 2]).reduce((sum, corner) => {
    const floor = point.map(p => Math.floor(p));
    const weight = corner.reduce((w, k, a) => w * (k ? point[a] - floor[a] : 1 - (point[a] - floor[a])), 1);
    return (
      sum +
      weight *
        x(
          corner.map((k, a) => clamp(floor[a] + k, SIZE[a])),
          c,
        )
    );
  }, 0);

const definitions: Record<string, Definition> = {
  'padding with zeros': {
    build: x => op.pad(x, padding),
    size: padded,
    define: (x, at, c) => (isInside(source(at)) ? x(source(at), c) : 0),
  },
  'padding with the edge': {
    build: x => op.pad(x, padding, 'replicate'),
    size: padded,
    define: (x, at, c) =>
      x(
        source(at).map((p, a) => clamp(p, SIZE[a])),
        c,
      ),
  },
  'padding with the mirror image': {
    build: x => op.pad(x, padding, 'reflect'),
    size: padded,
    define: (x, at, c) =>
      x(
        source(at).map((p, a) => mirror(p, SIZE[a])),
        c,
      ),
  },
  'maximum of windows': {
    build: x => op.maxPool(x, { ...pool, rounding: 'ceil' }),
    size: pooled('ceil'),
    define: (x, at, c) =>
      Math.max(
        ...windowAt(at)
          .filter(isInside)
          .map(cell => x(cell, c)),
      ),
  },
  'mean of windows': {
    build: x => op.averagePool(x, { ...pool, countPadding: false }),
    size: pooled('floor'),
    define: (x, at, c) =>
      mean(
        windowAt(at)
          .filter(isInside)
          .map(cell => x(cell, c)),
      ),
  },
  'mean of windows, padding counted': {
    build: x => op.averagePool(x, { ...pool, rounding: 'ceil', countPadding: true }),
    size: pooled('ceil'),
    define: (x, at, c) =>
      mean(
        windowAt(at)
          .filter(counted)
          .map(cell => (isInside(cell) ? x(cell, c) : 0)),
      ),
  },
  'mean of all cells': {
    build: op.globalAveragePool,
    size: [],
    define: (x, _, c) => mean(everywhere.map(cell => x(cell, c))),
  },
  'maximum of all cells': {
    build: op.globalMaxPool,
    size: [],
    define: (x, _, c) => Math.max(...everywhere.map(cell => x(cell, c))),
  },
  'nearest neighbours': {
    build: x => op.resize(x, larger, 'nearest'),
    size: larger,
    define: (x, at, c) =>
      x(
        at.map((p, a) => Math.floor((p * SIZE[a]) / larger[a])),
        c,
      ),
  },
  'linear interpolation': {
    build: x => op.resize(x, larger, 'linear'),
    size: larger,
    define: (x, at, c) =>
      interpolate(
        x,
        at.map((p, a) => Math.max(0, ((p + 0.5) * SIZE[a]) / larger[a] - 0.5)),
        c,
      ),
  },
  'linear interpolation from corner to corner': {
    build: x => op.resize(x, larger, 'linear', { alignCorners: true }),
    size: larger,
    define: (x, at, c) =>
      interpolate(
        x,
        at.map((p, a) => (p * (SIZE[a] - 1)) / (larger[a] - 1)),
        c,
      ),
  },
  'instance norm': {
    build: (x, gamma, beta) => op.instanceNorm(x, gamma, beta),
    size: SIZE,
    more: [[CHANNELS], [CHANNELS]],
    define: (x, at, c, [gamma, beta]) => {
      const values = everywhere.map(cell => x(cell, c));
      const middle = mean(values);
      const variance = mean(values.map(v => (v - middle) ** 2));
      return (gamma[c] * (x(at, c) - middle)) / Math.sqrt(variance + 1e-5) + beta[c];
    },
  },
  'scale and shift': {
    build: op.affine,
    size: SIZE,
    more: [[CHANNELS], [CHANNELS]],
    define: (x, at, c, [scale, shift]) => scale[c] * x(at, c) + shift[c],
  },
  softmax: {
    build: op.softmax,
    size: SIZE,
    define: (x, at, c) => Math.exp(x(at, c)) / channels.reduce((sum, k) => sum + Math.exp(x(at, k)), 0),
  },
  'unit length': {
    build: x => op.l2Normalise(x),
    size: SIZE,
    define: (x, at, c) => x(at, c) / Math.hypot(...channels.map(k => x(at, k))),
  },
  'exchange of dimensions': {
    build: x => op.transpose(x, [0, 3, 1, 4, 2, 5]),
    size: [SIZE[2], SIZE[0], SIZE[3], SIZE[1]],
    define: (x, at, c) => x([at[1], at[3], at[0], at[2]], c),
  },
  'a part': {
    build: x => op.slice(x, 3, 1, 4),
    size: [SIZE[0], SIZE[1], 3, SIZE[3]],
    define: (x, at, c) => x([at[0], at[1], at[2] + 1, at[3]], c),
  },
  'two side by side': {
    build: x => op.concat([x, x], 5),
    size: SIZE,
    channels: 2 * CHANNELS,
    define: (x, at, c) => x(at, c % CHANNELS),
  },
  'sum along two dimensions': {
    build: x => op.sum(x, [2, 4]),
    size: [SIZE[0], 1, SIZE[2], 1],
    define: (x, at, c) =>
      cellsOf([SIZE[1], SIZE[3]]).reduce((sum, [j, l]) => sum + x([at[0], j, at[2], l], c), 0),
  },
};

const DIFFERENCE = 1e-5;

for (const [name, definition] of Object.entries(definitions))
  tape(`definition: ${name} in rank 4, with its gradients`, async t => {
    const { build, size, define, more = [], channels: depth = CHANNELS } = definition;
    const shapes = [[1, ...SIZE, CHANNELS], ...more];
    const random = createRandom(3, name);
    // Values far enough apart for maxima to stay where they are.
    const x = random.shuffle(
      Float32Array.from({ length: everywhere.length * CHANNELS }, (_, i) => 0.02 * i - 4),
    );
    const values = [x, ...more.map((shape, i) => normals(shape, `${name} ${i}`))];
    const evaluate = ([data, ...parameters]: readonly ArrayLike<number>[]): number[] => {
      const read: Read = (at, c) => data[indexOf(at, SIZE) * CHANNELS + c];
      return cellsOf(size).flatMap(at =>
        Array.from({ length: depth }, (_, c) => define(read, at, c, parameters)),
      );
    };
    const wanted = evaluate(values);
    const probe = normals([wanted.length], `${name} probe`);
    const got = await once(await createReferenceBackend(), shapes, values, build, { probe });
    t.deepEqual(got.shape, [1, ...size, depth], `shape [${got.shape}]`);
    t.ok(relativeError(got.y, Float32Array.from(wanted)) < 1e-5, 'result');
    for (const [i, gradient] of got.gradients.entries()) {
      const direction = normals(shapes[i], `${name} direction ${i}`);
      const moved = (sign: number) =>
        evaluate(
          values.map((v, j) =>
            j === i ? Float64Array.from(v, (n, e) => n + sign * DIFFERENCE * direction[e]) : v,
          ),
        );
      const [up, down] = [moved(1), moved(-1)];
      const slope = up.reduce((sum, v, e) => sum + ((v - down[e]) * probe[e]) / (2 * DIFFERENCE), 0);
      const along = gradient.reduce((sum, v, e) => sum + v * direction[e], 0);
      const scale = Math.hypot(...gradient) + 1e-3;
      const error = Math.abs(along - slope) / scale;
      t.ok(error < 1e-4, `gradient of input ${i} differs by ${error.toExponential(1)}`);
    }
  });
