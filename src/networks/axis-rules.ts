// How a result reads its source along one dimension, as plain data: slices, lists, padding, sums over windows, resizing.
// Each becomes the small sparse matrix of the gather family. Coordinates of resizing are those of ONNX's Resize, which
// has the conventions of TensorFlow and PyTorch among its modes.

import { type AxisMap, selectMap } from '../../kernels/gather/spec.ts';
import { product } from '../tensor/layout.ts';

export type Coordinates =
  | 'half_pixel'
  | 'half_pixel_symmetric'
  | 'pytorch_half_pixel'
  | 'align_corners'
  | 'asymmetric'
  | 'tf_half_pixel_for_nn'
  | 'tf_crop_and_resize';

/** Resizing of one axis to `size`; `scale` is the factor asked for, which need not be size / n. */
export interface ResizeRule {
  rule: 'resize';
  size: number;
  scale: number;
  mode: 'nearest' | 'linear' | 'cubic';
  coordinates: Coordinates;
  nearest?: 'round_prefer_floor' | 'round_prefer_ceil' | 'floor' | 'ceil';
  cubic?: number;
  excludeOutside?: boolean;
  antialias?: boolean;
  /** Part of the axis for tf_crop_and_resize. */
  roi?: readonly [number, number];
}

export type AxisRule =
  | { rule: 'slice'; start: number; step: number; size: number }
  | { rule: 'pick'; index: readonly number[] }
  | { rule: 'pad'; low: number; high: number; mode: 'constant' | 'reflect' | 'edge' | 'wrap' }
  | { rule: 'window'; low: number; high: number }
  | { rule: 'cumulate'; exclusive: boolean; reverse: boolean }
  | ResizeRule;

/** Position read by position `p` of an axis of `n` cells padded by `low`, or −1. */
function padSource(p: number, n: number, mode: 'constant' | 'reflect' | 'edge' | 'wrap'): number {
  if (p >= 0 && p < n) return p;
  if (mode === 'constant') return -1;
  if (mode === 'edge') return p < 0 ? 0 : n - 1;
  if (mode === 'wrap') return ((p % n) + n) % n;
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const q = ((p % period) + period) % period;
  return q < n ? q : period - q;
}

