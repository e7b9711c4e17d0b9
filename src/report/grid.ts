// A volume as it is shown: three axes in viewing order, reached through strides, so that turning a scan upright
// copies nothing. With an affine the order is from superior to inferior, anterior to posterior, patient's right to
// left, which makes the three planes the axial, coronal and sagittal views as radiologists hang them; without one it
// is the array's own order.

import { channelsOf, type Field } from '../formats/field.ts';

type Three<T> = [T, T, T];

/** One axis in viewing order, index growing downwards or to the right on the screen. */
export interface GridAxis {
  size: number;
  /** Samples to the next element along the axis; negative where the array runs the other way. */
  stride: number;
  spacing: number;
  unit: string;
  /** Name of the plane that is seen when this axis is fixed. */
  plane: string;
  /** Marks at the low and high end of the axis; '' where nothing is known. */
  ends: [string, string];
}

export interface Grid {
  data: Float32Array;
  offset: number;
  axes: Three<GridAxis>;
  /** Position of viewing index `(i, j, k)` in mm, RAS+: `origin + i·step[0] + j·step[1] + k·step[2]`. */
  world?: { origin: Three<number>; steps: Three<Three<number>> };
  /** Largest angle in degrees between an axis and the anatomical direction that it is labelled with. */
  tilt: number;
  /** What was fixed to come down to three dimensions. */
  fixed: string[];
}

/** World axes in viewing order. World coordinates are RAS+, so from superior to inferior, from anterior to posterior
 *  and from the patient's right to left they all fall. */
const viewing = [
  { world: 2, plane: 'axial', ends: ['S', 'I'] },
  { world: 1, plane: 'coronal', ends: ['A', 'P'] },
  { world: 0, plane: 'sagittal', ends: ['R', 'L'] },
] as const;

