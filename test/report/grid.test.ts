import test from 'tape';
import type { Field } from '../../src/formats/field.ts';
import { reduceFactors, reduceGrid, slicePlane, viewGrid } from '../../src/report/grid.ts';
import { makeField } from './sample-fields.ts';

const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

/** A head of `extent` mm, x to the right, y to the front, z up, sampled on a grid stored in any order and direction. */
function headField(order: number[], signs: number[], extent = [6, 8, 10], spacing = [2, 1, 2]): Field {
  const sizes = order.map(world => extent[world] / spacing[world]);
  const origin = [0, 0, 0] as [number, number, number];
  const direction: [number[], number[], number[]] = [
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ];
  order.forEach((world, axis) => {
    direction[world][axis] = spacing[world] * signs[axis];
    origin[world] = signs[axis] > 0 ? 0 : extent[world] - spacing[world];
  });
  const place = (index: number): number[] => {
    const at = [
      Math.floor(index / (sizes[1] * sizes[2])),
      Math.floor(index / sizes[2]) % sizes[1],
      index % sizes[2],
    ];
    return origin.map(
      (start, w) => start + direction[w].reduce((sum, step, axis) => sum + step * at[axis], 0),
    );
  };
  const value = (index: number) => {
    const [x, y, z] = place(index);
    return 100 * z + 10 * y + x;
  };
  return makeField('volume', [...sizes, 1], value, { affine: { origin, direction } });
}

test('a scan is shown upright whatever order and direction it is stored in', t => {
  const expected = {
    sizes: [5, 8, 3],
    names: ['axial', 'coronal', 'sagittal'],
    ends: [
      ['S', 'I'],
      ['A', 'P'],
      ['R', 'L'],
    ],
  };
  let wrong = 0;
  for (const order of orders) {
    for (let bits = 0; bits < 8; bits++) {
      const field = headField(
        order,
        [1, 2, 4].map(bit => (bits & bit ? 1 : -1)),
      );
      const grid = viewGrid(field, 0);
      const found = {
        sizes: grid.axes.map(axis => axis.size),
        names: grid.axes.map(axis => axis.plane),
        ends: grid.axes.map(axis => axis.ends),
      };
      if (JSON.stringify(found) !== JSON.stringify(expected)) wrong++;
      // World coordinates grow to the right, front and top: the highest axial plane, its first row and its first column
      // have z 8, y 7 and x 4.
      const axial = slicePlane(grid, 0, 0);
      if (axial[0] !== 800 + 70 + 4 || axial[2] !== 800 + 70 + 0 || axial[axial.length - 1] !== 800) wrong++;
      const sagittal = slicePlane(grid, 2, 0);
      if (sagittal[0] !== 874 || sagittal[7] !== 804 || sagittal[sagittal.length - 8] !== 74) wrong++;
      const coronal = slicePlane(grid, 1, 7);
      if (coronal[0] !== 804 || coronal[coronal.length - 1] !== 0) wrong++;
      const { origin, steps } = grid.world!;
      const corner = origin.map((start, w) => start + 4 * steps[0][w] + 7 * steps[1][w] + 2 * steps[2][w]);
      if (
        JSON.stringify([origin, corner.map(v => v + 0)]) !==
        JSON.stringify([
          [4, 7, 8],
          [0, 0, 0],
        ])
      )
        wrong++;
    }
  }
  t.equal(wrong, 0, 'all 48 ways of storing it');
  t.end();
});

test('an oblique scan is labelled by its nearest directions, and the angle is known', t => {
  const angle = (20 * Math.PI) / 180;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const affine: Field['affine'] = {
    origin: [0, 0, 0],
    direction: [
      [0, 0, 2],
      [-s, 2 * c, 0],
      [c, 2 * s, 0],
    ],
  };
  const grid = viewGrid(
    makeField('volume', [4, 5, 6, 1], i => i, { affine }),
    0,
  );
  t.deepEqual(
    grid.axes.map(axis => axis.size),
    [4, 5, 6],
  );
  t.ok(Math.abs(grid.tilt - 20) < 1e-9, `${grid.tilt}°`);
  t.deepEqual(
    grid.axes.map(axis => Math.round(axis.spacing * 1e9) / 1e9),
    [1, 2, 2],
  );
  t.end();
});

test('without an affine the array is shown as it is; leading axes and channels are fixed and said', t => {
  const field = makeField('array', [4, 2, 3, 5, 2], i => i, { channelNames: ['red', 'blue'] });
  const grid = viewGrid(field, 1);
  t.deepEqual(grid.fixed, ['axis 1 3 of 4', 'channel blue']);
  t.deepEqual(
    grid.axes.map(axis => axis.size),
    [2, 3, 5],
  );
  const at = (i: number, j: number, k: number) => (((2 * 2 + i) * 3 + j) * 5 + k) * 2 + 1;
  t.deepEqual(
    [...slicePlane(grid, 1, 2)],
    [0, 1].flatMap(i => [0, 1, 2, 3, 4].map(k => at(i, 2, k))),
  );
  t.end();
});

test('reduction takes the finest axis first and averages what is finite', t => {
  const field = makeField('volume', [4, 6, 6, 1], i => (i === 0 ? Number.NaN : i), {
    axes: [
      { name: 'z', spacing: 5, unit: 'mm' },
      { name: 'y', spacing: 1, unit: 'mm' },
      { name: 'x', spacing: 1, unit: 'mm' },
    ],
  });
  const grid = viewGrid(field, 0);
  const factors = reduceFactors(grid, 40);
  t.deepEqual(factors, [1, 2, 2]);
  const { sizes, data } = reduceGrid(grid, factors);
  t.deepEqual(sizes, [4, 3, 3]);
  t.equal(data[0], Math.fround((1 + 6 + 7) / 3), 'the block with NaN');
  t.equal(data[4], (14 + 15 + 20 + 21) / 4);
  const rough = reduceGrid(grid, [3, 4, 4]);
  t.deepEqual(rough.sizes, [2, 2, 2], 'the last block is smaller');
  const corner = [3 * 36 + 28, 3 * 36 + 29, 3 * 36 + 34, 3 * 36 + 35];
  t.equal(rough.data[7], corner.reduce((a, b) => a + b) / 4);
  t.deepEqual(
    reduceFactors(
      viewGrid(
        makeField('volume', [1, 1, 1, 1], () => 0),
        0,
      ),
      0.5,
    ),
    [1, 1, 1],
    'ends at one voxel',
  );
  t.end();
});