/** The map of a rule over an axis of `n` cells. */
export function axisMap(rule: AxisRule, n: number): AxisMap {
  switch (rule.rule) {
    case 'slice':
      return selectMap(rule.size, p => rule.start + rule.step * p);
    case 'pick':
      return selectMap(rule.index.length, p => rule.index[p]);
    case 'pad':
      return selectMap(n + rule.low + rule.high, p => padSource(p - rule.low, n, rule.mode));
    case 'window':
      return weighted(n, rule.low + rule.high + 1, p =>
        range(p - rule.low, p + rule.high + 1)
          .filter(q => q >= 0 && q < n)
          .map(q => [q, 1]),
      );
    case 'cumulate':
      return weighted(n, n, p => {
        const offset = rule.exclusive ? 1 : 0;
        return (rule.reverse ? range(p + offset, n) : range(0, p + 1 - offset)).map(q => [q, 1]);
      });
    case 'resize':
      return resizeMap(rule, n);
  }
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

function weighted(size: number, terms: number, of: (p: number) => [number, number][]): AxisMap {
  const index = new Int32Array(size * terms).fill(-1);
  const weight = new Float32Array(size * terms);
  for (let p = 0; p < size; p++)
    for (const [j, [q, w]] of of(p).entries()) [index[p * terms + j], weight[p * terms + j]] = [q, w];
  return { size, terms, index, weight };
}

/** Terms per position that a rule needs, to see how large its map will be. */
export function termsOf(rule: AxisRule, n: number): number {
  if (rule.rule === 'window') return rule.low + rule.high + 1;
  if (rule.rule === 'cumulate') return n;
  if (rule.rule !== 'resize' || rule.mode === 'nearest') return 1;
  return footprint(rule).count;
}

/** Size of the axis after a rule. */
export function sizeAfter(rule: AxisRule, n: number): number {
  if (rule.rule === 'slice' || rule.rule === 'resize') return rule.size;
  if (rule.rule === 'pick') return rule.index.length;
  return rule.rule === 'pad' ? n + rule.low + rule.high : n;
}

function coordinate(rule: ResizeRule, n: number, p: number): number {
  const { size, scale, roi = [0, 1] } = rule;
  switch (rule.coordinates) {
    case 'half_pixel':
      return (p + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric':
      return (n / 2) * (1 - size / (scale * n)) + (p + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return size > 1 ? (p + 0.5) / scale - 0.5 : 0;
    case 'align_corners':
      return size > 1 ? (p * (n - 1)) / (scale * n - 1) : 0;
    case 'asymmetric':
      return p / scale;
    case 'tf_half_pixel_for_nn':
      return (p + 0.5) / scale;
    case 'tf_crop_and_resize':
      return size > 1
        ? roi[0] * (n - 1) + (p * (roi[1] - roi[0]) * (n - 1)) / (size - 1)
        : 0.5 * (roi[0] + roi[1]) * (n - 1);
  }
}

const rounding = {
  round_prefer_floor: (x: number) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x: number) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

// Offsets from ⌊x⌋ of the cells that a kernel reaches; wider where an antialiased image shrinks.
function footprint(rule: ResizeRule): { first: number; count: number; stretch: number } {
  const reach = rule.mode === 'cubic' ? 2 : 1;
  const stretch = rule.antialias ? Math.min(1, rule.scale) : 1;
  const first = Math.floor(-reach / stretch) + 1;
  return { first, count: 2 - 2 * first, stretch };
}

function kernelAt(rule: ResizeRule, x: number): number {
  const d = Math.abs(x);
  if (rule.mode === 'linear') return Math.max(0, 1 - d);
  const a = rule.cubic ?? -0.75;
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

function resizeMap(rule: ResizeRule, n: number): AxisMap {
  const outside = (x: number) => rule.coordinates === 'tf_crop_and_resize' && (x < 0 || x > n - 1);
  const clamp = (q: number) => Math.max(0, Math.min(n - 1, q));
  if (rule.mode === 'nearest') {
    const round = rounding[rule.nearest ?? 'round_prefer_floor'];
    return selectMap(rule.size, p => {
      const x = coordinate(rule, n, p);
      return outside(x) ? -1 : clamp(round(x));
    });
  }
  const { first, count, stretch } = footprint(rule);
  return weighted(rule.size, count, p => {
    const x = coordinate(rule, n, p);
    if (outside(x)) return [];
    const low = Math.floor(x);
    let cells = range(low + first, low + first + count).map((q): [number, number] => [
      q,
      kernelAt(rule, (q - x) * stretch),
    ]);
    if (rule.excludeOutside) cells = cells.filter(([q]) => q >= 0 && q < n);
    const total = rule.excludeOutside || rule.antialias ? cells.reduce((s, [, w]) => s + w, 0) : 1;
    return cells.filter(([, w]) => w !== 0).map(([q, w]) => [clamp(q), w / total]);
  });
}

/** `value` where some axis reads nothing and 0 elsewhere, of size 1 along axes that read something everywhere. */
export function borderOf(
  maps: readonly (AxisMap | null)[],
  value: number,
): { shape: number[]; data: Float32Array } {
  const reads = maps.map(map => {
    if (!map) return [true];
    const inside = range(0, map.size).map(p =>
      map.index.subarray(p * map.terms, (p + 1) * map.terms).some(q => q >= 0),
    );
    return inside.every(r => r) ? [true] : inside;
  });
  const shape = reads.map(r => r.length);
  const data = new Float32Array(product(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = reads.every((r, a) => r[index[a]]) ? 0 : value;
    for (let a = shape.length - 1; a >= 0 && ++index[a] === shape[a]; a--) index[a] = 0;
  }
  return { shape, data };
}