const orders: Three<number>[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

const columnOf = (direction: Three<number[]>, axis: number): Three<number> => [
  direction[0][axis],
  direction[1][axis],
  direction[2][axis],
];

const lengthOf = (vector: readonly number[]): number => Math.hypot(...vector) || 1;

/** Which array axis lies closest to each viewing axis: the assignment with the largest sum of cosines. */
function matchAxes(direction: Three<number[]>): Three<number> {
  const cosine = (axis: number, world: number) =>
    Math.abs(direction[world][axis]) / lengthOf(columnOf(direction, axis));
  const score = (order: Three<number>) =>
    viewing.reduce((sum, { world }, v) => sum + cosine(order[v], world), 0);
  return orders.reduce((best, order) => (score(order) > score(best) + 1e-9 ? order : best));
}

/** The last three spatial axes of a field, leading ones fixed at their middle, one channel, in viewing order. */
export function viewGrid(field: Field, channel: number): Grid {
  const sizes = field.shape.slice(0, -1);
  const strides = sizes.map((_, axis) => field.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const lead = sizes.length - 3;
  const fixed: string[] = [];
  let offset = channel;
  for (let axis = 0; axis < lead; axis++) {
    const middle = Math.floor(sizes[axis] / 2);
    offset += middle * strides[axis];
    fixed.push(`${field.axes[axis]?.name || `axis ${axis + 1}`} ${middle + 1} of ${sizes[axis]}`);
  }
  if (channelsOf(field) > 1) fixed.push(`channel ${field.channelNames?.[channel] ?? channel + 1}`);

  const { affine } = field;
  if (!affine) {
    const axes = [0, 1, 2].map((axis): GridAxis => {
      const { name, spacing, unit } = field.axes[lead + axis] ?? { name: '', spacing: 1, unit: '' };
      const plane = name || `axis ${lead + axis + 1}`;
      return {
        size: sizes[lead + axis],
        stride: strides[lead + axis],
        spacing: Math.abs(spacing) || 1,
        unit,
        plane,
        ends: ['', ''],
      };
    }) as Three<GridAxis>;
    return { data: field.data, offset, axes, tilt: 0, fixed };
  }

  const order = matchAxes(affine.direction);
  const origin = [...affine.origin] as Three<number>;
  const steps: Three<number>[] = [];
  let tilt = 0;
  const axes = viewing.map(({ world, plane, ends }, v): GridAxis => {
    const axis = order[v];
    const column = columnOf(affine.direction, axis);
    const spacing = lengthOf(column);
    const along = column[world] <= 0;
    tilt = Math.max(tilt, (Math.acos(Math.min(1, Math.abs(column[world]) / spacing)) * 180) / Math.PI);
    const size = sizes[lead + axis];
    if (!along) {
      offset += (size - 1) * strides[lead + axis];
      for (let w = 0; w < 3; w++) origin[w] += column[w] * (size - 1);
    }
    steps.push(column.map(part => (along ? part : -part)) as Three<number>);
    const stride = along ? strides[lead + axis] : -strides[lead + axis];
    return { size, stride, spacing, unit: 'mm', plane, ends: [...ends] };
  }) as Three<GridAxis>;
  return {
    data: field.data,
    offset,
    axes,
    world: { origin, steps: steps as Three<Three<number>> },
    tilt,
    fixed,
  };
}

/** The two axes that span the plane seen when `axis` is fixed: rows and columns. */
export const planeAxes = (axis: number): [number, number] =>
  axis === 0 ? [1, 2] : axis === 1 ? [0, 2] : [0, 1];

/** The plane at `index` of `axis`, `[rows, columns]`. */
export function slicePlane(grid: Grid, axis: number, index: number): Float32Array {
  const [row, column] = planeAxes(axis).map(a => grid.axes[a]);
  const out = new Float32Array(row.size * column.size);
  const start = grid.offset + index * grid.axes[axis].stride;
  for (let r = 0; r < row.size; r++) {
    for (let c = 0; c < column.size; c++)
      out[r * column.size + c] = grid.data[start + r * row.stride + c * column.stride];
  }
  return out;
}

/** Whole factors that bring the grid to at most `voxels`, finest axis first, so that voxels come nearer to cubes. */
export function reduceFactors(grid: Grid, voxels: number): Three<number> {
  const factors: Three<number> = [1, 1, 1];
  const size = (axis: number) => Math.ceil(grid.axes[axis].size / factors[axis]);
  while (size(0) * size(1) * size(2) > voxels) {
    let finest = -1;
    for (let axis = 0; axis < 3; axis++) {
      const step = grid.axes[axis].spacing * factors[axis];
      if (size(axis) > 1 && (finest < 0 || step < grid.axes[finest].spacing * factors[finest] * (1 - 1e-6)))
        finest = axis;
    }
    if (finest < 0) break;
    factors[finest]++;
  }
  return factors;
}

/** Means over blocks of `factors` voxels (finite ones; NaN where there is none), `[sizes]` row-major. */
export function reduceGrid(grid: Grid, factors: Three<number>): { sizes: Three<number>; data: Float32Array } {
  const { axes, data, offset } = grid;
  const sizes = axes.map(({ size }, axis) => Math.ceil(size / factors[axis])) as Three<number>;
  const sums = new Float64Array(sizes[0] * sizes[1] * sizes[2]);
  const counts = new Uint32Array(sums.length);
  for (let i = 0; i < axes[0].size; i++) {
    const plane = Math.floor(i / factors[0]) * sizes[1];
    for (let j = 0; j < axes[1].size; j++) {
      const row = (plane + Math.floor(j / factors[1])) * sizes[2];
      const start = offset + i * axes[0].stride + j * axes[1].stride;
      for (let k = 0; k < axes[2].size; k++) {
        const value = data[start + k * axes[2].stride];
        if (value - value !== 0) continue;
        const cell = row + Math.floor(k / factors[2]);
        sums[cell] += value;
        counts[cell]++;
      }
    }
  }
  return { sizes, data: Float32Array.from(sums, (sum, cell) => sum / counts[cell]) };
}
