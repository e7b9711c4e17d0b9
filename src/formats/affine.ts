// Where a volume lies in the patient. Files give one direction vector per axis, fastest axis first, in LPS+ (DICOM,
// MetaImage, most NRRD: x to the left, y to the back) or RAS+ (NIfTI: x to the right, y to the front); a field keeps
// RAS+ millimetres and array order, slowest axis first. This converts between the two, and NIfTI's quaternions.
// Source of the quaternion form: nifti1.h of the NIfTI-1 standard, section "3D image orientation and location".

import type { Axis, Field } from './field.ts';

export type Vector = [number, number, number];
export type Affine = NonNullable<Field['affine']>;

/** World position of the first sample and step along each axis, fastest axis first. */
export interface Frame {
  origin: Vector;
  /** Steps in mm along x-, y- and z-index (fastest first). */
  steps: [Vector, Vector, Vector];
}

const turnAround = ([x, y, z]: Vector): Vector => [-x || 0, -y || 0, z];

/** Changes a frame between LPS+ and RAS+; the same turn goes both ways. */
export const swapLps = ({ origin, steps }: Frame): Frame => ({
  origin: turnAround(origin),
  steps: steps.map(turnAround) as Frame['steps'],
});

/** The affine of a field from a frame in RAS+. */
export function affineOf({ origin, steps: [i, j, k] }: Frame): Affine {
  return {
    origin: [...origin],
    direction: [0, 1, 2].map(row => [k[row], j[row], i[row]]) as Affine['direction'],
  };
}

/** The RAS+ frame of a field's affine. */
export function frameOf({ origin, direction }: Affine): Frame {
  const column = (c: number): Vector => [direction[0][c], direction[1][c], direction[2][c]];
  return { origin: [...origin], steps: [column(2), column(1), column(0)] };
}

export const lengthOf = (v: Vector): number => Math.hypot(...v);
export const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
export const scaled = (v: Vector, by: number): Vector => [v[0] * by, v[1] * by, v[2] * by];
export const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

/** Whether a frame can place samples: finite and with a volume. */
export function isUsable({ origin, steps: [i, j, k] }: Frame): boolean {
  const size = lengthOf(i) * lengthOf(j) * lengthOf(k);
  return (
    [...origin, ...i, ...j, ...k].every(Number.isFinite) &&
    size > 0 &&
    Math.abs(dot(cross(i, j), k)) > 1e-6 * size
  );
}

/** The axes of a volume `[…, z, y, x]` from spacings given fastest first; leading axes come from `leading`. */
export function volumeAxes(spacings: readonly number[], unit = 'mm', leading: Axis[] = []): Axis[] {
  const names = ['x', 'y', 'z'];
  const axes = spacings.map((spacing, at) => ({
    name: names[at] ?? `axis${at}`,
    spacing: spacing > 0 ? spacing : 1,
    unit,
  }));
  return [...leading, ...axes.reverse()];
}

/** Steps of a frame whose axes are rotated by the quaternion (b, c, d) and scaled; `handed` -1 turns the third. */
export function quaternionSteps(
  b: number,
  c: number,
  d: number,
  spacing: Vector,
  handed: number,
): Frame['steps'] {
  let a = 1 - (b * b + c * c + d * d);
  if (a < 1e-7) {
    // A half turn, where rounding may have pushed a below zero: renormalise.
    const shrink = 1 / Math.sqrt(b * b + c * c + d * d);
    [a, b, c, d] = [0, b * shrink, c * shrink, d * shrink];
  } else a = Math.sqrt(a);
  return [
    scaled([a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)], spacing[0]),
    scaled([2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)], spacing[1]),
    scaled([2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c], spacing[2] * handed),
  ];
}

/** The quaternion of a frame, or undefined where its axes are not at right angles and no quaternion can say it. */
export function quaternionOf(
  steps: Frame['steps'],
): { b: number; c: number; d: number; handed: number } | undefined {
  const [i, j, k] = steps.map(step => scaled(step, 1 / lengthOf(step))) as Frame['steps'];
  if (Math.max(Math.abs(dot(i, j)), Math.abs(dot(j, k)), Math.abs(dot(i, k))) > 1e-4) return undefined;
  const handed = dot(cross(i, j), k) < 0 ? -1 : 1;
  const w = scaled(k, handed);
  // Rows and columns as in nifti1.h: m[row][column], columns i, j, w.
  const trace = i[0] + j[1] + w[2] + 1;
  let quaternion: number[];
  if (trace > 0.5) {
    const a = 0.5 * Math.sqrt(trace);
    quaternion = [a, (0.25 * (j[2] - w[1])) / a, (0.25 * (w[0] - i[2])) / a, (0.25 * (i[1] - j[0])) / a];
  } else {
    const [x, y, z] = [1 + i[0] - j[1] - w[2], 1 + j[1] - i[0] - w[2], 1 + w[2] - i[0] - j[1]];
    if (x > 1) {
      const b = 0.5 * Math.sqrt(x);
      quaternion = [(0.25 * (j[2] - w[1])) / b, b, (0.25 * (j[0] + i[1])) / b, (0.25 * (w[0] + i[2])) / b];
    } else if (y > 1) {
      const c = 0.5 * Math.sqrt(y);
      quaternion = [(0.25 * (w[0] - i[2])) / c, (0.25 * (j[0] + i[1])) / c, c, (0.25 * (w[1] + j[2])) / c];
    } else {
      const d = 0.5 * Math.sqrt(z);
      quaternion = [(0.25 * (i[1] - j[0])) / d, (0.25 * (w[0] + i[2])) / d, (0.25 * (w[1] + j[2])) / d, d];
    }
  }
  const sign = quaternion[0] < 0 ? -1 : 1;
  return { b: sign * quaternion[1], c: sign * quaternion[2], d: sign * quaternion[3], handed };
}
